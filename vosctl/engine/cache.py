"""What engines keep on disk because it takes long to make: the user may delete it at any time.

A run by itself writes nothing into the user's home: `vosctl doctor` makes the folders.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import platformdirs

from vosctl.weights.files import write_whole

COMPILED = "openvino"
MOST_COMPILED = 12
"""Compiled graphs that are kept, 12 to 22 MB each for lite: two for each weights and precision."""


def cache_folder() -> Path:
    """Return where what can be made again is kept: `$VOSCTL_HOME/cache`, else the platform's user cache directory."""
    home = os.environ.get("VOSCTL_HOME")
    return Path(home) / "cache" if home else platformdirs.user_cache_path("vosctl", appauthor=False)


def compiled_folder(folder: Path | None = None) -> Path | None:
    """Return the folder of OpenVINO's compiled graphs, with room for two more; None where none can be kept."""
    path = folder or cache_folder() / COMPILED
    if not path.is_dir():
        return None
    try:
        # beside them, what processes that were killed meanwhile have left
        kept = sorted([*path.glob("*.blob"), *path.glob(".*.partial")], key=lambda file: file.stat().st_mtime)
        for oldest in kept[: max(len(kept) - (MOST_COMPILED - 2), 0)]:
            oldest.unlink(missing_ok=True)
    except OSError:
        return None
    return path if os.access(path, os.W_OK) else None


def keep(path: Path, content: bytes) -> None:
    """Keep what took long to make in a file that says whether it is whole; not where it cannot be written."""
    with suppress(OSError):
        write_whole(path, hashlib.sha256(content).digest() + content)


def kept_in(path: Path) -> bytes | None:
    """Return what `keep` has put into a file; None where there is none that can be read.

    Raises:
        ValueError: it is damaged.
    """
    try:
        written = path.read_bytes()
    except OSError:
        return None
    size = hashlib.sha256().digest_size
    digest, content = written[:size], written[size:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("is damaged")
    return content


def compiled_by_torch() -> Path:
    """Return the folder of what `torch.compile` makes, where that is asked for."""
    return cache_folder() / "torch"


def make_compiled_folder() -> None:
    """Make the folder, so that later runs find in it what OpenVINO compiles; not where that is not allowed."""
    with suppress(OSError):
        (cache_folder() / COMPILED).mkdir(parents=True, exist_ok=True)
