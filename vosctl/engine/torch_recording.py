"""A step recorded once and played again: one launch in place of hundreds; where that fails it runs as it is.

What is recorded reads and writes the same memory each time, so that a step must have all its inputs in tensors that
stay, and give its outputs in tensors that the next playing fills anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from vosctl.engine.memory import is_memory_error

T = TypeVar("T")

WARMUP = 3
"""Runs before a recording: libraries choose their algorithms in the first ones, and allocate."""


class Recorder(Protocol):
    """Records a step."""

    def record(self, step: Callable[[], T]) -> Callable[[], T]:
        """Run a step a few times, record it, and return what plays it. Raises RuntimeError when that cannot be done."""
        ...


class CudaRecorder:
    """Records CUDA graphs, all in one pool of memory.

    Args:
        device: the CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def record(self, step: Callable[[], T]) -> Callable[[], T]:
        """See `Recorder.record`."""
        tries = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = True  # cuDNN tries its algorithms, once: the shapes stay the same
        try:
            with torch.cuda.device(self._device):
                return self._record(step)
        finally:
            torch.backends.cudnn.benchmark = tries

    def _record(self, step: Callable[[], T]) -> Callable[[], T]:
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            for _ in range(WARMUP):
                step()
        torch.cuda.current_stream(self._device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):  # others may decode meanwhile
            outcome = step()

        def play() -> T:
            graph.replay()
            return outcome

        return play


def recorder_for(device: torch.device) -> Recorder | None:
    """Return what records on a device; None where nothing does."""
    return CudaRecorder(device) if device.type == "cuda" else None


class Recordings(Generic[T]):
    """The recorded steps, each made when it is first wanted.

    Args:
        recorder: records; None runs every step as it is.
        notes: takes a line for each step that could not be recorded.
    """

    def __init__(self, recorder: Recorder | None, notes: list[str]) -> None:
        self._recorder = recorder
        self._notes = notes
        self._made: dict[Hashable, Callable[[], T]] = {}

    def get(self, key: Hashable, what: str, step: Callable[[], T], changing: Sequence[Tensor]) -> Callable[[], T]:
        """Return what runs a step, recorded where that can be done.

        Args:
            key: tells the step from others: its shapes and its memory.
            what: the step in words, for the notes.
            step: runs it as it is.
            changing: tensors that it changes; the runs that a recording takes leave them as they were.
        """
        if key not in self._made:
            self._made[key] = self._record(what, step, changing)
        return self._made[key]

    def _record(self, what: str, step: Callable[[], T], changing: Sequence[Tensor]) -> Callable[[], T]:
        if self._recorder is None:
            return step
        kept = [tensor.clone() for tensor in changing]
        try:
            return self._recorder.record(step)
        except RuntimeError as error:
            if is_memory_error(error):
                raise
            first = str(error).strip().partition("\n")[0]
            self._notes.append(f"{what} runs without a CUDA graph, several times slower: {first}")
            return step
        finally:
            for tensor, value in zip(changing, kept, strict=True):
                tensor.copy_(value)
