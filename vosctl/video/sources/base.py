"""What every source of frames has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType

from vosctl.errors import VosctlError
from vosctl.video.frames import Frame, SourceInfo


class Source(ABC):
    """Frames in presentation order, read once: `with open_source(spec) as source: for frame in source: ...`.

    Attributes:
        info: what is known before the frames are read; `width` and `height` hold for every frame.
        warnings: one line for each thing that went wrong without stopping the reading (a file that ends early, damaged
            packets, repaired timestamps, sound that cannot be copied). Complete once the frames are read to the end.
    """

    info: SourceInfo
    warnings: list[str]

    def __init__(self) -> None:
        self.warnings = []
        self._started = False

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            VosctlError: on a second call, or when a frame cannot be delivered.
        """
        if self._started:
            raise VosctlError(f"{self.info.name}: the frames of a source can be read once; open it again")
        self._started = True
        return self._frames()

    @abstractmethod
    def _frames(self) -> Iterator[Frame]: ...

    def close(self) -> None:
        """Release the source. Not while another thread is reading it."""
        return

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
