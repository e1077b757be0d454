"""Lite-plus: lite with a deeper trunk, a wider decoder, and a last refinement at half the size of its input."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from vosctl.network.efficientnet import LITE1_STAGES
from vosctl.network.lite import Lite, Refinement, upsample
from vosctl.network.table import LITE_PLUS

VALUE_CHANNELS = 128
DECODER_CHANNELS = (64, 96, 128, 160)  # at 1/4, 1/8, 1/16, 1/32
HALF_CHANNELS = 32  # at 1/2


class HalfRefinement(nn.Module):
    """A refinement at 1/2, whose head corrects the logit found at 1/4: outlines and thin parts."""

    def __init__(self, skip_channels: int, deeper_channels: int, channels: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(deeper_channels, channels, 1)
        self.refine = Refinement(skip_channels, channels, residual_skip=False)
        self.head = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, r1: Tensor, m2: Tensor) -> Tensor:
        """Return the correction, (N, 1, H/2, W/2), from the features at 1/2 and the feature map at 1/4."""
        out: Tensor = self.head(F.relu(self.refine(r1, self.widen(m2))))
        return out


class LitePlus(Lite):
    """The more accurate network, on an EfficientNet-Lite1 trunk. See `PropagationNetwork` for its calls.

    Whatever lite has but its head for outlines is in it at the same place, so that it can be grown from lite
    (`vosctl.network.growth`).

    Args:
        stem_channels: channels of the stem.
        stages: the trunk, as in `Lite`.
        widths: channels of the decoder at 1/4, 1/8, 1/16 and 1/32.
        value_channels: channels of what is read from the reference.
        half_channels: channels of the last refinement, at 1/2.
    """

    description = LITE_PLUS

    def __init__(
        self,
        stem_channels: int = 32,
        stages: tuple[tuple[int, ...], ...] = LITE1_STAGES,
        widths: tuple[int, int, int, int] = DECODER_CHANNELS,
        value_channels: int = VALUE_CHANNELS,
        half_channels: int = HALF_CHANNELS,
    ) -> None:
        super().__init__(stem_channels, stages, widths, value_channels, outlines=False)
        self.finest = HalfRefinement(self.encoder.channels[0], widths[0], half_channels)
        self.eval()

    def _full_logit(self, image: Tensor, r1: Tensor, m2: Tensor) -> Tensor:
        return super()._full_logit(image, r1, m2) + upsample(self.finest(r1, m2), 2)
