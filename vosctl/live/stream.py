"""A network stream that is opened again when it drops."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.errors import VosctlError
from vosctl.live.feeds import CAPTURE_TIME_BASE, CaptureClock, Captured, Feed
from vosctl.video.frames import Frame
from vosctl.video.sources import Source

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0


class StreamFeed(Feed):
    """The frames of a live address. `at` is when a frame had been received and decoded.

    Args:
        source: the opened stream; closed when it drops or ends.
        reopen: opens it again.
        patience: seconds for which a dropped stream is tried again; 0 gives up at once.
        note: receives a line for each drop and recovery, on the thread that iterates.
        first_pause: seconds before the first attempt to open a dropped stream again; doubled after each failure.
        longest_pause: seconds the pause between two attempts grows to.
    """

    def __init__(
        self,
        source: Source,
        reopen: Callable[[], Source],
        patience: float,
        note: Callable[[str], None],
        first_pause: float = FIRST_PAUSE,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        super().__init__()
        self.info = replace(source.info, time_base=CAPTURE_TIME_BASE, frame_count=None, live=True)
        self._source: Source | None = source
        self._reopen = reopen
        self._patience = patience
        self._note = note
        self._pauses = first_pause, longest_pause

    def __iter__(self) -> Iterator[Captured]:
        clock = CaptureClock()
        while self._source is not None:
            with self._source as source:
                for frame in source:
                    if self._stopped.is_set():
                        return
                    at = time.perf_counter()
                    index, pts = clock.next(at)
                    yield Captured(Frame(index, self._fitted(frame.image), pts, CAPTURE_TIME_BASE), at)
            self._source = None if self._stopped.is_set() else self._wait_for_it()

    def _wait_for_it(self) -> Source | None:
        """Try until it is back; None when asked to stop."""
        dropped = time.monotonic()
        (pause, longest), attempts = self._pauses, 0
        self.trouble = "stream dropped, opening it again"
        while (left := dropped + self._patience - time.monotonic()) > 0:
            if not attempts:
                self._note(f"{self.info.name}: the stream dropped; trying for {self._patience:g} s to open it again")
            if self._stopped.wait(min(pause, left)):
                return None
            attempts += 1
            try:
                source = self._reopen()
            except VosctlError:
                pause = min(2 * pause, longest)
                continue
            self._note(f"{self.info.name}: back after {time.monotonic() - dropped:.1f} s, at attempt {attempts}")
            self.trouble = None
            return source
        tried = f" and did not come back within {self._patience:g} s ({attempts} attempts)" if attempts else ""
        raise VosctlError(f"{self.info.name}: the stream dropped{tried}; check it, or raise `reconnect`")

    def _fitted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize a picture to the first one's size: a stream may come back in another."""
        if image.shape[:2] == (self.info.height, self.info.width):
            return image
        size = self.info.width, self.info.height
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    def close(self) -> None:
        """Close the stream, if it is open."""
        if self._source is not None:
            self._source.close()
