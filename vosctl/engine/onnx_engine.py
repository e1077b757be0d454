"""The network in ONNX Runtime: no torch at run time, and the fastest path on a CPU that every installation has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from vosctl.engine.base import EngineInfo
from vosctl.engine.graph_engine import GraphEngine, Outputs, State
from vosctl.engine.memory import is_memory_error
from vosctl.engine.onnx_sessions import FAILURES, GraphPair, reason
from vosctl.errors import VosctlError


class OnnxEngine(GraphEngine):
    """An `Engine` on ONNX Runtime.

    Args:
        graphs: the open graphs.
        weights: name of the weights, for messages.
    """

    def __init__(self, graphs: GraphPair, weights: str) -> None:
        metadata, provider = graphs.metadata, graphs.provider
        device = f"{provider.name}:{provider.index}" if provider.memory == "cuda" else provider.name
        info = EngineInfo("onnx", weights, metadata.network, device, metadata.precision)
        one_size = "" if provider.takes_any_size else f"{provider.name} reads one reference of an object"
        super().__init__(info, metadata, one_size)
        self._graphs = graphs
        self._binding = graphs.step.io_binding()

    def _run_reference(self, image: NDArray[np.uint8], mask: NDArray[np.float32]) -> State:
        with self._failures():
            return tuple(self._graphs.reference.run(None, {"image": image, "mask": mask}))

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Word what a graph that loads but does not run says of itself."""
        try:
            yield
        except FAILURES as error:
            if is_memory_error(error):
                raise
            raise VosctlError(
                f"{self.info.weights}: ONNX Runtime cannot run it ({reason(error)}); export it again"
            ) from error

    def _place(self, state: State) -> list[onnxruntime.OrtValue]:
        provider = self._graphs.provider
        return [onnxruntime.OrtValue.ortvalue_from_numpy(array, provider.memory, provider.index) for array in state]

    def _run_step(
        self, images: NDArray[np.uint8], masks: NDArray[np.float32], state: Sequence[onnxruntime.OrtValue]
    ) -> Outputs:
        binding = self._binding
        binding.bind_cpu_input("image", images)
        binding.bind_cpu_input("mask", masks)
        for name, value in zip(self._metadata.state_names, state, strict=True):
            binding.bind_ortvalue_input(name, value)
        for name in self._metadata.step_outputs:
            binding.bind_output(name, "cpu")
        with self._failures():
            self._graphs.step.run_with_iobinding(binding)
        return tuple(binding.copy_outputs_to_cpu())
