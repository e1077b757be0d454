"""Outputs of a live run: opened and finished while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vosctl.outputs import PATIENCE, Outputs
from vosctl.tracking import TrackedFrame
from vosctl.video.frames import Frame
from vosctl.video.sinks import Sink


class Recorder:
    """Writes frames to outputs, each on a thread of its own. Use once.

    Args:
        sinks: the outputs, opened; they belong to the recorder from now on.
        from_zero: whether time begins at the first frame written; else the frames keep theirs.
        patience: see `Outputs`.

    Raises:
        VosctlError: the system allows no more threads.
    """

    def __init__(self, sinks: Sequence[Sink], *, from_zero: bool, patience: float = PATIENCE) -> None:
        self._outputs = Outputs(sinks, completes=True, patience=patience)
        self._from_zero = from_zero
        self._start: int | None = None
        self.frames = 0

    @property
    def kept(self) -> list[Path]:
        """What a recording that was given up leaves, under names that say so."""
        return self._outputs.kept

    def write(self, frame: Frame, result: TrackedFrame) -> None:
        """Write one frame; waits while the outputs are slower than the frames.

        Raises:
            VosctlError: an output failed, now or earlier. Call `abort` then.
        """
        if self._start is None:
            self._start = frame.pts if self._from_zero else 0
        self._outputs.write(replace(frame, pts=frame.pts - self._start), result)
        self.frames += 1

    def finish(self) -> list[Path]:
        """Complete the outputs.

        Returns:
            Their names; none when no frame was written, and then nothing is left of them.

        Raises:
            VosctlError: an output failed; those that were not complete were given up, see `kept`.
        """
        if not self.frames:
            self.abort()
            return []
        return self._outputs.finish()

    def abort(self) -> None:
        """Give up what is not finished; raises nothing."""
        self._outputs.abort()
