"""Which objects are to be followed: masks, boxes and clicks on the first frame, or somebody to ask."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vosctl.arguments import whole_number
from vosctl.errors import UsageError, VosctlError
from vosctl.prompts.mask_file import StrPath, check_is_mask, read_first_mask
from vosctl.prompts.prompt import Prompt
from vosctl.prompts.segmenter import predict_mask
from vosctl.types import Labels, Mask, RGBImage

if TYPE_CHECKING:
    from vosctl.video.frames import Frame
    from vosctl.video.sources import Source

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class FirstObjects:
    """The objects of the first frame, said in one of three ways.

    Attributes:
        mask: a mask file, one for each object, or an array of the frame's size: integer ids, or bool for one object.
        prompts: boxes, clicks and strokes, by the object's id, 1..255; where objects overlap the later one is on top.
        choose: asks somebody: takes the first frame, (H, W, 3) uint8 RGB, gives the labels.
        fix_mask: whether a mask file may be repaired (`read_first_mask`).
        accept_doubtful: go on with a doubtful mask from a box or clicks, see `MaskPrediction.doubt`.
    """

    mask: StrPath | Sequence[StrPath] | NDArray[Any] | None = None
    prompts: Mapping[int, Prompt] = field(default_factory=dict)
    choose: Callable[[RGBImage], Labels] | None = None
    fix_mask: bool = False
    accept_doubtful: bool = False

    @property
    def given(self) -> tuple[str, ...]:
        """The parameters that say what the objects are."""
        ways = {
            "first_mask": self._has_mask,
            "box": any(prompt.box is not None for prompt in self.prompts.values()),
            "point": any(prompt.points for prompt in self.prompts.values()),
            "prompts": any(prompt.strokes or prompt.mask is not None for prompt in self.prompts.values()),
            "choose": self.choose is not None,
        }
        return tuple(name for name, used in ways.items() if used)

    @property
    def files(self) -> tuple[str, ...]:
        """The mask files."""
        if not self._has_mask or isinstance(self.mask, np.ndarray) or self.mask is None:
            return ()
        return (
            (os.fspath(self.mask),)
            if isinstance(self.mask, str | os.PathLike)
            else tuple(os.fspath(path) for path in self.mask)
        )

    @property
    def _has_mask(self) -> bool:
        return self.mask is not None and (isinstance(self.mask, np.ndarray) or self.mask not in ((), []))

    def check(self) -> None:
        """Make sure that the objects are said, in one way.

        Raises:
            UsageError: there is none, there are several, one is none, or `fix_mask` has nothing to fix.
        """
        if self.mask is not None:
            for mask in self.mask if isinstance(self.mask, list | tuple) else (self.mask,):
                check_is_mask("`first_mask`", mask)
                if isinstance(mask, np.ndarray) and mask is not self.mask:
                    raise UsageError("`first_mask`: give one array (H, W) with an id for each object, not several")
        given = self.given
        if not given:
            raise UsageError(
                "what to follow is not said; give `first_mask=FILE`, `box=X,Y,W,H`, `point=X,Y` or `choose`"
            )
        if len(given) > 1 and not set(given) <= {"box", "point", "prompts"}:
            named = " and ".join(f"`{name}`" for name in given)
            raise UsageError(f"{named}: each says what the objects are; give one of them")
        if self.fix_mask and not self.files:
            raise UsageError("`fix_mask`: is for a `first_mask`; leave it out")
        if wrong := [key for key in self.prompts if not 1 <= whole_number("object_id", key) <= 255]:
            raise UsageError(f"object id {wrong[0]}: must be 1..255")

    def peek(self, source: Source, note: Tell, warn: Tell) -> tuple[Labels, Iterable[Frame]]:
        """Return the labels, and all frames of the source, though the first may have been looked at for them."""
        if self._has_mask:
            return self.read_mask((source.info.height, source.info.width), note), source
        frames = iter(source)
        try:
            first = next(frames)
        except StopIteration:
            raise UsageError(f"{source.info.name}: has no frame; check the file") from None
        return self.labels(first.image, note, warn), chain((first,), frames)

    def labels(self, image: RGBImage, note: Tell, warn: Tell) -> Labels:
        """Return the objects on the first frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            note: receives each repair of a mask and each choice in reading it.
            warn: receives what speaks against a mask that was found for a box or clicks, where it is accepted.

        Returns:
            (H, W) uint8 ids, at least one object.

        Raises:
            UsageError: the mask, box or points do not fit the frame or show no object.
            VosctlError: nothing was chosen, or what was found is doubtful and that is not accepted.
        """
        if self._has_mask:
            return self.read_mask((image.shape[0], image.shape[1]), note)
        if self.choose is not None:
            return self.choose(image)
        labels = np.zeros(image.shape[:2], np.uint8)
        for object_id, prompt in self.prompts.items():
            labels[find_object(image, prompt, f"object {object_id}", self.accept_doubtful, warn)] = object_id
        if hidden := [key for key in self.prompts if not (labels == key).any()]:
            raise UsageError(
                f"object {hidden[0]}: is completely covered by a later one; give it later, or leave it out"
            )
        return labels

    def read_mask(self, size: tuple[int, int], note: Tell) -> Labels:
        """Return the labels of the mask, for frames of `size` (height, width); see `labels`."""
        if isinstance(self.mask, np.ndarray):
            return array_labels(self.mask, size)
        mask = read_first_mask(self.files, size, fix=self.fix_mask)
        for line in mask.notes:
            note(line)
        return mask.labels


def find_object(image: RGBImage, prompt: Prompt, what: str, accept_doubtful: bool, warn: Tell) -> Mask:
    """Return the mask of the object that a prompt means, (H, W) with at least one true pixel.

    Raises:
        UsageError: the prompt does not fit the picture.
        VosctlError: what was found is doubtful and that is not accepted, or nothing was.
    """
    found = predict_mask(image, prompt.box, prompt.points, prompt.mask, prompt.strokes)
    if found.doubt is not None:
        if not (accept_doubtful and found.mask.any()):
            go_on = "; or go on with `accept_doubtful=True`" if found.mask.any() else ""
            raise VosctlError(f"{what}: {found.doubt}{go_on}")
        warn(f"{what}: {found.doubt}")
    return found.mask


def array_labels(mask: NDArray[Any], size: tuple[int, int], what: str = "`first_mask`") -> Labels:
    """Return the ids of a mask that is an array, for frames of `size` (height, width); `what` names it in messages.

    Raises:
        UsageError: it does not fit, or holds no object.
    """
    if mask.shape != size:
        (height, width), shape = size, "x".join(map(str, mask.shape[::-1]))
        raise UsageError(f"{what}: is {shape}, the frames are {width}x{height}; give an array of their size")
    if mask.dtype != np.bool_ and not np.issubdtype(mask.dtype, np.integer):
        raise UsageError(f"{what}: must hold bool or integer ids, not {mask.dtype}")
    if int(mask.min(initial=0)) < 0 or int(mask.max(initial=0)) > 255:
        raise UsageError(f"{what}: its ids must be 0..255")
    if not mask.any():
        raise UsageError(f"{what}: is empty; mark at least one object in it")
    return mask.astype(np.uint8)
