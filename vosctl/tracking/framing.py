"""Where to look for an object: how its crop goes along with it, and how it searches once it is lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot

from vosctl.tracking.crop import Crop
from vosctl.types import RealBox

CONTEXT = 1.7  # crop side over the longer side of the object's box, while its motion is not known
LEAST_CONTEXT, LARGEST_CONTEXT = 1.6, 1.9  # the same of an object that is found where it is expected, or far from there
REFERENCE_CONTEXT = 1.4  # the same for the reference
CONTEXT_PER_SURPRISE = 2.4
FIRST_SURPRISE = 0.125  # goes with CONTEXT
# All of these are for crops of up to the first of two sizes in pixels; from the second on they are wider by a share.
LARGE_SIZES, WIDER = (320, 384), 0.06
SURPRISE_MEMORY = 0.9  # share of the surprise kept from frame to frame
MIN_SIDE = 96.0  # pixels
SMOOTHING = 0.6  # weight of the new crop against the one before
VELOCITY_SMOOTHING = 0.5  # weight of the box's last move against the moves before
PLACE = 0.5  # of that side: what is found within this distance, and is not smaller than this, is in its place
EXTENT_MEMORY = 0.98  # share of the box's longer side kept from frame to frame while less is seen
LOST_GROWTH = 1.2  # growth of the crop per frame while the object is lost
LOST_DRAG = 0.9  # share of the velocity kept per frame while the object is lost


def widened(context: float, size: int) -> float:
    """Return a context as it is in crops of `size` pixels: large ones show no object larger than networks know it."""
    usual, large = LARGE_SIZES
    return context * (1 + WIDER * min(max((size - usual) / (large - usual), 0.0), 1.0))


def crop_of_box(box: RealBox, context: float, size: int) -> Crop:
    """Return the crop of `size` pixels that shows a box with `context`, see `widened`, times its longer side."""
    return Crop.around(*_center(box), _side_of(max(box[2:]), context, size), size)


def _center(box: RealBox) -> tuple[float, float]:
    x, y, width, height = box
    return x + width / 2, y + height / 2


def _side(extent: float, surprise: float, size: int) -> float:
    """Return the crop's side: the less it is known where the object will be, the wider."""
    context = CONTEXT + CONTEXT_PER_SURPRISE * (surprise - FIRST_SURPRISE)
    return _side_of(extent, min(max(context, LEAST_CONTEXT), LARGEST_CONTEXT), size)


def _side_of(extent: float, context: float, size: int) -> float:
    return max(widened(context, size) * extent, MIN_SIDE)


@dataclass(frozen=True, slots=True)
class Framing:
    """The crop for the next frame, and what is remembered for the ones after it. All in frame pixels.

    The crop goes where the object is expected: on along its velocity, or a fast one would be out of it by the next
    frame. The nearer to that the object was found lately, the closer the crop. It keeps the size of the whole object
    for a while when only a part is to be seen, so that what comes out again on the other side of a tree is in it.

    Attributes:
        crop: where the next frame will be looked at.
        center: of the object's box when it was last seen.
        velocity: of that centre, per frame, smoothed.
        extent: longer side of the box: the largest lately seen.
        surprise: how far from where it was expected the object was found lately, over its extent: the farthest, fading.
    """

    crop: Crop
    center: tuple[float, float]
    velocity: tuple[float, float]
    extent: float
    surprise: float = FIRST_SURPRISE

    @classmethod
    def of_box(cls, box: RealBox, size: int) -> Framing:
        """Return the framing of an object that has just been seen in `box`, of unknown motion."""
        return cls(crop_of_box(box, CONTEXT, size), _center(box), (0.0, 0.0), float(max(box[2:])))

    def seen(self, box: RealBox) -> Framing:
        """After a frame in which the object was seen in `box`, as in the frame before."""
        center = _center(box)
        moves = zip(self.velocity, center, self.center, strict=True)
        beside = [now - last - before for before, now, last in moves]
        vx, vy = (before + VELOCITY_SMOOTHING * more for before, more in zip(self.velocity, beside, strict=True))
        extent = max(*box[2:], EXTENT_MEMORY * self.extent)
        surprise = max(hypot(*beside) / extent, SURPRISE_MEMORY * self.surprise)
        x, y = (old + SMOOTHING * (new - old) for old, new in zip(self.crop.center, center, strict=True))
        side = self.crop.side + SMOOTHING * (_side(extent, surprise, self.crop.size) - self.crop.side)
        return Framing(Crop.around(x + vx, y + vy, side, self.crop.size), center, (vx, vy), extent, surprise)

    def found(self, box: RealBox) -> Framing:
        """After a frame in which the object was found again: look there at once, without smoothing.

        Where it was, it is likely of its size, of which perhaps less is seen.
        """
        found = Framing.of_box(box, self.crop.size)
        moved = max(abs(now - last) for now, last in zip(found.center, self.center, strict=True))
        extent = EXTENT_MEMORY * self.extent
        if moved > PLACE * self.extent or not PLACE * extent < found.extent < extent:
            return found
        side = _side_of(extent, CONTEXT, self.crop.size)
        return replace(found, crop=Crop.around(*found.center, side, self.crop.size), extent=extent)

    def unseen(self, frame_height: int, frame_width: int) -> Framing:
        """After a frame in which the object was not seen: on along its path, ever wider, up to the frame."""
        crop, (vx, vy) = self.crop, self.velocity
        side = max(crop.side * LOST_GROWTH, _side(self.extent, self.surprise, crop.size))
        side = min(side, max(frame_height, frame_width, crop.side))
        x, y = crop.center
        x, y = _clamped(x + vx, side, frame_width), _clamped(y + vy, side, frame_height)
        return replace(self, crop=Crop.around(x, y, side, crop.size), velocity=(LOST_DRAG * vx, LOST_DRAG * vy))


def _clamped(center: float, side: float, length: int) -> float:
    """Return the centre nearest to `center` at which a crop of this side lies inside a frame's length or covers it."""
    return min(max(center, side / 2), length - side / 2) if side <= length else length / 2
