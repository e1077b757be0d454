"""Bounded queues between threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from vosctl.interrupts import POLL_SECONDS

QUEUE_LENGTH = 4  # frames; a 4K frame is 25 MB

Item = TypeVar("Item")


def _never() -> bool:
    return False


class Channel(Generic[Item]):
    """A bounded queue between two threads that either side can close.

    `finish` ends it after what is queued has been taken; `cancel` ends it at once, waking whoever waits.
    """

    def __init__(self, length: int = QUEUE_LENGTH) -> None:
        self._items: deque[Item] = deque()
        self._length = length
        self._changed = threading.Condition()
        self._finished = self._cancelled = False

    def put(self, item: Item, give_up: Callable[[], bool] = _never) -> bool:
        """Queue an item, waiting for room.

        Args:
            item: what to queue.
            give_up: asked some times a second while there is no room; True ends the wait.

        Returns:
            Whether it was queued; False when the channel was cancelled or the wait given up: stop producing.
        """
        with self._changed:
            while len(self._items) >= self._length and not self._cancelled:
                if give_up():
                    return False
                self._changed.wait(POLL_SECONDS)
            if not self._cancelled:
                self._items.append(item)
                self._changed.notify_all()
            return not self._cancelled

    def take(self, give_up: Callable[[], bool] = _never) -> Item | None:
        """Return the next item, waiting for it; None when the channel has ended or the wait was given up, see `put`."""
        with self._changed:
            while not (self._items or self._finished or self._cancelled):
                if give_up():
                    return None
                self._changed.wait(POLL_SECONDS)
            if self._cancelled or not self._items or give_up():
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def __iter__(self) -> Channel[Item]:
        return self

    def __next__(self) -> Item:
        item = self.take()
        if item is None:
            raise StopIteration
        return item

    @property
    def cancelled(self) -> bool:
        """Whether it was ended before everything was taken."""
        return self._cancelled

    def finish(self) -> None:
        """End it after what is queued."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """End it at once."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()
