"""Files elsewhere: named by an address such as `s3://bucket/videos/a.mp4`, and reached through fsspec.

They are read and written whole: fetched before a run reads them, published after it has written them. Nobody ever sees
half a file. A store shows an object once all of it has arrived; other file systems get it under an unfinished name
first, which is then changed. A folder in a store is many objects, so what says that it is whole is written last: an
empty object named `_SUCCESS`, as other programs have it.
"""

from __future__ import annotations

import glob
import os
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from vosctl.errors import UsageError, VosctlError
from vosctl.extras import EXTRA_OF_SCHEME, install, is_present
from vosctl.video.sources import NETWORK_SCHEMES

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

WHOLE = "_SUCCESS"
"""The object that says that a folder in a store is whole."""

_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "memory"})
"""The schemes of stores, which have objects and no folders, and in which an object appears at once."""


def is_address(name: str) -> bool:
    """Return whether a name is an address, of a file or a stream, not a path."""
    return "://" in name


def is_remote(name: str) -> bool:
    """Return whether a name is an address that is fetched and published, not a path or a stream."""
    scheme, separator, _ = name.partition("://")
    return bool(separator) and scheme.lower() not in NETWORK_SCHEMES


def mirrored(address: str, folder: Path) -> Path:
    """Return where a remote file is kept below a folder: at the same place as seen from other files of its store.

    Raises:
        UsageError: the address has no path, or one that leads out of its store.
    """
    scheme, _, path = address.partition("://")
    parts = PurePosixPath(path.lstrip("/")).parts
    if not parts or ".." in parts:
        raise UsageError(f"{address}: names no file; give an address such as {scheme}://bucket/videos/a.mp4")
    return folder.joinpath(scheme.lower(), *parts)


def fetch(address: str, folder: Path) -> Path:
    """Copy a remote file, a folder, or what a glob matches, to where `mirrored` says.

    Returns:
        The file; or the folder, for a folder and for a glob.

    Raises:
        UsageError: there is nothing of that name, or it cannot be an address.
        VosctlError: it cannot be reached or read, or needs a package that is not installed.
    """
    with _errors(address, "read"):
        files, path = _opened(address)
        if _is_pattern(files, path):
            found = [one for one in files.glob(path) if files.isfile(one)]
            local = mirrored(address, folder).parent
            names = Counter(PurePosixPath(one).name for one in found)
            if twice := next((name for name, count in names.items() if count > 1), None):
                raise UsageError(f"{address}: matches {names[twice]} files named {twice}; give one folder's pattern")
            _get(files, {one: local / PurePosixPath(one).name for one in found}, address)
        elif files.isdir(path):
            local = mirrored(address, folder)
            start = PurePosixPath(path)
            _get(files, {one: local / PurePosixPath(one).relative_to(start) for one in files.find(path)}, address)
        else:
            local = mirrored(address, folder)
            _get(files, {path: local}, address)
    return local


def publish(local: Path, address: str) -> None:
    """Put a file or a folder, which is whole, in the place of what may be at an address.

    Raises:
        UsageError: it cannot be an address.
        VosctlError: it cannot be written, or needs a package that is not installed.
    """
    with _errors(address, "written"):
        files, path = _opened(address)
        if not _is_store(address):
            _publish_renamed(files, local, path)
        elif local.is_dir():
            _publish_objects(files, local, path)
        else:
            files.put_file(str(local), path)


def exists(address: str) -> bool:
    """Return whether there is a file at an address, or anything of a folder.

    Raises:
        UsageError: it cannot be an address.
        VosctlError: it cannot be reached.
    """
    with _errors(address, "read"):
        files, path = _opened(address)
        return bool(files.exists(path))


def is_whole(address: str) -> bool:
    """Return whether a file or a folder is at an address, and all of it.

    Raises:
        UsageError: it cannot be an address.
        VosctlError: it cannot be reached.
    """
    with _errors(address, "read"):
        files, path = _opened(address)
        if not _is_store(address) or files.isfile(path):
            return bool(files.exists(path))
        return bool(files.exists(f"{path}/{WHOLE}"))


def entries(address: str) -> dict[str, bool]:
    """Return what lies in a remote folder, or in the folders of what a glob matches, and whether each is a folder.

    Raises:
        UsageError: there is nothing of that name, or it cannot be an address.
        VosctlError: it cannot be reached.
    """
    with _errors(address, "read"):
        files, path = _opened(address)
        folders = {path}
        if _is_pattern(files, path):
            folders = {str(PurePosixPath(one).parent) for one in files.glob(path)}
        found = [one for folder in sorted(folders) for one in files.ls(folder, detail=True)]
        return {
            _address(one["name"], address, path): one["type"] == "directory"
            for one in found
            if one["name"] not in folders
        }


def is_pattern(address: str) -> bool:
    """Return whether an address is a glob, and not the name of what is there, in which there may be brackets.

    Raises:
        UsageError: it cannot be an address.
        VosctlError: it cannot be reached.
    """
    with _errors(address, "read"):
        return _is_pattern(*_opened(address))


def is_folder(address: str) -> bool:
    """Return whether a remote folder is at an address.

    Raises:
        UsageError: it cannot be an address.
        VosctlError: it cannot be reached.
    """
    with _errors(address, "read"):
        files, path = _opened(address)
        return bool(files.isdir(path))


