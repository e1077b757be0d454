"""Outputs of a live run: opened and finished while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vosctl.pipeline import SinkThread
from vosctl.tracking import TrackedFrame
from vosctl.video.frames import Frame
from vosctl.video.sinks import Sink


class Recorder:
    """Writes frames to outputs, each on a thread of its own. Use once.

    Args:
        sinks: the outputs, opened.
        from_zero: whether time begins at the first frame written; else the frames keep theirs.

    Attributes:
        kept: what an aborted recording leaves, under names that say so.
    """

    def __init__(self, sinks: Sequence[Sink], *, from_zero: bool) -> None:
        self._outputs = [SinkThread(sink, self._failed) for sink in sinks]
        self._from_zero = from_zero
        self._over = False
        self._start: int | None = None
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self.frames = 0
        self.kept: list[Path] = []
        for output in self._outputs:
            output.thread.start()

    def write(self, frame: Frame, result: TrackedFrame) -> None:
        """Write one frame; waits while the outputs are slower than the frames.

        Raises:
            VosctlError: an output failed, now or earlier. Call `abort` then.
        """
        if self._start is None:
            self._start = frame.pts if self._from_zero else 0
        timed = replace(frame, pts=frame.pts - self._start)
        for output in self._outputs:
            output.frames.put((timed, result))
        self.frames += 1
        if self._error is not None:
            raise self._error

    def finish(self) -> list[Path]:
        """Complete the outputs.

        Returns:
            Their names; none when no frame was written, and then nothing is left of them.

        Raises:
            VosctlError: an output failed; the others were given up, see `kept`.
        """
        if not self.frames:
            self.abort()
            return []
        for output in self._outputs:
            output.frames.finish()
        for output in self._outputs:
            output.thread.join()
        if self._error is not None:
            self.abort()
            raise self._error
        self._over = True
        return [output.finished for output in self._outputs if output.finished is not None]

    def abort(self) -> None:
        """Give up what is not finished; raises nothing."""
        if self._over:
            return
        self._over = True
        for output in self._outputs:
            output.frames.cancel()
        for output in self._outputs:
            output.thread.join()
            if output.finished is None and (kept := output.sink.abort()) is not None:
                self.kept.append(kept)

    def _failed(self, error: BaseException) -> None:
        with self._lock:
            if self._error is None:
                self._error = error
        for output in self._outputs:
            output.frames.cancel()
