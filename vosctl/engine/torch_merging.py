"""What merging has in common wherever torch does it."""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-7  # as in `vosctl.tracking.merging`
FAR = 1 << 24


def odds_of(probability: Tensor) -> Tensor:
    """Return p / (1 - p)."""
    probability = probability.clamp(EPSILON, 1 - EPSILON)
    return probability / (1 - probability)


def box_ends(lines: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and one past the last True of (N, L)."""
    places = torch.arange(lines.shape[1], device=lines.device)
    return torch.where(lines, places, FAR).amin(1), torch.where(lines, places + 1, 0).amax(1)
