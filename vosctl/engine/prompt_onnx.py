"""The prompt network in ONNX Runtime, without torch."""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from vosctl.engine.base import EngineInfo
from vosctl.engine.graph_files import ENCODE, SEGMENT
from vosctl.engine.onnx_sessions import open_package_graphs
from vosctl.engine.providers import Provider
from vosctl.types import RGBImage, SoftMask
from vosctl.weights.checkpoint import Checkpoint

OnnxFeatures = list[onnxruntime.OrtValue]


class OnnxPromptEngine:
    """A `PromptEngine` on ONNX Runtime.

    Args:
        checkpoint: the weights.
        provider: where to run.
        weights: name of the weights, for messages.
        threads: CPU threads; 0 takes one for each core.

    Raises:
        VosctlError: the provider cannot be used.
    """

    def __init__(self, checkpoint: Checkpoint, provider: Provider, weights: str, threads: int = 0) -> None:
        self.size = checkpoint.description.crop_size
        self.info = EngineInfo("onnx", weights, checkpoint.network, provider.name, "fp32")
        sessions, self._initializers = open_package_graphs(checkpoint, (ENCODE, SEGMENT), provider, threads)
        self._encode, self._segment = sessions
        self._names = checkpoint.description.state_names

    def encode(self, region: RGBImage) -> OnnxFeatures:
        """See `PromptEngine.encode`."""
        image = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(region[None]))
        features: OnnxFeatures = self._encode.run_with_ort_values(list(self._names), {"image": image})
        return features

    def segment(self, maps: NDArray[np.float32], features: OnnxFeatures) -> tuple[SoftMask, float]:
        """See `PromptEngine.segment`."""
        prompts = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(maps[None]))
        given = {"prompts": prompts, **dict(zip(self._names, features, strict=True))}
        probability, score = self._segment.run_with_ort_values(["probability", "score"], given)
        soft: SoftMask = probability.numpy()[0]
        return soft, float(score.numpy()[0])
