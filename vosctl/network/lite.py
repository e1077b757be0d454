"""Lite: RGMP made small enough to run live on a CPU.

It keeps RGMP's siamese encoder, cached reference stream, guidance mask, global convolution and refinement decoder, on
an EfficientNet-Lite0 trunk, and adds a reading of the reference by attention at 1/16, as the space-time memory
networks do (Oh et al., ICCV 2019), with a memory that is only ever the reference frame.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosctl.network.base import IMAGENET_MEAN, IMAGENET_STD, PropagationNetwork, State
from vosctl.network.efficientnet import LITE0_STAGES, SameConv2d, batch_norm, inverted_residual_stages
from vosctl.network.outline import OutlineHead
from vosctl.network.presence import Marked, PresenceHead, places_of
from vosctl.network.table import LITE

KEY_CHANNELS = 64
VALUE_CHANNELS = 96
DECODER_CHANNELS = (48, 64, 96, 128)  # at 1/4, 1/8, 1/16, 1/32
TAPPED_STAGES = (0, 1, 2, 4, 6)  # whose last blocks give r1, r2, r3, r4 and r5


def upsample(x: Tensor, factor: int) -> Tensor:
    """Bilinear upsampling with half-pixel centres."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class Encoder(nn.Module):
    """EfficientNet-Lite whose stem takes the image and the mask through a convolution each and adds them.

    Args:
        stem_channels: channels of the stem.
        stages: the trunk's stages, as tuples of expansion, channels, blocks, stride and kernel.
        tapped: the stages whose last block's output is given out.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, stem_channels: int, stages: tuple[tuple[int, ...], ...], tapped: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = SameConv2d(3, stem_channels, 3, 2)
        self.stem_mask = SameConv2d(1, stem_channels, 3, 2)
        self.stem_bn = batch_norm(stem_channels)
        self.blocks, self.stages = inverted_residual_stages(stem_channels, stages)
        self.taps = tuple(self.stages[stage][-1] for stage in tapped)
        self.channels = tuple(stages[stage][1] for stage in tapped)
        # constants of the network, not weights: they stay out of its checkpoints
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def normalised(self, image: Tensor) -> Tensor:
        """Return an image, (N, 3, H, W) in [0, 1], with the mean and deviation of ImageNet's taken out."""
        return (image - self.mean) / self.std

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Return the tapped features, deepest first: r5, r4, r3, r2 and r1 at 1/32, 1/16, 1/8, 1/4 and 1/2."""
        x = self.stem(self.normalised(image)) + self.stem_mask(mask)
        x = F.relu6(self.stem_bn(x))
        features: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.taps:
                features.append(x)
        return tuple(reversed(features))


class Reading(nn.Module):
    """Dot-product attention from every position of the target to every position of the reference, at 1/16."""

    def __init__(self, channels: int, value_channels: int) -> None:
        super().__init__()
        self.key = nn.Conv2d(channels, KEY_CHANNELS, 1)
        self.value = nn.Conv2d(channels + 1, value_channels, 3, padding=1)

    def memorise(self, r4: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return key (N, 64, H/16, W/16) and value (N, V, H/16, W/16) of a frame and its mask."""
        return self.key(r4), self.value(torch.cat((r4, F.avg_pool2d(mask, 16)), dim=1))

    def forward(self, r4: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Read the memory for every position of the target: (N, V, H/16, W/16)."""
        query = self.key(r4).flatten(2).transpose(1, 2)  # (N, HW, 64)
        affinity = torch.softmax(query @ key.flatten(2) / KEY_CHANNELS**0.5, dim=2)  # (N, HW, memory's HW)
        read = affinity @ value.flatten(2).transpose(1, 2)  # (N, HW, V)
        shape = (read.shape[0], read.shape[2], *r4.shape[2:])
        return read.transpose(1, 2).reshape(shape)


class GlobalConvolution(nn.Module):
    """A large separable kernel over the deepest features of both streams (Peng et al., CVPR 2017)."""

    def __init__(self, in_channels: int, channels: int, kernel: int = 7) -> None:
        super().__init__()
        pad = kernel // 2
        self.left1 = nn.Conv2d(in_channels, channels, (kernel, 1), padding=(pad, 0))
        self.left2 = nn.Conv2d(channels, channels, (1, kernel), padding=(0, pad))
        self.right1 = nn.Conv2d(in_channels, channels, (1, kernel), padding=(0, pad))
        self.right2 = nn.Conv2d(channels, channels, (kernel, 1), padding=(pad, 0))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to (N, C, H, W) features."""
        out: Tensor = self.left2(self.left1(x)) + self.right2(self.right1(x))
        return out


class Refinement(nn.Module):
    """RGMP's refinement module; `residual_skip` keeps its inner residual on the skip path."""

    def __init__(self, skip_channels: int, channels: int, residual_skip: bool) -> None:
        super().__init__()
        self.skip1 = nn.Conv2d(skip_channels, channels, 3, padding=1)
        self.residual_skip = residual_skip
        if residual_skip:
            self.skip2 = nn.Conv2d(channels, channels, 3, padding=1)
            self.skip3 = nn.Conv2d(channels, channels, 3, padding=1)
        self.merge1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.merge2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, skip: Tensor, deeper: Tensor) -> Tensor:
        """Apply the block to (N, C, H, W) features."""
        s = self.skip1(skip)
        if self.residual_skip:
            s = s + self.skip3(F.relu(self.skip2(F.relu(s))))
        m = s + upsample(deeper, 2)
        out: Tensor = m + self.merge2(F.relu(self.merge1(F.relu(m))))
        return out


