"""What the prompt network is trained for: the mask at two scales, clicks obeyed, and an honest score."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vosctl.datasets import VOID

COARSE_WEIGHT = 0.3
OVERLAP_WEIGHT = 1.0
CLICK_WEIGHT = 0.2
SCORE_WEIGHT = 0.1
FOCUS = 1.0
"""Exponent of the focal loss."""


@dataclass(frozen=True, slots=True)
class PromptLoss:
    """The loss and what it is made of.

    Attributes:
        loss: scalar.
        iou: (N,) of the masks at one half.
        score_error: scalar, mean distance of score and IoU.
        ignored: scalar, share of the clicked pixels that the mask says the contrary of.
    """

    loss: Tensor
    iou: Tensor
    score_error: Tensor
    ignored: Tensor


def prompt_loss(fine: Tensor, coarse: Tensor, score: Tensor, labels: Tensor, prompts: Tensor) -> PromptLoss:
    """Compute the loss of one answer.

    Args:
        fine: (N, 1, S/2, S/2) logits.
        coarse: (N, 1, S/8, S/8) logits.
        score: (N, 1) logits.
        labels: (N, 1, S, S) uint8: 1 the object, 0 background, 255 void.
        prompts: (N, 5, S, S).
    """
    valid = (labels != VOID).float() * prompts[:, 4:]
    target = (labels == 1).float() * valid
    share, covered = F.avg_pool2d(valid, 2), F.avg_pool2d(target, 2)
    covered = covered / share.clamp(min=1e-6)
    probability = torch.sigmoid(fine)
    loss = normalised_focal(fine, covered, share) + OVERLAP_WEIGHT * soft_overlap_loss(probability, covered, share)
    wide_share = F.avg_pool2d(share, 4)
    wide = F.avg_pool2d(covered * share, 4) / wide_share.clamp(min=1e-6)
    loss = loss + COARSE_WEIGHT * normalised_focal(coarse, wide, wide_share)
    clicks = F.max_pool2d(prompts[:, :2], 2)
    on, off = clicks[:, :1] * (covered > 0.5), clicks[:, 1:] * (covered < 0.5)
    # a click is obeyed with a margin: the logit is to be 1 on its side
    disobeyed = on * F.softplus(1 - fine) + off * F.softplus(1 + fine)
    clicked = (on + off).sum((1, 2, 3))
    loss = loss + CLICK_WEIGHT * (disobeyed.sum((1, 2, 3)) / clicked.clamp(min=1)).mean()
    with torch.no_grad():
        found = ((probability > 0.5) & (share > 0.5)).float()
        true = (covered > 0.5).float()
        overlap, total = (found * true).sum((1, 2, 3)), torch.maximum(found, true).sum((1, 2, 3))
        iou = overlap / total.clamp(min=1)
        wrong = (on * (fine < 0) + off * (fine > 0)).sum() / clicked.sum().clamp(min=1)
    expected = F.binary_cross_entropy_with_logits(score[:, 0], iou)
    error = (torch.sigmoid(score[:, 0]) - iou).abs().mean().detach()
    return PromptLoss(loss + SCORE_WEIGHT * expected, iou, error, wrong)


def normalised_focal(logit: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Focal loss over soft targets whose weights sum up to the number of pixels, half of it plain cross-entropy.

    The normalisation (RITM, section 3.3) keeps the gradient from fading as the mask gets better. Taken in each sample.
    """
    entropy = F.binary_cross_entropy_with_logits(logit, target, reduction="none")
    with torch.no_grad():
        focus = (torch.sigmoid(logit) - target).abs() ** FOCUS * weight
        count = weight.sum((1, 2, 3), keepdim=True).clamp(min=1)
        focus = focus / (focus.sum((1, 2, 3), keepdim=True) / count).clamp(min=0.02)
        mixed = 0.5 * focus + 0.5 * weight
    return ((entropy * mixed).sum((1, 2, 3)) / count[:, 0, 0, 0]).mean()


def soft_overlap_loss(probability: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """1 minus the soft intersection over union, the mean over the samples."""
    overlap = (probability * target * weight).sum((1, 2, 3))
    total = ((probability + target) * weight).sum((1, 2, 3)) - overlap
    return (1 - (overlap + 1) / (total + 1)).mean()
