"""Following where ONNX Runtime computes: it reads and writes torch's tensors where they are, nothing is copied between.

Torch cuts, merges and labels, as for its own networks; the step graph runs in between, its inputs and outputs bound
once for each number of objects to tensors that stay. On CUDA it runs on a stream of torch's that is handed to it, and
each side waits for the other on the device; the host waits for neither. On the CPU the same code runs in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from vosctl.engine.devices import Placement, resolve_placement
from vosctl.engine.on_device import FrameGeometry
from vosctl.engine.onnx_sessions import GraphPair, run_failures
from vosctl.engine.references import ReferenceStates
from vosctl.engine.torch_crops import TorchCrops
from vosctl.engine.torch_frames import TorchFrames
from vosctl.engine.torch_recording import Recorder, recorder_for
from vosctl.engine.torch_transfers import Queue, queue_for
from vosctl.errors import VosctlError
from vosctl.extras import install
from vosctl.types import RGB

STREAM = "user_compute_stream"
UNSYNCHRONISED = "disable_synchronize_execution_providers"
"""ONNX Runtime's words for the stream that a provider is given, and for a run that is not waited for."""


class Turns(Protocol):
    """Has torch and ONNX Runtime take turns on a device.

    Attributes:
        stream: address of the stream that ONNX Runtime is to compute on; 0 for one of its own, which it waits for.
    """

    stream: int

    def to_graph(self) -> None:
        """Have what ONNX Runtime is asked for now come after what torch was asked for."""
        ...

    def to_torch(self) -> None:
        """Have what torch is asked for from now on come after what ONNX Runtime was asked for."""
        ...

    def wait(self) -> None:
        """Have the host wait until torch has done what it was asked for."""
        ...


class CudaTurns:
    """Two streams, each of which waits for the other on the device; ONNX Runtime takes torch's usual one for none.

    Args:
        device: the CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.stream = int(self._stream.cuda_stream)

    def to_graph(self) -> None:
        """See `Turns.to_graph`."""
        self._stream.wait_stream(torch.cuda.current_stream(self._device))

    def to_torch(self) -> None:
        """See `Turns.to_torch`."""
        torch.cuda.current_stream(self._device).wait_stream(self._stream)

    def wait(self) -> None:
        """See `Turns.wait`."""
        torch.cuda.current_stream(self._device).synchronize()


class HostTurns:
    """Where ONNX Runtime computes on a stream of its own: it waits for that itself, and the host for torch's.

    Args:
        wait: see `Turns.wait`.
    """

    stream = 0

    def __init__(self, wait: Callable[[], None]) -> None:
        self.wait = wait

    def to_graph(self) -> None:
        """See `Turns.to_graph`."""
        self.wait()

    def to_torch(self) -> None:
        """See `Turns.to_torch`."""


def turns_for(device: torch.device) -> Turns:
    """Return what has torch and ONNX Runtime take turns on a device; on the CPU each is done when it returns."""
    return CudaTurns(device) if device.type == "cuda" else HostTurns(lambda: None)


def takes_stream(options: Mapping[str, Mapping[str, str]], stream: int) -> bool:
    """Return whether all providers of a session, by their options, compute on a stream; the CPU's has none."""
    on_gpu = [of_one for name, of_one in options.items() if name != "CPUExecutionProvider"]
    return all(of_one.get(STREAM) == str(stream) for of_one in on_gpu)


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """The step graph's inputs and outputs for N objects: always the same memory.

    Attributes:
        image: (N, H, W, 3) uint8 RGB.
        mask: (N, H, W) float32, the guidance masks.
        state: the tensors of the reference state, (N, ...) each; held, so that nothing else gets their memory.
        outputs: (N, H, W) probability, and (N,) presence where the graph tells it, float32.
        binding: binds them.
    """

    image: Tensor
    mask: Tensor
    state: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    binding: onnxruntime.IOBinding


