"""Copies between host and device that nobody waits for but who needs them: through pinned memory, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


class Transfers:
    """Copies to and from one device. On any but CUDA they are plain copies.

    What is staged may be written again once something that was sent down after it has arrived.

    Args:
        device: the device.
    """

    Arriving = Callable[[], NDArray[Any]]
    """Waits until a copy is down, and returns it. May be called on any thread, and more than once."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._is_cuda = device.type == "cuda"
        self._staged: dict[tuple[object, ...], Tensor] = {}

    def staging(self, target: Tensor) -> NDArray[Any]:
        """Return host memory of a device tensor's shape, to be filled and sent `up`; it is always the same."""
        return self._memory(("up", target.data_ptr()), target).numpy()

    def up(self, target: Tensor) -> None:
        """Send what is staged for a tensor."""
        target.copy_(self._memory(("up", target.data_ptr()), target), non_blocking=True)

    def down(self, *sources: Tensor) -> tuple[Arriving, ...]:
        """Fetch tensors, each into memory that is written again at the next call."""
        targets = [self._memory(("down", place), source) for place, source in enumerate(sources)]
        for source, target in zip(sources, targets, strict=True):
            target.copy_(source, non_blocking=self._is_cuda)
        wait = self._moment()

        def arriving(target: Tensor) -> Transfers.Arriving:
            def arrive() -> NDArray[Any]:
                wait()
                return target.numpy()

            return arrive

        return tuple(arriving(target) for target in targets)

    def arriving(self, source: Tensor) -> Arriving:
        """Fetch a tensor into memory of its own."""
        target = torch.empty(source.shape, dtype=source.dtype, pin_memory=self._is_cuda)
        target.copy_(source, non_blocking=self._is_cuda)
        wait = self._moment()

        def arrive() -> NDArray[Any]:
            wait()
            return target.numpy()

        return arrive

    def _memory(self, place: tuple[str, int], like: Tensor) -> Tensor:
        """Return host memory of a tensor's shape, the same for a place as long as the shape is."""
        key = (*place, like.shape, like.dtype)
        if key not in self._staged:
            self._staged[key] = torch.empty(like.shape, dtype=like.dtype, pin_memory=self._is_cuda)
        return self._staged[key]

    def _moment(self) -> Callable[[], None]:
        """Return what waits until all that was asked of the device so far is done."""
        if not self._is_cuda:
            # Metal's copies to the host wait by themselves
            return _nothing
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event.synchronize


def _nothing() -> None:
    pass
