"""Recorded motions: those of DeepMimic, which come with `pybullet`.

A frame is the root's position and the joints' rotations (quaternions, w first), x forward, y up, z right.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import UsageError

Array = NDArray[Any]

QUATERNIONS = (4, 8, 12, 16, 21, 25, 30, 35, 39)
"""Where they begin in a frame of a motion."""


@dataclass(frozen=True, slots=True)
class Motion:
    """A recorded motion: (N, 44) frames and whether its end leads to its beginning."""

    frames: Array
    loops: bool

    def sample(self, start: float, step: float, count: int) -> Array:
        """Return (count, 44) frames from a time on, so many seconds apart; what does not loop goes there and back."""
        interval = self.frames[0, 0] or 1 / 30
        length = (len(self.frames) - 1) * interval
        shift = self.frames[-1, 1:4] - self.frames[0, 1:4]
        shift[1] = 0
        sampled = []
        for index in range(count):
            rounds, time = divmod(start + index * step, length if self.loops else 2 * length)
            if not self.loops:
                rounds, time = 0, min(time, 2 * length - time)
            before = min(int(time / interval), len(self.frames) - 2)
            frame = _between_frames(self.frames[before], self.frames[before + 1], time / interval - before)
            frame[1:4] += rounds * shift
            sampled.append(frame)
        return np.array(sampled)


def read_motions(folder: Path) -> dict[str, Motion]:
    """Read the motions of people in a folder (`humanoid3d_*.txt`), by name.

    Raises:
        UsageError: there are none.
    """
    motions = {}
    for path in folder.glob("humanoid3d_*.txt"):
        data = json.loads(path.read_text("utf-8"))
        motions[path.stem.split("_", 1)[1]] = Motion(np.array(data["Frames"], float), data.get("Loop") == "wrap")
    if not motions:
        raise UsageError(f"{folder}: holds no motions, humanoid3d_*.txt; name another folder")
    return motions


def _between_frames(first: Array, second: Array, share: float) -> Array:
    frame: Array = first * (1 - share) + second * share
    for at in QUATERNIONS:
        part = slice(at, at + 4)
        if first[part] @ second[part] < 0:  # the same rotation has two quaternions
            frame[part] = first[part] * (1 - share) - second[part] * share
    return frame


def find_motions() -> Path:
    """Return the folder of the motions that come with pybullet, which need not be imported for them.

    Raises:
        UsageError: it is not installed.
    """
    found = find_spec("pybullet_data")
    if found is None or found.origin is None:
        raise UsageError("no recorded motions; run: python -m pip install pybullet, or name a folder by --motions")
    return Path(found.origin).parent / "data" / "motions"
