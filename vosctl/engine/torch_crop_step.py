"""One frame of objects in crops, as operations on the device alone: nothing in it waits, asks or has another shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vosctl.engine.crop_table import BACK, CUT, FLAGS, PAIR, ROW
from vosctl.engine.step_network import StepNetwork
from vosctl.engine.torch_merging import EPSILON, box_ends, odds_of
from vosctl.engine.torch_pictures import decoded, decoding_matrix, rounded_fill
from vosctl.engine.torch_sampling import linear_taps, resized, sampled, taps
from vosctl.network.base import State
from vosctl.types import RGB
from vosctl.video.planar import Coding

VISIBLE = 5  # as in `vosctl.tracking.compositing`
FIGURES = 10  # own pixels, presence, guided, pixels, their probabilities' sum, labels, and their box: x, y to x, y


@dataclass(frozen=True, slots=True, eq=False)
class Slots:
    """What stays on the device from frame to frame, for a number of objects: always the same memory.

    Attributes:
        table: what is looked at, see `vosctl.engine.crop_table`.
        states: the tensors of the reference state, (N, ...) each.
        before: (N, S, S), the masks before the frame.
        after: (N, S, S), the masks after it.
        own: (N, S, S), the network's answer, before merging.
        image: (N, 3, S, S), what the network was shown, 0..255.
        guidance: (N, S, S), the masks that it was shown beside it.
        sure: (N, S, S), the masks when the objects were last seen beyond doubt.
        sure_image: (N, 3, S, S), what was seen then.
    """

    table: Tensor
    states: State
    before: Tensor
    after: Tensor
    own: Tensor
    image: Tensor
    guidance: Tensor
    sure: Tensor
    sure_image: Tensor

    @property
    def changing(self) -> tuple[Tensor, ...]:
        """The tensors that a step changes."""
        return self.before, self.after, self.own, self.image, self.guidance, self.sure, self.sure_image


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What the network is shown: `Slots.image` and `Slots.guidance`."""

    image: Tensor
    guidance: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the network says.

    Attributes:
        own: (N, S, S), each object's own probability.
        presence: (N,); None where it tells none.
    """

    own: Tensor
    presence: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What comes down of a frame.

    Attributes:
        figures: (N, FIGURES) float32.
        masks: (N, S, S) uint8, 1 where the object is.
        canvas: (2, H, W) uint8, labels and opacity.
    """

    figures: Tensor
    masks: Tensor
    canvas: Tensor


Cut = Callable[[Tensor, Tensor], Tensor]
"""Cuts crops out of a frame: rows (N, CUT, ROW) and their matrices (N, CUT, S, L), to (N, 3, S, S), 0..255."""


