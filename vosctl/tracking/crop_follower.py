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
class FollowedObject:
    """The whole state of one object: it never grows.

    Attributes:
        state: the engine's state of it.
        framing: where the next frame will be looked at.
        seen_in: the crop that `probability` belongs to.
        probability: (size, size) float32, the last soft mask: the next guidance mask.
        area: of the object in frame pixels: the largest lately seen.
        lost: whether the object was lost in the last frame.
    """

    state: Any
    framing: Framing
    seen_in: Crop
    probability: SoftMask
    area: float
    lost: bool = False


class CropFollower:
    """Follows objects in their crops; all crops of a frame go through the network in one batch.

    Args:
        engine: the engine.
        height: height of the frames in pixels.
        width: width of the frames in pixels.
        size: side in pixels the crops are resampled to.
    """

    def __init__(self, engine: Engine[Any], height: int, width: int, size: int) -> None:
        self._engine = engine
        self._height, self._width = height, width
        self._size = size
        self._objects: dict[int, FollowedObject] = {}

    def add(self, object_id: int, image: Picture, mask: Mask) -> None:
        """Take `mask`, (H, W) with at least one true pixel, as the object's reference; replaces one of the same id."""
        box = mask_box(mask)
        if box is None:
            raise ValueError("the mask is empty")
        soft = mask.astype(np.float32)
        reference_crop = crop_of_box(box, REFERENCE_CONTEXT, self._size)
        framing = Framing.of_box(box, self._size)
        state = self._engine.encode_reference(reference_crop.cut(image), reference_crop.cut_mask(soft))
        self._objects[object_id] = FollowedObject(
            state, framing, framing.crop, framing.crop.cut_mask(soft), float(np.count_nonzero(mask))
        )
        self._objects = dict(sorted(self._objects.items()))

    def remove(self, object_id: int) -> None:
        """Stop following an object."""
        del self._objects[object_id]

    def step(self, image: Picture) -> TrackedFrame:
        """Follow every object into the next frame."""
        followed = list(self._objects.values())
        if not followed:
            return composite((), self._height, self._width)
        crops = [one.framing.crop for one in followed]
        images = np.stack([crop.cut(image) for crop in crops])
        guidance = np.stack([one.framing.crop.resample(one.probability, one.seen_in) for one in followed])
        step = self._engine.propagate(images, guidance, [one.state for one in followed])
        for one, state in zip(followed, step.states, strict=True):
            one.state = state
        merged = _merge(crops, step.probabilities)
        views = [
            self._update(object_id, one, probability)
            for (object_id, one), probability in zip(self._objects.items(), merged, strict=True)
        ]
        return composite(views, self._height, self._width)

    def _update(self, object_id: int, one: FollowedObject, probability: SoftMask) -> ObjectView:
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


def _merge(crops: list[Crop], probabilities: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Merge the objects by soft aggregation, each in its own crop, against those whose crops reach into it."""
    merged = []
    for index, (crop, probability) in enumerate(zip(crops, probabilities, strict=True)):
        others = [
            crop.resample(probabilities[other], crops[other])
            for other in range(len(crops))
            if other != index and crop.overlaps(crops[other])
        ]
        merged.append(soft_aggregation(np.stack([probability, *others]))[1] if others else probability)
    return merged
