"""The `vosctl` program, also as `python -m vosctl`."""

from __future__ import annotations


def main() -> None:
    """Run the command line. Signals are handled before anything heavy is imported."""
    from vosctl.cli.signals import handle_signals, leave

    handle_signals()
    leave(_run())


def _run() -> int:
    from vosctl.interrupts import interrupted

    try:
        from vosctl.cli import cli

        cli()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        # Between two commands' worth of handling: while it starts, or as it words its last line.
        if not interrupted():
            raise
        return 1
    return 0


# training's workers import this module again, under another name
if __name__ == "__main__":
    main()
