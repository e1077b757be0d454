"""How the program ends: on a signal within seconds, whatever hangs, and with what was kept announced.

A signal is raised or noted in the main thread (see `vosctl.interrupts`), which then ends the run in order. A watch on a
thread of its own sees to it that this comes to an end: should the main thread be stuck (in a library, in writing to a
terminal or pipe that takes nothing), it ends the outputs itself and leaves.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from vosctl.cli.streams import flush_streams
from vosctl.interrupts import SIGNALS, install, interrupted, note_signal, pending, quiet_until

GRACE_SECONDS = 3.0
"""Seconds without a word of the main thread's after a signal, before the watch steps in."""

_POLL_SECONDS = 0.1
_SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it


def handle_signals() -> None:
    """Handle SIGINT, SIGTERM, SIGHUP and SIGQUIT for the rest of the process, and watch that it ends on them."""
    watch = _Watch()
    install()
    sys.unraisablehook = _say_unless_interrupted
    watch.start()


def leave(status: int) -> NoReturn:
    """End the process with a status; with the signal's own where there was one.

    A thread that hangs in a library (waiting for a server, for a disk) does not hold this up.
    """
    for number in SIGNALS:  # from here on one more would only spoil the status: Python gives up its handlers as it ends
        signal.signal(number, signal.SIG_IGN)
    if (first := pending()) is not None:
        status = 128 + first
    if (trouble := flush_streams()) is not None and status == 0:
        status = 1
        _say_if_possible(f"Error: {trouble}\n")
    hanging = [one for one in threading.enumerate() if one.daemon and not isinstance(one, _Watch)]
    if hanging:  # at Python's own end such a thread can crash the process
        os._exit(status)
    sys.exit(status)


class _Watch(threading.Thread):
    """Waits for a signal, then for the process to end; ends it where that does not happen."""

    def __init__(self) -> None:
        super().__init__(name="signals", daemon=True)
        self._received = -1
        if os.name == "posix":
            # Python's own handler runs when the main thread gets to it; these bytes come at once.
            self._received, sent = os.pipe()
            os.set_blocking(sent, False)
            signal.set_wakeup_fd(sent, warn_on_full_buffer=False)
            os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))

    def run(self) -> None:
        number = self._wait_for_signal()
        self._wait_for_end(GRACE_SECONDS)
        left: list[Path] = []
        ended = threading.Thread(target=lambda: left.extend(_end_outputs()), daemon=True)
        ended.start()
        self._wait_for_end(GRACE_SECONDS, ended)
        lines = [*(f"Kept what was whole: {path}" for path in left), "Interrupted"]
        _say_if_possible("".join(f"{line}\n" for line in lines))
        os._exit(128 + number)

    def _wait_for_signal(self) -> int:
        while True:
            if self._received < 0:
                time.sleep(_POLL_SECONDS)
                number = pending() or 0
            else:
                number = os.read(self._received, 1)[0]
            # Training has handlers of its own: it finishes its step and saves.
            if number in SIGNALS and signal.getsignal(number) is note_signal:
                return number

    @staticmethod
    def _wait_for_end(grace: float, until: threading.Thread | None = None) -> None:
        begun = time.monotonic()
        while time.monotonic() < max(begun + grace, quiet_until()):
            if until is not None and not until.is_alive():
                return
            time.sleep(_POLL_SECONDS)


def _end_outputs() -> list[Path]:
    if "vosctl.outputs" not in sys.modules:
        return []
    from vosctl.outputs import end_all

    return end_all()


def _say_if_possible(text: str) -> None:
    """Write to standard error, unless that would wait."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        descriptor = sys.stderr.fileno()
        if os.isatty(descriptor):
            text = _SHOW_CURSOR + text
        if os.name != "posix" or select.select([], [descriptor], [], 0.5)[1]:
            os.write(descriptor, text.encode())


def _say_unless_interrupted(what: sys.UnraisableHookArgs) -> None:
    """Python reports here what it cannot raise, with its traceback: an interrupt was heard all the same."""
    if not (interrupted() and isinstance(what.exc_value, KeyboardInterrupt)):
        sys.__unraisablehook__(what)
