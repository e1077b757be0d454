"""Stopping a run between two steps when it is interrupted."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

from vosctl.interrupts import SIGNALS, Interrupted


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
    """Let a worker process outlive Ctrl-C, which its parent also gets and acts on, and end silently on SIGTERM."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
