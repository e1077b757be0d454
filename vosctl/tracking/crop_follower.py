"""Following objects, each in its own crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.engine.base import Engine
from vosctl.planar import Picture
from vosctl.tracking.compositing import ObjectView, composite
from vosctl.tracking.crop import Crop, main_box, mask_box
from vosctl.tracking.follower import FollowedObject, ObjectFollower
from vosctl.tracking.framing import REFERENCE_CONTEXT, Framing, crop_of_box
from vosctl.tracking.merging import soft_aggregation
from vosctl.tracking.results import TrackedFrame
from vosctl.types import Mask, SoftMask

# In crop pixels and mean probability: what counts as seen, and what it takes to be found again after a loss.
SEEN_PIXELS = 16
FOUND_PIXELS = 48
FOUND_SCORE = 0.75
FOUND_GROWTH = 2.0  # against the object's area; what is larger is something else
AREA_MEMORY = 0.97  # share of the area kept from frame to frame while less is seen: it goes out of sight bit by bit


@dataclass(slots=True, eq=False)
class CroppedObject(FollowedObject):
    """One object; its probability is (size, size), of its crop.

    Attributes:
        framing: where the next frame will be looked at.
        seen_in: the crop that `probability` belongs to.
        area: of the object in frame pixels: the largest lately seen.
    """

    framing: Framing
    seen_in: Crop
    area: float


class CropFollower(ObjectFollower[CroppedObject]):
    """Follows objects in their crops; all crops of a frame go through the network in one batch.

    Args:
        engine: the engine.
        height: height of the frames in pixels.
        width: width of the frames in pixels.
        size: side in pixels the crops are resampled to.
    """

    def __init__(self, engine: Engine[Any], height: int, width: int, size: int) -> None:
        super().__init__()
        self._engine = engine
        self._height, self._width = height, width
        self._size = size

    def _referenced(self, frame: Picture, mask: Mask) -> CroppedObject:
        box = mask_box(mask)
        if box is None:
            raise ValueError("the mask is empty")
        soft = mask.astype(np.float32)
        reference_crop = crop_of_box(box, REFERENCE_CONTEXT, self._size)
        framing = Framing.of_box(box, self._size)
        state = self._engine.encode_reference(reference_crop.cut(frame), reference_crop.cut_mask(soft))
        return CroppedObject(state, framing.crop.cut_mask(soft), framing, framing.crop, float(np.count_nonzero(mask)))

    def _as_seen(self, one: CroppedObject, mask: SoftMask) -> SoftMask:
        return one.seen_in.cut_mask(mask)

    def _in_frame(self, one: CroppedObject) -> Mask:
        return np.asarray(one.seen_in.to_frame(one.probability, 0, 0, self._width, self._height) > 0.5)

    def _look(self, frame: Picture, followed: list[CroppedObject]) -> list[SoftMask]:
        images = np.stack([one.seen_in.cut(frame) for one in followed])
        guidance = np.stack([one.probability for one in followed])
        return list(self._engine.propagate(images, guidance, [one.state for one in followed]).probabilities)

    def step(self, frame: Picture) -> TrackedFrame:
        """Follow every object into the next frame."""
        self._given.clear()
        followed = list(self._objects.values())
        if not followed:
            return composite((), self._height, self._width)
        crops = [one.framing.crop for one in followed]
        images = np.stack([crop.cut(frame) for crop in crops])
        guidance = np.stack([one.framing.crop.resample(one.probability, one.seen_in) for one in followed])
        step = self._engine.propagate(images, guidance, [one.state for one in followed])
        for one, state in zip(followed, step.states, strict=True):
            one.state = state
        merged = _merge(followed, crops, step.probabilities)
        views = [
            self._update(object_id, one, probability)
            for (object_id, one), probability in zip(self._objects.items(), merged, strict=True)
        ]
        return composite(views, self._height, self._width)

    def _update(self, object_id: int, one: CroppedObject, probability: SoftMask) -> ObjectView:
        """Store what was seen, decide whether the object is lost, and move or widen its crop."""
        crop, mask = one.framing.crop, probability > 0.5
        pixels = int(np.count_nonzero(mask))
        score = float(probability[mask].mean()) if pixels else 0.0
        area = pixels / crop.scale**2
        if one.lost:
            seen = pixels >= FOUND_PIXELS and score >= FOUND_SCORE and area <= FOUND_GROWTH * one.area
        else:
            seen = pixels >= SEEN_PIXELS
        box = main_box(mask) if seen else None
        one.seen_in, one.probability = crop, probability
        if box is None:
            one.framing = one.framing.unseen(self._height, self._width)
        elif one.lost:
            one.framing = one.framing.found(crop.box_in_frame(box))
        else:
            one.framing = one.framing.seen(crop.box_in_frame(box))
        if box is not None:
            one.area = max(area, AREA_MEMORY * one.area)
        one.lost = box is None
        return ObjectView(object_id, one.seen_in, probability, score, one.lost)


def _merge(followed: list[CroppedObject], crops: list[Crop], probabilities: NDArray[np.float32]) -> list[SoftMask]:
    """Merge the objects by soft aggregation, each in its own crop, against those whose crops reach into it.

    Objects that yield take nothing away from those that do not.
    """
    merged = []
    for index, (crop, probability) in enumerate(zip(crops, probabilities, strict=True)):
        others = [
            crop.resample(probabilities[other], crops[other])
            for other in range(len(crops))
            if other != index and crop.overlaps(crops[other]) and (followed[index].yields or not followed[other].yields)
        ]
        merged.append(soft_aggregation(np.stack([probability, *others]))[1] if others else probability)
    return merged
