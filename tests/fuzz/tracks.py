"""Kind: tracks, damaged as bytes, as databases, or in what their tables hold."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zlib
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

import numpy as np

from tests.fuzz.kinds import kind
from tests.fuzz.mutations import NASTY_NUMBERS, NASTY_TEXTS, Rng, damage, damage_png, json_bytes, pick

_TABLES = ("header", "frames", "objects", "resuming", "arrays")
_PRAGMAS = ("application_id", "user_version")


def _value(rng: Rng) -> object:
    """What a column may hold though it should not."""
    number = pick(rng, NASTY_NUMBERS)
    fitting = number if isinstance(number, float) or -(2**63) <= number < 2**63 else float(number)
    text = pick(rng, NASTY_TEXTS).encode("utf-8", "replace").decode()
    return pick(rng, (None, fitting, fitting, text, rng.bytes(int(rng.integers(40))), json_bytes(rng, {"a": [1]})))


def _damaged(rng: Rng, value: object) -> object:
    """A value that was valid, damaged inside."""
    if isinstance(value, bytes) and value:
        if value.startswith(b"\x89PNG"):
            return damage_png(rng, value) if rng.random() < 0.7 else damage(rng, value)
        try:
            inner = zlib.decompress(value)
        except zlib.error:
            return damage(rng, value)
        return zlib.compress(damage(rng, inner)) if rng.random() < 0.7 else damage(rng, value)
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json_bytes(rng, json.loads(value)).decode("utf-8", "replace")
    if isinstance(value, int | float):
        return value + pick(rng, (-1, 1, 255, -1000, 100_000))
    return _value(rng)


def _damage_database(rng: Rng, database: sqlite3.Connection) -> None:
    for _ in range(int(rng.integers(1, 4))):
        table = pick(rng, _TABLES)
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        column = pick(rng, columns)
        order = ", ".join(columns)
        rows = database.execute(f"SELECT * FROM {table} ORDER BY {order}").fetchall()
        choice = rng.random()
        if choice < 0.04:
            database.execute(f"PRAGMA {pick(rng, _PRAGMAS)} = {int(pick(rng, (0, 2, -1, 2**31 - 1)))}")
        elif choice < 0.08:
            database.execute(f"DROP TABLE {table}")
            break
        elif choice < 0.12:
            database.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO other")
            break
        elif rows:
            row = pick(rng, rows)
            keys = " AND ".join(f"{name} IS ?" for name in columns)
            if choice < 0.2:
                database.execute(f"DELETE FROM {table} WHERE {keys}", row)
            else:
                value = _damaged(rng, row[columns.index(column)]) if rng.random() < 0.7 else _value(rng)
                database.execute(f"UPDATE {table} SET {column} = ? WHERE {keys}", (value, *row))


def _track(rng: Rng, samples: Path, folder: Path) -> Path:
    """A complete track, or one of a run that was stopped, beside its video."""
    shutil.copy(samples / "tracks" / "clip.mp4", folder / "clip.mp4")
    path = folder / "input.vostrack"
    shutil.copy(samples / "tracks" / pick(rng, ("whole.vostrack", "stopped.vostrack")), path)
    if rng.random() < 0.25:
        path.write_bytes(damage(rng, path.read_bytes()))
    else:
        # What the tables do not take stays as it was.
        with closing(sqlite3.connect(path, isolation_level=None)) as database, suppress(sqlite3.IntegrityError):
            _damage_database(rng, database)
    return path


@kind("tracks", 2, _track)
def use_track(rng: Rng, path: Path) -> Iterable[str]:
    """Draw a track, read it, or go on with it."""
    import vosctl
    from tests.helpers.engines import BrightObjectEngine
    from vosctl.jobs.resuming import resume
    from vosctl.tracks import Track

    said: list[str] = []

    class Hears(vosctl.Events):
        def warning(self, line: str) -> None:
            said.append(line)

        note = warning

    folder = path.parent
    choice = rng.random()
    if choice < 0.2:
        with Track(path) as track:
            for result in track:
                if result.labels.shape != result.alpha.shape or result.labels.dtype != np.uint8:
                    raise AssertionError("a result that breaks its contract")
    elif choice < 0.5:
        resume(path, engine=BrightObjectEngine(), events=Hears())
    else:
        vosctl.render(
            path,
            masks=folder / "masks",
            matte=folder / "matte.mkv",
            cutout=folder / "cutout",
            rle=folder / "r.jsonl",
            annotations=folder / "a.json",
            events=Hears(),
        )
    return said
