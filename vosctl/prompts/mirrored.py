"""A prompt engine that also looks at every region mirrored, and gives the mean: better masks for twice the time."""

from __future__ import annotations

from typing import Generic

import numpy as np

from vosctl.engine.prompt_engine import Features, PromptEngine
from vosctl.prompts.maps import PromptMaps
from vosctl.types import RGBImage, SoftMask


class MirroredEngine(Generic[Features]):
    """A `PromptEngine` of another one's answers and those to the mirrored question.

    Args:
        engine: the engine that is asked twice.
    """

    def __init__(self, engine: PromptEngine[Features]) -> None:
        self._engine = engine
        self.info, self.size = engine.info, engine.size

    def encode(self, region: RGBImage) -> tuple[Features, Features]:
        """See `PromptEngine.encode`."""
        return self._engine.encode(region), self._engine.encode(np.ascontiguousarray(region[:, ::-1]))

    def segment(self, maps: PromptMaps, features: tuple[Features, Features]) -> tuple[SoftMask, float]:
        """See `PromptEngine.segment`."""
        one, score = self._engine.segment(maps, features[0])
        other, other_score = self._engine.segment(np.ascontiguousarray(maps[:, :, ::-1]), features[1])
        mean: SoftMask = ((one + other[:, ::-1]) / 2).astype(np.float32, copy=False)
        return mean, (score + other_score) / 2
