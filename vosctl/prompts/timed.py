"""What is said of objects at a place on the time line: a mask, a box, clicks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.arguments import whole_number
from vosctl.errors import UsageError
from vosctl.prompts.mask_file import StrPath, check_is_mask
from vosctl.prompts.prompt import Click, Prompt
from vosctl.time_line import Place, PlaceLike
from vosctl.types import RealBox


@dataclass(frozen=True, slots=True, eq=False)
class TimedPrompt:
    """What is said of one object, or with a mask of several, in one frame; `TimedPrompt.of` makes one of plain values.

    An object that is not followed yet is followed from that frame on; one that is, is corrected there: what is said is
    its new reference. Clicks alone on an object that is followed correct the mask that it has in that frame.

    Attributes:
        at: the frame; None for the first one that is read.
        object_id: 1..255; None takes the ids that a mask has.
        mask: a mask file, or (H, W) integer ids or bool.
        prompt: box, clicks, strokes of the one object.
        said_in: the file of prompts that it was read from.
    """

    at: Place | None = None
    object_id: int | None = None
    mask: StrPath | NDArray[Any] | None = None
    prompt: Prompt | None = None
    said_in: Path | None = None

    def __post_init__(self) -> None:
        if (self.mask is None) == (self.prompt is None):
            raise UsageError(f"{self}: give a `mask`, or a `box` and clicks")
        if self.mask is not None:
            check_is_mask(f"{self}: `mask`", self.mask)
        if self.object_id is not None and not 1 <= whole_number("object_id", self.object_id) <= 255:
            raise UsageError(f"object id {self.object_id}: must be 1..255")
        if self.prompt is not None and self.object_id is None:
            raise UsageError(f"{self}: of which object? give its number")

    @classmethod
    def of(
        cls,
        at: PlaceLike | None = None,
        object_id: int | None = None,
        *,
        mask: StrPath | NDArray[Any] | None = None,
        box: RealBox | None = None,
        points: Sequence[Click] = (),
    ) -> TimedPrompt:
        """Put together what a caller gives, in plain types.

        Args:
            at: the frame's number, a time ("12.5s", "1:23.4") or a place; None for the first frame.
            object_id: the object; 1 by default with a box or clicks, with a mask whatever ids it has.
            mask: a file, or an array: (H, W) integer ids, or bool.
            box: x, y, width, height in pixels round the object.
            points: clicks (x, y, on_object).

        Raises:
            UsageError: something is no place, no box or no click, or what is said is not clear.
        """
        prompt = Prompt.of(box, points) if box is not None or len(points) else None
        if prompt is not None and object_id is None:
            object_id = 1
        return cls(None if at is None else Place.of(at), object_id, mask, prompt)

    def __str__(self) -> str:
        """Return the file of a mask, the frame and the object, for messages."""
        place = "the first frame"
        if self.at is not None:
            place = str(self.at) if self.at.frame is None else f"frame {self.at}"
        named = f"mask {self.mask}" if isinstance(self.mask, str | os.PathLike) else "prompt"
        return f"{named} at {place}" + (f" for object {self.object_id}" if self.object_id is not None else "")


def files_of(prompts: Iterable[TimedPrompt]) -> tuple[Path, ...]:
    """Return the files that prompts are read from: those of masks, and those of prompts."""
    files = [name for one in prompts for name in (one.mask, one.said_in) if isinstance(name, str | os.PathLike)]
    return tuple(dict.fromkeys(map(Path, files)))


def ids_of(mask: NDArray[np.uint8]) -> list[int]:
    """Return the ids in a mask, ascending."""
    return [int(one) for one in np.flatnonzero(np.bincount(mask.ravel(), minlength=256)) if one]
