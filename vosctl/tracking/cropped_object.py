"""An object that is followed in its own crop: what is kept of it, and what was made of one look at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.colours import Colours, colours_of, compared
from vosctl.tracking.crop import Crop
from vosctl.tracking.follower import FollowedObject
from vosctl.tracking.framing import Framing
from vosctl.tracking.keeping import Reference
from vosctl.tracking.presence import Belief
from vosctl.tracking.search import View, shows_more
from vosctl.tracking.smoothing import Shown
from vosctl.types import Box, RGBImage, SoftMask

AREA_MEMORY = 0.97  # share of the area kept from frame to frame while less is seen: it goes out of sight bit by bit


@dataclass(slots=True, eq=False)
class CroppedObject(FollowedObject):
    """One object; its probability is (size, size), of its crop.

    Attributes:
        framing: where the next frame will be looked at.
        seen_in: the crop that `probability` belongs to.
        area: of the object in frame pixels: the largest lately seen.
        sure: how it was seen when its presence was last beyond doubt; None where the network does not tell presence.
        sure_image: (size, size, 3), what was seen there.
        recent: the engine's state with `sure` for the reference, once the object has been lost: how it last looked.
        recent_reference: what `recent` was made of, where it is to be kept.
        colours: of its reference; None where too little of it is seen there, or in a state of an earlier release.
        first: the reference that it was first shown by, where that is another than its last one and is kept.
        joined: whether `state` is of both.
        scene: (9, 16) the scene before the cut since which it is lost or on trial, as of `SceneChange.before`; None
            otherwise.
        belief: what is believed of it; not used where the network does not tell presence.
        frames_lost: for how many frames it has been lost.
        shown: how it was given out of the last frame, where that is smoothed; None after one in which it was lost.
    """

    framing: Framing
    seen_in: Crop
    area: float
    sure: View | None = None
    sure_image: RGBImage | None = None
    recent: Any = None
    recent_reference: Reference | None = None
    colours: Colours | None = None
    first: Reference | None = None
    joined: bool = False
    scene: NDArray[np.int16] | None = None
    belief: Belief = field(default_factory=Belief)
    frames_lost: int = 0
    shown: Shown | None = None

    def remembers(self, view: View) -> bool:
        """Return whether a view is where the object was last seen, after which a reference was made of it."""
        return view is self.sure and self.recent is not None

    def next_view(self) -> View:
        """Return where to look in the next frame, and with which guidance."""
        if self.frames_lost % 2 and self.sure is not None:
            return self.sure  # it may be in its place again
        crop = self.framing.crop
        return View(crop, crop.resample(self.probability, self.seen_in))

    def move(self, crop: Crop, box: Box | None, pixels: int, height: int, width: int) -> None:
        """Have the crop go along with the object, which has so many pixels in this box of `crop`; None when it is lost.

        Args:
            crop: where it was looked for.
            box: in pixels of the crop.
            pixels: of the crop.
            height: of the frame in pixels.
            width: of the frame in pixels.
        """
        if box is None:
            self.framing = self.framing.unseen(height, width)
        elif self.lost:
            self.framing = self.framing.found(crop.box_in_frame(box))
        else:
            self.framing = self.framing.seen(crop.box_in_frame(box))
        if box is not None:
            self.area = max(pixels / crop.scale**2, AREA_MEMORY * self.area)
        self.lost = box is None
        self.frames_lost = self.frames_lost + 1 if self.lost else 0

    def settle(self) -> None:
        """Have the scene in which it is followed for its own, once it is followed beyond a trial."""
        if not self.lost and not self.belief.trial:
            self.scene = None

    def presence_by_colours(self, image: RGBImage, probability: SoftMask, presence: float) -> float:
        """Return the object's presence once what is marked in an image is compared with its colours, of late too."""
        if self.colours is None:
            return presence
        first = recent = None
        if self.joined and self.first is not None:
            first = colours_of(self.first.image, self.first.mask)
        if self.sure is not None and self.sure_image is not None:
            recent = colours_of(self.sure_image, self.sure.guidance)
        return compared(presence, colours_of(image, probability), (self.colours, first, recent))


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """What the network made of one view of an object.

    Attributes:
        crop: the part of the frame that it was shown.
        probability: (size, size), the object's.
        state: the engine's state of the object afterwards.
        image: (size, size, 3), what it was shown.
        belief: what it says of the object; None where the network does not tell presence.
        presence: whether what is marked is the object, 0..1; 1 where the network does not tell.
        likely: the same once its colours were asked too, where they are of use: tells which of several views is best.
        guided: whether a mask of it from before said where it might be.
    """

    crop: Crop
    probability: SoftMask
    state: Any
    image: RGBImage
    belief: Belief | None
    presence: float
    likely: float
    guided: bool

    def is_better(self, best: Sighting, *, fuller: bool) -> bool:
        """Return whether the object is found in this view, and better than in the best one before, if found there.

        Args:
            best: what the best one before gave.
            fuller: prefer what shows more of the same thing; otherwise how likely it is the object counts alone.
        """
        if self.belief is None or self.belief.lost:
            return False
        more = less = False
        if fuller and best.belief is not None and not best.belief.lost:
            views = View(self.crop, self.probability), View(best.crop, best.probability)
            more, less = shows_more(*views), shows_more(*reversed(views))
        return more or (self.likely > best.likely and not less)
