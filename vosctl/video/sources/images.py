"""A folder of images, or one image, as a source of frames."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from natsort import natsorted, ns
from numpy.typing import NDArray

from vosctl.errors import UsageError, VosctlError
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.sources.base import Source
from vosctl.video.sources.pictures import IMAGE_SUFFIXES, read_image, upright_size
from vosctl.video.sources.times import FrameTimes

DEFAULT_FRAME_RATE = Fraction(24)

_MOST_NAMES = 5
"""Names of files that one warning lists."""


def images_in(directory: Path) -> list[Path]:
    """Return the images right in a directory, hidden files left out; links that lead nowhere are among them.

    Raises:
        UsageError: there are none.
        VosctlError: the directory may not be listed.
    """
    try:
        images = [path for path in directory.iterdir() if is_image(path)]
    except OSError as error:
        raise VosctlError(f"{directory}: cannot be listed: {error.strerror}") from error
    images = [path for path in images if not path.name.startswith(".")]
    if not images:
        raise UsageError(f"{directory}: holds no images ({', '.join(sorted(IMAGE_SUFFIXES))}); name a folder that does")
    return images


def is_image(path: Path) -> bool:
    """Return whether a path has an image's name and is a file, or a link that leads nowhere."""
    return path.suffix.lower() in IMAGE_SUFFIXES and (path.is_file() or _is_broken(path))


def _is_broken(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


class ImageSource(Source):
    """Images in natural order (2 before 10), EXIF orientation applied.

    Args:
        paths: the images, in any order. Links that lead nowhere are left out and said.
        name: short name for messages and output stems.
        label: what the user typed.
        frame_rate: images per second.

    Raises:
        UsageError: two images have the same stem, so the files made from them would have one name.
        VosctlError: the first image cannot be read.
    """

    def __init__(
        self, paths: Sequence[Path], *, name: str, label: str, frame_rate: Fraction = DEFAULT_FRAME_RATE
    ) -> None:
        super().__init__()
        self._label = label
        self._troubles: dict[str, list[str]] = {}
        for path in paths:
            if _is_broken(path):
                self._remember(path, "is a link that leads nowhere, left out")
        self._paths = natsorted((p for p in paths if not _is_broken(p)), key=str, alg=ns.IGNORECASE | ns.PATH)
        if not self._paths:
            raise UsageError(f"{label}: holds only links that lead nowhere; put the images back")
        _check_stems(self._paths, label)
        self.files = tuple(self._paths)
        self._first: NDArray[np.uint8] | None = read_image(self._paths[0], self._remember)
        height, width, _ = self._first.shape
        self.info = SourceInfo(
            name=name,
            width=width,
            height=height,
            frame_rate=frame_rate,
            time_base=1 / frame_rate,
            frame_count=len(self._paths),
        )

    def _remember(self, path: Path, trouble: str) -> None:
        named = self._troubles.setdefault(trouble, [])
        if path.name not in named:  # a source may be read again
            named.append(path.name)

    def _tallies(self) -> list[str]:
        label = self._label
        return [
            f"{label}: {trouble}" if label.endswith(names[0]) else f"{label}: {_listed(names)}: {trouble}"
            for trouble, names in self._troubles.items()
        ]

    @property
    def is_seekable(self) -> bool:
        """See `Source.is_seekable`."""
        return True

    @property
    def has_one_size(self) -> bool:
        """See `Source.has_one_size`."""
        return False

    def check_sizes(self, count: int | None = None, begin: int = 0) -> None:
        """See `Source.check_sizes`: only the headers of the files are read."""
        for path in self._paths[begin:][:count]:
            size = upright_size(path)
            if size != self._size and size == self._size[::-1]:  # it may say behind the picture that it is to be turned
                height, width, _ = read_image(path, self._remember).shape
                size = height, width
            self._check_size(path, size)

    @property
    def _size(self) -> tuple[int, int]:
        """Height and width of all pictures."""
        return self.info.height, self.info.width

    def _check_size(self, path: Path, size: tuple[int, int]) -> None:
        if size != self._size:
            (height, width), (first_height, first_width) = size, self._size
            raise UsageError(
                f"{path} is {width}x{height} but {self._paths[0].name} is {first_width}x{first_height}; all images of "
                "one source must have the same size: scale it, or take it out of the folder or pattern"
            )

    def _look_through(self) -> FrameTimes:
        return FrameTimes.of(np.arange(len(self._paths)), self.info.time_base, 1)

    def _frames(self, begin: int) -> Generator[Frame, None, None]:
        for index, path in enumerate(self._paths[begin:], start=begin):
            first, self._first = self._first, None
            image = first if first is not None and index == 0 else read_image(path, self._remember)
            self._check_size(path, (image.shape[0], image.shape[1]))
            yield Frame(
                index=index, picture=image, pts=index, time_base=self.info.time_base, duration=1, name=path.stem
            )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _check_stems(paths: Sequence[Path], label: str) -> None:
    seen: dict[str, Path] = {}
    for path in paths:
        twin = seen.setdefault(path.stem, path)
        if twin is not path:
            raise UsageError(
                f"{label}: {twin} and {path} would give outputs of the same name; pick one kind with a quoted pattern "
                f"such as '{path.parent / ('*' + path.suffix)}'"
            )
