"""The prompt network: an object's mask from clicks, a box, a stroke or an earlier mask, in one region of a picture.

As in RITM (Sofiiuk et al., 2021) clicks are maps beside the picture and the last mask is fed in again, so that each
click corrects; as in SAM (Kirillov et al., ICCV 2023) the picture's features do not depend on the prompts, so that they
are computed once and a click costs only the small head. The trunk is EfficientNet-Lite0, the weights of which begin as
lite's.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosctl.network.base import IMAGENET_MEAN, IMAGENET_STD
from vosctl.network.efficientnet import LITE0_STAGES, SameConv2d, batch_norm, inverted_residual_stages
from vosctl.network.folding import fold_batch_norms
from vosctl.network.table import PROMPT, NetworkDescription

STEM_CHANNELS = 32
TAPPED_STAGES = (0, 1, 2, 4, 6)  # whose last blocks give r1, r2, r3, r4 and r5
PROMPT_NAMES = ("positive", "negative", "box", "mask", "inside")
"""Channels of the prompt maps, (N, 5, H, W) in [0, 1]: discs or strokes on the object, the same beside it, the filled
box, the soft mask so far, and 1 where the region lies in the picture."""
WIDTHS = (16, 32, 64, 128)  # channels of features and head at 1/2, 1/4, 1/8 and 1/16
HEADS = 4
DEPTH = 3
Features = tuple[Tensor, ...]


def double(x: Tensor) -> Tensor:
    """Bilinear upsampling by 2 with half-pixel centres."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class ImageEncoder(nn.Module):
    """EfficientNet-Lite0 on the picture alone, and one projection for each scale of the head."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv2d(3, STEM_CHANNELS, 3, 2)
        self.stem_bn = batch_norm(STEM_CHANNELS)
        self.blocks, stages = inverted_residual_stages(STEM_CHANNELS, LITE0_STAGES)
        self.taps = tuple(stages[stage][-1] for stage in TAPPED_STAGES)
        r1, r2, r3, r4, r5 = (LITE0_STAGES[stage][1] for stage in TAPPED_STAGES)
        w1, w2, w3, w4 = WIDTHS
        self.lateral1 = nn.Conv2d(r1, w1, 1)
        self.lateral2 = nn.Conv2d(r2, w2, 1)
        self.lateral3 = nn.Conv2d(r3, w3, 1)
        self.lateral4 = nn.Conv2d(r4, w4, 1)
        self.lateral5 = nn.Conv2d(r5, w4, 1)
        # constants of the network, not weights: they stay out of its checkpoints
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Features:
        """Return f1 (N, 16, H/2, W/2), f2 (N, 32, H/4, W/4), f3 (N, 64, H/8, W/8) and f4 (N, 128, H/16, W/16)."""
        x = F.relu6(self.stem_bn(self.stem((image - self.mean) / self.std)))
        taps: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.taps:
                taps.append(x)
        r1, r2, r3, r4, r5 = taps
        f4 = self.lateral4(r4) + double(self.lateral5(r5))
        return self.lateral1(r1), self.lateral2(r2), self.lateral3(r3), f4


class TokenLinear(nn.Module):
    """A linear layer for tokens, (N, T, C), with a weight (in, out): traced as one product under its own key."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        bound = in_channels**-0.5
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Convert (N, T, in) to (N, T, out)."""
        return x @ self.weight + self.bias


class ContextBlock(nn.Module):
    """A transformer block over all positions at 1/16; a depthwise convolution tells it where things are."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.place = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.norm1 = nn.LayerNorm(channels)
        self.qkv = TokenLinear(channels, 3 * channels)
        self.merge = TokenLinear(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.widen = TokenLinear(channels, 2 * channels)
        self.narrow = TokenLinear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Convert (N, C, h, w) to the same."""
        n, c, h, w = x.shape
        x = x + self.place(x)
        tokens = x.flatten(2).transpose(1, 2)  # (N, hw, C)
        q, k, v = self.qkv(self.norm1(tokens)).view(n, h * w, 3, HEADS, c // HEADS).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(2, 3) * (c // HEADS) ** -0.5, dim=3)  # (N, heads, hw, hw)
        read = (weights @ v).transpose(1, 2).reshape(n, h * w, c)
        tokens = tokens + self.merge(read)
        tokens = tokens + self.narrow(F.relu(self.widen(self.norm2(tokens))))
        out: Tensor = tokens.transpose(1, 2).reshape(n, c, h, w)
        return out


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Convert (N, C, h, w) to the same."""
        out: Tensor = x + self.conv2(F.relu(self.conv1(F.relu(x))))
        return out


class PromptHead(nn.Module):
    """From features and prompt maps to a mask and its score: down to 1/16 with the prompts, and up again."""

    def __init__(self) -> None:
        super().__init__()
        w1, w2, w3, w4 = WIDTHS
        self.down1 = nn.Conv2d(len(PROMPT_NAMES), w1, 3, 2, 1)
        self.down2 = nn.Conv2d(w1, w2, 3, padding=1)
        self.down3 = nn.Conv2d(w2, w3, 3, padding=1)
        self.down4 = nn.Conv2d(w3, w4, 3, padding=1)
        self.inject3 = nn.Conv2d(len(PROMPT_NAMES), w3, 1)
        self.inject4 = nn.Conv2d(len(PROMPT_NAMES), w4, 1)
        self.context = nn.ModuleList(ContextBlock(w4) for _ in range(DEPTH))
        self.up3 = nn.Conv2d(w4, w3, 1)
        self.up2 = nn.Conv2d(w3, w2, 1)
        self.up1 = nn.Conv2d(w2, w1, 1)
        self.refine3 = Residual(w3)
        self.refine2 = Residual(w2)
        self.refine1 = Residual(w1)
        self.coarse = nn.Conv2d(w3, 1, 1)
        self.fine = nn.Conv2d(w1, 1, 3, padding=1)
        self.score1 = nn.Linear(2 * w4 + 2, w3)
        self.score2 = nn.Linear(w3, 1)
        self._make_prompts_heard()

    @torch.no_grad()
    def _make_prompts_heard(self) -> None:
        """Begin with prompts that weigh as much as features do; else training finds salient objects and no more."""
        for down in (self.down1, self.down2, self.down3, self.down4, self.inject3, self.inject4):
            nn.init.kaiming_normal_(down.weight, nonlinearity="relu")
        self.down1.weight *= 2

    def forward(self, prompts: Tensor, f1: Tensor, f2: Tensor, f3: Tensor, f4: Tensor) -> tuple[Tensor, ...]:
        """Return the logits (N, 1, H/2, W/2) and (N, 1, H/8, W/8), and the score's logit (N, 1)."""
        x1 = self.down1(prompts) + f1
        x2 = self.down2(F.avg_pool2d(F.relu(x1), 2)) + f2
        x3 = self.down3(F.avg_pool2d(F.relu(x2), 2)) + f3 + self.inject3(F.max_pool2d(prompts, 8))
        x4 = self.down4(F.avg_pool2d(F.relu(x3), 2)) + f4 + self.inject4(F.max_pool2d(prompts, 16))
        for block in self.context:
            x4 = block(x4)
        d3 = self.refine3(double(self.up3(x4)) + x3)
        d2 = self.refine2(double(self.up2(d3)) + x2)
        d1 = self.refine1(double(self.up1(d2)) + x1)
        coarse = self.coarse(F.relu(d3))
        fine = self.fine(F.relu(d1)) + F.interpolate(coarse, scale_factor=4, mode="bilinear", align_corners=False)
        return fine, coarse, self._score(x4.detach(), torch.sigmoid(fine.detach()))

    def _score(self, x4: Tensor, mask: Tensor) -> Tensor:
        """Return (N, 1): what the IoU is expected to be, as a logit; from the context in and beside the mask."""
        share = F.avg_pool2d(mask, 8)  # at 1/16
        inside = (x4 * share).sum((2, 3)) / (share.sum((2, 3)) + 1e-3)
        outside = (x4 * (1 - share)).sum((2, 3)) / ((1 - share).sum((2, 3)) + 1e-3)
        doubt = (mask * (1 - mask)).mean((2, 3)) / (mask.mean((2, 3)) + 1e-3)
        facts = torch.cat((inside, outside, doubt, mask.mean((2, 3))), dim=1)
        score: Tensor = self.score2(F.relu(self.score1(facts)))
        return score


class PromptNetwork(nn.Module):
    """Segmentation from prompts, see the module; 5 M parameters.

    Images are (N, 3, H, W) float RGB in [0, 1] and prompts (N, 5, H, W), see `PROMPT_NAMES`; height and width are
    multiples of 32.
    """

    description: ClassVar[NetworkDescription] = PROMPT

    def __init__(self) -> None:
        super().__init__()
        self.name = self.description.name
        self.crop_size = self.description.crop_size
        self.encoder = ImageEncoder()
        fold_batch_norms(self.encoder.eval())
        self.head = PromptHead()
        self.eval()

    def encode(self, image: Tensor) -> Features:
        """Compute the features of a region, once for all prompts."""
        features: Features = self.encoder(image)
        return features

    def segment(self, prompts: Tensor, *features: Tensor) -> tuple[Tensor, Tensor]:
        """Answer prompts.

        Returns:
            (N, 1, H, W), the probability of the object; and (N, 1), the IoU that this mask is expected to have.
        """
        fine, _, score = self.head(prompts, *features)
        return torch.sigmoid(double(fine)), torch.sigmoid(score)
