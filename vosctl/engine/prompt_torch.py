"""The prompt network in PyTorch: the plain path that the other engines are compared with."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from vosctl.engine.base import EngineInfo
from vosctl.engine.devices import Placement
from vosctl.network.prompt import Features, PromptNetwork
from vosctl.types import RGBImage, SoftMask


class TorchPromptEngine:
    """A `PromptEngine` on PyTorch.

    Args:
        network: the network, float32, on the CPU; taken over.
        placement: device and precision.
        weights: name of the weights, for messages.
    """

    def __init__(self, network: PromptNetwork, placement: Placement, weights: str) -> None:
        self.size = network.crop_size
        self.info = EngineInfo("torch", weights, network.name, str(placement), placement.precision)
        self._placement = placement
        self._network = network.eval().to(placement.device, placement.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def encode(self, region: RGBImage) -> Features:
        """See `PromptEngine.encode`."""
        image = torch.from_numpy(np.ascontiguousarray(region[None])).to(self._placement.device)
        pixels = (image.permute(0, 3, 1, 2).float() / 255).to(self._placement.dtype)
        features: Features = self._network.encode(pixels)
        return features

    @torch.inference_mode()
    def segment(self, maps: NDArray[np.float32], features: Features) -> tuple[SoftMask, float]:
        """See `PromptEngine.segment`."""
        prompts = torch.from_numpy(maps[None]).to(self._placement.device, self._placement.dtype)
        probability, score = self._network.segment(prompts, *features)
        soft: SoftMask = probability[0, 0].float().cpu().numpy()
        return soft, float(score)
