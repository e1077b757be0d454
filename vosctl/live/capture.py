"""Keeping the newest frame: what comes faster than it is used is dropped, never queued."""

from __future__ import annotations

import threading

from vosctl.live.feeds import Captured, Feed


class Capture:
    """Reads a feed on a thread of its own and holds its newest frame. A context manager.

    The first frame of a feed that is not live is held until it is taken: a first mask belongs to it.

    Args:
        feed: stopped and, by its thread, closed at the end.

    Attributes:
        count: frames captured.
        dropped: of these, frames that a newer one replaced before they were taken.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._changed = threading.Condition()
        self._newest: Captured | None = None
        self._finished = self._left = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self.count = self.dropped = 0

    def start(self) -> None:
        """Begin to read, if that has not begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._read, name="capture", daemon=True)
            self._thread.start()

    def take(self, timeout: float) -> Captured | None:
        """Return the newest frame, if it was not taken before; else the next, waiting `timeout` seconds for it.

        Raises:
            VosctlError: the feed broke off; after its last frame was taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._finished, timeout)
            newest, self._newest = self._newest, None
            self._changed.notify_all()
            if newest is None and self._error is not None:
                raise self._error
            return newest

    def hold(self, held: bool) -> None:
        """Let time stand still, or go on; see `Feed.hold`."""
        self._feed.hold(held)

    @property
    def trouble(self) -> str | None:
        """What the feed is waiting for; see `Feed`."""
        return self._feed.trouble

    @property
    def ended(self) -> bool:
        """Whether there will be no more frames."""
        with self._changed:
            return self._finished and self._newest is None

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *reason: object) -> None:
        self._feed.stop()
        with self._changed:
            self._left = True
            self._changed.notify_all()
        if self._thread is None:
            self._feed.close()
        else:
            self._thread.join(timeout=1.0)  # one that waits for a dead network is left to end with the program

    def _read(self) -> None:
        try:
            for captured in self._feed:
                with self._changed:
                    self.count += 1
                    self.dropped += self._newest is not None
                    self._newest = captured
                    self._changed.notify_all()
                    if self.count == 1 and not self._feed.info.live:
                        self._changed.wait_for(lambda: self._newest is None or self._left)
        except BaseException as error:
            self._error = error
        with self._changed:
            self._finished = True
            self._changed.notify_all()