@dataclass(frozen=True, slots=True, eq=False)
class CropStep:
    """The step of some objects: what is before the network, the network, and what is after it.

    Attributes:
        network: the network.
        slots: the objects' memory.
        cut: cuts crops out of the frame.
        height: of the frame in pixels.
        width: of the frame in pixels.
        dtype: what the network computes in.
    """

    network: StepNetwork
    slots: Slots
    cut: Cut
    height: int
    width: int
    dtype: torch.dtype

    def __call__(self) -> Outcome:
        """Follow the objects into the frame whose pixels and table are on the device."""
        return self.finish(self.answer(self.show()))

    def show(self) -> Shown:
        """Take over what the frame before has left, and cut out what the network is shown."""
        slots, size = self.slots, self.slots.before.shape[1]
        cut, _, flags, _ = self._table()
        _remember(slots, flags[:, 1] > 0)
        matrices = taps(cut, size, max(self.height, self.width, size))
        slots.image.copy_(self.cut(cut, matrices))
        slots.guidance.copy_(sampled(slots.before, matrices[:, 4, :, :size], matrices[:, 5, :, :size]))
        return Shown(slots.image, slots.guidance)

    def answer(self, shown: Shown) -> Answer:
        """Have the network look at it."""
        pixels = (shown.image / 255).to(self.dtype, memory_format=torch.channels_last)
        inputs = (pixels, shown.guidance.to(self.dtype)[:, None], *self.slots.states)
        if self.network.presence is None:
            return Answer(self.network.propagate(*inputs)[:, 0].float(), None)
        probability, presence = self.network.propagate_with_presence(*inputs)
        return Answer(probability[:, 0].float(), presence.float())

    def finish(self, answer: Answer) -> Outcome:
        """Merge what it says of the objects, draw it, and leave what the next frame needs."""
        slots = self.slots
        _, back, flags, pairs = self._table()
        ids, active = flags[:, 0], flags[:, 2] > 0
        merged = merge(answer.own, pairs)
        slots.own.copy_(answer.own)
        slots.after.copy_(merged)
        masks = merged > 0.5
        canvas = self._drawn(merged, back, ids, active)
        return Outcome(_figures(answer, slots.guidance, merged, masks, canvas[0], ids), masks.byte(), canvas)

    def _table(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the table's parts: how to cut, the way back, flags, and the pairs of objects."""
        count = len(self.slots.before)
        shapes = ((count, CUT, ROW), (count, BACK, ROW), (count, FLAGS), (count, count, PAIR))
        lengths = [torch.Size(shape).numel() for shape in shapes]
        parts = torch.split(self.slots.table, lengths)
        cut, back, flags, pairs = (part.view(shape) for part, shape in zip(parts, shapes, strict=True))
        return cut, back, flags, pairs

    def _drawn(self, merged: Tensor, back: Tensor, ids: Tensor, active: Tensor) -> Tensor:
        """Draw the objects: (2, H, W) uint8, labels and opacity; ties go to the first object."""
        size = merged.shape[-1]
        matrices = taps(back, max(self.height, self.width), size)
        levels = torch.where(active[:, None, None], (merged * 255).round(), 0)
        frames = sampled(levels, matrices[:, 0, : self.height], matrices[:, 1, : self.width]).round()  # (N, H, W)
        alpha = frames.sum(0).clamp(max=255)
        best, which = frames.max(0)
        labels = torch.where(best > 255 - alpha, ids[which], 0)
        return torch.stack((labels, torch.where(alpha < VISIBLE, 0, alpha))).to(torch.uint8)


def merge(own: Tensor, pairs: Tensor) -> Tensor:
    """Merge the objects by soft aggregation, each in its own crop, as `vosctl.tracking.crop_follower` does.

    Args:
        own: (N, S, S), each object's own probability.
        pairs: (N, N, 4), how object j is seen from object i's crop: start y, start x, step, and whether j counts.

    Returns:
        (N, S, S), the probabilities after merging.
    """
    count, size = own.shape[:2]
    if count == 1:
        return own
    rows, columns = (linear_taps(pairs[..., axis], pairs[..., 2], size, size) for axis in (0, 1))
    counts = (pairs[..., 3] > 0)[..., None, None]
    others = torch.where(counts, sampled(own[None], rows, columns), 0)  # (N, N, S, S): [i, j] is j in i's crop
    background = ((1 - own) * (1 - others).prod(1)).clamp(EPSILON, 1 - EPSILON)
    odds = torch.where(counts, odds_of(others), 0).sum(1)
    mine = odds_of(own)
    merged = mine / (mine + odds + background / (1 - background))
    return torch.where(counts.any(1), merged, own)


def _remember(slots: Slots, remember: Tensor) -> None:
    """Take over what the frame before has left."""
    slots.before.copy_(slots.after)
    slots.sure.copy_(torch.where(remember[:, None, None], slots.own, slots.sure))
    slots.sure_image.copy_(torch.where(remember[:, None, None, None], slots.image, slots.sure_image))


def _figures(answer: Answer, guidance: Tensor, merged: Tensor, masks: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
    """Return (N, FIGURES) float32."""
    count = len(ids)
    mine = labels == ids[:, None, None]  # (N, H, W)
    lows, highs = zip(*(box_ends(mine.any(axis)) for axis in (2, 1)), strict=True)
    columns = (
        (answer.own > 0.5).sum((1, 2)),
        torch.ones_like(ids) if answer.presence is None else answer.presence,
        (guidance > 0).any(2).any(1),
        masks.sum((1, 2)),
        (merged * masks).sum((1, 2)),
        mine.sum((1, 2)),
    )
    figures = torch.stack([column.view(count).float() for column in columns], 1)
    return torch.cat((figures, torch.stack((lows[1], lows[0], highs[1], highs[0]), 1).float()), 1)


def cut_planes(luma: Tensor, chroma: Tensor, fill: RGB, coding: Coding) -> Cut:
    """Return what cuts crops out of a frame's planes.

    Args:
        luma: (H, W) uint8.
        chroma: (2, H/2, W/2) uint8.
        fill: the colour outside the frame.
        coding: what the planes' numbers stand for.
    """
    matrix = decoding_matrix(coding, luma.device)
    outside = rounded_fill(coding.encode(fill), luma.device)

    def cut(table: Tensor, matrices: Tensor) -> Tensor:
        parts = []
        for first, planes, fill in ((0, luma[None], outside[:1]), (2, chroma, outside[1:])):
            height, width = planes.shape[1:]
            rows, columns = matrices[:, first, :, :height], matrices[:, first + 1, :, :width]
            parts.append(resized(planes.float() - fill[:, None, None], table[:, first], rows, columns, fill))
        return decoded(torch.cat(parts, 1), matrix)

    return cut


def cut_rgb(frame: Tensor, fill: RGB) -> Cut:
    """Return what cuts crops out of a frame.

    Args:
        frame: (H, W, 3) uint8 RGB.
        fill: the colour outside the frame.
    """
    outside = rounded_fill(fill, frame.device)

    def cut(table: Tensor, matrices: Tensor) -> Tensor:
        height, width = frame.shape[:2]
        planes = frame.permute(2, 0, 1).float() - outside[:, None, None]
        return resized(planes, table[:, 0], matrices[:, 0, :, :height], matrices[:, 1, :, :width], outside)

    return cut
