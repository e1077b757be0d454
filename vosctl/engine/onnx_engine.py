"""The network in ONNX Runtime: no torch at run time, and the fastest path on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from vosctl.engine.base import EngineInfo, ReferenceBatch
from vosctl.engine.onnx_sessions import GraphPair
from vosctl.errors import UsageError

State = tuple[NDArray[np.float32], ...]


class OnnxEngine:
    """An `Engine` on ONNX Runtime.

    A reference is kept in host memory; the batch of references that is followed is put on the device once and stays
    there from frame to frame.

    Args:
        graphs: the open graphs.
        weights: name of the weights, for messages.
    """

    takes_float = False

    def __init__(self, graphs: GraphPair, weights: str) -> None:
        metadata = graphs.metadata
        self._graphs = graphs
        self._metadata = metadata
        self._binding = graphs.step.io_binding()
        self._batch = ReferenceBatch()
        self.stride = metadata.stride
        self.window = metadata.size[0] if metadata.size and len(set(metadata.size)) == 1 else metadata.window
        provider = graphs.provider
        device = f"{provider.name}:{provider.index}" if provider.memory == "cuda" else provider.name
        self.info = EngineInfo("onnx", weights, metadata.network, device, metadata.precision)

    def encode_reference(self, image: NDArray[Any], mask: NDArray[np.float32]) -> State:
        self._check(image[None])
        inputs = {"image": np.ascontiguousarray(image[None]), "mask": np.ascontiguousarray(mask[None])}
        return tuple(self._graphs.reference.run(None, inputs))

    def propagate(
        self, images: NDArray[Any], masks: NDArray[np.float32], references: Sequence[State]
    ) -> NDArray[np.float32]:
        self._check(images)
        count = self._metadata.objects or len(images)
        padding = -len(images) % count  # a graph for a fixed number of objects is run on some of them twice
        members = [*range(len(images)), *[0] * padding]
        state = self._batch.get([references[index] for index in members], lambda batch: self._place(batch, count))
        parts = [
            self._run(images[part], masks[part], state[start // count])
            for start in range(0, len(members), count)
            for part in [members[start : start + count]]
        ]
        return (parts[0] if len(parts) == 1 else np.concatenate(parts))[: len(images)]

    def _run(
        self, images: NDArray[Any], masks: NDArray[np.float32], state: Sequence[onnxruntime.OrtValue]
    ) -> NDArray[np.float32]:
        binding = self._binding
        binding.bind_cpu_input("image", np.ascontiguousarray(images))
        binding.bind_cpu_input("mask", np.ascontiguousarray(masks))
        for name, value in zip(self._metadata.state_names, state, strict=True):
            binding.bind_ortvalue_input(name, value)
        binding.bind_output("probability", "cpu")
        self._graphs.step.run_with_iobinding(binding)
        probability: NDArray[np.float32] = binding.copy_outputs_to_cpu()[0]
        return probability

    def _place(self, references: Sequence[State], count: int) -> list[list[onnxruntime.OrtValue]]:
        """The references in batches of `count`, on the device."""
        provider = self._graphs.provider
        return [
            [
                onnxruntime.OrtValue.ortvalue_from_numpy(np.concatenate(tensors), provider.memory, provider.index)
                for tensors in zip(*references[start : start + count], strict=True)
            ]
            for start in range(0, len(references), count)
        ]

    def _check(self, images: NDArray[Any]) -> None:
        """A graph of a fixed size runs on nothing else."""
        size = self._metadata.size
        if size is not None and images.shape[1:3] != size:
            (height, width), (fixed_height, fixed_width) = images.shape[1:3], size
            raise UsageError(
                f"{self.info.weights}: the graphs were exported for {fixed_height}x{fixed_width} and cannot run on "
                f"{height}x{width}; export others with `vosctl export-onnx --size dynamic`"
            )
