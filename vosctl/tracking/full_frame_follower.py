"""Following objects on the full frame: `--window off` and the paper's protocol."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vosctl.planar import Picture, rgb_of
from vosctl.tracking.compositing import composite
from vosctl.tracking.crop import mask_box
from vosctl.tracking.merging import soft_aggregation
from vosctl.tracking.multi_scale import MultiScale, StatePerScale
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.types import Labels, Mask, RGBImage, SoftMask


@dataclass(slots=True, eq=False)
class FullFrameObject:
    """State per scale and the last soft mask, padded, float32 in [0, 1], of one object."""

    state: StatePerScale
    probability: SoftMask


class FullFrameFollower:
    """Follows objects on the full frame.

    Args:
        multi_scale: runs the network.
        union: state of the union of all objects, for the official release's merging: the union is propagated too,
            and the background is what it leaves. None merges the objects alone.
    """

    def __init__(self, multi_scale: MultiScale, union: StatePerScale | None = None) -> None:
        self._multi_scale = multi_scale
        self._union = union
        self._objects: dict[int, FullFrameObject] = {}

    def add(self, object_id: int, image: Picture, mask: Mask) -> None:
        """Take `mask`, (H, W), as the object's reference; replaces one of the same id."""
        soft = self._multi_scale.pad(mask.astype(np.float32))
        self._objects[object_id] = FullFrameObject(self._multi_scale.encode_reference(rgb_of(image), soft), soft)
        self._objects = dict(sorted(self._objects.items()))

    def remove(self, object_id: int) -> None:
        """Stop following an object."""
        del self._objects[object_id]

    def step(self, image: Picture) -> TrackedFrame:
        """Follow every object into the next frame."""
        followed = list(self._objects.values())
        if not followed:
            return composite((), *image.shape[:2])
        merged = self._propagate(rgb_of(image), followed)
        for one, probability in zip(followed, merged[1:], strict=True):
            one.probability = probability
        merged = self._multi_scale.unpad(merged)
        ids = np.array([0, *self._objects], np.uint8)
        labels = ids[merged.argmax(axis=0)]
        alpha = np.clip((1 - merged[0]) * 255 + 0.5, 0, 255).astype(np.uint8)
        return TrackedFrame(labels, alpha, tuple(map(_report, self._objects, itertools.repeat(labels), merged[1:])))

    def _propagate(self, image: RGBImage, followed: list[FullFrameObject]) -> NDArray[np.float32]:
        """Probabilities of the background and of every object, (N + 1, padded height, padded width)."""
        masks = np.stack([one.probability for one in followed])
        states = [one.state for one in followed]
        with_union = self._union is not None and len(followed) > 1
        if self._union is not None and with_union:
            masks = np.concatenate((masks, masks.sum(axis=0, keepdims=True)))
            states.append(self._union)
        step = self._multi_scale.propagate(image, masks, states)
        for one, state in zip(followed, step.states, strict=False):
            one.state = state
        probabilities = step.probabilities
        if with_union:
            self._union = step.states[-1]
            return soft_aggregation(probabilities[:-1], background=1 - probabilities[-1])
        if len(followed) == 1:
            return np.concatenate((1 - probabilities, probabilities))
        return soft_aggregation(probabilities)


def _report(object_id: int, labels: Labels, probability: SoftMask) -> TrackedObject:
    mask = labels == object_id
    box = mask_box(mask)
    if box is None:
        return TrackedObject(object_id, "lost", 0.0, 0, None)
    return TrackedObject(object_id, "tracked", float(probability[mask].mean()), int(np.count_nonzero(mask)), box)
