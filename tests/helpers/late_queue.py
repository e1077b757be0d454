"""A device's queue, as the CPU can have it: what comes down is there only once somebody has waited for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Wait:
    """A wait.

    Attributes:
        at: how much had been asked for when it began.
        moment: how much had been when what it waits for had.
    """

    at: int
    moment: int


class LateQueue:
    """Copies down at the last moment, and counts who waits for what; a moment that has passed costs no wait.

    Attributes:
        asked: how many copies were asked for.
        waits: those that had to wait.
    """

    pinned = False

    def __init__(self) -> None:
        self.asked = 0
        self.waits: list[Wait] = []
        self._passed = 0
        self._late: list[tuple[int, Tensor, Tensor]] = []

    def send(self, target: Tensor, source: Tensor) -> None:
        """Copy at once: it is computed with at once."""
        self.asked += 1
        target.copy_(source)

    def fetch(self, target: Tensor, source: Tensor) -> None:
        """Keep what is there now, so that it arrives later."""
        self.asked += 1
        self._late.append((self.asked, target, source.clone()))
        target.fill_(99)

    def moment(self) -> Callable[[], None]:
        """Return what lets everything arrive that was asked for so far."""
        moment = self.asked

        def wait() -> None:
            if moment <= self._passed:
                return
            self.waits.append(Wait(self.asked, moment))
            self._passed = moment
            arriving = [one for one in self._late if one[0] <= moment]
            self._late = [one for one in self._late if one[0] > moment]
            with torch.inference_mode():
                for _, target, value in arriving:
                    target.copy_(value)

        return wait
