"""EfficientNet-Lite trunk (Tan & Le, ICML 2019; the Lite variants drop squeeze-excite and use ReLU6)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

BATCH_NORM_EPS = 1e-3

LITE0_STAGES = (
    # expansion, channels, blocks, stride, kernel
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),  # r2, 1/4
    (6, 40, 2, 2, 5),  # r3, 1/8
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),  # r4, 1/16
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),  # r5, 1/32
)
LITE1_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 3, 2, 3),
    (6, 40, 3, 2, 5),
    (6, 80, 4, 2, 3),
    (6, 112, 4, 1, 5),
    (6, 192, 5, 2, 5),
    (6, 320, 1, 1, 3),
)


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME does on even sizes: with stride 2, one more at the right and bottom."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False)
        before, after = kernel // 2 - 1, kernel // 2
        self.uneven_padding = (before, after, before, after) if stride == 2 else None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, H, W), padded as TensorFlow does: more after than before."""
        if self.uneven_padding is not None:
            x = F.pad(x, self.uneven_padding)
        return super().forward(x)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm with TensorFlow's epsilon, which the ImageNet weights were trained with."""
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPS)


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise convolution, linear 1x1 projection; a residual where the shape is kept."""

    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expand: SameConv2d | None = None
        if expansion != 1:
            self.expand = SameConv2d(in_channels, hidden, 1)
            self.expand_bn = batch_norm(hidden)
        self.depthwise = SameConv2d(hidden, hidden, kernel, stride, groups=hidden)
        self.depthwise_bn = batch_norm(hidden)
        self.project = SameConv2d(hidden, out_channels, 1)
        self.project_bn = batch_norm(out_channels)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to (N, C, H, W)."""
        out = x
        if self.expand is not None:
            out = F.relu6(self.expand_bn(self.expand(out)))
        out = F.relu6(self.depthwise_bn(self.depthwise(out)))
        out = self.project_bn(self.project(out))
        projected: Tensor = out + x if self.residual else out
        return projected


def inverted_residual_stages(
    in_channels: int, stages: tuple[tuple[int, ...], ...]
) -> tuple[nn.ModuleList, tuple[range, ...]]:
    """Build the stages as one flat list of blocks.

    Returns:
        The blocks, and the numbers of each stage's blocks.
    """
    blocks = nn.ModuleList()
    numbers = []
    for expansion, channels, count, stride, kernel in stages:
        numbers.append(range(len(blocks), len(blocks) + count))
        for position in range(count):
            blocks.append(InvertedResidual(in_channels, channels, expansion, stride if position == 0 else 1, kernel))
            in_channels = channels
    return blocks, tuple(numbers)
