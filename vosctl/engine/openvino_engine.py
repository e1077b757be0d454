"""The network in OpenVINO: the fastest path on a CPU with bf16 instructions. Needs the package's extra of that name."""

from __future__ import annotations

import numpy as np
import openvino
from numpy.typing import NDArray

from vosctl.engine.base import EngineInfo
from vosctl.engine.graph_engine import GraphEngine, Outputs, State
from vosctl.engine.openvino_models import ModelPair


class OpenVinoEngine(GraphEngine):
    """An `Engine` on OpenVINO's CPU plugin.

    Args:
        models: the compiled graphs.
        weights: name of the weights, for messages.

    Attributes:
        preparations: what was made anew before the first frame, and why, one line each.
    """

    def __init__(self, models: ModelPair, weights: str) -> None:
        metadata = models.metadata
        super().__init__(EngineInfo("openvino", weights, metadata.network, "cpu", models.precision), metadata)
        self.preparations = list(models.notes)
        self._reference = models.reference
        self._step = models.step.create_infer_request()

    def _run_reference(self, image: NDArray[np.uint8], mask: NDArray[np.float32]) -> State:
        outputs = self._reference({"image": image, "mask": mask})
        return tuple(np.array(outputs[name]) for name in self._metadata.state_names)

    def _place(self, state: State) -> dict[str, openvino.Tensor]:
        return {name: openvino.Tensor(array) for name, array in zip(self._metadata.state_names, state, strict=True)}

    def _run_step(
        self, images: NDArray[np.uint8], masks: NDArray[np.float32], state: dict[str, openvino.Tensor]
    ) -> Outputs:
        outputs = self._step.infer({"image": images, "mask": masks, **state}, share_inputs=True)
        return tuple(outputs[name] for name in self._metadata.step_outputs)
