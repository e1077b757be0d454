"""Files of a data set's folder."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from natsort import natsorted

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


def files_by_stem(folder: Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> dict[str, Path]:
    """Return the files of a folder by stem, in natural order, hidden ones left out; empty when there is no folder."""
    if not folder.is_dir():
        return {}
    found = (path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith("."))
    return {path.stem: path for path in natsorted(found, key=lambda path: path.name)}
