"""Reading standard input so that a writer who says nothing does not hold anybody for ever."""

from __future__ import annotations

import io
import os
import select
import sys
import threading

from vosctl.errors import UsageError

_POLL_MILLISECONDS = 100


class PatientReader:
    """Reads what has arrived in a file descriptor, as PyAV wants its files: a `read` and no seeking.

    Nothing of it is buffered here, and no lock of Python's is held while it waits.

    Args:
        descriptor: an open file descriptor.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._stopped = threading.Event()
        self._ready = select.poll() if hasattr(select, "poll") else None
        if self._ready is not None:
            self._ready.register(descriptor, select.POLLIN)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes as soon as there are some; none at the end, or when it was told to stop.

        Raises:
            OSError: it cannot be read.
        """
        while not self._stopped.is_set():
            if self._ready is None or self._ready.poll(_POLL_MILLISECONDS):
                try:
                    return os.read(self._descriptor, size)
                except BlockingIOError:  # another holder of the pipe has made it non-blocking
                    continue
                except OSError:
                    self._stopped.set()  # FFmpeg asks again, and PyAV would print the second error
                    raise
        return b""

    def stop(self) -> None:
        """End what is read, from any thread."""
        self._stopped.set()


def process_input() -> PatientReader | None:
    """Return the process's standard input; None where it was replaced by something in memory.

    Raises:
        UsageError: it is closed.
    """
    if sys.stdin is None:
        raise UsageError("-: standard input is closed; pipe a video into it or name a file")
    try:
        return PatientReader(sys.stdin.fileno())
    except (io.UnsupportedOperation, OSError):
        return None
