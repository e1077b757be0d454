"""Writing to standard output, a pipe or a device so that a reader who stopped reading holds nobody for ever."""

from __future__ import annotations

import io
import os
import select
import stat
import sys
import threading
from contextlib import suppress
from typing import BinaryIO

from vosctl.errors import VosctlError

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
