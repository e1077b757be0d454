"""One full frame of objects, at one scale or several, as operations on the device alone: nothing in it waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vosctl.engine.on_device import FrameGeometry
from vosctl.engine.step_network import StepNetwork
from vosctl.engine.torch_merging import box_ends, odds_of
from vosctl.network.base import State

FLAGS = 3  # id, yields, active
FIGURES = 6  # pixels, their probabilities' sum, and their box: x, y to x, y


@dataclass(frozen=True, slots=True, eq=False)
class FrameSlots:
    """What stays on the device from frame to frame, for a number of objects: always the same memory.

    Attributes:
        table: (N, FLAGS) float32.
        states: for each scale the tensors of the reference state, (N, ...) each; with a union it is the last one.
        masks: (N, padded height, padded width), the objects' probabilities after the last frame.
    """

    table: Tensor
    states: tuple[State, ...]
    masks: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class FrameOutcome:
    """What comes down of a frame.

    Attributes:
        figures: (N, FIGURES) float32.
        canvas: (2, H, W) uint8, labels and opacity.
    """

    figures: Tensor
    canvas: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class FrameStep:
    """The step of some objects.

    Attributes:
        network: the network.
        slots: the objects' memory.
        read: reads the frame, (3, H, W), 0..255.
        geometry: how frames are padded and scaled.
        dtype: what the network computes in.
        union: whether the last slot is the union of all objects, whose complement is the background.
    """

    network: StepNetwork
    slots: FrameSlots
    read: Callable[[], Tensor]
    geometry: FrameGeometry
    dtype: torch.dtype
    union: bool

    def __call__(self) -> FrameOutcome:
        """Follow the objects into the frame that is on the device."""
        slots, geometry = self.slots, self.geometry
        active = (slots.table[:, 2] > 0)[:, None, None]
        masks = torch.where(active, slots.masks, 0)
        if self.union:
            masks = torch.cat((masks[:-1], masks[:-1].sum(0, keepdim=True)))
        merged = self._merged(self._propagated(masks), active)
        slots.masks.copy_(merged[1:])
        inside = merged[:, geometry.rows, geometry.columns]
        ids = slots.table[:, 0]
        labels = torch.cat((ids.new_zeros(1), ids))[inside.argmax(0)]
        alpha = ((1 - inside[0]) * 255 + 0.5).floor().clamp(0, 255)
        return FrameOutcome(_figures(inside[1:], labels, ids), torch.stack((labels, alpha)).to(torch.uint8))

    def _propagated(self, masks: Tensor) -> Tensor:
        """Return (N, padded height, padded width), what the network says, averaged over the scales."""
        geometry = self.geometry
        image = F.pad(self.read() / 255, geometry.padding)
        total = torch.zeros_like(masks)
        for size, state in zip(geometry.sizes, self.slots.states, strict=True):
            small = _resized(image[None], size).to(self.dtype)
            guidance = _resized(masks[:, None], size).to(self.dtype)
            images = small.expand(len(masks), -1, -1, -1).contiguous(memory_format=torch.channels_last)
            found = self.network.propagate(images, guidance, *state)
            total += _resized(found.float(), geometry.padded)[:, 0]
        return total / len(geometry.sizes)

    def _merged(self, own: Tensor, active: Tensor) -> Tensor:
        """Return the background's and every slot's probability, (N + 1, ...), as `vosctl.tracking.merging` does."""
        if len(own) == 1:
            return torch.cat((1 - own, own))
        if self.union:
            background, objects = 1 - own[-1:], torch.cat((own[:-1], torch.zeros_like(own[-1:])))
            active = torch.cat((active[:-1], torch.zeros_like(active[-1:])))
        else:
            objects = self._yielding(own, active)
            background = torch.where(active, 1 - objects, 1).prod(0, keepdim=True)
        odds = torch.cat((odds_of(background), torch.where(active, odds_of(objects), 0)))
        return odds / odds.sum(0)

    def _yielding(self, own: Tensor, active: Tensor) -> Tensor:
        """Leave to the objects that yield only what the others leave."""
        yields = (self.slots.table[:, 1] > 0)[:, None, None]
        others = torch.where(active & ~yields, own, 0).amax(0)
        return torch.where(yields, own * (1 - others), own)


def _resized(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample (N, C, H, W) between neighbouring pixels."""
    if values.shape[-2:] == torch.Size(size):
        return values
    return F.interpolate(values, size=size, mode="bilinear", align_corners=False)


def _figures(probabilities: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
    """Return (N, FIGURES) float32."""
    mine = labels == ids[:, None, None]  # (N, H, W)
    lows, highs = zip(*(box_ends(mine.any(axis)) for axis in (2, 1)), strict=True)
    columns = (mine.sum((1, 2)), (probabilities * mine).sum((1, 2)), lows[1], lows[0], highs[1], highs[0])
    return torch.stack([column.float() for column in columns], 1)
