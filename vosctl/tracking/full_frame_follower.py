"""Following objects on the full frame: `window=False` and the paper's protocol."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.compositing import composite
from vosctl.tracking.crop import mask_box
from vosctl.tracking.follower import FollowedObject, ObjectFollower
from vosctl.tracking.keeping import Reference
from vosctl.tracking.merging import soft_aggregation
from vosctl.tracking.multi_scale import MultiScale, StatePerScale
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.types import Labels, Mask, RGBImage, SoftMask
from vosctl.video.planar import Picture, rgb_of


class FullFrameFollower(ObjectFollower[FollowedObject]):
    """Follows objects on the full frame; their probabilities are padded.

    Args:
        multi_scale: runs the network.
        union: state of the union of all objects, for the official release's merging: the union is propagated too,
            and the background is what it leaves. None merges the objects alone.
        resumable: whether the references are kept, for `keep`; not with a union.
    """

    def __init__(self, multi_scale: MultiScale, union: StatePerScale | None = None, *, resumable: bool = False) -> None:
        super().__init__(resumable=resumable and union is None)
        self._multi_scale = multi_scale
        self._union = union

    def _referenced(self, object_id: int, frame: Picture, mask: Mask, *, alone: bool = False) -> FollowedObject:
        soft = self._multi_scale.pad(mask.astype(np.float32))
        image = rgb_of(frame)
        reference = Reference(image, soft) if self._resumable else None
        return FollowedObject(self._multi_scale.encode_reference(image, soft), soft, reference=reference)

    def _restored(self, object_id: int, values: Mapping[str, Any]) -> FollowedObject:
        reference: Reference = values["reference"]
        return FollowedObject(state=self._multi_scale.encode_reference(reference.image, reference.mask), **values)

    def _as_seen(self, one: FollowedObject, mask: SoftMask) -> SoftMask:
        return self._multi_scale.pad(mask)

    def _in_frame(self, one: FollowedObject) -> Mask:
        return np.asarray(self._multi_scale.unpad(one.probability) > 0.5)

    def _look(self, frame: Picture, followed: list[FollowedObject]) -> list[SoftMask]:
        masks = np.stack([one.probability for one in followed])
        return list(self._multi_scale.propagate(rgb_of(frame), masks, [one.state for one in followed]).probabilities)

    def step(self, frame: Picture) -> TrackedFrame:
        """Follow every object into the next frame."""
        self._given.clear()
        followed = list(self._objects.values())
        if not followed:
            return composite((), *frame.shape[:2])
        merged = self._propagate(rgb_of(frame), followed)
        for one, probability in zip(followed, merged[1:], strict=True):
            one.probability = probability
        merged = self._multi_scale.unpad(merged)
        ids = np.array([0, *self._objects], np.uint8)
        labels = ids[merged.argmax(axis=0)]
        alpha = np.clip((1 - merged[0]) * 255 + 0.5, 0, 255).astype(np.uint8)
        objects = tuple(map(_report, self._objects, itertools.repeat(labels), merged[1:]))
        for one, seen in zip(followed, objects, strict=True):
            one.lost = seen.status == "lost"
        return TrackedFrame(labels, alpha, objects)

    def _propagate(self, image: RGBImage, followed: list[FollowedObject]) -> NDArray[np.float32]:
        """Probabilities of the background and of every object, (N + 1, padded height, padded width)."""
        masks = np.stack([one.probability for one in followed])
        states = [one.state for one in followed]
        with_union = self._union is not None and len(followed) > 1
        if self._union is not None and with_union:
            masks = np.concatenate((masks, masks.sum(axis=0, keepdims=True)))
            states.append(self._union)
        step = self._multi_scale.propagate(image, masks, states)
        for one, state in zip(followed, step.states, strict=False):
            self._advance(one, state)
        probabilities = step.probabilities
        if with_union:
            self._union = step.states[-1]
            return soft_aggregation(probabilities[:-1], background=1 - probabilities[-1])
        if len(followed) == 1:
            return np.concatenate((1 - probabilities, probabilities))
        return soft_aggregation(_yielding(followed, probabilities))


def _yielding(followed: list[FollowedObject], probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the objects' probabilities, (N, ...); those that yield get only what the others leave."""
    yields = np.array([one.yields for one in followed])
    if not yields.any() or yields.all():
        return probabilities
    result = probabilities.copy()
    result[yields] *= 1 - probabilities[~yields].max(axis=0)
    return result


def _report(object_id: int, labels: Labels, probability: SoftMask) -> TrackedObject:
    mask = labels == object_id
    box = mask_box(mask)
    if box is None:
        return TrackedObject(object_id, "lost", 0.0, 0, None)
    return TrackedObject(object_id, "tracked", float(probability[mask].mean()), int(np.count_nonzero(mask)), box)
