"""Feeds: frames in real time, each with the moment at which it was captured."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.sources import Source

_POLL_SECONDS = 0.02

CAPTURE_TIME_BASE = Fraction(1, 90_000)
"""Seconds per unit of `pts` where a frame's time is that of its capture."""


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """A frame and when it was captured.

    Attributes:
        frame: the frame; its `pts` is the time of capture, or for a file the file's own.
        at: `time.perf_counter()` at the moment of capture, in seconds.
    """

    frame: Frame
    at: float


class Feed(ABC):
    """Frames as they come. One thread iterates over it, once; any thread may call `stop`.

    Attributes:
        info: what is known before the first frame; width and height hold for every frame.
        trouble: what the feed is waiting for, in a few words to be shown on the picture; None while all is well.
        files: what it is read from; none where it is live.
    """

    info: SourceInfo
    files: tuple[Path, ...] = ()

    def __init__(self) -> None:
        self.trouble: str | None = None
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Have the iteration end soon."""
        self._stopped.set()

    def hold(self, held: bool) -> None:
        """Let time stand still, or go on, where that is possible; what is live cannot be held."""
        return

    @property
    def warnings(self) -> list[str]:
        """Return a line for each thing that went wrong so far without stopping the reading."""
        return []

    @abstractmethod
    def __iter__(self) -> Iterator[Captured]:
        """Yield the frames; whatever is open is closed at their end.

        Raises:
            VosctlError: there will be no more frames, though more were to be expected.
        """

    @abstractmethod
    def close(self) -> None:
        """Release a feed that was never iterated over."""


class FileFeed(Feed):
    """A file, or any source that has an end, played at its own speed.

    Args:
        source: opened; closed at the end.
    """

    def __init__(self, source: Source) -> None:
        super().__init__()
        # A recording may begin late and pause: sound, subtitles and chapters of the file would not fit it.
        self.info = replace(source.info, audio_path=None, container_path=None)
        self.files = source.files
        self._source = source
        self._lock = threading.Lock()
        self._held_from: float | None = None
        self._held_for = 0.0

    def __iter__(self) -> Iterator[Captured]:
        offset: float | None = None
        with self._source:
            for frame in self._source:
                if offset is None:
                    offset = time.perf_counter() - frame.time
                # Waiting by the clock of the whole file, not from frame to frame: lateness does not add up.
                if not self._wait_until(offset + frame.time):
                    return
                yield Captured(frame, time.perf_counter())

    def hold(self, held: bool) -> None:
        """See `Feed.hold`."""
        with self._lock:
            now = time.perf_counter()
            if held and self._held_from is None:
                self._held_from = now
            elif not held and self._held_from is not None:
                self._held_for += now - self._held_from
                self._held_from = None

    @property
    def warnings(self) -> list[str]:
        """See `Source.warnings`."""
        return self._source.warnings

    def _wait_until(self, at: float) -> bool:
        """Wait for a moment of the clock that stood still while the feed was held; False when stopped."""
        while True:
            with self._lock:
                left = at + self._held_for - time.perf_counter()
                held = self._held_from is not None
            if left <= 0 and not held:
                return not self._stopped.is_set()
            if self._stopped.wait(_POLL_SECONDS if held else min(left, _POLL_SECONDS)):
                return False

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class CaptureClock:
    """Numbers frames and stamps them with the time since the first one."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._last = -1
        self._count = 0

    def next(self, at: float) -> tuple[int, int]:
        """Index and `pts` of a frame captured at `at`; `pts`, in units of `CAPTURE_TIME_BASE`, always rises."""
        if self._first is None:
            self._first = at
        self._last = max(self._last + 1, round((at - self._first) / CAPTURE_TIME_BASE))
        self._count += 1
        return self._count - 1, self._last