class Decoder(nn.Module):
    """From the taps of the target stream, the reading and the reference's r5 to logits at four scales."""

    def __init__(self, taps: tuple[int, ...], value_channels: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        r2, r3, r4, r5 = taps
        w2, w3, w4, w5 = widths
        self.global_conv = GlobalConvolution(2 * r5, w5)
        self.residual1 = nn.Conv2d(w5, w5, 3, padding=1)
        self.residual2 = nn.Conv2d(w5, w5, 3, padding=1)
        self.widen4 = nn.Conv2d(w5, w4, 1)
        self.widen3 = nn.Conv2d(w4, w3, 1)
        self.widen2 = nn.Conv2d(w3, w2, 1)
        self.refine4 = Refinement(r4 + value_channels, w4, residual_skip=True)
        self.refine3 = Refinement(r3, w3, residual_skip=True)
        self.refine2 = Refinement(r2, w2, residual_skip=False)
        self.head5 = nn.Conv2d(w5, 1, 3, padding=1)
        self.head4 = nn.Conv2d(w4, 1, 3, padding=1)
        self.head3 = nn.Conv2d(w3, 1, 3, padding=1)
        self.head2 = nn.Conv2d(w2, 1, 3, padding=1)

    def forward(self, r5: Tensor, reference: Tensor, r4_read: Tensor, r3: Tensor, r2: Tensor) -> tuple[Tensor, ...]:
        """Return m2, m3, m4, m5: the feature maps the heads read."""
        x = self.global_conv(torch.cat((r5, reference), dim=1))
        m5 = x + self.residual2(F.relu(self.residual1(F.relu(x))))
        m4 = self.refine4(r4_read, self.widen4(m5))
        m3 = self.refine3(r3, self.widen3(m4))
        m2 = self.refine2(r2, self.widen2(m3))
        return m2, m3, m4, m5


class Lite(PropagationNetwork):
    """The small network, 5.5 M parameters. See `PropagationNetwork` for its calls.

    Args:
        stem_channels: channels of the stem.
        stages: the trunk, as tuples of expansion, channels, blocks, stride, kernel; seven stages as in Lite0.
        widths: channels of the decoder at 1/4, 1/8, 1/16 and 1/32.
        value_channels: channels of what is read from the reference.
        outlines: whether it has a head that draws outlines at full size.
    """

    description = LITE

    def __init__(
        self,
        stem_channels: int = 32,
        stages: tuple[tuple[int, ...], ...] = LITE0_STAGES,
        widths: tuple[int, int, int, int] = DECODER_CHANNELS,
        value_channels: int = VALUE_CHANNELS,
        outlines: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(stem_channels, stages, TAPPED_STAGES)
        r1, *channels = self.encoder.channels
        self.reading = Reading(channels[2], value_channels)
        self.decoder = Decoder(tuple(channels), value_channels, widths)
        self.outline = OutlineHead(r1, widths[0]) if outlines else None
        self.eval()

    def _new_presence_head(self) -> PresenceHead:
        r3, r4 = self.encoder.channels[-3:-1]
        return PresenceHead(r4 + r3)

    def encode_reference(self, image: Tensor, mask: Tensor) -> State:
        """See `PropagationNetwork.encode_reference`."""
        r5, r4, r3, *_ = self.encoder(image, mask)
        state = (*self.reading.memorise(r4, mask), r5)
        return state if self.presence is None else (*state, self.presence.describe(places_of(r4, r3), mask))

    def propagate_scales(self, image: Tensor, mask: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """See `PropagationNetwork.propagate_scales`."""
        logit, (m3, m4, m5) = self._decode(image, self.encoder(image, mask), state)
        decoder = self.decoder
        return logit, decoder.head3(F.relu(m3)), decoder.head4(F.relu(m4)), decoder.head5(F.relu(m5))

    def propagate(self, image: Tensor, mask: Tensor, *state: Tensor) -> Tensor:
        """See `PropagationNetwork.propagate`."""
        return torch.sigmoid(self._decode(image, self.encoder(image, mask), state)[0])

    def propagate_with_presence(self, image: Tensor, mask: Tensor, *state: Tensor) -> tuple[Tensor, Tensor]:
        """See `PropagationNetwork.propagate_with_presence`."""
        if self.presence is None:
            raise NotImplementedError("this network has no head that tells presence")
        features = self.encoder(image, mask)
        probability = torch.sigmoid(self._decode(image, features, state)[0])
        _, r4, r3, *_ = features
        marked = Marked.of(places_of(r4, r3), mask, probability)
        return probability, torch.sigmoid(self.presence(marked, state[-1]))

    def _decode(self, image: Tensor, features: tuple[Tensor, ...], state: State) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the logit at full size, and the feature maps at 1/8, 1/16 and 1/32."""
        key, value, reference, *_ = state
        r5, r4, r3, r2, r1 = features
        read = self.reading(r4, key, value)
        m2, *deeper = self.decoder(r5, reference, torch.cat((r4, read), dim=1), r3, r2)
        return self._full_logit(image, r1, m2), tuple(deeper)

    def _full_logit(self, image: Tensor, r1: Tensor, m2: Tensor) -> Tensor:
        logit = upsample(self.decoder.head2(F.relu(m2)), 4)
        return logit if self.outline is None else logit + self.outline(self.encoder.normalised(image), r1, m2)
