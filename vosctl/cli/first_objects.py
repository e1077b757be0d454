"""The ways to say what the objects are in the first frame: a mask, boxes, points, or a window to draw in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vosctl.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vosctl.types import Box
    from vosctl.video.frames import Frame
    from vosctl.video.sources import Source

Command = TypeVar("Command", bound=Callable[..., Any])
PointMark = tuple[int, int, bool]  # x, y in pixels; whether it lies on the object


class BoxType(click.ParamType):  # type: ignore[type-arg]  # generic only in recent releases of click
    """`x,y,w,h` in pixels."""

    name = "x,y,w,h"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Box:
        if isinstance(value, tuple):
            return value
        try:
            x, y, width, height = (int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r}: give x,y,width,height in whole pixels, such as 220,60,180,400", param, ctx)
        if width <= 0 or height <= 0:
            self.fail(f"{value!r}: its width and height must be above 0", param, ctx)
        return x, y, width, height


class PointType(click.ParamType):  # type: ignore[type-arg]
    """`x,y` on the object or `x,y:-` beside it."""

    name = "x,y[:-]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> PointMark:
        if isinstance(value, tuple):
            return value
        place, _, sign = value.partition(":")
        try:
            x, y = (int(part) for part in place.split(","))
        except ValueError:
            self.fail(f"{value!r}: give x,y in whole pixels, such as 310,240, or 310,240:- for background", param, ctx)
        if sign not in ("", "+", "-"):
            self.fail(f"{value!r}: after the colon comes - for background, or + for the object", param, ctx)
        return x, y, sign != "-"


def first_mask_options(command: Command) -> Command:
    """--first-mask, --fix-mask, --box, --point."""
    options = (
        click.option(
            "--first-mask",
            type=click.Path(path_type=Path),
            metavar="FILE",
            multiple=True,
            help="The objects in the first frame: black and white, indexed PNG, a colour an object, or LabelMe or "
            "COCO JSON. Repeat it for one object a file.",
        ),
        click.option(
            "--fix-mask", is_flag=True, help="Repair a mask of another size or with soft edges, and say what was done."
        ),
        click.option(
            "--box",
            type=BoxType(),
            multiple=True,
            help="A box round an object in the first frame, in pixels. Repeat it for more objects.",
        ),
        click.option(
            "--point",
            type=PointType(),
            multiple=True,
            help="A point on the object in the first frame, or with :- beside it. Repeat it; all are of one object.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class FirstMaskRequest:
    """What the user said of the objects in the first frame; see `first_mask_options`.

    Attributes:
        first_mask: a mask file, or one for each object.
        fix_mask: whether they may be repaired.
        boxes: a box round each object.
        points: points of one object.
        select: to be drawn in a window.
    """

    first_mask: tuple[Path, ...]
    fix_mask: bool
    boxes: tuple[Box, ...]
    points: tuple[PointMark, ...]
    select: bool = False

    @property
    def given(self) -> list[str]:
        """The options that were used."""
        ways = {"--first-mask": self.first_mask, "--box": self.boxes, "--point": self.points, "--select": self.select}
        return [name for name, value in ways.items() if value]

    def check(
        self, *, needed: bool = True, ways: str = "--first-mask FILE, --box x,y,w,h, --point x,y or --select"
    ) -> None:
        """Make sure that there is one way, or none where it is not needed.

        Raises:
            UsageError: there is none, there are several, or --fix-mask has nothing to fix.
        """
        if len(self.given) > 1:
            raise UsageError(f"{' and '.join(self.given)}: each says what the objects are; give one of them")
        if needed and not self.given:
            raise UsageError(f"what to follow is not said; give {ways}")
        if self.fix_mask and not self.first_mask:
            raise UsageError("--fix-mask: is for --first-mask; leave it out")

    def peek(self, source: Source, note: Callable[[str], None]) -> tuple[NDArray[np.uint8], Iterable[Frame]]:
        """The labels, and all frames of the source, though the first may have been looked at for them."""
        if self.first_mask:
            size = source.info.height, source.info.width
            return self.read_mask(size, note), source
        frames = iter(source)
        first = next(frames)
        return self.labels(first.image, note), chain((first,), frames)

    def labels(self, image: NDArray[np.uint8], note: Callable[[str], None]) -> NDArray[np.uint8]:
        """The objects on the first frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            note: told of each repair of a mask and of each choice in reading it.

        Returns:
            (H, W) uint8 ids, at least one object; where two objects overlap the later one lies on top.

        Raises:
            UsageError: the mask, box or points do not fit the frame or show no object.
            VosctlError: nothing was chosen, or there is no display for the window.
        """
        import numpy as np

        from vosctl.selection import mask_from_box, mask_from_points

        if self.first_mask:
            return self.read_mask(image.shape[:2], note)
        if self.select:
            from vosctl.selection.choosing import choose_objects

            return choose_objects(image)
        labels = np.zeros(image.shape[:2], np.uint8)
        if self.points:
            foreground = [(x, y) for x, y, on_object in self.points if on_object]
            background = [(x, y) for x, y, on_object in self.points if not on_object]
            labels[mask_from_points(image, foreground, background)] = 1
        for object_id, box in enumerate(self.boxes, start=1):
            labels[mask_from_box(image, box)] = object_id
        return labels

    def read_mask(self, size: tuple[int, ...], note: Callable[[str], None]) -> NDArray[np.uint8]:
        """The labels in the mask file, for frames of `size` (height, width); see `labels`."""
        from vosctl.prompts.mask_file import read_first_mask

        height, width = size
        mask = read_first_mask(self.first_mask, (height, width), fix=self.fix_mask)
        for line in mask.notes:
            note(line)
        return mask.labels
