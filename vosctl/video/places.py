"""What stands where an output is to go: nothing, a file, a folder, or something that is written through."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Literal

Place = Literal["nothing", "file", "folder", "stream", "disk"]
"""A stream is a FIFO, a character device, a socket or an open descriptor; a disk is a block device."""

_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})")
_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}


def place_of(path: Path) -> Place:
    """Return what stands at a path, links followed.

    Raises:
        OSError: it cannot be told.
    """
    if descriptor_of(path) is not None:
        return "stream"
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "nothing"
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "disk" if stat.S_ISBLK(mode) else "stream"


def descriptor_of(path: Path) -> int | None:
    """Return the open descriptor that a path names, such as 3 for /dev/fd/3."""
    text = str(path)
    match = _DESCRIPTOR.fullmatch(text)
    return int(match[1]) if match else _STANDARD.get(text)


def open_stream(path: Path) -> int:
    """Open what is written through; a FIFO waits here for its reader.

    Returns:
        A descriptor of one's own, to be closed.

    Raises:
        OSError: it cannot be opened, or is not open.
    """
    descriptor = descriptor_of(path)
    return os.open(path, os.O_WRONLY) if descriptor is None else os.dup(descriptor)


def without_links(path: Path) -> Path:
    """Return where a path that is a symbolic link leads, so that the link stays what it is.

    Raises:
        OSError: it leads in a circle.
    """
    if not path.is_symlink():
        return path
    try:
        return path.resolve()
    except RuntimeError as error:
        raise OSError(f"{path}: a symbolic link that leads to itself") from error


def is_mount_point(folder: Path) -> bool:
    """Return whether something is mounted at a folder, even of the same disk: it can then not be renamed."""
    if folder.is_mount():
        return True
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    # The fifth field is the place, with blanks and the like written as \040.
    places = (line.split(" ")[4] for line in lines if line.count(" ") > 4)
    return str(folder.resolve()) in {re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), p) for p in places}
