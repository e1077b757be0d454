"""The network in ONNX Runtime: no torch at run time, and the fastest path on a CPU that every installation has."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from vosctl.engine.base import EngineInfo
from vosctl.engine.graph_engine import GraphEngine, Outputs, State
from vosctl.engine.on_device import FrameGeometry
from vosctl.engine.onnx_sessions import GraphPair, run_failures
from vosctl.engine.providers import OWN_DEVICE
from vosctl.errors import UsageError
from vosctl.extras import require
from vosctl.types import RGB

if TYPE_CHECKING:
    from vosctl.engine.onnx_on_device import OnnxOnDevice
    from vosctl.engine.torch_crops import TorchCrops
    from vosctl.engine.torch_frames import TorchFrames


class OnnxEngine(GraphEngine):
    """An `Engine` on ONNX Runtime.

    Args:
        graphs: the open graphs.
        weights: name of the weights, for messages.
        there: what follows on its device; None makes it when that is first asked for.
    """

    def __init__(self, graphs: GraphPair, weights: str, there: OnnxOnDevice | None = None) -> None:
        metadata, provider = graphs.metadata, graphs.provider
        device = f"{provider.name}:{provider.index}" if provider.memory == "cuda" else provider.name
        info = EngineInfo("onnx", weights, metadata.network, device, metadata.precision)
        one_size = "" if provider.takes_any_size else f"{provider.name} reads one reference of an object"
        super().__init__(info, metadata, one_size, in_parts=provider.word == "cpu")
        self._graphs = graphs
        self._binding = graphs.step.io_binding()
        self._opening = Lock()
        self._there = there

    def _run_reference(self, image: NDArray[np.uint8], mask: NDArray[np.float32]) -> State:
        with run_failures(self.info.weights):
            return tuple(self._graphs.reference.run(None, {"image": image, "mask": mask}))

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
        with run_failures(self.info.weights):
            self._graphs.step.run_with_iobinding(binding)
        return tuple(binding.copy_outputs_to_cpu())

    def check_on_device(self) -> None:
        """See `FollowsOnDevice.check_on_device`."""
        self._on_device()

    def open_crops(self, height: int, width: int, size: int, fill: RGB) -> TorchCrops:
        """See `FollowsOnDevice.open_crops`."""
        return self._on_device().open_crops(height, width, size, fill)

    def open_frames(self, geometry: FrameGeometry) -> TorchFrames:
        """See `FollowsOnDevice.open_frames`."""
        return self._on_device().open_frames(geometry)

    def _on_device(self) -> OnnxOnDevice:
        """Return what follows on the device, which needs torch: made when it is first asked for."""
        provider, objects = self._graphs.provider, self._metadata.objects
        if provider.word in OWN_DEVICE:
            raise UsageError(f"`on_device=True`: {provider.name} takes the host's memory only; leave it out")
        if objects is not None:
            raise UsageError(
                f"`on_device=True`: the graphs of {self.info.weights} were exported for {objects} object(s) at once; "
                "leave it out, or export others with `vosctl export-onnx --objects dynamic`"
            )
        require("torch", "`on_device=True`")
        from vosctl.engine.onnx_on_device import OnnxOnDevice

        with self._opening:
            if self._there is None:
                self._there = OnnxOnDevice(self._graphs, self.info.weights, self._references)
            return self._there
