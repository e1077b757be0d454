"""The one owner of the threads that write outputs, for file runs and live recordings alike.

The thread of an output alone touches its sink: it writes, then finishes *or* gives up, and says when it is done. The
owner only closes the queues, waits for that word, and knows what was kept. It waits as long as something moves; what
stands still for some seconds is left where it is, and named for what it is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from weakref import WeakSet

from vosctl.channels import Channel
from vosctl.errors import VosctlError
from vosctl.interrupts import POLL_SECONDS, ending, interrupted
from vosctl.tracking.results import TrackedFrame
from vosctl.video.frames import Frame
from vosctl.video.sinks.base import Sink

PATIENCE = 5.0
"""Seconds for which nothing may move at the end of an interrupted or failed run, before an output is left behind."""

_owners: WeakSet[Outputs] = WeakSet()


class Patience:
    """Runs out when what it looks at has not changed for so many seconds.

    Args:
        seconds: how long.
        progress: gives something that differs whenever there was progress.
    """

    def __init__(self, seconds: float, progress: Callable[[], Hashable]) -> None:
        self._seconds, self._progress = seconds, progress
        self._seen = progress()
        self._deadline = time.monotonic() + seconds

    def ran_out(self) -> bool:
        """Return whether nothing has changed for too long."""
        seen = self._progress()
        if seen != self._seen:
            self._seen, self._deadline = seen, time.monotonic() + self._seconds
        return time.monotonic() > self._deadline


class _Output:
    """One sink and the thread that drives it.

    Attributes:
        done: set when the thread will not touch the sink any more.
        finished: the output's name when it is complete.
        kept: what was kept of it when it was given up.
        broken: whether it could not even be given up.
    """

    def __init__(self, sink: Sink, failed: Callable[[BaseException], None]) -> None:
        self.sink = sink
        self.frames: Channel[tuple[Frame, TrackedFrame]] = Channel()
        self.done = threading.Event()
        self.finished: Path | None = None
        self.kept: Path | None = None
        self._failed = failed
        self.broken = False
        self._written = 0
        self._thread = threading.Thread(target=self._run, name=f"output {sink.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        self._write()
        if self.finished is None:
            try:
                self.kept = self.sink.abort()
            except BaseException as error:
                self._failed(error)
                self.broken = True
        self.done.set()

    def _write(self) -> None:
        try:
            for frame, result in self.frames:
                self.sink.write(frame, result)
                self._written += 1
            if not self.frames.cancelled:
                self.finished = self.sink.finish()
        except BaseException as error:
            self._failed(error)

    def give_up(self) -> None:
        """Have the thread stop writing, now or as soon as the frame under way is written."""
        self.frames.cancel()
        self.sink.cancel()

    def progress(self) -> Hashable:
        """Differs after each frame, and whenever the file has changed: completing a large one takes its time."""
        return self.done.is_set(), self._written, _state_of(self.sink.partial)


def _state_of(path: Path | None) -> Hashable:
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return found and (found.st_size, found.st_mtime_ns)


class Outputs:
    """The outputs of one run and their threads, from the first frame to the last. Use once.

    Args:
        sinks: the outputs, opened; they belong to this object from now on.
        failed: told, on the output's thread, of the first error of any output. The others are given up then.
        completes: whether an interrupt completes the outputs (a live recording has no other end) or gives them up;
            for the program's last resort, see `end_all`.
        patience: seconds, see `PATIENCE`.

    Attributes:
        error: the first error of any output.
        finished: the outputs that are complete, once they are ended.
        kept: what was whole of the others, under names that say so, once they are ended.

    Raises:
        VosctlError: the system allows no more threads; every output was given up.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        failed: Callable[[BaseException], None] = lambda error: None,
        *,
        completes: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        self.error: BaseException | None = None
        self.finished: list[Path] = []
        self.kept: list[Path] = []
        self._report = failed
        self._completes = completes
        self._patience = patience
        self._lock = threading.Lock()
        self._ending = threading.Lock()
        self._ended = False
        self._outputs = [_Output(sink, self._failed) for sink in sinks]
        _owners.add(self)
        self._start()

    def _start(self) -> None:
        for count, output in enumerate(self._outputs):
            try:
                output.start()
            except RuntimeError as error:
                self._outputs, idle = self._outputs[:count], self._outputs[count:]
                self.abort()
                for other in idle:
                    other.sink.abort()
                raise VosctlError("the system allows no more threads; close other programs") from error

    def write(self, frame: Frame, result: TrackedFrame) -> None:
        """Hand one frame to every output; waits while one of them is slower.

        Raises:
            VosctlError: an output failed, now or earlier. Call `abort` then.
        """
        patience = Patience(self._patience if self._completes else 0, self._progress)
        for output in self._outputs:
            output.frames.put((frame, result), lambda: interrupted() and patience.ran_out())
        if self.error is not None:
            raise self.error

    def finish(self) -> list[Path]:
        """Complete the outputs: write what is queued and give them their names.

        An interrupt does not keep them from it, but what stands still is then left behind.

        Returns:
            Their names.

        Raises:
            VosctlError: an output failed; those that were not complete yet were given up, see `finished` and `kept`.
        """
        self._end(complete=True)
        if self.error is not None:
            raise self.error
        return list(self.finished)

    def abort(self) -> None:
        """Give up what is not complete; raises nothing. See `kept`."""
        self._end(complete=False)

    def end_on_interrupt(self) -> None:
        """Complete the outputs or give them up, as was said when they were opened; raises nothing."""
        self._end(complete=self._completes)

    def _end(self, *, complete: bool) -> None:
        with self._ending:  # the program's last resort may be at it while the main thread comes round after all
            if not self._ended:
                for output in self._outputs:
                    if complete:
                        output.frames.finish()
                    else:
                        output.give_up()
                self._settle()

    def _settle(self) -> None:
        """Wait for the threads, and see what came of each output."""
        if not self._wait() and not all(output.frames.cancelled for output in self._outputs):
            for output in self._outputs:
                if not output.done.is_set():
                    output.give_up()
            self._wait()
        self._ended = True
        for output in self._outputs:
            ended = output.done.is_set() and not output.broken
            kept = output.kept if ended else output.sink.abandon()
            if output.finished is not None:
                self.finished.append(output.finished)
            elif kept is not None:
                self.kept.append(kept)
        if self.error is None and not all(output.done.is_set() for output in self._outputs):
            self.error = VosctlError("an output could not be completed: writing it made no progress")

    def _wait(self) -> bool:
        """Wait for every thread, while something moves or nothing presses; whether all are done."""
        patience = Patience(self._patience, self._progress)
        while waiting := [output for output in self._outputs if not output.done.is_set()]:
            pressed = interrupted() or any(output.frames.cancelled for output in self._outputs)
            if not pressed:
                patience = Patience(self._patience, self._progress)
            elif patience.ran_out():
                return False
            else:
                ending(self._patience)
            waiting[0].done.wait(POLL_SECONDS)
        return True

    def _progress(self) -> Hashable:
        return tuple(output.progress() for output in self._outputs)

    def _failed(self, error: BaseException) -> None:
        with self._lock:
            first = self.error is None
            if first:
                self.error = error
        for output in self._outputs:
            output.give_up()
        if first:
            self._report(error)


def end_all() -> list[Path]:
    """End every run's outputs, for a program that must leave though its main thread is stuck.

    Returns:
        What was completed or kept of them.
    """
    left = []
    for owner in list(_owners):
        owner.end_on_interrupt()
        left += [*owner.finished, *owner.kept]
    return left
