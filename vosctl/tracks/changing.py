"""Changing frames that a track holds: all of them at once, or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from vosctl.errors import VosctlError
from vosctl.tracking.keeping import TrackerState
from vosctl.tracks.header import TrackHeader
from vosctl.tracks.packed import PackedResult
from vosctl.tracks.schema import database_errors, write_entry
from vosctl.tracks.states import pack_state
from vosctl.weights.text import printable


@dataclass(frozen=True, slots=True, eq=False)
class TrackChange:
    """What is to be another in a track.

    Attributes:
        header: the new one.
        frames: how many frames the track holds: those that are there were looked at for this change.
        results: of the frames that change, by their number in the track.
        state: the frame after which a run that was stopped is gone on with, and the tracker's state there; None where
            it is to begin at the first frame.
    """

    header: TrackHeader
    frames: int
    results: Mapping[int, PackedResult]
    state: tuple[int, TrackerState] | None

    def write(self, path: Path) -> None:
        """Write the change into the track: whole, whatever ends the program meanwhile, or not at all.

        Raises:
            VosctlError: it cannot be written, or the track has grown since; it stays as it was.
        """
        with database_errors(path):
            database = sqlite3.connect(path, isolation_level=None)
            try:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = NORMAL")
                with database:  # ends the transaction: with what is written, or with nothing where an error is raised
                    database.execute("BEGIN IMMEDIATE")
                    self._write(path, database)
                with suppress(sqlite3.Error):  # somebody reads it
                    database.execute("PRAGMA journal_mode = DELETE")
            finally:
                database.close()

    def _write(self, path: Path, database: sqlite3.Connection) -> None:
        (held,) = database.execute("SELECT COUNT(*) FROM frames").fetchone()
        if held != self.frames:
            raise VosctlError(f"{path}: is being written by another run; end that first")
        for number, result in self.results.items():
            matte = result.matte
            database.execute(
                "UPDATE frames SET matte_x = ?, matte_y = ?, matte = ? WHERE number = ?",
                (matte.x, matte.y, matte.png, number),
            )
            database.execute("DELETE FROM objects WHERE frame = ?", (number,))
            database.executemany(
                "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", result.rows(number)
            )  # fmt: skip
        write_entry(database, "header", self.header.to_json())
        database.execute("DELETE FROM resuming")
        database.execute("DELETE FROM arrays")
        if self.state is not None:
            number, state = self.state
            text, arrays = pack_state(state)
            database.execute("INSERT INTO resuming VALUES (0, ?, ?)", (number, text))
            database.executemany("INSERT INTO arrays VALUES (?, ?)", arrays.items())


def check_changeable(path: Path) -> None:
    """Make sure that a track may be changed, before the work that is to be written into it; it stays as it is.

    Raises:
        VosctlError: it may not, such as one in a folder that cannot be written.
    """
    with database_errors(path):
        try:
            with closing(sqlite3.connect(path, timeout=1.0, isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")
                # For a row SQLite opens its journal, beside the track.
                database.execute("INSERT INTO header VALUES ('', '')")
                database.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise VosctlError(f"{path}: is being written by another run; end that first") from error
            raise VosctlError(
                f"{path}: cannot be changed: {printable(error)}; make it and its folder writable, or take a copy of it"
            ) from error


def change_header(path: Path, header: TrackHeader) -> None:
    """Change what a track says before its frames.

    Raises:
        VosctlError: it cannot be written.
    """
    with database_errors(path), closing(sqlite3.connect(path, isolation_level=None)) as database:
        write_entry(database, "header", header.to_json())
