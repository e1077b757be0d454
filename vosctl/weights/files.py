"""Files that several processes may write at once: written beside, under a name of one's own, and renamed when whole."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vosctl.errors import UsageError

_PARTIAL = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.partial")


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Give a path to write to, which takes the name `path` when the block ends without an error.

    Its name is short enough for every file system, however long the other one is.
    """
    partial = path.with_name(f".{path.name[:50]}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, with the permissions that new files get."""
    with staged(path) as partial:
        partial.write_bytes(content)


def make_folder_of(path: Path) -> None:
    """Make sure, before what goes into a file is made, that it can be written; its folder is made.

    Raises:
        UsageError: the folder cannot be made, or it may not be written in.
    """
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: its folder cannot be made: {error.strerror}; name another file") from error
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{path}: the folder {folder} may not be written in; name another file")


def remove_partial(folder: Path) -> None:
    """Remove what killed processes left of `staged` in a folder. Nobody else may be writing in it: hold its lock."""
    for path in folder.iterdir():
        if _PARTIAL.fullmatch(path.name):
            path.unlink(missing_ok=True)
