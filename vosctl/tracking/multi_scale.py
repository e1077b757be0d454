"""The network on the full frame, at one scale or several: the paper's protocol, and `window=False`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.engine.base import Engine, Step
from vosctl.engine.on_device import FrameGeometry
from vosctl.types import RGBImage, SoftMask

Array = NDArray[Any]
StatePerScale = tuple[Any, ...]


def padded_size(size: int, stride: int) -> int:
    """Return the official release's padded size: one that is a multiple of the stride already grows by a whole one."""
    return size + stride - size % stride


@dataclass(frozen=True, slots=True)
class MultiScale:
    """Runs an engine on whole frames of one size.

    Attributes:
        engine: the engine.
        height: height of the frames in pixels.
        width: width of the frames in pixels.
        scales: scales to run at; the probabilities are averaged.
    """

    engine: Engine[Any]
    height: int
    width: int
    scales: tuple[float, ...]

    def encode_reference(self, image: RGBImage, mask: SoftMask) -> StatePerScale:
        """Encode a reference once per scale. Image (H, W, 3) uint8, mask padded float32 in [0, 1]."""
        padded = self.pad(image)
        return tuple(
            self.engine.encode_reference(self._resize(padded, scale), self._resize(mask, scale))
            for scale in self.scales
        )

    def propagate(
        self, image: RGBImage, masks: NDArray[np.float32], states: Sequence[StatePerScale]
    ) -> Step[StatePerScale]:
        """Propagate N objects: image (H, W, 3) uint8, masks (N, ...) padded float32; returns (N, ...) padded float32.

        What the network says of the padding is part of the next guidance mask, as in the official release.
        """
        padded = self.pad(image)
        total = np.zeros_like(masks)
        steps = []
        for index, scale in enumerate(self.scales):
            images = np.repeat(self._resize(padded, scale)[None], len(masks), axis=0)
            scaled_masks = np.stack([self._resize(mask, scale) for mask in masks])
            steps.append(self.engine.propagate(images, scaled_masks, [state[index] for state in states]))
            for sum_of_scales, probability in zip(total, steps[-1].probabilities, strict=True):
                sum_of_scales += cv2.resize(probability, padded.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        total /= len(self.scales)
        seen = [step.presence for step in steps if step.presence is not None]
        presence = np.stack(seen).mean(axis=0) if seen else None
        return Step(total, tuple(zip(*(step.states for step in steps), strict=True)), presence)

    def unpad(self, values: Array) -> Array:
        """Cut the padding away from (..., padded height, padded width)."""
        top, left = self._borders()
        return values[..., top : top + self.height, left : left + self.width]

    @property
    def geometry(self) -> FrameGeometry:
        """How frames are padded and scaled, for what does it on a device."""
        height, width = (padded_size(size, self.engine.stride) for size in (self.height, self.width))
        sizes = tuple(self._scaled((height, width), scale) for scale in self.scales)
        return FrameGeometry((self.height, self.width), (height, width), *self._borders(), sizes)

    def _borders(self) -> tuple[int, int]:
        stride = self.engine.stride
        return (
            (padded_size(self.height, stride) - self.height) // 2,
            (padded_size(self.width, stride) - self.width) // 2,
        )

    def pad(self, values: Array) -> Array:
        """Pad with zeros, centred; an image becomes float in [0, 1] where the engine takes that."""
        if values.dtype == np.uint8 and self.engine.takes_float:
            values = values.astype(np.float32) / np.float32(255)
        stride = self.engine.stride
        top, left = self._borders()
        bottom = padded_size(self.height, stride) - self.height - top
        right = padded_size(self.width, stride) - self.width - left
        return cv2.copyMakeBorder(values, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)

    def _scaled(self, padded: tuple[int, int], scale: float) -> tuple[int, int]:
        """Return the height and width of a padded frame at a scale."""
        if scale == 1.0:
            return padded
        height, width = (padded_size(int(size * scale), self.engine.stride) for size in padded)
        return height, width

    def _resize(self, values: Array, scale: float) -> Array:
        if scale == 1.0:
            return values
        height, width = self._scaled((values.shape[0], values.shape[1]), scale)
        return cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
