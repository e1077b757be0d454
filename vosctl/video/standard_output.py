"""Writing to standard output, a pipe or a device so that a reader who stopped reading holds nobody for ever."""

from __future__ import annotations

import io
import os
import select
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vosctl.errors import OutputClosedError, VosctlError
from vosctl.video.places import descriptor_of, open_stream

STANDARD_OUTPUT = Path("-")

_POLL_MILLISECONDS = 100
_ATOMIC_BYTES = 4096  # what a pipe that is ready takes without waiting


class PatientWriter:
    """Writes bytes to standard output or an open descriptor; `write` waits for a slow reader, until told to stop.

    Args:
        descriptor: to be written to, and closed at the end; standard output without it.

    Raises:
        VosctlError: standard output is closed.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None and sys.stdout is None:
            raise VosctlError("standard output is closed; give a file instead of -")
        self._cancelled = threading.Event()
        self._own = descriptor
        self._file: BinaryIO = sys.stdout.buffer if descriptor is None else os.fdopen(descriptor, "wb", closefd=False)
        self._pollable: int | None = None
        if hasattr(select, "poll"):
            try:
                number = self._file.fileno()
                # A file is always ready.
                self._pollable = None if stat.S_ISREG(os.fstat(number).st_mode) else number
            except (io.UnsupportedOperation, OSError):
                pass  # standard output was replaced by something in memory

    def write(self, data: bytes) -> None:
        """Write all of it, at once and not later; less when `cancel` was called.

        Raises:
            BrokenPipeError: the reader went away.
            OSError: it cannot be written.
        """
        if self._pollable is None:
            self._file.write(data)
            self._file.flush()
        else:
            self._write_when_ready(self._pollable, memoryview(data))

    def _write_when_ready(self, descriptor: int, left: memoryview) -> None:
        self._file.flush()
        ready = select.poll()
        ready.register(descriptor, select.POLLOUT)
        while left and not self._cancelled.is_set():
            if ready.poll(_POLL_MILLISECONDS):
                try:
                    left = left[os.write(descriptor, left[:_ATOMIC_BYTES]) :]
                except BlockingIOError:  # another holder of the pipe has made it non-blocking
                    continue

    def cancel(self) -> None:
        """Have `write` return soon, from any thread."""
        self._cancelled.set()

    def close(self) -> None:
        """Close the descriptor; standard output stays open."""
        if self._own is not None:
            descriptor, self._own = self._own, None
            os.close(descriptor)

    def silence(self) -> None:
        """Send what is still buffered nowhere: Python would complain of the closed pipe once more as it exits."""
        if self._file is not getattr(sys.stdout, "buffer", None):
            return
        with suppress(io.UnsupportedOperation):  # of what is in memory, or closed, nothing is left
            descriptor = sys.stdout.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, descriptor)
            finally:
                os.close(nowhere)


def is_terminal(path: Path) -> bool:
    """Return whether an output would be written to a terminal, of what is standard output or an open descriptor."""
    descriptor = descriptor_of(path)
    if path == STANDARD_OUTPUT:
        return sys.stdout is not None and sys.stdout.isatty()
    return descriptor is not None and os.isatty(descriptor)


class OutputStream:
    """What an output is written through instead of a file: standard output, a pipe or a device.

    Args:
        path: `-` for standard output. A pipe with a name waits here for its reader.

    Attributes:
        shown: its name for messages.

    Raises:
        VosctlError: standard output is closed.
        OSError: the pipe or device cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.shown = "standard output" if path == STANDARD_OUTPUT else str(path)
        self._writer = PatientWriter(None if path == STANDARD_OUTPUT else open_stream(path))

    def write(self, data: bytes) -> None:
        """Write all of it; see `PatientWriter.write`."""
        self._writer.write(data)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what is raised while it is written into what it means.

        Raises:
            OutputClosedError: the reader went away.
            VosctlError: it cannot be written.
        """
        try:
            yield
        except BrokenPipeError as error:
            self._writer.silence()
            raise OutputClosedError(f"{self.shown} was closed by its reader") from error
        except OSError as error:
            self._writer.silence()
            raise VosctlError(f"{self.shown} cannot be written: {error.strerror}") from error

    def cancel(self) -> None:
        """Have `write` return soon, from any thread."""
        self._writer.cancel()

    def close(self) -> None:
        """Close the pipe or device; standard output stays open. Raises an OSError of the last bytes."""
        self._writer.close()
