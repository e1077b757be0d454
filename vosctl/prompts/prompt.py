"""What is said of one object: a box round it, clicks, strokes, an earlier mask, alone or together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import UsageError
from vosctl.types import Mask, RealBox, SoftMask

Click = tuple[float, float, bool]
"""x, y in pixels, and whether it lies on the object."""

LEAST_SIDE = 4
"""Pixels of the picture that a box must cover in each direction."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line that was drawn over the object or over what is not part of it.

    Attributes:
        path: its points, x and y in pixels.
        on_object: whether it lies on the object.
        radius: half its width, pixels.
    """

    path: tuple[tuple[float, float], ...]
    on_object: bool
    radius: float


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """Everything that is said of one object in one picture.

    Attributes:
        box: x, y, width, height in pixels, round the object; None for none.
        points: clicks, in the order in which they were made.
        strokes: painted corrections, later than all points.
        mask: (H, W), the object as it was found or drawn before, perhaps roughly: it is improved, not obeyed.
    """

    box: RealBox | None = None
    points: tuple[Click, ...] = ()
    strokes: tuple[Stroke, ...] = ()
    mask: SoftMask | None = None

    @classmethod
    def of(
        cls,
        box: Sequence[float] | None = None,
        points: Sequence[Click] = (),
        mask: Mask | SoftMask | None = None,
        strokes: Sequence[Stroke] = (),
    ) -> Prompt:
        """Put together what a caller gives, in plain types.

        Raises:
            UsageError: a box, a point or a mask of another form, or numbers that are not finite.
        """
        return cls(_box(box), _clicks(points), tuple(strokes), _mask(mask))

    def check_places(self, height: int, width: int) -> None:
        """Make sure that the box and the clicks lie in a picture.

        Raises:
            UsageError: one does not.
        """
        if self.box is not None:
            check_box(self.box, height, width)
        for x, y, _ in self.points:
            if not (0 <= x < width and 0 <= y < height):
                raise UsageError(f"`point={number(x)},{number(y)}`: lies outside the {width}x{height} picture")

    def check(self, height: int, width: int) -> None:
        """Make sure that the prompt fits a picture.

        Raises:
            UsageError: nothing is said, or something of it lies outside the picture.
        """
        self.check_places(height, width)
        if self.mask is not None and self.mask.shape != (height, width):
            raise UsageError(
                f"`mask`: is {'x'.join(map(str, self.mask.shape[::-1]))}, the picture {width}x{height}; give one of "
                "the picture's size"
            )
        on_object = any(on for _, _, on in self.points) or any(stroke.on_object for stroke in self.strokes)
        if self.box is None and not on_object and (self.mask is None or not (self.mask > 0.5).any()):
            if self.points:
                raise UsageError("`point`: none of them is on the object; give at least one without :-, or a `box`")
            raise UsageError("nothing says where the object is; give a `box`, a `point` on it or a `mask`")


def check_box(box: RealBox, height: int, width: int) -> None:
    """Make sure that a box covers something of a picture.

    Raises:
        UsageError: it lies outside the picture, or only a sliver of it inside.
    """
    x, y, box_width, box_height = box
    named = f"`box={','.join(map(number, box))}`"
    if x >= width or y >= height or x + box_width <= 0 or y + box_height <= 0:
        raise UsageError(
            f"{named}: lies outside the {width}x{height} picture; give x,y,width,height in pixels of the picture"
        )
    across, down = min(x + box_width, width) - max(x, 0), min(y + box_height, height) - max(y, 0)
    if across < LEAST_SIDE or down < LEAST_SIDE:
        raise UsageError(
            f"{named}: covers less than {LEAST_SIDE}x{LEAST_SIDE} pixels of the {width}x{height} picture; "
            "draw it round the object"
        )


def number(value: float) -> str:
    """Return a coordinate as short as it can be: "12" or "12.5"."""
    return f"{value:g}"


def _box(box: Sequence[float] | None) -> RealBox | None:
    if box is None:
        return None
    values = _floats(box, 4)
    if values is None or values[2] <= 0 or values[3] <= 0:
        raise UsageError(f"`box={box}`: give x, y, width and height in pixels, the last two above 0")
    x, y, width, height = values
    return x, y, width, height


def _mask(mask: Mask | SoftMask | None) -> SoftMask | None:
    try:
        return None if mask is None else np.asarray(mask, np.float32)
    except (TypeError, ValueError):
        raise UsageError(f"`mask`: give a NumPy array (H, W), not {type(mask).__name__}") from None


def _clicks(points: Sequence[Click]) -> tuple[Click, ...]:
    given = () if np.isscalar(points) else tuple(points)
    if np.isscalar(points) or any(np.isscalar(point) for point in given):  # one click instead of a list of them
        raise UsageError(f"`point={points}`: give a list of clicks, such as [(310, 240, True)]")
    return tuple(_click(point) for point in given)


def _click(point: Click) -> Click:
    values = _floats(point, 3)
    if values is None:
        raise UsageError(f"`point={point}`: give x, y and whether it lies on the object, such as (310, 240, True)")
    return values[0], values[1], bool(point[2])


def _floats(values: Sequence[float], count: int) -> list[float] | None:
    """Return the values as floats; None when they are not `count` finite numbers."""
    try:
        array: NDArray[np.float64] = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        return None
    return [float(value) for value in array] if array.shape == (count,) and np.isfinite(array).all() else None
