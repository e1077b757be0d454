"""Stopping a run between two steps when it is interrupted."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

from vosctl.interrupts import SIGNALS, Interrupted

PATIENCE = 20
"""Seconds that a worker outlives being told to end; torchrun kills what has not ended after 30."""


class Interruption:
    """While in this context, the first signal that asks to end is only noted; a second one interrupts at once.

    Attributes:
        number: the signal that has come; None while there was none.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                self._former[number] = signal.signal(number, self._note)
        return self

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self.number is not None

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise Interrupted(number)
        self.number = number

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)


def ignore_in_worker() -> None:
    """Let a worker process outlive signals that its parent gets too, and acts on when its step is done.

    torchrun, a terminal and a service manager signal all processes of a run. A worker that is told to end alone, as its
    parent does at last, ends `PATIENCE` seconds later, silently.
    """
    for number in SIGNALS:
        signal.signal(number, _end_soon if number == signal.SIGTERM else signal.SIG_IGN)


def _end_soon(_number: int, _frame: FrameType | None) -> None:
    if hasattr(signal, "alarm"):  # not on Windows, where nothing gets here
        signal.alarm(PATIENCE)
