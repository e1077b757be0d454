"""What a prompt engine is: the prompt network's two calls on one backend, arrays in and arrays out."""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vosctl.engine.base import EngineInfo
from vosctl.types import RGBImage, SoftMask

Features = TypeVar("Features")


class PromptEngine(Protocol[Features]):
    """The prompt network on one backend.

    Attributes:
        info: what was really chosen.
        size: side in pixels of the square regions that it looks at.
    """

    info: EngineInfo
    size: int

    def encode(self, region: RGBImage) -> Features:
        """Compute the features of a region, (size, size, 3) uint8 RGB, once for all prompts."""
        ...

    def segment(self, maps: NDArray[np.float32], features: Features) -> tuple[SoftMask, float]:
        """Answer prompts.

        Args:
            maps: (5, size, size), see `vosctl.prompts.maps.PromptMaps`.
            features: what `encode` returned for the region.

        Returns:
            The object's probability, (size, size), and the IoU that this mask is expected to have.
        """
        ...
