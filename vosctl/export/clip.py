"""The clip that an export is checked on: frames of real photographs with exact masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.demo.scene import Scene
from vosctl.engine.base import Engine, State
from vosctl.tracking.crop import mask_box
from vosctl.tracking.framing import CONTEXT
from vosctl.types import Labels, RGBImage, SoftMask

Masks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CheckClip:
    """Frames and masks.

    Attributes:
        frames: (H, W, 3) uint8 RGB each.
        labels: (H, W) uint8 object ids each.
    """

    frames: list[RGBImage]
    labels: list[Labels]

    @classmethod
    def made(cls, length: int, width: int = 640, height: int = 360) -> CheckClip:
        """Return the first frames of the demo's scene; it has two objects."""
        scene = Scene(width, height)
        frames, labels = zip(*(scene.frame(index) for index in range(length)), strict=True)
        return cls(list(frames), list(labels))

    @property
    def object_ids(self) -> list[int]:
        """Return the ids of the objects in the first frame."""
        return [int(value) for value in np.unique(self.labels[0]) if value]

    def views(self, object_id: int, size: tuple[int, int]) -> Iterator[tuple[RGBImage, SoftMask]]:
        """Yield what a network is shown of an object: the part of each frame around it at `size`, with its mask."""
        height, width = size
        box = mask_box(self.labels[0] == object_id)
        if box is None:
            raise ValueError(f"the clip has no object {object_id}")
        left, top, box_width, box_height = box
        scale = CONTEXT * max(box_width / width, box_height / height)  # frame pixels per pixel of the view
        shift_x, shift_y = left + box_width / 2 - scale * width / 2, top + box_height / 2 - scale * height / 2
        into_frame = np.array([[scale, 0, shift_x], [0, scale, shift_y]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        for frame, labels in zip(self.frames, self.labels, strict=True):
            image = cv2.warpAffine(frame, into_frame, (width, height), flags=flags)
            mask = cv2.warpAffine((labels == object_id).astype(np.float32), into_frame, (width, height), flags=flags)
            yield np.asarray(image, np.uint8), np.asarray(mask, np.float32)

    def follow(self, engine: Engine[State], size: tuple[int, int]) -> Masks:
        """Follow all objects in their views, fed with the engine's own masks: (frames - 1, objects, H, W) bool."""
        views = [list(self.views(one, size)) for one in self.object_ids]
        states: Sequence[State] = [engine.encode_reference(*one[0]) for one in views]
        probabilities = np.stack([one[0][1] for one in views])
        masks = []
        for index in range(1, len(self.frames)):
            images = np.stack([one[index][0] for one in views])
            step = engine.propagate(images, probabilities, states)
            probabilities, states = step.probabilities, step.states
            masks.append(probabilities > 0.5)
        return np.stack(masks)

    def truth(self, size: tuple[int, int]) -> Masks:
        """Return the true masks of what `follow` gives."""
        views = [[mask > 0.5 for _, mask in self.views(one, size)][1:] for one in self.object_ids]
        return np.stack(views, axis=1)


def frame_j(masks: Masks, truth: Masks) -> NDArray[np.float64]:
    """Return J, intersection over union, of every frame and object, 0..1; 1 where neither has any."""
    union = np.count_nonzero(masks | truth, axis=(2, 3))
    intersection = np.count_nonzero(masks & truth, axis=(2, 3))
    return np.where(union > 0, intersection / np.maximum(union, 1), 1.0)


def frame_agreement(masks: Masks, others: Masks) -> NDArray[np.float64]:
    """Return the share of equal pixels of every frame and object, 0..1."""
    return np.asarray((masks == others).mean(axis=(2, 3)))
