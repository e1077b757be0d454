"""The `vosctl` program, also as `python -m vosctl`."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # to type checkers it is True

if TYPE_CHECKING:
    from types import FrameType


def main() -> None:
    """Run the command line. Signals are handled before anything else is imported."""
    try:
        _leave_on_signals()
        from vosctl.cli.signals import handle_signals, leave
        from vosctl.cli.streams import guard_streams

        guard_streams()
        handle_signals()
    except KeyboardInterrupt:
        _leave_at_once(2)
    leave(_run())


def _leave_on_signals() -> None:
    """While the program is being imported there is nothing to keep, and nothing that could handle a signal better."""
    import signal

    for number in signal.Signals:
        if number.name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave_at_once)


def _leave_at_once(number: int, _frame: FrameType | None = None) -> None:
    os.write(2, b"Interrupted\n")
    os._exit(128 + number)


def _run() -> int:
    from vosctl.errors import VosctlError
    from vosctl.interrupts import interrupted

    try:
        from vosctl.cli import cli

        cli()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except VosctlError as error:  # of writing the help, which no command is in charge of
        sys.stderr.write(f"Error: {error}\n")
        return error.exit_code
    except BaseException:
        # Between two commands' worth of handling: while it starts, or as it words its last line.
        if not interrupted():
            raise
        return 1
    return 0


# training's workers import this module again, under another name
if __name__ == "__main__":
    main()
