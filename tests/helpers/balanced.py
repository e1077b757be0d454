"""A network of random weights whose answers are a mixture, so that a comparison of labels shows something."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from vosctl.network.rgmp import RGMP
from vosctl.types import Mask, RGBImage


def balance(network: RGMP, frame: RGBImage, mask: Mask) -> None:
    """Put the network's threshold into the widest gap of its answers near their middle.

    Then few pixels lie so near the threshold that rounding decides them.
    """
    height, width = (size + 32 - size % 32 for size in mask.shape)
    padding = (height - mask.shape[0]) // 2, (width - mask.shape[1]) // 2
    image, soft = (
        cv2.copyMakeBorder(
            values,
            padding[0],
            height - mask.shape[0] - padding[0],
            padding[1],
            width - mask.shape[1] - padding[1],
            cv2.BORDER_CONSTANT,
            value=0,
        )
        for values in (frame / np.float32(255), mask.astype(np.float32))
    )
    inputs: tuple[Tensor, Tensor] = (
        torch.from_numpy(image).permute(2, 0, 1)[None],
        torch.from_numpy(soft)[None, None],
    )
    with torch.inference_mode():
        logit = network.propagate_scales(*inputs, *network.encode_reference(*inputs))[0].flatten().sort().values
        middle = logit[int(0.3 * len(logit)) : int(0.7 * len(logit))]
        gap = (middle[1:] - middle[:-1]).argmax()
        network.Decoder.pred2.bias[1] -= (middle[gap] + middle[gap + 1]) / 2
        network.Decoder.pred2.weight *= 1 / logit.std()
        network.Decoder.pred2.bias *= 1 / logit.std()
