"""What is minimised: the network unrolled over a sample's targets, fed with its own masks, against the true ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosctl.datasets import VOID
from vosctl.network.base import PropagationNetwork
from vosctl.training.samples import Batch

SCALE_WEIGHTS = (1.0, 0.25, 0.15, 0.1)
"""Weights of the heads at full size, 1/8, 1/16 and 1/32."""

OUTLINE_REACH = 4
"""How far in pixels from an object's outline a pixel is near it."""


@dataclass(frozen=True, slots=True)
class Propagated:
    """What came of a batch.

    Attributes:
        loss: scalar.
        cross_entropy: scalar, of the full-size head.
        dice: scalar, 1 minus the soft Dice coefficient.
        iou: (T,) mean intersection over union at one half, for each target in turn.
        probabilities: (B, T, 1, S, S), detached.
    """

    loss: Tensor
    cross_entropy: Tensor
    dice: Tensor
    iou: Tensor
    probabilities: Tensor


class Objective(nn.Module):
    """The loss of a network on a batch, as a module, so that DistributedDataParallel can wrap it.

    Every mean is taken in each sample first: the loss of a batch is the mean of its parts' losses.

    Args:
        network: what is trained.
        dice: weight of the Dice loss.
        outline: extra weight of the pixels near the object's outline.
        through_time: whether gradients flow back through the masks, from each target to those before it.
    """

    def __init__(
        self, network: PropagationNetwork, dice: float, outline: float = 0.0, through_time: bool = True
    ) -> None:
        super().__init__()
        self.network = network
        self._dice, self._outline, self._through_time = dice, outline, through_time
        self._in_reference = False
        detached = network.description.detached_reference
        if detached:
            network.get_submodule(detached).register_forward_hook(self._detach_reference)

    def _detach_reference(self, _module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output.detach() if self._in_reference else output

    def forward(self, batch: Batch) -> Propagated:
        """Propagate through the targets in turn."""
        layout = torch.channels_last
        self._in_reference = True
        state = self.network.encode_reference(
            (batch.reference.float() / 255).contiguous(memory_format=layout), batch.reference_mask.float() / 255
        )
        self._in_reference = False
        guidance = batch.guidance.float() / 255
        probabilities: list[Tensor] = []
        losses, entropies, dices, ious = [], [], [], []
        for t in range(batch.images.shape[1]):
            if t > 0:
                before = probabilities[-1] if self._through_time else probabilities[-1].detach()
                guidance = into_crop(before, batch.to_previous[:, t])
            image = (batch.images[:, t].float() / 255).contiguous(memory_format=layout)
            logits = self.network.propagate_scales(image, guidance, *state)
            loss, entropy, dice = mask_loss(
                [scale.float() for scale in logits], batch.labels[:, t], self._dice, self._outline
            )
            probability = torch.sigmoid(logits[0].float())
            losses.append(loss)
            entropies.append(entropy.detach())
            dices.append(dice.detach())
            ious.append(intersection_over_union(probability.detach(), batch.labels[:, t]))
            probabilities.append(probability)
        return Propagated(
            torch.stack(losses).mean(),
            torch.stack(entropies).mean(),
            torch.stack(dices).mean(),
            torch.stack(ious),
            torch.stack([p.detach() for p in probabilities], dim=1),
        )


def into_crop(mask: Tensor, to_previous: Tensor) -> Tensor:
    """Carry a soft mask from the crop it was found in to the next one; nothing lies beyond its border.

    Args:
        mask: (N, 1, S, S) in the previous crop.
        to_previous: (N, 2, 3), affine_grid's matrix.
    """
    grid = F.affine_grid(to_previous, list(mask.shape), align_corners=False)
    return F.grid_sample(mask, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def mask_loss(
    logits: list[Tensor], labels: Tensor, dice_weight: float, outline_weight: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy at every scale plus Dice at full size; void pixels count nowhere.

    Args:
        logits: (N, 1, S, S) and smaller ones.
        labels: (N, 1, S, S) uint8: 1, 0, or 255 for void.
        dice_weight: weight of the Dice loss.
        outline_weight: how much more than 1 a pixel near the outline weighs in the full-size cross-entropy.

    Returns:
        The loss, the full-size cross-entropy and the Dice loss.
    """
    valid = (labels != VOID).float()
    target = (labels == 1).float()
    entropy = _cross_entropy(logits[0], target, valid * (1 + outline_weight * near_outline(target)))
    loss = SCALE_WEIGHTS[0] * entropy
    for weight, logit in zip(SCALE_WEIGHTS[1:], logits[1:], strict=True):
        factor = labels.shape[-1] // logit.shape[-1]
        share = F.avg_pool2d(valid, factor)
        covered = F.avg_pool2d(target, factor) / share.clamp(min=1e-6)
        loss = loss + weight * _cross_entropy(logit, covered, share)
    dice = _dice(torch.sigmoid(logits[0]) * valid, target)
    return loss + dice_weight * dice, entropy, dice


def near_outline(target: Tensor) -> Tensor:
    """1 where object and background are both within `OUTLINE_REACH` pixels, else 0: outlines, and all of thin parts.

    Args:
        target: (N, 1, S, S) float, 1 the object and 0 elsewhere.
    """
    return _dilated(target) + _dilated(-target)


def _dilated(values: Tensor) -> Tensor:
    """Return the largest value within `OUTLINE_REACH` in each direction, along one and then along the other."""
    side, pad = 2 * OUTLINE_REACH + 1, OUTLINE_REACH
    rows = F.max_pool2d(values, (1, side), 1, (0, pad))
    return F.max_pool2d(rows, (side, 1), 1, (pad, 0))


def _cross_entropy(logit: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the mean over each sample's weighted pixels, then over the samples."""
    pixels = F.binary_cross_entropy_with_logits(logit, target, reduction="none") * weight
    return (pixels.sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1)).mean()


def _dice(probability: Tensor, target: Tensor) -> Tensor:
    """1 minus the soft Dice coefficient; samples without the object in sight count as 0."""
    overlap = (probability * target).sum((1, 2, 3))
    total = (probability + target).sum((1, 2, 3))
    seen = (target.sum((1, 2, 3)) > 0).float()
    return (seen * (1 - (2 * overlap + 1) / (total + 1))).mean()


def intersection_over_union(probability: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over the samples of the IoU at one half, void left out; 1 where both masks are empty."""
    valid = labels != VOID
    found, true = (probability >= 0.5) & valid, labels == 1
    union = (found | true).sum((1, 2, 3))
    iou = (found & true).sum((1, 2, 3)) / union.clamp(min=1)
    return torch.where(union == 0, torch.ones_like(iou), iou).mean()
