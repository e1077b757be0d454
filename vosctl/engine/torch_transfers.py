"""Copies between host and device that nobody waits for but who needs them: through pinned memory, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

Arriving = Callable[[], tuple[NDArray[Any], ...]]
"""Waits until copies are down, and returns them. May be called on any thread, and more than once."""


class Queue(Protocol):
    """Does what it is given one after the other, while the host goes on.

    Attributes:
        pinned: whether host memory has to be pinned, so that copies need not be waited for.
    """

    pinned: bool

    def send(self, target: Tensor, source: Tensor) -> None:
        """Copy a tensor of the host to the device."""
        ...

    def fetch(self, target: Tensor, source: Tensor) -> None:
        """Copy a tensor of the device to the host."""
        ...

    def moment(self) -> Callable[[], None]:
        """Return what waits until all that was asked for so far is done."""
        ...


class CudaQueue:
    """The current stream of a CUDA device.

    Args:
        device: the CUDA device.
    """

    pinned = True

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def send(self, target: Tensor, source: Tensor) -> None:
        """See `Queue.send`."""
        target.copy_(source, non_blocking=True)

    def fetch(self, target: Tensor, source: Tensor) -> None:
        """See `Queue.fetch`."""
        target.copy_(source, non_blocking=True)

    def moment(self) -> Callable[[], None]:
        """See `Queue.moment`."""
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event.synchronize


class PlainQueue:
    """A device whose copies wait by themselves: the CPU, and Metal."""

    pinned = False

    def send(self, target: Tensor, source: Tensor) -> None:
        """See `Queue.send`."""
        target.copy_(source)

    def fetch(self, target: Tensor, source: Tensor) -> None:
        """See `Queue.fetch`."""
        target.copy_(source)

    def moment(self) -> Callable[[], None]:
        """See `Queue.moment`."""
        return _nothing


def queue_for(device: torch.device) -> Queue:
    """Return what does a device's work in order."""
    return CudaQueue(device) if device.type == "cuda" else PlainQueue()


class Transfers:
    """Copies to and from one device.

    Args:
        queue: does them, in order with the device's other work.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._memories: dict[tuple[object, ...], Tensor] = {}
        self._turns: dict[int, int] = {}  # by the address of what is sent up
        self._left: dict[tuple[int, int], Callable[[], None]] = {}

    def staging(self, target: Tensor) -> NDArray[Any]:
        """Return host memory of a device tensor's shape, to be filled and sent `up`.

        There are two, which take turns: what was sent up last may still be on its way.
        """
        address = target.data_ptr()
        turn = self._turns.setdefault(address, 0)
        self._left.pop((address, turn), _nothing)()
        return self._staged(target).numpy()

    def up(self, target: Tensor) -> None:
        """Send what is staged for a tensor."""
        self._queue.send(target, self._staged(target))
        address = target.data_ptr()
        turn = self._turns[address]
        self._left[address, turn] = self._queue.moment()
        self._turns[address] = 1 - turn

    def down(self, *sources: Tensor) -> Arriving:
        """Fetch tensors, each into memory of its own; what is returned waits once."""
        targets = [torch.empty(source.shape, dtype=source.dtype, pin_memory=self._queue.pinned) for source in sources]
        for source, target in zip(sources, targets, strict=True):
            self._queue.fetch(target, source)
        waits = [self._queue.moment()]

        def arrive() -> tuple[NDArray[Any], ...]:
            if waits:
                waits[0]()
                waits.clear()
            return tuple(target.numpy() for target in targets)

        return arrive

    def _staged(self, target: Tensor) -> Tensor:
        key = (target.data_ptr(), self._turns[target.data_ptr()], target.shape, target.dtype)
        if key not in self._memories:
            self._memories[key] = torch.empty(target.shape, dtype=target.dtype, pin_memory=self._queue.pinned)
        return self._memories[key]


def _nothing() -> None:
    pass
