"""A track as a SQLite database: one row a frame, one a frame and object, each frame in a transaction of its own.

It is written in write-ahead mode, in which a frame that was committed stays whole whatever kills the program; when the
run is over the log is folded in, and the track is one file.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from vosctl.errors import VosctlError
from vosctl.weights.text import printable

FORMAT_VERSION = 1
"""Of the tables below and what is in them. A reader takes its own and those before it.

It rises when an older reader would read something wrong; what it can leave aside may be added without that.
"""

APPLICATION_ID = 0x564F5354
"""Marks the file as a track: "VOST"."""

TABLES = """
CREATE TABLE header (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE frames (
    number INTEGER PRIMARY KEY,  -- in the order in which they were tracked, from 0
    source_index INTEGER NOT NULL,  -- position in the source, from 0
    pts INTEGER NOT NULL,  -- in units of the time base of the frame
    seconds REAL NOT NULL,
    name TEXT,  -- stem of the image file, a BLOB of its bytes where they are no UTF-8; NULL in a video
    matte_x INTEGER NOT NULL,
    matte_y INTEGER NOT NULL,
    matte BLOB NOT NULL  -- grey PNG of the part of the matte that is not transparent
);
CREATE TABLE objects (
    frame INTEGER NOT NULL REFERENCES frames (number),
    object INTEGER NOT NULL,
    status TEXT NOT NULL,
    score REAL NOT NULL,
    presence REAL,  -- NULL where the network does not tell it
    area INTEGER NOT NULL,
    x INTEGER, y INTEGER, width INTEGER, height INTEGER,  -- the box; NULL when there is none
    mask BLOB NOT NULL,  -- zlib: x, y, width, height, then run lengths down the columns of that box, 32 bits each
    PRIMARY KEY (frame, object)
) WITHOUT ROWID;
CREATE TABLE resuming (
    slot INTEGER PRIMARY KEY,  -- always 0: only the last state is kept
    frame INTEGER NOT NULL,  -- the state is that after this frame
    state TEXT NOT NULL  -- JSON; digests stand for arrays
);
CREATE TABLE arrays (digest TEXT PRIMARY KEY, value BLOB NOT NULL);  -- what several states share
"""


_LOGS = ("-wal", "-shm", "-journal")
"""What is added to a database's name where SQLite keeps what is not in it yet."""


def remove_log(track: Path) -> None:
    """Remove the log that a killed run left of a track which is about to be replaced.

    SQLite would take it for that of the new one, whose frames it would cover with the old ones.
    """
    path = track.resolve()  # beside the file, not beside a link to it
    for ending in _LOGS:
        with suppress(FileNotFoundError):
            path.with_name(f"{path.name}{ending}").unlink()


def write_entry(database: sqlite3.Connection, key: str, value: object) -> None:
    """Write what a track says of itself under a key, in the place of what it said before."""
    database.execute("INSERT OR REPLACE INTO header VALUES (?, ?)", (key, json.dumps(value, default=_plain)))


def _plain(value: object) -> object:
    """Return what JSON has no word for as what it has one for: NumPy's numbers, paths."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"a track cannot keep {type(value).__name__}")


def name_as_kept(name: str | None) -> str | bytes | None:
    """Return a frame's name as it is kept."""
    if name is None:
        return None
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return os.fsencode(name)
    return name


def name_of_kept(kept: object) -> object:
    """Return what `name_as_kept` was given; what a damaged track holds is returned as it is."""
    return os.fsdecode(kept) if isinstance(kept, bytes) else kept


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into one line that names the track.

    Raises:
        VosctlError: for any error of SQLite raised inside, also one that repeats a damaged name.
    """
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise VosctlError(f"{path}: is being written by another run; end that first") from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        reason = printable(error)
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:  # SQLite does not say of which kind
            reason += "; see whether the disk is full, or a quota used up"
        raise VosctlError(f"{path}: the track cannot be read or written: {reason}") from error
