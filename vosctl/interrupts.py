"""Interrupts: SIGINT, SIGTERM, SIGHUP and SIGQUIT, as an exception or, while outputs are open, as a note.

An exception out of a signal handler comes between any two steps of a program: inside a lock, a clean-up, another
handler. So it is raised once at most, and not at all while outputs are open: there (`held`) a signal is only noted, and
the code asks for it (`pending`, `check`) where it can stop.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Generic, TypeVar

SIGNALS: tuple[signal.Signals, ...] = tuple(
    one for one in signal.Signals if one.name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK")
)
"""The signals that ask a run to end, of those that this system has."""

POLL_SECONDS = 0.05
"""How often a wait asks whether there was an interrupt."""

Result = TypeVar("Result")


class Interrupted(KeyboardInterrupt):
    """A signal asked the run to end.

    Attributes:
        number: the signal's number.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.number = number

    @property
    def exit_code(self) -> int:
        """The exit status of a program that this signal ended: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + self.number


@dataclass(slots=True)
class _State:
    """What is known of the process's signals.

    Attributes:
        noted: the number of the first signal.
        raised: whether it was raised.
        depth: how many `held` are open.
        quiet_until: `time.monotonic()` until which the end of the run is known to be under way.
    """

    noted: int | None = None
    raised: bool = False
    depth: int = 0
    quiet_until: float = 0.0


_state = _State()


def note_signal(number: int, _frame: FrameType | None = None) -> None:
    """Note a signal; raise it if it is the first and no `held` is open. The handler that `install` sets.

    Raises:
        Interrupted: as said.
    """
    if _state.noted is None:
        _state.noted = number
    if not _state.depth and not _state.raised:
        _state.raised = True
        raise Interrupted(_state.noted)


def install() -> None:
    """Handle every signal of `SIGNALS` for the rest of the process; for programs.

    Those that are ignored (`nohup`, a job in the background) stay so.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, note_signal)


def pending() -> int | None:
    """Return the number of the signal that asked the run to end; None when there was none."""
    return _state.noted


def interrupted() -> bool:
    """Return whether a signal asked the run to end."""
    return _state.noted is not None


def check() -> None:
    """Stop here if a signal asked for it.

    Raises:
        Interrupted: a signal came.
    """
    if _state.noted is not None:
        _state.raised = True
        raise Interrupted(_state.noted)


def ending(seconds: float) -> None:
    """Say that the end of the run is under way and needs up to `seconds` more, so that nobody cuts it short."""
    _state.quiet_until = max(_state.quiet_until, time.monotonic() + seconds)


def quiet_until() -> float:
    """Return `time.monotonic()` until which the end of the run is known to be under way; see `ending`."""
    return _state.quiet_until


class held:  # noqa: N801 - reads as what it is: `with held():`
    """A context in which signals are noted instead of raised; one that was noted is raised at its end.

    Where `install` was not called (in a library's use) it does so with SIGINT, for as long as it is open. Only in the
    main thread, the one that signals are raised in; elsewhere it changes nothing.

    Raises:
        Interrupted: at the end, a signal came and nothing else is being raised.
    """

    def __init__(self) -> None:
        self._active = self._installed = False

    def __enter__(self) -> held:
        self._active = threading.current_thread() is threading.main_thread()
        if self._active:
            _state.depth += 1
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                _state.noted, _state.raised = None, False
                self._installed = True
                signal.signal(signal.SIGINT, note_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._active:
            return
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        noted = _state.noted
        unheard = noted is not None and not _state.raised and _state.depth == 1
        if self._installed:
            _state.noted, _state.raised = None, False
        elif unheard:
            _state.raised = True
        _state.depth -= 1
        if unheard and noted is not None and error is None:
            raise Interrupted(noted)


class _Call(Generic[Result]):
    """A call on a thread of its own, whose caller may go away."""

    def __init__(self, work: Callable[[], Result], discard: Callable[[Result], None]) -> None:
        self._work, self._discard = work, discard
        self._lock = threading.Lock()
        self._left = False
        self.done = threading.Event()
        self.results: list[Result] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            result = self._work()
        except BaseException as error:
            self.error = error
        else:
            with self._lock:
                if self._left:
                    self._discard(result)
                else:
                    self.results.append(result)
        self.done.set()

    def leave(self) -> None:
        with self._lock:
            self._left = True
            while self.results:
                self._discard(self.results.pop())


def interruptible(
    work: Callable[[], Result],
    discard: Callable[[Result], None],
    abandon: Callable[[], None] = lambda: None,
) -> Result:
    """Do something that cannot be interrupted, such as waiting for a server, so that a signal is heard at once.

    Args:
        work: called on a thread of its own, which is left behind when a signal comes.
        discard: told, then, of a result that nobody will take.
        abandon: called when the thread is left behind; may hurry it.

    Returns:
        What `work` returned.

    Raises:
        Interrupted: a signal came first.
    """
    call = _Call(work, discard)
    try:
        threading.Thread(target=call.run, name="waiting", daemon=True).start()
        while not call.done.wait(POLL_SECONDS):
            check()
    except BaseException:
        abandon()
        call.leave()
        raise
    if call.error is not None:
        raise call.error
    return call.results.pop()
