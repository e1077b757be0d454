"""Reading a track: any frame at once, or all of them in order."""

from __future__ import annotations

import json
import operator
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeGuard, get_args

import numpy as np

from vosctl.arguments import file_name
from vosctl.errors import UsageError, VosctlError
from vosctl.tracking.keeping import TrackerState
from vosctl.tracking.results import ObjectStatus, TrackedFrame, TrackedObject
from vosctl.tracks.coding import PackedMatte, unpack_mask, unpack_matte
from vosctl.tracks.header import TrackHeader
from vosctl.tracks.schema import APPLICATION_ID, FORMAT_VERSION, database_errors, name_of_kept
from vosctl.tracks.states import unpack_state
from vosctl.types import Box, Labels
from vosctl.weights.text import printable

_Row = tuple[int, str, float, float | None, int, int | None, int | None, int | None, int | None, bytes]


@dataclass(frozen=True, slots=True)
class KeptFrame:
    """A frame of which a track has the result.

    Attributes:
        index: position in the source, from 0.
        pts: in units of the track's time base.
        name: stem of the image file; None in a video.
    """

    index: int
    pts: int
    name: str | None


class Track:
    """A track that was written, or is being written. A context manager; may be used from any thread, one at a time.

    Args:
        path: the file.

    Attributes:
        header: what it says before its frames.
        complete: whether the run that wrote it came to its end.

    Raises:
        UsageError: there is no such file, it is no track, or it was written by a newer vosctl.
        VosctlError: it cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path = Path(file_name("track", path))
        if not path.is_file():
            raise UsageError(f"{path}: no such track; `track=FILE` of segment writes one")
        with database_errors(path):
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
            )
        try:
            self._check()
            self.header, self.complete = self._read_header()
        except BaseException:
            self._database.close()
            raise

    def _check(self) -> None:
        try:
            number, version = (
                int(self._database.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("application_id", "user_version")
            )
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise VosctlError(f"{self.path}: the track cannot be read: {printable(error)}") from error
            number = version = 0
        if number != APPLICATION_ID:
            raise UsageError(f"{self.path}: is no track of vosctl; `track=FILE` of segment writes one")
        if version > FORMAT_VERSION:
            raise UsageError(
                f"{self.path}: was written by a newer vosctl (track format {version}, this one reads up to "
                f"{FORMAT_VERSION}); upgrade vosctl"
            )

    def _read_header(self) -> tuple[TrackHeader, bool]:
        with database_errors(self.path):
            rows = dict(self._database.execute("SELECT key, value FROM header").fetchall())
        try:
            return TrackHeader.from_json(json.loads(rows["header"])), json.loads(rows["complete"]) is True
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise VosctlError(
                f"{self.path}: the track's header is damaged ({printable(error)}); track the video again"
            ) from error

    def __len__(self) -> int:
        """Count the frames."""
        with database_errors(self.path):
            return int(self._database.execute("SELECT COUNT(*) FROM frames").fetchone()[0])

    def __iter__(self) -> Iterator[TrackedFrame]:
        """Yield the frames in the order in which they were tracked."""
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> TrackedFrame:
        """Read one frame; below 0 it counts from the end.

        Raises:
            IndexError: there is no such frame.
            TypeError: it is no whole number; slices are not read.
            VosctlError: it is damaged.
        """
        asked = number
        if (number := operator.index(number)) < 0:
            number += len(self)
        with database_errors(self.path):
            found = self._database.execute(
                "SELECT matte_x, matte_y, matte FROM frames WHERE number = ?", (number,)
            ).fetchone()
            rows: list[_Row] = self._database.execute(
                "SELECT object, status, score, presence, area, x, y, width, height, mask FROM objects WHERE frame = ? "
                "ORDER BY object",
                (number,),
            ).fetchall()
        if found is None:
            if 0 <= number < len(self):
                raise VosctlError(f"{self.path}: frame {number} is missing; track the video again")
            raise IndexError(f"{self.path}: has {len(self)} frames, none of them is {asked}")
        height, width = self.header.height, self.header.width
        try:
            alpha = unpack_matte(PackedMatte(*found), height, width)
            labels = np.zeros((height, width), np.uint8)
            objects = tuple(_object(row, labels) for row in rows)
        except (ValueError, TypeError) as error:
            raise VosctlError(
                f"{self.path}: frame {number} is damaged ({printable(error)}); track the video again"
            ) from error
        return TrackedFrame(labels, alpha, objects)

    @property
    def object_count(self) -> int:
        """How many objects it has, in whichever frames."""
        with database_errors(self.path):
            return int(self._database.execute("SELECT COUNT(DISTINCT object) FROM objects").fetchone()[0])

    def frames(self) -> Iterator[KeptFrame]:
        """Yield what is known of every frame but its result, in the order in which they were tracked.

        Raises:
            VosctlError: one is damaged.
        """
        with database_errors(self.path):
            for index, pts, kept in self._database.execute(
                "SELECT source_index, pts, name FROM frames ORDER BY number"
            ):
                name = name_of_kept(kept)
                if not (isinstance(index, int) and isinstance(pts, int) and _is_name(name)):
                    raise VosctlError(f"{self.path}: a frame's number or time is damaged; track the video again")
                yield KeptFrame(index, pts, name)

    def statuses(self) -> Iterator[tuple[int, dict[int, ObjectStatus]]]:
        """Read how the objects fare, without their masks: of each frame its number in the source, and by object.

        Raises:
            VosctlError: the track cannot be read.
        """
        with database_errors(self.path):
            indices = self._database.execute("SELECT number, source_index FROM frames ORDER BY number").fetchall()
            rows = self._database.execute("SELECT frame, object, status FROM objects ORDER BY frame").fetchall()
        found: dict[int, dict[int, ObjectStatus]] = {number: {} for number, _ in indices}
        for number, object_id, status in rows:
            found.setdefault(number, {})[object_id] = "lost" if status == "lost" else "tracked"
        return ((index, found[number]) for number, index in indices)

    def state(self) -> tuple[int, TrackerState] | None:
        """Read the tracker's last state that was kept.

        Returns:
            The number of the frame that it is the state after, and the state; None where there is none.

        Raises:
            ValueError: it is damaged.
        """
        with database_errors(self.path):
            found = self._database.execute("SELECT frame, state FROM resuming").fetchone()
            if found is None:
                return None
            arrays = dict(self._database.execute("SELECT digest, value FROM arrays").fetchall())
        return int(found[0]), unpack_state(found[1], arrays)

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def __enter__(self) -> Track:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _object(row: _Row, labels: Labels) -> TrackedObject:
    """One object, drawn into the labels."""
    object_id, status, score, presence, area, *sides, packed = row
    if not 1 <= object_id <= 255 or status not in get_args(ObjectStatus):
        raise ValueError(f"object {object_id}: {status}")
    if not (isinstance(score, float) and isinstance(area, int) and isinstance(presence, float | None)):
        raise ValueError(f"object {object_id}: {score}, {presence}, {area}")
    height, width = labels.shape
    if (unpacked := unpack_mask(packed, height, width)) is not None:
        (x, y, width, height), mask = unpacked
        place = labels[y : y + height, x : x + width]
        if place.shape != mask.shape:
            raise ValueError("a mask beyond the frame")
        place[mask] = object_id
    known: ObjectStatus = "lost" if status == "lost" else "tracked"
    return TrackedObject(object_id, known, score, area, _box(sides, labels), presence)


def _box(sides: Sequence[int | None], labels: Labels) -> Box | None:
    x, y, width, height = sides
    if x is None or y is None or width is None or height is None:
        return None
    if min(x, y) < 0 or min(width, height) < 1 or y + height > labels.shape[0] or x + width > labels.shape[1]:
        raise ValueError("a box beyond the frame")
    return int(x), int(y), int(width), int(height)


def _is_name(name: object) -> TypeGuard[str | None]:
    """Whether a frame's name is that of a file, and of no other folder."""
    return name is None or (isinstance(name, str) and Path(name).name == name and "\0" not in name)
