"""Writing to standard output so that a reader who stopped reading does not hold anybody for ever."""

from __future__ import annotations

import io
import os
import select
import stat
import sys
import threading

from vosctl.errors import VosctlError

_POLL_MILLISECONDS = 100
_ATOMIC_BYTES = 4096  # what a pipe that is ready takes without waiting


class PatientWriter:
    """Writes bytes to standard output. `write` waits for a slow reader, and can be told from outside to stop.

    Raises:
        VosctlError: standard output is closed.
    """

    def __init__(self) -> None:
        if sys.stdout is None:
            raise VosctlError("standard output is closed; give a file instead of -")
        self._cancelled = threading.Event()
        self._pollable: int | None = None
        if hasattr(select, "poll"):
            try:
                descriptor = sys.stdout.fileno()
                # A file is always ready.
                self._pollable = None if stat.S_ISREG(os.fstat(descriptor).st_mode) else descriptor
            except (io.UnsupportedOperation, OSError):
                pass  # standard output was replaced by something in memory

    def write(self, data: bytes) -> None:
        """Write all of it, at once and not later; less when `cancel` was called.

        Raises:
            BrokenPipeError: the reader went away.
            OSError: it cannot be written.
        """
        if self._pollable is None:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            self._write_when_ready(self._pollable, memoryview(data))

    def _write_when_ready(self, descriptor: int, left: memoryview) -> None:
        sys.stdout.flush()
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

    def silence(self) -> None:
        """Send what is still buffered nowhere: Python would complain of the closed pipe once more as it exits."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, sys.stdout.fileno())
        finally:
            os.close(nowhere)
