"""Following on the full frame on PyTorch's device: frames up once, figures and labels down while work goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vosctl.engine.devices import Placement
from vosctl.engine.memory import memory_errors
from vosctl.engine.on_device import FoundInFrame, FrameGeometry, WholeObject, bucket_of
from vosctl.engine.step_network import StepNetwork
from vosctl.engine.torch_frame_step import FLAGS, FrameOutcome, FrameSlots, FrameStep
from vosctl.engine.torch_pictures import DevicePictures, Sent, whole_planes, whole_rgb
from vosctl.engine.torch_recording import Recorder, Recordings
from vosctl.engine.torch_transfers import Arriving, Queue, Transfers
from vosctl.network.base import State
from vosctl.types import SoftMask
from vosctl.video.planar import Picture

Read = Callable[[], Tensor]


class TorchFrames:
    """See `FramesOnDevice`.

    Args:
        network: the network, on its device.
        placement: device and precision.
        geometry: how frames are padded and scaled.
        recorder: records steps; None runs them as they are.
        queue: does the device's copies.
    """

    def __init__(
        self,
        network: StepNetwork,
        placement: Placement,
        geometry: FrameGeometry,
        recorder: Recorder | None,
        queue: Queue,
    ) -> None:
        self.notes: list[str] = []
        self._network = network
        self._placement = placement
        self._geometry = geometry
        self._transfers = Transfers(queue)
        self._pictures: DevicePictures[Read] = DevicePictures(
            placement.device, self._transfers, whole_planes, whole_rgb
        )
        self._sent: Sent[Read] | None = None
        self._slots: dict[int, FrameSlots] = {}  # by bucket, so that a recording stays good when objects come and go
        self._states: dict[int, dict[int, tuple[Any, ...]]] = {}  # the engine's, of those in the slots, by place
        self._recordings: Recordings[FrameOutcome] = Recordings(recorder, self.notes)
        self._bucket = self._objects = 0
        self._has_union = False

    @torch.inference_mode()
    def take(self, objects: Sequence[WholeObject], union: tuple[Any, ...] | None = None) -> None:
        """See `FramesOnDevice.take`."""
        self._objects, self._has_union = len(objects), union is not None and len(objects) > 1
        bucket = self._bucket = bucket_of(len(objects) + self._has_union)
        if bucket not in self._slots:
            with memory_errors(f"making room for {bucket} objects on the device"):
                self._slots[bucket] = self._room(bucket, _as_tensors(objects[0].states))
            self._states[bucket] = {}
        places = {index: one.states for index, one in enumerate(objects)}
        if union is not None and self._has_union:
            places[bucket - 1] = union
        known, slots = self._states[bucket], self._slots[bucket]
        for index, states in places.items():
            if known.get(index) is not states:
                for batches, tensors in zip(slots.states, _as_tensors(states), strict=True):
                    for batch, tensor in zip(batches, tensors, strict=True):
                        batch[index : index + 1].copy_(tensor)
        self._states[bucket] = places
        for index, one in enumerate(objects):
            slots.masks[index].copy_(torch.tensor(one.probability))

    @torch.inference_mode()
    def send(self, picture: Picture) -> None:
        """See `FramesOnDevice.send`."""
        with memory_errors("sending a frame to the device"):
            self._sent = self._pictures.send(picture)

    @torch.inference_mode()
    def look(self, ids: Sequence[int], yields: Sequence[bool]) -> Callable[[], FoundInFrame]:
        """See `FramesOnDevice.look`."""
        if self._sent is None:
            raise ValueError("no frame was sent")
        sent, self._sent = self._sent, None
        bucket, union, count = self._bucket, self._has_union, len(ids)
        slots, doing = self._slots[bucket], f"a step of the network for {len(ids)} objects on the full frame"
        with memory_errors(doing):
            table = self._transfers.staging(slots.table)
            table[:] = 0
            table[:count] = np.stack((ids, yields, np.ones(count)), axis=1)
            self._transfers.up(slots.table)
            step = FrameStep(self._network, slots, sent.use, self._geometry, self._placement.dtype, union)
            what = f"the full frame's step for {bucket} objects"
            outcome = self._recordings.get((bucket, sent.kind, union), what, step, [slots.masks])()
            figures = self._transfers.down(outcome.figures)
            drawn = self._transfers.down(outcome.canvas)

        def arrive() -> FoundInFrame:
            with memory_errors(doing):
                (values,) = figures()
            return _found(values[:count], drawn)

        return arrive

    @torch.inference_mode()
    def give(self) -> list[SoftMask]:
        """See `FramesOnDevice.give`."""
        # a copy: on the CPU what is on the device is the host's too, and the next frame changes it
        return list(self._slots[self._bucket].masks[: self._objects].clone().cpu().numpy())

    def _room(self, bucket: int, states: tuple[State, ...]) -> FrameSlots:
        device = self._placement.device
        rooms = tuple(
            tuple(torch.zeros((bucket, *tensor.shape[1:]), dtype=tensor.dtype, device=device) for tensor in state)
            for state in states
        )
        masks = torch.zeros((bucket, *self._geometry.padded), device=device)
        return FrameSlots(torch.zeros((bucket, FLAGS), device=device), rooms, masks)


def _as_tensors(states: tuple[Any, ...]) -> tuple[State, ...]:
    """Return an engine's states, one a scale, as tensors: the host's where they are so."""
    return tuple(tuple(torch.as_tensor(array) for array in state) for state in states)


def _found(figures: NDArray[np.float32], drawn: Arriving) -> FoundInFrame:
    counted = figures.astype(np.int64)
    boxes = counted[:, 2:6].copy()
    boxes[:, 2:] = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    score = np.asarray(figures[:, 1] / np.maximum(figures[:, 0], 1), np.float32)

    def arrive() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        ((labels, alpha),) = drawn()
        return labels, alpha

    return FoundInFrame(areas=counted[:, 0], score=score, boxes=boxes, arrive=arrive)
