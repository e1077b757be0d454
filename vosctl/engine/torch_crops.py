"""Following in crops on PyTorch's device: frames up once, figures and labels down while work goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vosctl.engine.crop_table import fill_table, table_length
from vosctl.engine.devices import Placement
from vosctl.engine.memory import memory_errors
from vosctl.engine.on_device import Carried, Found, Look, bucket_of
from vosctl.engine.references import ReferenceStates
from vosctl.engine.step_network import StepNetwork
from vosctl.engine.torch_crop_step import CropStep, Cut, Outcome, Shown, Slots, cut_planes, cut_rgb
from vosctl.engine.torch_pictures import DevicePictures, Sent
from vosctl.engine.torch_recording import Recorder, Recordings
from vosctl.engine.torch_transfers import Arriving, Queue, Transfers
from vosctl.network.base import State
from vosctl.types import RGB, RGBImage, SoftMask
from vosctl.video.planar import Picture

Room = tuple[int, tuple[tuple[int, ...], ...]]
"""For how many objects there is room, and the shape of their states: those of two references are larger."""


class TorchCrops:
    """See `CropsOnDevice`.

    Args:
        network: the network, on its device.
        placement: device and precision.
        references: joins reference states, torch's or the host's.
        height: of the frames in pixels.
        width: of the frames in pixels.
        size: side in pixels of the crops as the network sees them.
        fill: colour of a crop outside the frame.
        recorder: records steps; None runs them as they are.
        queue: does the device's copies.
        apart: the network cannot be recorded: what is before and after it is, and it runs in between. It answers in
            memory that stays for each number of objects.
    """

    def __init__(
        self,
        network: StepNetwork,
        placement: Placement,
        references: ReferenceStates[Any],
        height: int,
        width: int,
        size: int,
        fill: RGB,
        recorder: Recorder | None,
        queue: Queue,
        *,
        apart: bool = False,
    ) -> None:
        self.notes: list[str] = []
        self.tells_presence = network.presence is not None
        self._network = network
        self._placement = placement
        self._height, self._width, self._size = height, width, size
        self._transfers = Transfers(queue)
        self._references = references
        # by room, so that a recording stays good when objects come and go
        self._slots: dict[Room, Slots] = {}
        self._states: dict[Room, list[Any]] = {}  # the engine's, of those in the slots
        self._recordings: Recordings[Outcome] = Recordings(recorder, self.notes)
        self._cuttings: Recordings[Shown] = Recordings(recorder, self.notes)
        self._apart = apart
        self._sent: Sent[Cut] | None = None
        self._pictures = DevicePictures(
            placement.device,
            self._transfers,
            lambda luma, chroma, coding: cut_planes(luma, chroma, fill, coding),
            lambda frame: cut_rgb(frame, fill),
        )
        self._room: Room = (0, ())
        self._objects = 0

    @torch.inference_mode()
    def take(self, objects: Sequence[Carried]) -> None:
        """See `CropsOnDevice.take`."""
        even = self._references.even([one.state for one in objects])
        states = [tuple(torch.as_tensor(array) for array in state) for state in even]  # the host's where they are so
        bucket = bucket_of(len(objects))
        self._objects, self._room = len(objects), (bucket, tuple(tensor.shape[1:] for tensor in states[0]))
        slots = self._slots.get(self._room)
        if slots is None:
            with memory_errors(f"making room for {bucket} objects on the device"):
                slots = self._slots[self._room] = self._made_room(bucket, states[0])
            self._states[self._room] = []
        known = self._states[self._room]
        for index, (one, state) in enumerate(zip(objects, states, strict=True)):
            if index >= len(known) or known[index] is not one.state:
                for batch, tensor in zip(slots.states, state, strict=True):
                    batch[index : index + 1].copy_(tensor)
            slots.after[index].copy_(torch.tensor(one.probability))
            if one.sure is not None and one.sure_image is not None:
                slots.sure[index].copy_(torch.tensor(one.sure))
                slots.sure_image[index].copy_(torch.tensor(one.sure_image).permute(2, 0, 1))
        self._states[self._room] = [one.state for one in objects]

    @torch.inference_mode()
    def send(self, picture: Picture) -> Picture:
        """See `CropsOnDevice.send`."""
        with memory_errors("sending a frame to the device"):
            self._sent = self._pictures.send(picture)
        return self._sent.picture

    @torch.inference_mode()
    def look(self, looks: Sequence[Look]) -> Callable[[], Found]:
        """See `CropsOnDevice.look`."""
        if self._sent is None:
            raise ValueError("no frame was sent")
        sent, self._sent = self._sent, None
        slots = self._slots[self._room]
        doing = f"a step of the network for {len(looks)} objects"
        with memory_errors(doing):
            table = self._transfers.staging(slots.table)
            fill_table(table, looks, self._room[0], self._size)
            self._transfers.up(slots.table)
            step = CropStep(self._network, slots, sent.use, self._height, self._width, self._placement.dtype)
            outcome = self._run(step, sent.kind)
            found = self._transfers.down(outcome.figures, outcome.masks)
            drawn = self._transfers.down(outcome.canvas)

        def arrive() -> Found:
            with memory_errors(doing):
                figures, masks = found()
            return self._found(figures[: len(looks)], masks[: len(looks)], drawn)

        return arrive

    def _run(self, step: CropStep, kind: object) -> Outcome:
        """Run a step on a kind of picture, recorded: as a whole, or before and after the network."""
        room, changing, what = self._room, step.slots.changing, f"for {self._room[0]} objects"
        if not self._apart:
            return self._recordings.get((room, kind), f"the step {what}", step, changing)()
        shown = self._cuttings.get((room, kind), f"cutting {what}", step.show, changing)()
        answer = step.answer(shown)
        return self._recordings.get(room, f"merging {what}", lambda: step.finish(answer), changing)()

    @torch.inference_mode()
    def give(self, remember: Sequence[bool], *, before: bool) -> list[Carried]:
        """See `CropsOnDevice.give`."""
        slots = self._slots[self._room]
        kept = torch.tensor([False if before else bool(one) for one in remember], device=self._placement.device)
        count = self._objects
        # a copy: on the CPU what is on the device is the host's too, and the next frame changes it
        probability = (slots.before if before else slots.after)[:count].clone().cpu().numpy()
        sure = torch.where(kept[:, None, None], slots.own[:count], slots.sure[:count]).cpu().numpy()
        images = torch.where(kept[:, None, None, None], slots.image[:count], slots.sure_image[:count])
        shown = images.round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()
        states = self._states[self._room]
        return [Carried(states[index], probability[index], sure[index], shown[index]) for index in range(count)]

    def _found(self, figures: NDArray[np.float32], masks: NDArray[np.uint8], drawn: Arriving) -> Found:
        counted = figures.astype(np.int64)
        boxes = counted[:, 6:10].copy()
        boxes[:, 2:] = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)

        def arrive() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
            ((labels, alpha),) = drawn()
            return labels, alpha

        return Found(
            own_pixels=counted[:, 0],
            presence=figures[:, 1] if self.tells_presence else None,
            guided=figures[:, 2] > 0,
            pixels=counted[:, 3],
            score=np.asarray(figures[:, 4] / np.maximum(figures[:, 3], 1), np.float32),
            masks=masks.view(np.bool_),
            areas=counted[:, 5],
            boxes=boxes,
            arrive=arrive,
            shown=self._shown,
        )

    @torch.inference_mode()
    def _shown(self, index: int) -> tuple[RGBImage, SoftMask]:
        slots = self._slots[self._room]
        image = slots.image[index].round().byte().permute(1, 2, 0).contiguous()
        return image.cpu().numpy(), slots.own[index].float().cpu().numpy()

    def _made_room(self, count: int, state: State) -> Slots:
        size = self._size
        states = tuple(self._empty((count, *tensor.shape[1:]), tensor.dtype) for tensor in state)
        before, after, own, guidance, sure = (self._empty((count, size, size)) for _ in range(5))
        image, sure_image = (self._empty((count, 3, size, size)) for _ in range(2))
        return Slots(self._empty((table_length(count),)), states, before, after, own, image, guidance, sure, sure_image)

    def _empty(self, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.zeros(tuple(shape), dtype=dtype, device=self._placement.device)
