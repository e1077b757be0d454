"""Data sets in a few large files: to be carried to another machine, and unpacked there into the folders they came from.

A part is a ZIP archive that compresses nothing: images and masks are kept as they are, byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from vosctl.errors import UsageError, VosctlError

PART_NAME = "part-{:03d}.zip"
OVERHEAD = 120
"""Bytes of a file in an archive besides its data and twice its name."""
STILLS, VIDEOS, HELD_OUT = "stills", "videos", "val"
"""Folders in a pack: of stills by group, of sequences by data set, and of sequences to validate on."""


def write_parts(files: Iterable[tuple[Path, str]], folder: Path, part_bytes: int) -> list[Path]:
    """Write files into as few parts as their order allows.

    Args:
        files: each with its path in the pack, relative, with forward slashes; all of them different.
        folder: where the parts go; it is made, and holds none yet.
        part_bytes: the largest size of a part.

    Returns:
        The parts, in order.

    Raises:
        UsageError: there are parts already, two files have one path, or a file alone is larger than a part.
        VosctlError: a file cannot be read, or a part cannot be written.
    """
    if find_parts(folder):
        raise UsageError(f"{folder}: holds parts already; name another folder, or delete them")
    written: list[Path] = []
    named: dict[str, Path] = {}
    archive: ZipFile | None = None
    used = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, name in files:
            if (other := named.get(name)) is not None:
                raise UsageError(f"{other} and {path}: would both be {name} in the pack; rename one of their folders")
            named[name] = path
            size = path.stat().st_size + OVERHEAD + 2 * len(name.encode())
            if size + OVERHEAD > part_bytes:
                raise UsageError(f"{path}: is larger than a part of {part_bytes} bytes; make parts larger")
            if archive is None or used + size + OVERHEAD > part_bytes:
                if archive is not None:
                    archive.close()
                written.append(folder / f".{PART_NAME.format(len(written))}.partial")
                archive, used = ZipFile(written[-1], "w", ZIP_STORED, strict_timestamps=False), 0
            archive.write(path, name)
            used += size
        if archive is not None:
            archive.close()
        return [path.rename(folder / PART_NAME.format(number)) for number, path in enumerate(written)]
    except OSError as error:
        raise VosctlError(f"{error.filename or folder}: {(error.strerror or str(error)).lower()}") from error
    finally:
        if archive is not None:
            archive.close()
        for path in written:
            path.unlink(missing_ok=True)


def find_parts(folder: Path) -> list[Path]:
    """Return the parts in a folder, in order."""
    return sorted(folder.glob(PART_NAME.replace("{:03d}", "*")))


def unpack(folder: Path, target: Path) -> int:
    """Unpack the parts of a folder, but those that were unpacked there before.

    Returns:
        How many files were written.

    Raises:
        UsageError: there are no parts.
        VosctlError: a part is damaged, or a file cannot be written.
    """
    parts = find_parts(folder)
    if not parts:
        raise UsageError(f"{folder}: holds no {PART_NAME.format(0)}; make parts by tools/pack_data.py")
    written = 0
    for part in parts:
        # its size stands for its content: parts are written once
        done = target / f".{part.name}-{part.stat().st_size}"
        if done.exists():
            continue
        try:
            with ZipFile(part) as archive:
                for member in archive.infolist():
                    _check_name(part, member.filename)
                    archive.extract(member, target)
                written += len(archive.infolist())
            done.touch()
        except BadZipFile as error:
            raise VosctlError(f"{part}: is damaged ({error}); copy it again") from error
        except OSError as error:
            raise VosctlError(f"{target}: cannot be written: {(error.strerror or str(error)).lower()}") from error
    return written


def _check_name(part: Path, name: str) -> None:
    """Refuse a name that would leave the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise VosctlError(f"{part}: holds a file of the name {name!r}; it was not made by tools/pack_data.py")