def addressed(text: str, folder: Path) -> str:
    """Return a text in which copies below a folder, see `mirrored`, have the addresses of what they are copies of."""
    schemes = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    for start in (folder, folder.resolve()):
        for scheme in schemes:
            text = text.replace(f"{start / scheme}{os.sep}", f"{scheme}:///" if scheme == "file" else f"{scheme}://")
    return text


def _opened(address: str) -> tuple[AbstractFileSystem, str]:
    """Return the file system of an address and the path in it, with nothing remembered of earlier listings."""
    scheme = address.partition("://")[0].lower()
    extra = EXTRA_OF_SCHEME.get(scheme)
    if not is_present("fsspec"):
        hint = install(extra) if extra is not None else "run: python -m pip install fsspec"
        raise VosctlError(f"{address}: {scheme}:// needs fsspec, which a plain install leaves out; {hint}")
    from fsspec.core import url_to_fs

    try:
        files, path = url_to_fs(address)
    except ImportError as error:
        hint = install(extra) if extra is not None else "install it with pip"
        raise VosctlError(f"{address}: {_line(error)}; {hint}") from error
    except ValueError as error:
        raise UsageError(
            f"{scheme}://: {_line(error)}; give a path, or an address such as s3://bucket/a.mp4"
        ) from error
    files.invalidate_cache()
    return files, path


def _is_store(address: str) -> bool:
    return address.partition("://")[0].lower() in _STORES


def _is_pattern(files: AbstractFileSystem, path: str) -> bool:
    return glob.has_magic(path) and not files.exists(path)


def _address(name: str, like: str, path: str) -> str:
    """Return the address of what a file system calls `name`, as the address `like` is that of `path`."""
    start = like.rstrip("/")
    if start.endswith(path.rstrip("/")):
        return f"{start.removesuffix(path.rstrip('/'))}{name}"  # with the host, where there is one
    return f"{like.partition('://')[0]}://{name.lstrip('/') if _is_store(like) else name}"


def _get(files: AbstractFileSystem, places: dict[str, Path], address: str) -> None:
    """Copy files, and see that all of each came."""
    if not places:
        raise UsageError(f"{address}: no such file or folder; check the address")
    places = {path: local for path, local in places.items() if local.name != WHOLE}
    for path, local in places.items():
        if ".." in PurePosixPath(path).parts:
            raise UsageError(f"{address}: {path} leads out of its folder; rename it")
        local.parent.mkdir(parents=True, exist_ok=True)
    files.get(list(places), [str(local) for local in places.values()])
    for path, local in places.items():
        size, came = files.size(path), local.stat().st_size
        if size is not None and size != came:
            raise VosctlError(f"{address}: {came} of {size} bytes of {path} came; try again")


def _publish_renamed(files: AbstractFileSystem, local: Path, path: str) -> None:
    """Write beside the name, then give it; what has the name goes only when all of the new is there."""
    place = PurePosixPath(path)
    word = secrets.token_hex(4)
    partial, aside = (str(place.with_name(f"{place.stem}.{kind}-{word}{place.suffix}")) for kind in ("partial", "old"))
    files.makedirs(str(place.parent), exist_ok=True)
    try:
        if local.is_dir():
            files.put(str(local), partial, recursive=True)
        else:
            files.put_file(str(local), partial)
        if local.is_dir() and files.exists(path):
            files.mv(path, aside, recursive=True)
        files.mv(partial, path, recursive=local.is_dir())
    except BaseException:
        with suppress(Exception):
            if files.exists(aside) and not files.exists(path):
                files.mv(aside, path, recursive=True)
        with suppress(Exception):
            files.rm(partial, recursive=True)
        raise
    if files.exists(aside):
        files.rm(aside, recursive=True)


def _publish_objects(files: AbstractFileSystem, local: Path, path: str) -> None:
    """Write a folder as objects; the one that says that it is whole goes first and comes last."""
    mark = f"{path}/{WHOLE}"
    if files.exists(mark):
        files.rm_file(mark)
    new = {f"{path}/{one.relative_to(local).as_posix()}": one for one in sorted(local.rglob("*")) if one.is_file()}
    old = [one for one in files.find(path) if one.lstrip("/") not in {name.lstrip("/") for name in new}]
    files.put([str(one) for one in new.values()], list(new))
    if plain := [one for one in old if not glob.has_magic(one)]:
        files.rm(plain)
    for one in old:
        if glob.has_magic(one):  # `rm` would take it for a pattern
            files.rm_file(one)
    files.pipe_file(mark, b"")


@contextmanager
def _errors(address: str, done: str) -> Iterator[None]:
    """Turn what a file system raises into one line that names the address.

    Raises:
        VosctlError: for any error but those of this package.
    """
    try:
        yield
    except VosctlError:
        raise
    except FileNotFoundError as error:
        raise UsageError(f"{address}: no such file or folder ({_line(error)}); check the address") from error
    except Exception as error:  # each file system has errors of its own, of no common class
        raise VosctlError(
            f"{address}: cannot be {done}: {_line(error)}; check the address and the access to it"
        ) from error


def _line(error: Exception) -> str:
    """Return what an error says, in one line."""
    said = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return " ".join(said.split()).rstrip(".")
