"""Outputs are written beside their final name and renamed when whole, so that nothing that existed is ever lost."""

from __future__ import annotations

import errno
import itertools
import os
import secrets
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av

from vosctl.errors import VosctlError
from vosctl.video.leftovers import Claim, is_claim
from vosctl.video.places import is_mount_point, without_links

LONGEST_NAME = 255 - len("-journal")
"""Bytes: 255 are the most on most file systems, and beside a track SQLite keeps a file with that added to its name."""
_CANNOT_BE_RENAMED = (errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn what the file system or the encoder raises into one line that names the output.

    Raises:
        VosctlError: for any OSError (a full disk, a missing permission) or FFmpeg error raised inside.
    """
    try:
        yield
    except av.codec.codec.UnknownCodecError as error:
        raise VosctlError(f"{path}: cannot be written: this PyAV has no encoder {error}") from error
    except (OSError, av.FFmpegError) as error:
        reason = error.strerror or str(error)
        raise VosctlError(f"{path}: cannot be written: {reason}") from error


def _unfinished_names(final: Path, folder: Path) -> Iterator[Path]:
    """clip.partial.mp4, clip.partial-2.mp4, ...: plainly unfinished, yet opened by whatever opens the final name."""
    for count in itertools.count(1):
        yield folder / _named(final, "partial" if count == 1 else f"partial-{count}")


def _named(final: Path, word: str) -> str:
    """Return the final name with a word before its extension, cut where it would be too long for a file system."""
    stem, suffix = (final.name, "") if final.is_dir() else (final.stem, final.suffix)
    ending = f".{word}{suffix}"
    kept = os.fsencode(stem)[: max(LONGEST_NAME - len(os.fsencode(ending)), 1)]
    return kept.decode(sys.getfilesystemencoding(), "ignore") + ending


class _Staged(ABC):
    """What is written under an unfinished name beside its final one.

    Folders that are missing on the way to it are made. A symbolic link stays one: what it leads to is replaced.

    Attributes:
        final: where it belongs, as it was asked for.
        partial: where it is written meanwhile; created empty, never something that was there.
    """

    def __init__(self, final: Path, *, overwrite: bool) -> None:
        self.final = final
        self._overwrite = overwrite
        with write_errors(final):
            self._place = without_links(final)
            self._made_folders = _make_folders(self._place.parent)
            self.partial = self._begin()
        self._claim = Claim(self._place, self.partial)

    def _begin(self) -> Path:
        return self._create(self._place.parent)

    def _create(self, folder: Path) -> Path:
        for candidate in _unfinished_names(self._place, folder):
            try:
                self._make(candidate)
            except FileExistsError:
                continue
            return candidate
        raise AssertionError("the names never end")

    @staticmethod
    @abstractmethod
    def _make(path: Path) -> None:
        """Create it, empty; FileExistsError when there is something already."""

    def mark_damaged(self) -> Path:
        """Rename the unfinished work so that its name says that it cannot be used as it is: clip.damaged.mp4.

        Returns:
            The new name; the old one where it cannot be renamed.
        """
        for count in itertools.count(1):
            name = self.partial.with_name(_named(self._place, "damaged" if count == 1 else f"damaged-{count}"))
            if not name.exists():
                break
        with suppress(OSError):
            self.partial = self.partial.rename(name)
        return self.keep()

    def keep(self) -> Path:
        """Leave the unfinished work where it is, for the user; later runs do not take it for a killed one's."""
        self._claim.release()
        return self.partial

    def discard(self) -> None:
        """Remove the unfinished work, and the folders that were made for it."""
        self._remove()
        self._claim.release()
        for folder in reversed(self._made_folders):
            with suppress(OSError):
                folder.rmdir()

    @abstractmethod
    def _remove(self) -> None: ...

    def _appeared(self) -> VosctlError:
        return VosctlError(f"{self.final}: appeared during the run and was not replaced; see {self.partial}")


class StagedFile(_Staged):
    """A file that takes its final name only when `commit` is called; see `_Staged`."""

    @staticmethod
    def _make(path: Path) -> None:
        path.open("xb").close()

    def commit(self) -> Path:
        """Give the whole file its final name.

        Raises:
            VosctlError: something else took the name meanwhile and may not be replaced; the work stays in `partial`.
        """
        with write_errors(self.final):
            if self._place.exists():
                if not self._overwrite:
                    raise self._appeared()
                with suppress(OSError):
                    shutil.copymode(self._place, self.partial)
            try:
                self.partial.replace(self._place)
            except OSError as error:
                if error.errno not in _CANNOT_BE_RENAMED or not self._place.is_file():
                    raise
                # A file that is mounted by itself, as containers do it, can only be written over.
                shutil.copyfile(self.partial, self._place)
                self.partial.unlink()
        self._claim.release()
        return self.final

    def _remove(self) -> None:
        self.partial.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, which may be taken, and rename it when whole.

    Raises:
        VosctlError: it cannot be written.
    """
    staged = StagedFile(path, overwrite=True)
    try:
        with write_errors(path):
            staged.partial.write_bytes(content)
    except BaseException:
        staged.discard()
        raise
    staged.commit()


class StagedDirectory(_Staged):
    """A directory of files that takes its final name only when `commit` is called; see `_Staged`.

    One that cannot be renamed, as it is a mount point or lies in a folder that cannot be written, is filled from an
    unfinished folder inside it.

    Args:
        final: where the directory belongs.
        overwrite: whether what is there may be replaced.
        is_fixed: whether a directory cannot be renamed.
    """

    def __init__(self, final: Path, *, overwrite: bool, is_fixed: Callable[[Path], bool] = is_mount_point) -> None:
        self._is_fixed = is_fixed
        super().__init__(final, overwrite=overwrite)

    def _begin(self) -> Path:
        there = self._place.is_dir()
        if there and self._is_fixed(self._place):
            return self._create(self._place)
        try:
            return self._create(self._place.parent)
        except OSError as error:
            if not there or error.errno not in _CANNOT_BE_RENAMED:
                raise
            return self._create(self._place)

    @staticmethod
    def _make(path: Path) -> None:
        path.mkdir()

    def add(self, name: str) -> Path:
        """Return the path at which to write the file `name`.

        Raises:
            VosctlError: a file of that name was written before (two images of one stem in the input).
        """
        path = self.partial / name
        if path.exists():
            raise VosctlError(f"{self.final}: two frames of the input would be written as {name}; rename one of them")
        return path

    def commit(self) -> Path:
        """Put the whole directory in place; what stood there is set aside first and put back if that fails.

        Raises:
            VosctlError: something else took the name meanwhile and may not be replaced; the work stays in `partial`.
        """
        with write_errors(self.final):
            if not self._place.exists():
                self.partial.replace(self._place)
            elif self._present() and not self._overwrite:
                raise self._appeared()
            elif self.partial.parent == self._place:
                self._move_in()
            else:
                try:
                    self._swap()
                except OSError as error:
                    if error.errno not in _CANNOT_BE_RENAMED:
                        raise
                    self._move_in()
        self._claim.release()
        return self.final

    def _present(self) -> list[Path]:
        """Return what stands in the directory, but for what this run put there."""
        return [path for path in self._place.iterdir() if path != self.partial and not is_claim(path)]

    def _swap(self) -> None:
        aside = self._create(self._place.parent)
        try:
            replaced = self._place.replace(aside / self._place.name)
        except OSError:
            aside.rmdir()
            raise
        try:
            self.partial.replace(self._place)
        except OSError:
            replaced.replace(self._place)
            aside.rmdir()
            raise
        shutil.rmtree(aside)

    def _move_in(self) -> None:
        """Exchange the files where the directory itself cannot be."""
        aside = self._place / f"replaced-{secrets.token_hex(4)}"
        old = self._present()
        aside.mkdir()
        moved: list[Path] = []
        try:
            for path in old:
                path.replace(aside / path.name)
            for path in sorted(self.partial.iterdir()):
                shutil.move(path, self._place / path.name)  # copies where the directory is another disk
                moved.append(self._place / path.name)
        except OSError:
            for path in moved:
                shutil.move(path, self.partial / path.name)
            for path in list(aside.iterdir()):
                path.replace(self._place / path.name)
            aside.rmdir()
            raise
        shutil.rmtree(aside)
        self.partial.rmdir()

    def _remove(self) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it that are missing; returns those that were made, the uppermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]
