"""ResNet-50 trunk (He et al., CVPR 2016), as four stages whose outputs are the taps of the RGMP encoder."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn


class Bottleneck(nn.Module):
    """1x1, 3x3 (carrying the stride), 1x1 convolutions with a residual connection; output has 4x `width` channels."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to (N, C, H, W) features."""
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return cast(Tensor, self.relu(self.bn3(self.conv3(out)) + identity))


def bottleneck_stage(in_channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    """Build a ResNet stage: `blocks` bottlenecks, the first one with the stride."""
    layers = [Bottleneck(in_channels, width, stride)]
    layers += [Bottleneck(width * Bottleneck.expansion, width, 1) for _ in range(blocks - 1)]
    return nn.Sequential(*layers)
