"""The track: the results themselves, kept so that a run can be drawn again, and gone on with."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from vosctl.errors import VosctlError
from vosctl.tracking.results import TrackedFrame
from vosctl.tracks.header import TrackHeader
from vosctl.tracks.schema import remove_log
from vosctl.tracks.writer import TrackWriter
from vosctl.video.frames import Frame
from vosctl.video.staging import StagedFile, write_errors


class TrackSink:
    """Writes a track under its own name from the first frame on, as it is whole after each of them.

    One that replaces another is written beside it until it is complete. What a killed run wrote stays, to be gone on
    with.

    Args:
        path: the track.
        header: of the new track; None goes on with the one that is there.
        overwrite: whether a track that exists is replaced.

    Raises:
        VosctlError: it cannot be written.
    """

    name = "track"

    def __init__(self, path: Path, header: TrackHeader | None, *, overwrite: bool) -> None:
        self.path = path
        self._staged: StagedFile | None = None
        self._new = header is not None
        self._seen = 0
        place = path
        if header is not None:
            staged = StagedFile(path, overwrite=overwrite)
            if path.exists():
                staged.keep()  # it can be used however this run ends
                self._staged, place = staged, staged.partial
            else:
                staged.commit()
        try:
            self._writer = TrackWriter(place, header)
        except BaseException:
            if self._new:
                _remove(place)
            raise
        self.partial = place

    def write(self, frame: Frame, result: TrackedFrame) -> None:
        """See `Sink.write`."""
        if self._seen >= self._writer.frames:  # a run that goes on begins with the frames that are there
            self._writer.append(frame, result)
        self._seen += 1

    def finish(self) -> Path:
        """See `Sink.finish`."""
        if self._writer.frames == 0:
            raise VosctlError(f"{self.path}: not written, there was no frame")
        whole = self._writer.finish()
        if self._staged is None:
            return self.path
        if not whole:
            raise VosctlError(
                f"{self.path}: not replaced, as another program reads {self.partial}, which is the new one; end that, "
                "then rename it"
            )
        with write_errors(self.path):
            remove_log(self.path)
        return self._staged.commit()

    def abort(self) -> Path | None:
        """See `Sink.abort`."""
        self._writer.close()
        if self._new and self._writer.frames == 0:
            _remove(self.partial)
            return None
        return self.partial

    def cancel(self) -> None:
        """See `Sink.cancel`: a file waits for nobody."""

    def abandon(self) -> Path | None:
        """See `Sink.abandon`."""
        return self.partial if self._writer.frames else None


def _remove(track: Path) -> None:
    """Remove a track without frames, with what SQLite could not take away itself, as on a full disk."""
    with suppress(OSError):
        remove_log(track)
        track.unlink(missing_ok=True)
