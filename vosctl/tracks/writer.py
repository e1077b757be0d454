"""Writing a track, frame by frame."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from vosctl.tracking.keeping import TrackerState
from vosctl.tracking.results import TrackedFrame
from vosctl.tracks.header import TrackHeader
from vosctl.tracks.packed import PackedResult
from vosctl.tracks.schema import APPLICATION_ID, FORMAT_VERSION, TABLES, database_errors, name_as_kept, write_entry
from vosctl.tracks.states import pack_state
from vosctl.video.frames import Frame


class TrackWriter:
    """Appends frames to a track. May be made on one thread and used on another, by one at a time.

    Args:
        path: an empty file to begin a track in, or a track to go on with.
        header: of the new track; None goes on with the one that is there.

    Attributes:
        frames: how many frames the track holds.

    Raises:
        VosctlError: it cannot be written, or is no track.
    """

    def __init__(self, path: Path, header: TrackHeader | None) -> None:
        self.path = path
        self.frames = 0
        with database_errors(path):
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                if header is not None:
                    self._database.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before anything is in it
                self._database.execute("PRAGMA journal_mode = WAL")
                # A commit waits for no disk: it outlives the program, though not, for its last moments, the machine.
                self._database.execute("PRAGMA synchronous = NORMAL")
                if header is not None:
                    self._begin(header)
                self.frames = int(self._database.execute("SELECT COUNT(*) FROM frames").fetchone()[0])
                self._set("complete", False)
            except BaseException:
                self._database.close()
                raise

    def _begin(self, header: TrackHeader) -> None:
        self._database.executescript(
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION};\n{TABLES}"
        )
        self._set("header", header.to_json())

    def _set(self, key: str, value: object) -> None:
        write_entry(self._database, key, value)

    def append(self, frame: Frame, result: TrackedFrame) -> None:
        """Append one frame: whole and for good, or not at all.

        Raises:
            VosctlError: it cannot be written; the track stays as it was.
        """
        packed = PackedResult.of(result)
        matte = packed.matte
        row = (self.frames, frame.index, frame.pts, frame.time, name_as_kept(frame.name), matte.x, matte.y, matte.png)
        with database_errors(self.path), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._database.executemany(
                "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", packed.rows(self.frames)
            )
            if result.state is not None:
                self._keep(self.frames, result.state)
        self.frames += 1

    def _keep(self, frame: int, state: TrackerState) -> None:
        """Put the state after a frame in the place of the one before; what both hold is not written again."""
        text, arrays = pack_state(state)
        self._database.execute("INSERT OR REPLACE INTO resuming VALUES (0, ?, ?)", (frame, text))
        self._database.executemany("INSERT OR IGNORE INTO arrays VALUES (?, ?)", arrays.items())
        held = [digest for (digest,) in self._database.execute("SELECT digest FROM arrays")]
        self._database.executemany(
            "DELETE FROM arrays WHERE digest = ?", [(digest,) for digest in held if digest not in arrays]
        )

    def finish(self) -> bool:
        """Say that every frame is there, and make the track one file.

        Returns:
            Whether it is one: what somebody is reading at this moment takes its last frames in when that ends.

        Raises:
            VosctlError: it cannot be written.
        """
        with database_errors(self.path):
            self._database.execute("DELETE FROM resuming")
            self._database.execute("DELETE FROM arrays")
            self._database.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page
            self._set("complete", True)
            # It may be renamed, also while it is open elsewhere; who reads one frame is through in no time.
            self._database.execute("PRAGMA busy_timeout = 1000")
            busy, *_ = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self.close()
        return not busy

    def close(self) -> None:
        """Leave the track with the frames that it holds, to be gone on with; raises nothing.

        It becomes one file, unless somebody reads it at this moment: then the last one who closes it does that.
        """
        with suppress(sqlite3.Error):
            self._database.execute("PRAGMA journal_mode = DELETE")
        with suppress(sqlite3.Error):
            self._database.close()
