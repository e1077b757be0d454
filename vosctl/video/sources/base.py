"""What every source of frames has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from inspect import GEN_RUNNING, getgeneratorstate
from pathlib import Path
from types import TracebackType

from vosctl.errors import UsageError, VosctlError
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.sources.times import FrameTimes

NETWORK_TIMEOUT = 10.0  # seconds without an answer, or without data later on

NOT_SEEKABLE = "comes through a pipe or a network and can be read once, from its first frame on; save it to a file"


class Source(ABC):
    """Frames in presentation order, read once: `with open_source(spec) as source: for frame in source: ...`.

    One that is seekable can be read again, from any frame on: `source.seek(120)`, then `for frame in source: ...`. The
    frames are the same, with the same numbers and times, wherever the reading begins.

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
        self._begin = 0
        self._times: FrameTimes | None = None

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            VosctlError: on a second call, or when a frame cannot be delivered.
        """
        if self._started:
            raise VosctlError(f"{self.info.name}: the frames of a source can be read once; open it again")
        self._started = True
        self._reading = self._frames(self._begin)
        return self._reading

    @property
    def is_seekable(self) -> bool:
        """Whether the frames can be read more than once, and from any of them on; not what comes through a pipe."""
        return False

    def times(self) -> FrameTimes:
        """When each frame is shown: known exactly before they are read, at the cost of looking through the source.

        Raises:
            UsageError: the source is not seekable.
            VosctlError: it cannot be read.
        """
        if not self.is_seekable:
            raise UsageError(f"{self.info.name}: {NOT_SEEKABLE}")
        if self._times is None:
            self._times = self._look_through()
        return self._times

    def seek(self, index: int) -> None:
        """Have the next iteration begin with frame `index`; the one under way, on the same thread, ends.

        Costs the decoding from the key frame before it, and no memory.

        Raises:
            UsageError: the source is not seekable, or has no such frame.
        """
        count = len(self.times())
        if not 0 <= index < count:
            raise UsageError(f"{self.info.name}: there is no frame {index}; {self.times()}")
        if self._reading is not None:
            self._reading.close()
        self._reading, self._started, self._begin = None, False, index

    @property
    def has_one_size(self) -> bool:
        """Whether all frames have one size by the source's nature; images may differ."""
        return True

    def check_sizes(self, count: int | None = None, begin: int = 0) -> None:  # noqa: B027 - most have one size
        """Make sure that all frames have one size, at little cost, before they are read.

        Args:
            count: how many frames are looked at; None for all.
            begin: the number of the first of them.

        Raises:
            UsageError: one has another.
            VosctlError: one cannot be read.
        """

    def _look_through(self) -> FrameTimes:
        """Return the times of all frames, of a source that is seekable; see `times`."""
        raise NotImplementedError

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
    def _frames(self, begin: int) -> Generator[Frame, None, None]:
        """Yield the frames from number `begin` on; 0 for a source that is not seekable."""

    def interrupt(self) -> None:
        """Have the frames end soon, also a read that waits for more, where it can be ended. From any thread."""
        return

    def close(self) -> None:
        """Release the source. One that another thread is still reading is left to the end of the process."""
        self.interrupt()
        if self._reading is not None:
            if getgeneratorstate(self._reading) == GEN_RUNNING:
                return
            self._reading.close()  # what it has opened, and this object, would live on with it
        self._release()

    def _release(self) -> None:
        return

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
