"""The network in PyTorch: any device, any size, the plain path that the other engines are compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vosctl.engine.arguments import check_batch, check_reference
from vosctl.engine.base import EngineInfo, StateBatches, Step
from vosctl.engine.devices import Placement
from vosctl.engine.memory import memory_errors
from vosctl.engine.on_device import FrameGeometry
from vosctl.engine.parts import even_parts, largest_part
from vosctl.engine.references import ReferenceStates, one_of_network
from vosctl.engine.torch_compiling import Compiler, compile_network
from vosctl.engine.torch_crops import TorchCrops
from vosctl.engine.torch_frames import TorchFrames
from vosctl.engine.torch_recording import Recorder, recorder_for
from vosctl.engine.torch_transfers import Queue, queue_for
from vosctl.network.base import PropagationNetwork, State
from vosctl.network.folding import fold_batch_norms
from vosctl.types import RGB


class TorchEngine:
    """An `Engine` on PyTorch. Weights and reference states stay on the device from frame to frame.

    Args:
        network: the network, float32, on the CPU; taken over by the engine, which folds its batch norms.
        placement: device and precision.
        weights: name of the weights, for messages.
        recorder: makes what records steps that follow on the device, by the device.
        queue: makes what does their copies, by the device.
        compiler: compiles the network at once; None runs it as it is.

    Attributes:
        preparations: what was made before the first frame, one line each.
    """

    takes_float = True

    def __init__(
        self,
        network: PropagationNetwork,
        placement: Placement,
        weights: str,
        recorder: Callable[[torch.device], Recorder | None] = recorder_for,
        queue: Callable[[torch.device], Queue] = queue_for,
        compiler: Compiler | None = None,
    ) -> None:
        self.stride = network.stride
        self.crop_size = network.crop_size
        self.info = EngineInfo("torch", weights, network.name, str(placement), placement.precision)
        self._placement = placement
        self._recorder_for, self._queue_for = recorder, queue
        network = fold_batch_norms(network.eval())
        self._network = network.to(placement.device, placement.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        beside = network.description.side_by_side
        self._references: ReferenceStates[Tensor] = ReferenceStates(network.state_names, beside, _concatenate)
        self.one_reference = one_of_network(network.name, beside)
        self._batches = StateBatches(self._references.batch)
        self.preparations: list[str] = []
        if compiler is not None:
            self.preparations.append(compile_network(self._network, compiler, self._run_once))

    @torch.inference_mode()
    def encode_reference(self, image: NDArray[Any], mask: NDArray[np.float32]) -> State:
        """See `Engine.encode_reference`."""
        check_reference(self, image, mask)
        with memory_errors("encoding a reference"):
            state: State = self._network.encode_reference(self._image(image[None]), self._mask(mask[None]))
        return state

    @torch.inference_mode()
    def propagate(self, images: NDArray[Any], masks: NDArray[np.float32], states: Sequence[State]) -> Step[State]:
        """See `Engine.propagate`."""
        check_batch(self, images, masks, states)
        with memory_errors(f"a step of the network for {len(images)} objects"):
            split = even_parts(len(images), self._most(images))
            batches = self._batches.get(states, split)
            told = [
                self._propagate(images[part], masks[part], batch) for part, batch in zip(split, batches, strict=True)
            ]
        probabilities = np.concatenate([probability for probability, _ in told])
        presence = [one for _, one in told if one is not None]
        return Step(probabilities, tuple(states), np.concatenate(presence) if presence else None)

    def _most(self, images: NDArray[Any]) -> int:
        """Return how many objects go through the network at once."""
        return largest_part(*images.shape[1:3]) if self._placement.device.type == "cpu" else len(images)

    def _propagate(
        self, images: NDArray[Any], masks: NDArray[np.float32], state: State
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return the probabilities of one part, (N, H, W), and the objects' presence."""
        inputs = (self._image(images), self._mask(masks), *state)
        told = None
        if self._network.presence is None:
            probability = self._network.propagate(*inputs)
        else:
            probability, presence = self._network.propagate_with_presence(*inputs)
            told = presence.float().cpu().numpy()
        return probability[:, 0].float().cpu().numpy(), told

    @torch.inference_mode()
    def join_references(self, first: State, second: State) -> State:
        """See `JoinsReferences.join_references`."""
        return self._references.join(first, second)

    def _run_once(self) -> None:
        """Run a step of one object, of nothing."""
        size = self.crop_size
        image, mask = np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.float32)
        self.propagate(image[None], mask[None], [self.encode_reference(image, mask)])

    def check_on_device(self) -> None:
        """See `FollowsOnDevice.check_on_device`: it can wherever it runs."""

    def open_crops(self, height: int, width: int, size: int, fill: RGB) -> TorchCrops:
        """See `FollowsOnDevice.open_crops`."""
        device = self._placement.device
        recorder, queue = self._recorder_for(device), self._queue_for(device)
        return TorchCrops(self._network, self._placement, self._references, height, width, size, fill, recorder, queue)

    def open_frames(self, geometry: FrameGeometry) -> TorchFrames:
        """See `FollowsOnDevice.open_frames`."""
        device = self._placement.device
        return TorchFrames(
            self._network, self._placement, geometry, self._recorder_for(device), self._queue_for(device)
        )

    def _image(self, images: NDArray[Any]) -> Tensor:
        """Return (N, H, W, 3) bytes or floats to (N, 3, H, W) in [0, 1], channels last in memory as they came."""
        tensor = torch.from_numpy(np.ascontiguousarray(images)).to(self._placement.device)
        scale = 1.0 if tensor.is_floating_point() else 255.0
        return (tensor.permute(0, 3, 1, 2).to(torch.float32) / scale).to(self._placement.dtype)

    def _mask(self, masks: NDArray[np.float32]) -> Tensor:
        """Convert (N, H, W) to (N, 1, H, W)."""
        return torch.from_numpy(np.ascontiguousarray(masks)).to(self._placement.device, self._placement.dtype)[:, None]


def _concatenate(tensors: Sequence[Tensor], axis: int) -> Tensor:
    return torch.cat(tuple(tensors), axis)
