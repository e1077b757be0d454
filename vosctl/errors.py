"""The errors vosctl raises. Each message is one line: what is wrong, then what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class VosctlError(Exception):
    """Base of everything vosctl raises on purpose. The command line prints its message and exits with `exit_code`.

    Attributes:
        exit_code: the program's exit status.
        silent: True when there is nothing to tell the user.
    """

    exit_code: int = 1
    silent: bool = False


class UsageError(VosctlError):
    """The request itself cannot be served: an option, a file name or a combination of them is wrong."""

    exit_code = 2


class OutputClosedError(VosctlError):
    """The reader of standard output went away (`vosctl ... --rle - | head`): end quietly, there is nothing to report.

    Its exit status is the one of a program ended by SIGPIPE.
    """

    exit_code = 141
    silent = True


@contextmanager
def told_in_a_line() -> Iterator[None]:
    """End a script with an error's one line and its exit status; the `vosctl` command words its errors itself."""
    try:
        yield
    except VosctlError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
