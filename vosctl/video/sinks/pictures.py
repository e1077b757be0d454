"""Sinks that write a directory of PNG files, one a frame: masks and cutout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

import cv2

from vosctl.errors import VosctlError
from vosctl.tracking.results import TrackedFrame
from vosctl.video.edges import Edges
from vosctl.video.frames import Frame
from vosctl.video.masks import write_indexed_png
from vosctl.video.sinks.videos import cut_out
from vosctl.video.staging import StagedDirectory, write_errors

_PNG_OPTIONS = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB)
"""One filter for all rows takes a third of the time of trying them all, for 2 % more bytes."""


class PictureSink(ABC):
    """A directory that appears when every frame is in it.

    The files are named like the source's images, or 00000.png, 00001.png, ... as DAVIS does.
    """

    name: str
    suffix = ".png"

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path = path
        self._staged = StagedDirectory(path, overwrite=overwrite)
        self._count = 0
        self._under_way: Path | None = None

    @property
    def partial(self) -> Path:
        """See `Sink`."""
        return self._staged.partial

    def write(self, frame: Frame, result: TrackedFrame) -> None:
        """See `Sink.write`."""
        path = self._staged.add(f"{frame.name if frame.name is not None else f'{frame.index:05d}'}{self.suffix}")
        self._under_way = path
        try:
            with write_errors(self.path):
                self._write_picture(path, frame, result)
        except VosctlError:
            path.unlink(missing_ok=True)
            raise
        self._under_way = None
        self._count += 1

    @abstractmethod
    def _write_picture(self, path: Path, frame: Frame, result: TrackedFrame) -> None: ...

    def finish(self) -> Path:
        """See `Sink.finish`."""
        if self._count == 0:
            raise VosctlError(f"{self.path}: not written, there was no frame")
        return self._staged.commit()

    def abort(self) -> Path | None:
        """See `Sink.abort`."""
        if self._count == 0:
            self._staged.discard()
            return None
        return self._staged.keep()

    def cancel(self) -> None:
        """See `Sink.cancel`: a folder waits for nobody."""
        return

    def abandon(self) -> Path | None:
        """See `Sink.abandon`."""
        if self._count and (cut_short := self._under_way) is not None:
            with suppress(OSError):
                cut_short.unlink(missing_ok=True)
        return self.abort()


class MaskSink(PictureSink):
    """Indexed PNG of the labels, with the DAVIS palette."""

    name = "masks"

    def _write_picture(self, path: Path, frame: Frame, result: TrackedFrame) -> None:
        write_indexed_png(path, result.labels)


class CutoutPictureSink(PictureSink):
    """RGBA PNG of the objects on a transparent background."""

    name = "cutout"

    def __init__(self, path: Path, *, overwrite: bool, edges: Edges | None = None) -> None:
        super().__init__(path, overwrite=overwrite)
        self._edges = edges or Edges()

    def _write_picture(self, path: Path, frame: Frame, result: TrackedFrame) -> None:
        bgra = cv2.cvtColor(cut_out(frame.image, result.alpha, self._edges), cv2.COLOR_RGBA2BGRA)
        _, encoded = cv2.imencode(".png", bgra, _PNG_OPTIONS)
        path.write_bytes(encoded.tobytes())
