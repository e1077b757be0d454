"""Outputs are written beside their final name and renamed when whole, so that nothing that existed is ever lost."""

from __future__ import annotations

import itertools
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av

from vosctl.errors import VosctlError


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turns what the file system or the encoder raises into one line that names the output.

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


def _unfinished_names(final: Path) -> Iterator[Path]:
    """clip.partial.mp4, clip.partial-2.mp4, ...: plainly unfinished, yet opened by whatever opens the final name."""
    stem, suffix = (final.name, "") if final.is_dir() else (final.stem, final.suffix)
    yield final.with_name(f"{stem}.partial{suffix}")
    for count in itertools.count(2):
        yield final.with_name(f"{stem}.partial-{count}{suffix}")


class _Staged(ABC):
    """What is written under an unfinished name beside its final one."""

    def __init__(self, final: Path, *, overwrite: bool) -> None:
        self.final = final
        self._overwrite = overwrite
        with write_errors(final):
            self.partial = self._create(final)

    @classmethod
    def _create(cls, final: Path) -> Path:
        for candidate in _unfinished_names(final):
            try:
                cls._make(candidate)
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
            word = "damaged" if count == 1 else f"damaged-{count}"
            name = self.final.with_name(f"{self.final.stem}.{word}{self.final.suffix}")
            if not name.exists():
                break
        with suppress(OSError):
            self.partial = self.partial.rename(name)
        return self.partial


class StagedFile(_Staged):
    """A file that takes its final name only when `commit` is called.

    Attributes:
        final: where the file belongs.
        partial: where it is written meanwhile, in the same directory; created empty, never an existing file.
    """

    @staticmethod
    def _make(path: Path) -> None:
        path.open("xb").close()

    def commit(self) -> Path:
        """Gives the whole file its final name.

        Raises:
            VosctlError: something else took the name meanwhile and may not be replaced; the work stays in `partial`.
        """
        if self.final.exists() and not self._overwrite:
            raise VosctlError(f"{self.final}: appeared during the run and was not replaced; see {self.partial}")
        with write_errors(self.final):
            return self.partial.replace(self.final)

    def discard(self) -> None:
        """Removes the unfinished file."""
        self.partial.unlink(missing_ok=True)


class StagedDirectory(_Staged):
    """A directory of files that takes its final name only when `commit` is called.

    Attributes:
        final: where the directory belongs.
        partial: the sibling that is filled meanwhile; created empty, never an existing one.
    """

    @staticmethod
    def _make(path: Path) -> None:
        path.mkdir()

    def add(self, name: str) -> Path:
        """The path at which to write the file `name`.

        Raises:
            VosctlError: a file of that name was written before (two images of one stem in the input).
        """
        path = self.partial / name
        if path.exists():
            raise VosctlError(f"{self.final}: two frames of the input would be written as {name}; rename one of them")
        return path

    def commit(self) -> Path:
        """Swaps the whole directory in; one that stood there is set aside first and put back if the swap fails.

        Raises:
            VosctlError: something else took the name meanwhile and may not be replaced; the work stays in `partial`.
        """
        with write_errors(self.final):
            if not self.final.exists():
                return self.partial.replace(self.final)
            if any(self.final.iterdir()) and not self._overwrite:
                raise VosctlError(f"{self.final}: appeared during the run and was not replaced; see {self.partial}")
            replaced = self._create(self.final) / self.final.name
            self.final.replace(replaced)
            try:
                self.partial.replace(self.final)
            except OSError:
                replaced.replace(self.final)
                replaced.parent.rmdir()
                raise
            shutil.rmtree(replaced.parent)
            return self.final

    def discard(self) -> None:
        """Removes the unfinished directory and what is in it."""
        shutil.rmtree(self.partial, ignore_errors=True)
