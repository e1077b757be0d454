"""Decode | track | encode, side by side on small bounded queues.

The source is read on a thread of its own, each output is written on a thread of its own, and the caller's thread
tracks. An error in any of them ends the others and is raised once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import VosctlError
from vosctl.tracking import TrackedFrame, Tracker
from vosctl.video.frames import Frame
from vosctl.video.sinks import Sink

QUEUE_LENGTH = 4  # frames; a 4K frame is 25 MB

DECODER_PATIENCE = 2.0  # seconds; a read of a silent pipe or stream cannot be interrupted, only left behind

Item = TypeVar("Item")


class Channel(Generic[Item]):
    """A bounded queue between two threads that either side can close.

    `finish` ends it after what is queued has been taken; `cancel` ends it at once, waking whoever waits.
    """

    def __init__(self, length: int = QUEUE_LENGTH) -> None:
        self._items: deque[Item] = deque()
        self._length = length
        self._changed = threading.Condition()
        self._finished = self._cancelled = False

    def put(self, item: Item) -> bool:
        """Queue an item, waiting for room. False when the channel was cancelled: stop producing."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._length or self._cancelled)
            if not self._cancelled:
                self._items.append(item)
                self._changed.notify_all()
            return not self._cancelled

    def __iter__(self) -> Channel[Item]:
        return self

    def __next__(self) -> Item:
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._finished or self._cancelled)
            if self._cancelled or not self._items:
                raise StopIteration
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def finish(self) -> None:
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def cancel(self) -> None:
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run came to.

    Attributes:
        frames: frames read, tracked and written.
        seconds: wall time from the first frame asked for to the last output renamed; loading is not in it.
        p50: median time to track a frame, in seconds.
        p95: 95th percentile of it, in seconds.
        outputs: what was written.
    """

    frames: int
    seconds: float
    p50: float
    p95: float
    outputs: tuple[Path, ...]

    @property
    def frames_per_second(self) -> float:
        """End to end: decoding, tracking and writing every output."""
        return self.frames / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class LatencyHistogram:
    """Times in 0.1 ms bins up to a minute, so that percentiles of an endless run take no more memory."""

    bins: NDArray[np.int64] = field(default_factory=lambda: np.zeros(600_000, np.int64))

    def add(self, seconds: float) -> None:
        self.bins[min(int(seconds * 10_000), len(self.bins) - 1)] += 1

    def percentile(self, percent: float) -> float:
        """In seconds, exact to a bin; 0 when there is nothing."""
        cumulative = np.cumsum(self.bins)
        if not cumulative[-1]:
            return 0.0
        return float(np.searchsorted(cumulative, max(cumulative[-1] * percent / 100, 1)) / 10_000)


class SinkThread:
    """One output and the thread that writes it.

    Args:
        sink: the output, opened.
        failed: told, on that thread, what stopped it.
    """

    def __init__(self, sink: Sink, failed: Callable[[BaseException], None]) -> None:
        self.sink = sink
        self.frames: Channel[tuple[Frame, TrackedFrame]] = Channel()
        self.finished: Path | None = None
        self._failed = failed
        self.thread = threading.Thread(target=self._write, name=sink.name, daemon=True)

    def _write(self) -> None:
        try:
            for frame, result in self.frames:
                self.sink.write(frame, result)
            if not self.frames.cancelled:
                self.finished = self.sink.finish()
        except BaseException as error:
            self._failed(error)


class Pipeline:
    """One run over a video. Use once.

    Args:
        frames: the source's frames, in order.
        tracker: the tracker; started on the first frame.
        first_mask: (H, W) uint8 ids, the objects in the first frame.
        sinks: the outputs, opened.
        on_frame: called on the caller's thread after each tracked frame.
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        tracker: Tracker,
        first_mask: NDArray[np.uint8],
        sinks: Sequence[Sink],
        on_frame: Callable[[Frame, TrackedFrame], None] = lambda frame, result: None,
    ) -> None:
        self._source = frames
        self._tracker = tracker
        self._first_mask = first_mask
        self._on_frame = on_frame
        self._frames: Channel[Frame] = Channel()
        self._outputs = [SinkThread(sink, self._fail) for sink in sinks]
        self._error: BaseException | None = None
        self._latency = LatencyHistogram()
        self.kept: list[Path] = []
        """What an interrupted or failed run leaves: what was whole of each output, under a name that says so."""

    def run(self, max_frames: int | None = None, finish_on_interrupt: bool = False) -> RunSummary:
        """Run to the end of the source.

        Args:
            max_frames: stop after so many frames.
            finish_on_interrupt: complete the outputs when interrupted, for sources that have no other end.

        Raises:
            VosctlError: the first error of any part; every output was given up, see `kept`.
            KeyboardInterrupt: as it came; every output was given up (or completed, see `finish_on_interrupt`).
        """
        started = time.perf_counter()
        decoder = threading.Thread(target=self._decode, args=(max_frames,), name="decode", daemon=True)
        decoder.start()
        for output in self._outputs:
            output.thread.start()
        interrupt: KeyboardInterrupt | None = None
        count = 0
        try:
            for frame in self._frames:
                self._track(frame)
                count += 1
        except KeyboardInterrupt as error:
            interrupt = error
            if not (finish_on_interrupt and count):
                self._fail(error)
        except BaseException as error:
            self._fail(error)
        self._frames.cancel()
        decoder.join(DECODER_PATIENCE)
        if self._error is None and count == 0:
            self._fail(VosctlError("the source gave no frame; check the file"))
        self._finish_outputs()
        if self._error is not None:
            raise self._error
        if interrupt is not None:
            raise interrupt
        outputs = tuple(output.finished for output in self._outputs if output.finished)
        seconds = time.perf_counter() - started
        return RunSummary(count, seconds, self._latency.percentile(50), self._latency.percentile(95), outputs)

    def _decode(self, max_frames: int | None) -> None:
        try:
            for frame in islice(self._source, max_frames):
                if not self._frames.put(frame):
                    return
            self._frames.finish()
        except BaseException as error:
            self._fail(error)

    def _track(self, frame: Frame) -> None:
        begin = time.perf_counter()
        if frame.index == 0:
            result = self._tracker.start(frame.picture, self._first_mask)
        else:
            result = self._tracker.step(frame.picture)
        self._latency.add(time.perf_counter() - begin)
        for output in self._outputs:
            output.frames.put((frame, result))
        self._on_frame(frame, result)

    def _finish_outputs(self) -> None:
        for output in self._outputs:
            output.frames.finish()
        for output in self._outputs:
            self._join(output.thread)
        for output in self._outputs:
            if output.finished is None and (kept := output.sink.abort()) is not None:
                self.kept.append(kept)

    def _join(self, thread: threading.Thread) -> None:
        while thread.is_alive():
            try:
                thread.join()
            except KeyboardInterrupt as error:  # asked again while outputs are being completed: give them up
                self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Remember the first error and wake every thread so that it ends."""
        if self._error is None:
            self._error = error
        self._frames.cancel()
        for output in self._outputs:
            output.frames.cancel()
