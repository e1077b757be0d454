"""The head that draws outlines at full size, from the image and what the decoder found at a quarter of it.

A logit found at 1/4 and upsampled bilinearly is blind to the image below a cell of 4 pixels. This head looks at the
image again, at 1/2, and gives a correction for each pixel of a cell of 2x2 (as Shi et al., CVPR 2016, upsample).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = 16
CELL = 2  # pixels along a side, all of which one place of the head gives


class OutlineHead(nn.Module):
    """Corrects a logit near outlines. It begins as one that corrects nothing.

    Args:
        half_channels: of the encoder's features at 1/2.
        quarter_channels: of the decoder's feature map at 1/4.
    """

    def __init__(self, half_channels: int, quarter_channels: int) -> None:
        super().__init__()
        self.from_quarter = nn.Conv2d(quarter_channels, CHANNELS, 1)
        self.from_half = nn.Conv2d(half_channels, CHANNELS, 1)
        self.from_image = nn.Conv2d(3, CHANNELS, CELL, stride=CELL)
        self.inner1 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.inner2 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.head = nn.Conv2d(CHANNELS, CELL**2, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]  # it has one

    def forward(self, image: Tensor, r1: Tensor, m2: Tensor) -> Tensor:
        """Return the correction of the logit, (N, 1, H, W).

        Args:
            image: (N, 3, H, W), normalised as the encoder takes it.
            r1: (N, C, H/2, W/2), the encoder's features.
            m2: (N, C, H/4, W/4), the decoder's feature map.
        """
        deeper = F.interpolate(self.from_quarter(F.relu(m2)), scale_factor=2, mode="bilinear", align_corners=False)
        x = deeper + self.from_half(r1) + self.from_image(image)
        x = x + self.inner2(F.relu(self.inner1(F.relu(x))))
        return F.pixel_shuffle(self.head(F.relu(x)), CELL)
