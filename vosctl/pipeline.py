"""Decode | track | encode, side by side on small bounded queues.

The source is read on a thread of its own, each output is written on a thread of its own (see `vosctl.outputs`), and the
caller's thread tracks. An error in any of them ends the others and is raised once.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vosctl.channels import Channel
from vosctl.errors import VosctlError
from vosctl.interrupts import POLL_SECONDS, check, ending, held, interrupted
from vosctl.outputs import PATIENCE, Outputs
from vosctl.summary import Summary
from vosctl.tracking.results import TrackedFrame
from vosctl.types import Labels
from vosctl.video.frames import Frame
from vosctl.video.planar import Picture
from vosctl.video.sinks import Sink

DECODER_PATIENCE = 2.0
"""Seconds; a read of a silent stream cannot always be ended, only left behind."""


@dataclass(slots=True)
class LatencyHistogram:
    """Times in 0.1 ms bins up to a minute, so that percentiles of an endless run take no more memory."""

    bins: NDArray[np.int64] = field(default_factory=lambda: np.zeros(600_000, np.int64))

    def add(self, seconds: float) -> None:
        """Count a time of so many seconds."""
        self.bins[min(int(seconds * 10_000), len(self.bins) - 1)] += 1

    def percentile(self, percent: float) -> float:
        """Return a percentile in seconds, exact to a bin; 0 when there is nothing."""
        cumulative = np.cumsum(self.bins)
        if not cumulative[-1]:
            return 0.0
        return float(np.searchsorted(cumulative, max(cumulative[-1] * percent / 100, 1)) / 10_000)


class Following(Protocol):
    """What gives each frame's result, in order: a `Tracker`, or what takes its place."""

    def start(self, frame: Picture, mask: Labels, /) -> TrackedFrame:
        """Take the first frame and the objects in it."""
        ...

    def step(self, frame: Picture, /) -> TrackedFrame:
        """Take the next frame."""
        ...


class Pipeline:
    """One run over a video. Use once.

    Args:
        frames: the source's frames, in order.
        tracker: gives the results; started on the first frame.
        first_mask: (H, W) uint8 ids, the objects in the first frame.
        sinks: the outputs, opened; they belong to the pipeline from `run` on, which finishes or aborts each of them.
        on_frame: called on the caller's thread after each tracked frame.
        follow: tracks a frame in the place of `tracker`, which it drives.
        stop_reading: called, from the caller's thread, when no more frames are wanted, so that a read that waits ends;
            `Source.interrupt` of the source that the frames come from.
        patience: seconds for which an output may stand still at the end of an interrupted or failed run.

    Attributes:
        kept: what an interrupted or failed run leaves: outputs that were complete, and what was whole of the others,
            under names that say so.
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        tracker: Following,
        first_mask: Labels,
        sinks: Sequence[Sink],
        on_frame: Callable[[Frame, TrackedFrame], None] = lambda frame, result: None,
        *,
        follow: Callable[[Frame], TrackedFrame] | None = None,
        stop_reading: Callable[[], None] = lambda: None,
        patience: float = PATIENCE,
    ) -> None:
        self._source = frames
        self._tracker = tracker
        self._first_mask = first_mask
        self._sinks = sinks
        self._on_frame = on_frame
        self._follow_into = follow
        self._stop_reading = stop_reading
        self._patience = patience
        self._frames: Channel[Frame] = Channel()
        self._decoded = threading.Event()
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._latency = LatencyHistogram()
        self._count = 0
        self.kept: list[Path] = []

    def run(self, max_frames: int | None = None, finish_on_interrupt: bool = False) -> Summary:
        """Run to the end of the source.

        Signals are noted while it runs and heard between two frames, so that none of them, and no second or third one,
        comes between an output and its end (see `vosctl.interrupts`). To leave no gap, open the sinks inside
        `vosctl.interrupts.held()` too.

        Args:
            max_frames: stop after so many frames.
            finish_on_interrupt: complete the outputs when interrupted, for sources that have no other end.

        Raises:
            VosctlError: the first error of any part; every output was given up, see `kept`.
            KeyboardInterrupt: interrupted; every output was given up (or completed, see `finish_on_interrupt`), see
                `kept`.
        """
        with held():
            started = time.perf_counter()
            outputs = Outputs(self._sinks, self._fail, completes=finish_on_interrupt, patience=self._patience)
            try:
                self._follow(outputs, max_frames)
            except BaseException as error:
                self._fail(error)
            self._end(outputs, finish_on_interrupt)
            if self._error is not None:
                self.kept = [*outputs.finished, *outputs.kept]
                raise self._error
        seconds = time.perf_counter() - started
        p50, p95 = (self._latency.percentile(percent) for percent in (50, 95))
        return Summary(self._count, seconds, p50, p95, tuple(outputs.finished))

    def _follow(self, outputs: Outputs, max_frames: int | None) -> None:
        """Track every frame; raises what ends the run before the source does."""
        threading.Thread(target=self._decode, args=(max_frames,), name="decode", daemon=True).start()
        for frame, result in self._tracked():
            outputs.write(frame, result)
            self._count += 1
            self._on_frame(frame, result)
        check()
        if self._count == 0:
            raise VosctlError("the source gave no frame; check the file")

    def _tracked(self) -> Iterator[tuple[Frame, TrackedFrame]]:
        """Track every frame; a result that may be under way is given out when the next frame is under way too."""
        waiting: tuple[Frame, TrackedFrame] | None = None
        while (frame := self._frames.take(interrupted)) is not None:
            result = self._track(frame)
            if waiting is not None:
                yield waiting
            waiting = frame, result
            if not result.arrives_later:
                yield waiting
                waiting = None
        if waiting is not None:
            yield waiting

    def _decode(self, max_frames: int | None) -> None:
        try:
            for frame in islice(self._source, None if max_frames is None else min(max_frames, sys.maxsize)):
                if not self._frames.put(frame):
                    break
            self._frames.finish()
        except BaseException as error:
            self._fail(error)
        self._decoded.set()

    def _track(self, frame: Frame) -> TrackedFrame:
        begin = time.perf_counter()
        if self._follow_into is not None:
            result = self._follow_into(frame)
        elif self._count == 0:  # a part of a video begins with another number
            result = self._tracker.start(frame.picture, self._first_mask)
        else:
            result = self._tracker.step(frame.picture)
        self._latency.add(time.perf_counter() - begin)
        return result

    def _end(self, outputs: Outputs, finish_on_interrupt: bool) -> None:
        """Complete the outputs or give them up, and have the decoder end."""
        self._frames.cancel()
        self._stop_reading()
        try:
            wanted = isinstance(self._error, KeyboardInterrupt) and finish_on_interrupt and self._count
            if self._error is None or wanted:
                outputs.finish()
            else:
                outputs.abort()
            check()  # one that came meanwhile
        except BaseException as error:
            self._fail(error)
        deadline = time.monotonic() + DECODER_PATIENCE
        while not self._decoded.wait(POLL_SECONDS) and time.monotonic() < deadline:
            ending(DECODER_PATIENCE)

    def _fail(self, error: BaseException) -> None:
        """Remember the first error, and end the tracking."""
        with self._lock:
            if self._error is None:
                self._error = error
        self._frames.cancel()
