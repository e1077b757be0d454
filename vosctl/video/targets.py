"""Where a video is written: a file that takes its name when it is whole, or standard output, a pipe or a device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av

from vosctl.video.encodings import ANIMATIONS, CONTAINERS, PIPE_MUXERS, PipeFormat
from vosctl.video.staging import StagedFile, write_errors
from vosctl.video.standard_output import OutputStream

_MUXERS = CONTAINERS | ANIMATIONS
_CAN_BE_CUT = ("matroska", "webm", "gif")
"""A file that ends anywhere can be played so far; MP4 and QuickTime have their index at the end."""


class Target(ABC):
    """Where a video goes.

    Attributes:
        path: its final name.
        shown: its name for messages.
        muxer: FFmpeg's name of the container.
        partial: where it is written meanwhile; None where that is no file.
    """

    path: Path
    shown: str
    muxer: str

    @property
    @abstractmethod
    def partial(self) -> Path | None:
        """See above."""

    @property
    @abstractmethod
    def place(self) -> str | OutputStream:
        """What FFmpeg is to write to."""

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what is raised while it is written into one line that names it.

        Raises:
            VosctlError: see above; `OutputClosedError` where the reader went away.
        """
        with write_errors(Path(self.shown)):
            yield

    @abstractmethod
    def cancel(self) -> None:
        """Have a write that waits return soon, from any thread."""

    @abstractmethod
    def commit(self) -> Path:
        """Give what is whole its final name, and return that."""

    @abstractmethod
    def give_up(self, *, whole: bool) -> Path | None:
        """Leave what can be played and remove what cannot; return what is left. Raises nothing.

        Args:
            whole: whether the video was ended as it should be.
        """

    @abstractmethod
    def abandon(self) -> Path | None:
        """Leave the video as it is, from another thread; return what is left."""


class FileTarget(Target):
    """A file beside its final name.

    Raises:
        VosctlError: it cannot be made.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path, self.shown = path, str(path)
        self.muxer = _MUXERS[path.suffix.lower()]
        self._staged = StagedFile(path, overwrite=overwrite)

    @property
    def partial(self) -> Path:
        """See `Target`."""
        return self._staged.partial

    @property
    def place(self) -> str:
        """See `Target`."""
        return f"file:{self._staged.partial}"

    def cancel(self) -> None:
        """See `Target`: an encoder waits for nobody."""

    def commit(self) -> Path:
        """See `Target`."""
        return self._staged.commit()

    def give_up(self, *, whole: bool) -> Path | None:
        """See `Target`."""
        if whole or (self.muxer in _CAN_BE_CUT and is_playable(self._staged.partial)):
            return self._staged.keep()
        self._staged.discard()
        return None

    def abandon(self) -> Path | None:
        """See `Target`."""
        return self._staged.keep() if self.muxer in _CAN_BE_CUT else self._staged.mark_damaged()


class StreamTarget(Target):
    """Standard output, a pipe or a device, which gets each frame as soon as the next one is there.

    Raises:
        VosctlError: it cannot be opened.
    """

    partial = None

    def __init__(self, path: Path, pipe_format: PipeFormat) -> None:
        self.path = path
        self.muxer = PIPE_MUXERS[pipe_format]
        with write_errors(path):
            self._stream = OutputStream(path)
        self.shown = self._stream.shown

    @property
    def place(self) -> OutputStream:
        """See `Target`."""
        return self._stream

    @contextmanager
    def errors(self) -> Iterator[None]:
        """See `Target`."""
        with super().errors(), self._stream.errors():
            yield

    def cancel(self) -> None:
        """See `Target`."""
        self._stream.cancel()

    def commit(self) -> Path:
        """See `Target`."""
        with self.errors():
            self._stream.close()
        return self.path

    def give_up(self, *, whole: bool) -> Path | None:
        """See `Target`: what was written is the reader's."""
        with suppress(OSError):
            self._stream.close()
        return None

    def abandon(self) -> Path | None:
        """See `Target`."""
        return None


def is_playable(path: Path) -> bool:
    """Return whether a video file has a picture that can be decoded."""
    try:
        with av.open(f"file:{path}") as container:
            return next(container.decode(video=0), None) is not None
    except (OSError, IndexError, av.FFmpegError):
        return False
