"""The `vosctl` program, also as `python -m vosctl`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. Signals are handled before anything heavy is imported."""
    from vosctl.cli.signals import handle_signals, leave
    from vosctl.cli.streams import guard_streams

    handle_signals()
    guard_streams()
    leave(_run())


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
