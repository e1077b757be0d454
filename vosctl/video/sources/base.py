"""What every source of frames has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from inspect import GEN_RUNNING, getgeneratorstate
from pathlib import Path
from types import TracebackType

from vosctl.errors import VosctlError
from vosctl.video.frames import Frame, SourceInfo


class Source(ABC):
    """Frames in presentation order, read once: `with open_source(spec) as source: for frame in source: ...`.

    Attributes:
        info: what is known before the frames are read; `width` and `height` hold for every frame.
        files: what it is read from, in the order of reading; none for a stream.
    """

    info: SourceInfo
    files: tuple[Path, ...] = ()

    def __init__(self) -> None:
        self._notes: list[str] = []
        self._started = False
        self._reading: Generator[Frame, None, None] | None = None

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            VosctlError: on a second call, or when a frame cannot be delivered.
        """
        if self._started:
            raise VosctlError(f"{self.info.name}: the frames of a source can be read once; open it again")
        self._started = True
        self._reading = self._frames()
        return self._reading

    @property
    def warnings(self) -> list[str]:
        """Return a line for each thing that went wrong so far without stopping the reading.

        Such as a file that ends early, damaged frames, repaired timestamps, sound that cannot be copied.
        """
        return [*self._notes, *self._tallies()]

    def _tallies(self) -> list[str]:
        """Warnings about what is counted while the frames are read."""
        return []

    @abstractmethod
    def _frames(self) -> Generator[Frame, None, None]: ...

    def interrupt(self) -> None:
        """Have the frames end soon, also a read that waits for more, where it can be ended. From any thread."""
        return

    def close(self) -> None:
        """Release the source. One that another thread is still reading is left to the end of the process."""
        self.interrupt()
        if self._reading is None or getgeneratorstate(self._reading) != GEN_RUNNING:
            self._release()

    def _release(self) -> None:
        return

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
