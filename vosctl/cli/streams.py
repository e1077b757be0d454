"""The program's standard streams when they are closed, full or gone."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from vosctl.errors import VosctlError


def guard_streams() -> None:
    """Make failures of the standard streams what they mean to a user.

    What cannot be written to standard output is an error in one line. What cannot be written to standard error is lost:
    there is nobody to tell, and it ends no run. A stream that is closed does not give its number to the next file that
    is opened, which would then get what libraries print.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    # Nothing is buffered that could not be written either.
    sys.stdout = _Output(_Closed(), write_through=True) if sys.stdout is None else _Output.like(sys.stdout)
    sys.stderr = _Words(_Nowhere(), write_through=True) if sys.stderr is None else _Words.like(sys.stderr)


def flush_streams() -> str | None:
    """Write what is buffered; gives what is wrong with standard output, which is then written to no more."""
    trouble = None
    try:
        sys.stdout.flush()
    except (OSError, ValueError, VosctlError) as error:
        trouble = str(error)
        with suppress(OSError, ValueError):
            _silence(sys.stdout.fileno())
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    return trouble


def _silence(descriptor: int) -> None:
    """Send what a stream still holds nowhere: Python would try it once more as it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


class _Closed(io.RawIOBase):
    """What stands for a closed standard output."""

    name = "closed standard output"

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise OSError(errno.EBADF, "it is closed")


class _Nowhere(io.RawIOBase):
    """What stands for a closed standard error."""

    name = "closed standard error"

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return len(memoryview(data))  # type: ignore[arg-type]


class _Stream(io.TextIOWrapper):
    """A text stream in the place of another, on the same buffer."""

    @classmethod
    def like(cls, stream: TextIO) -> TextIO:
        """Return a stream with the settings of `stream` on its buffer; itself, where it is none of Python's own."""
        if not isinstance(stream, io.TextIOWrapper):
            return stream
        return cls(stream.buffer, encoding=stream.encoding, errors=stream.errors, line_buffering=stream.line_buffering)


class _Output(_Stream):
    """Standard output, whose failures are raised as `VosctlError`."""

    def write(self, text: str, /) -> int:
        with _told():
            return super().write(text)

    def flush(self) -> None:
        with _told():
            super().flush()


class _Words(_Stream):
    """Standard error, whose failures are lost."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader has gone: no failure, see `OutputClosedError`
        raise
    except OSError as error:
        raise VosctlError(f"standard output cannot be written: {error.strerror}") from error