class OnnxNetwork:
    """The step graph as a `StepNetwork`, for one follower.

    Args:
        there: where it runs.
    """

    def __init__(self, there: OnnxOnDevice) -> None:
        self._there = there
        self._bound: dict[object, Bound] = {}  # by shape and by the memory of the states

    @property
    def presence(self) -> object | None:
        """See `StepNetwork.presence`."""
        return True if self._there.graphs.metadata.tells_presence else None

    def propagate(self, image: Tensor, mask: Tensor, *state: Tensor) -> Tensor:
        """See `StepNetwork.propagate`."""
        return self._run(image, mask, state)[0][:, None]

    def propagate_with_presence(self, image: Tensor, mask: Tensor, *state: Tensor) -> tuple[Tensor, Tensor]:
        """See `StepNetwork.propagate_with_presence`."""
        probability, presence = self._run(image, mask, state)
        return probability[:, None], presence

    def _run(self, image: Tensor, mask: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Run the graph on (N, 3, H, W) in [0, 1], which are bytes by 255, (N, 1, H, W), and the states."""
        key = (image.shape, *(tensor.data_ptr() for tensor in state))
        if key not in self._bound:
            self._bound[key] = self._there.bind(len(image), tuple(image.shape[-2:]), state)
        bound = self._bound[key]
        bound.image.copy_((image * 255).round().permute(0, 2, 3, 1))
        bound.mask.copy_(mask[:, 0])
        self._there.run(bound.binding)
        return bound.outputs


class OnnxOnDevice:
    """What follows on the device of an engine on ONNX Runtime, see `FollowsOnDevice`.

    Args:
        graphs: the open graphs.
        weights: name of the weights, for messages.
        references: evens out states of one and of two references.
        turns: makes what has torch and ONNX Runtime take turns, by the device.
        queue: makes what does torch's copies, by the device.
        recorder: makes what records what torch does before and after the graph in crops, by the device.

    Raises:
        VosctlError: torch does not have the device, or the graph cannot be opened on it once more.
    """

    def __init__(
        self,
        graphs: GraphPair,
        weights: str,
        references: ReferenceStates[Any],
        turns: Callable[[torch.device], Turns] = turns_for,
        queue: Callable[[torch.device], Queue] = queue_for,
        recorder: Callable[[torch.device], Recorder | None] = recorder_for,
    ) -> None:
        provider = graphs.provider
        if provider.memory == "cuda" and not torch.cuda.is_available():
            raise VosctlError(f"`on_device=True`: needs a PyTorch with CUDA, as ONNX Runtime has; {install('torch')}")
        device = f"cuda:{provider.index}" if provider.memory == "cuda" else "cpu"
        self.graphs = graphs
        self._weights, self._references = weights, references
        self._placement: Placement = resolve_placement(device, "fp32")
        self._queue_for, self._recorder_for = queue, recorder
        self._lock = Lock()  # followers on several threads share the stream
        self._notes: list[str] = []
        self._options: onnxruntime.RunOptions | None = None
        self._turns, self._session = self._opened(turns(self._placement.device))

    def _opened(self, turns: Turns) -> tuple[Turns, onnxruntime.InferenceSession]:
        """Return a session that computes on the stream, or one that is waited for where that one is not taken."""
        if not turns.stream:
            return turns, self.graphs.step
        session = self.graphs.open_step(turns.stream)
        if takes_stream(session.get_provider_options(), turns.stream):
            self._options = onnxruntime.RunOptions()
            self._options.add_run_config_entry(UNSYNCHRONISED, "1")
            return turns, session
        self._notes.append("ONNX Runtime does not compute on torch's stream here: each step waits for it")
        return HostTurns(turns.wait), session

    def open_crops(self, height: int, width: int, size: int, fill: RGB) -> TorchCrops:
        """See `FollowsOnDevice.open_crops`."""
        device, network = self._placement.device, OnnxNetwork(self)
        recorder, queue = self._recorder_for(device), self._queue_for(device)
        where = (self._placement, self._references, height, width, size, fill, recorder, queue)
        crops = TorchCrops(network, *where, apart=True)
        crops.notes.extend(self._notes)
        return crops

    def open_frames(self, geometry: FrameGeometry) -> TorchFrames:
        """See `FollowsOnDevice.open_frames`."""
        queue = self._queue_for(self._placement.device)
        frames = TorchFrames(OnnxNetwork(self), self._placement, geometry, None, queue)
        frames.notes.extend(self._notes)
        return frames

    def bind(self, count: int, size: tuple[int, ...], state: tuple[Tensor, ...]) -> Bound:
        """Bind the graph to tensors for so many objects, in images of a height and width, and to their states."""
        metadata, device = self.graphs.metadata, self._placement.device
        image = torch.zeros((count, *size, 3), dtype=torch.uint8, device=device)
        mask = torch.zeros((count, *size), device=device)
        shapes = {"probability": (count, *size), "presence": (count,)}
        outputs = tuple(torch.zeros(shapes[name], device=device) for name in metadata.step_outputs)
        binding = self._session.io_binding()
        inputs = {"image": image, "mask": mask, **dict(zip(metadata.state_names, state, strict=True))}
        for name, tensor in inputs.items():
            binding.bind_input(name, *_memory(tensor))
        for name, tensor in zip(metadata.step_outputs, outputs, strict=True):
            binding.bind_output(name, *_memory(tensor))
        return Bound(image, mask, state, outputs, binding)

    def run(self, binding: onnxruntime.IOBinding) -> None:
        """Run the graph between what torch is asked for before and after."""
        with self._lock, run_failures(self._weights):
            self._turns.to_graph()
            self._session.run_with_iobinding(binding, self._options)
            self._turns.to_torch()


def _memory(tensor: Tensor) -> tuple[str, int, type[np.generic], tuple[int, ...], int]:
    """Return where a contiguous tensor of bytes or float32 lies, as ONNX Runtime is told it."""
    kinds: dict[torch.dtype, type[np.generic]] = {torch.uint8: np.uint8, torch.float32: np.float32}
    if not tensor.is_contiguous():
        raise ValueError("a tensor that is bound must be contiguous")
    return tensor.device.type, tensor.device.index or 0, kinds[tensor.dtype], tuple(tensor.shape), tensor.data_ptr()
