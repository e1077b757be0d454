"""Outputs that are one file of text: written frame by frame, and made whole when the run is given up."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from vosctl.errors import VosctlError
from vosctl.tracking.results import TrackedFrame
from vosctl.video.frames import Frame
from vosctl.video.staging import StagedFile, write_errors


class TextFileSink(ABC):
    """One file for all frames; a subclass says what is written of each, and before and after them.

    Args:
        path: the file.
        overwrite: whether one that is there is replaced.

    Attributes:
        name: the output's.
        path: as given.
    """

    name: str

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path = path
        self._staged = StagedFile(path, overwrite=overwrite)
        self._count = 0  # frames that are in the file
        self._whole = 0  # bytes up to which it holds whole frames
        try:
            with write_errors(path):
                self._file: BinaryIO = self._staged.partial.open("wb")
                self._put(self._head())
        except BaseException:
            self._staged.discard()
            raise

    @property
    def partial(self) -> Path:
        """See `Sink`."""
        return self._staged.partial

    def write(self, frame: Frame, result: TrackedFrame) -> None:
        """See `Sink.write`."""
        with write_errors(self.path):
            self._put(self._one(frame, result))
        self._count += 1

    def finish(self) -> Path:
        """See `Sink.finish`."""
        if self._count == 0:
            raise VosctlError(f"{self.path}: not written, there was no frame")
        with write_errors(self.path):
            self._file.write(self._tail().encode())
            self._file.close()
        return self._staged.commit()

    def abort(self) -> Path | None:
        """See `Sink.abort`: the frames so far, as a file that can be read."""
        with suppress(OSError):  # what could not be flushed is cut off below
            self._file.close()
        return self.abandon()

    def cancel(self) -> None:
        """See `Sink.cancel`: a file waits for nobody."""
        return

    def abandon(self) -> Path | None:
        """See `Sink.abandon`."""
        with suppress(OSError):
            if self._is_empty():
                self._staged.discard()
                return None
            os.truncate(self._staged.partial, self._whole)
            with self._staged.partial.open("ab") as file:
                file.write(self._tail().encode())
        return self._staged.keep()

    def _put(self, text: str) -> None:
        self._file.write(text.encode())
        self._file.flush()
        self._whole = self._file.tell()

    def _is_empty(self) -> bool:
        """Return whether there is nothing in the file that is worth keeping."""
        return self._count == 0

    @abstractmethod
    def _head(self) -> str:
        """Return what comes before the frames."""

    @abstractmethod
    def _one(self, frame: Frame, result: TrackedFrame) -> str:
        """Return what is written of a frame."""

    @abstractmethod
    def _tail(self) -> str:
        """Return what comes after the frames."""
