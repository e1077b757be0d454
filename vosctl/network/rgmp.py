"""RGMP with its ResNet-50 trunk.

Oh, Lee, Sunkavalli, Kim, "Fast Video Object Segmentation by Reference-Guided Mask Propagation", CVPR 2018.
Module names follow the official checkpoint, so that its keys load as they are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosctl.network import table
from vosctl.network.base import IMAGENET_MEAN, IMAGENET_STD, PropagationNetwork, State
from vosctl.network.resnet import bottleneck_stage


def upsample(x: Tensor, factor: int) -> Tensor:
    """Bilinear upsampling with aligned corners: PyTorch 0.3's only mode, which the official weights were trained in."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=True)


class Encoder(nn.Module):
    """The siamese encoder: image and mask enter through two convolutions whose outputs are added."""

    mean: Tensor
    std: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding=3, bias=False)
        self.conv1_p = nn.Conv2d(1, width, 7, 2, padding=3, bias=True)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.res2 = bottleneck_stage(width, width, 3, 1)
        self.res3 = bottleneck_stage(width * 4, width * 2, 4, 2)
        self.res4 = bottleneck_stage(width * 8, width * 4, 6, 2)
        self.res5 = bottleneck_stage(width * 16, width * 8, 3, 2)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return r5, r4, r3, r2 at 1/32, 1/16, 1/8 and 1/4."""
        x = self.conv1((image - self.mean) / self.std) + self.conv1_p(mask)
        x = self.maxpool(self.relu(self.bn1(x)))  # (N, 64, H/4, W/4)
        r2 = self.res2(x)  # (N, 256, H/4, W/4)
        r3 = self.res3(r2)  # (N, 512, H/8, W/8)
        r4 = self.res4(r3)  # (N, 1024, H/16, W/16)
        r5 = self.res5(r4)  # (N, 2048, H/32, W/32)
        return r5, r4, r3, r2


class GlobalConvolution(nn.Module):
    """Global convolution block (Peng et al., CVPR 2017) with the residual that RGMP adds: a large separable kernel."""

    def __init__(self, in_channels: int, channels: int, kernel: int = 7) -> None:
        super().__init__()
        pad = kernel // 2
        self.conv_l1 = nn.Conv2d(in_channels, channels, (kernel, 1), padding=(pad, 0))
        self.conv_l2 = nn.Conv2d(channels, channels, (1, kernel), padding=(0, pad))
        self.conv_r1 = nn.Conv2d(in_channels, channels, (1, kernel), padding=(0, pad))
        self.conv_r2 = nn.Conv2d(channels, channels, (kernel, 1), padding=(pad, 0))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to (N, C, H, W) features."""
        out: Tensor = self.conv_l2(self.conv_l1(x)) + self.conv_r2(self.conv_r1(x))
        return out


class Refinement(nn.Module):
    """Refinement module: merges an encoder tap with the deeper, upsampled feature map."""

    def __init__(self, skip_channels: int, channels: int) -> None:
        super().__init__()
        self.convFS1 = nn.Conv2d(skip_channels, channels, 3, padding=1)
        self.convFS2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.convFS3 = nn.Conv2d(channels, channels, 3, padding=1)
        self.convMM1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.convMM2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, skip: Tensor, deeper: Tensor) -> Tensor:
        """Apply the block to (N, C, H, W) features."""
        s = self.convFS1(skip)
        s = s + self.convFS3(F.relu(self.convFS2(F.relu(s))))
        m = s + upsample(deeper, 2)
        out: Tensor = m + self.convMM2(F.relu(self.convMM1(F.relu(m))))
        return out


class Decoder(nn.Module):
    """From the deepest features of both streams to two-class logits at four scales."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.GC = GlobalConvolution(2 * width * 32, channels)
        self.convG1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.convG2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.RF4 = Refinement(width * 16, channels)
        self.RF3 = Refinement(width * 8, channels)
        self.RF2 = Refinement(width * 4, channels)
        self.pred5 = nn.Conv2d(channels, 2, 3, padding=1)
        self.pred4 = nn.Conv2d(channels, 2, 3, padding=1)
        self.pred3 = nn.Conv2d(channels, 2, 3, padding=1)
        self.pred2 = nn.Conv2d(channels, 2, 3, padding=1)

    def forward(self, r5: Tensor, reference: Tensor, r4: Tensor, r3: Tensor, r2: Tensor) -> tuple[Tensor, ...]:
        """Return m2, m3, m4, m5: the feature maps the heads read."""
        x = self.GC(torch.cat((r5, reference), dim=1))
        m5 = x + self.convG2(F.relu(self.convG1(F.relu(x))))
        m4 = self.RF4(r4, m5)
        m3 = self.RF3(r3, m4)
        m2 = self.RF2(r2, m3)
        return m2, m3, m4, m5


class RGMP(PropagationNetwork):
    """The paper's network, 51.6 M parameters. See `PropagationNetwork` for its calls.

    Args:
        width: channels of the first convolution (64 in the paper; every other width of the trunk follows from it).
        channels: channels of the decoder (256 in the paper).
    """

    description = table.RGMP

    def __init__(self, width: int = 64, channels: int = 256) -> None:
        super().__init__()
        self.Encoder = Encoder(width)
        self.Decoder = Decoder(width, channels)
        self.eval()

    def encode_reference(self, image: Tensor, mask: Tensor) -> State:
        """See `PropagationNetwork.encode_reference`."""
        return (self.Encoder(image, mask)[0],)

    def _feature_maps(self, image: Tensor, mask: Tensor, reference: Tensor) -> tuple[Tensor, ...]:
        r5, r4, r3, r2 = self.Encoder(image, mask)
        maps: tuple[Tensor, ...] = self.Decoder(r5, reference, r4, r3, r2)
        return maps

    def propagate_scales(self, image: Tensor, mask: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """See `PropagationNetwork.propagate_scales`."""
        decoder = self.Decoder
        m2, m3, m4, m5 = self._feature_maps(image, mask, state[0])
        two_class = (
            upsample(decoder.pred2(F.relu(m2)), 4),
            decoder.pred3(F.relu(m3)),
            decoder.pred4(F.relu(m4)),
            decoder.pred5(F.relu(m5)),
        )
        # softmax over two classes is the sigmoid of the difference of their logits
        return tuple(logits[:, 1:] - logits[:, :1] for logits in two_class)

    def propagate(self, image: Tensor, mask: Tensor, *state: Tensor) -> Tensor:
        """See `PropagationNetwork.propagate`."""
        m2 = self._feature_maps(image, mask, state[0])[0]
        logits = upsample(self.Decoder.pred2(F.relu(m2)), 4)
        return torch.sigmoid(logits[:, 1:] - logits[:, :1])
