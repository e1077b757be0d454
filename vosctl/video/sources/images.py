"""A folder of images, or one image, as a source of frames."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from natsort import natsorted, ns
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vosctl.errors import UsageError, VosctlError
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.sources.base import Source

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})

_FRAME_RATE = Fraction(24)
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


def images_in(directory: Path) -> list[Path]:
    """The images right in a directory, hidden files left out.

    Raises:
        UsageError: there are none.
        VosctlError: the directory may not be listed.
    """
    try:
        images = [path for path in directory.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    except OSError as error:
        raise VosctlError(f"{directory}: cannot be listed: {error.strerror}") from error
    images = [path for path in images if not path.name.startswith(".")]
    if not images:
        raise UsageError(f"{directory}: holds no images ({', '.join(sorted(IMAGE_SUFFIXES))}); name a folder that does")
    return images


class ImageSource(Source):
    """Images in natural order (2 before 10), shown at 24 frames per second, EXIF orientation applied.

    Args:
        paths: the images, in any order.
        name: short name for messages and output stems.
        label: what the user typed.

    Raises:
        UsageError: two images have the same stem, so the files made from them would have one name.
        VosctlError: the first image cannot be read.
    """

    def __init__(self, paths: Sequence[Path], *, name: str, label: str) -> None:
        super().__init__()
        self._paths = natsorted(paths, key=str, alg=ns.IGNORECASE | ns.PATH)
        _check_stems(self._paths, label)
        self._first: NDArray[np.uint8] | None = read_image(self._paths[0])
        height, width, _ = self._first.shape
        self.info = SourceInfo(
            name=name,
            width=width,
            height=height,
            frame_rate=_FRAME_RATE,
            time_base=1 / _FRAME_RATE,
            frame_count=len(self._paths),
        )

    def _frames(self) -> Generator[Frame, None, None]:
        for index, path in enumerate(self._paths):
            image = read_image(path) if self._first is None else self._first
            self._first = None
            height, width, _ = image.shape
            if (width, height) != (self.info.width, self.info.height):
                raise UsageError(
                    f"{path} is {width}x{height} but {self._paths[0].name} is {self.info.width}x{self.info.height}; "
                    "all images of one source must have the same size"
                )
            yield Frame(
                index=index, picture=image, pts=index, time_base=self.info.time_base, duration=1, name=path.stem
            )


def _check_stems(paths: Sequence[Path], label: str) -> None:
    seen: dict[str, Path] = {}
    for path in paths:
        twin = seen.setdefault(path.stem, path)
        if twin is not path:
            raise UsageError(
                f"{label}: {twin} and {path} would give outputs of the same name; pick one kind with a quoted pattern "
                f"such as '{path.parent / ('*' + path.suffix)}'"
            )


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as upright (H, W, 3) uint8 RGB: EXIF orientation applied, transparency dropped, 16 bits to 8.

    Raises:
        VosctlError: it cannot be read, or it is cut off.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise VosctlError(f"{path}: cannot be read: {error.strerror}") from error
    # OpenCV decodes a JPEG in half of Pillow's time, but shows a cut-off one grey without a word.
    if data.startswith(_JPEG_START) and data.endswith(_JPEG_END):
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if decoded is not None:
            return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
    return _read_with_pillow(path)


def _read_with_pillow(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):
                return np.repeat((np.asarray(upright) >> 8).astype(np.uint8)[..., None], 3, axis=2)
            return np.array(upright.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise VosctlError(f"{path}: cannot be read as an image: {error}; replace it or leave it out") from error
