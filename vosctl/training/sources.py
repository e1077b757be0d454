"""Annotated stills and sequences on disk: found, checked, and read on demand."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from natsort import natsorted
from numpy.typing import NDArray
from PIL import Image

from vosctl.errors import UsageError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

VOID = 255
"""Label of pixels that count neither as object nor as background."""

LEAST_AREA = 64
"""An object of fewer pixels in the annotation is not trained on."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that cannot be trained on, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """An image with its mask.

    Attributes:
        image: path of the image.
        mask: path of the mask.
        ids: the ids of the objects in the mask that are large enough, ascending.
        group: what it was filed under; the images of one group show alike things.
    """

    image: Path
    mask: Path
    ids: tuple[int, ...]
    group: str


@dataclass(frozen=True, slots=True)
class AnnotatedSequence:
    """A sequence whose frames are annotated, in order, with the ids seen in at least two of them."""

    name: str
    frames: tuple[AnnotatedImage, ...]
    ids: tuple[int, ...]


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as (H, W, 3) uint8 RGB. Raises OSError when it cannot be read."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def read_labels(path: Path) -> NDArray[np.uint8]:
    """Read an annotation as (H, W) uint8 ids, 255 for void.

    An indexed image holds ids, and void where there are other ids too. A grey one holds ids as well, unless it reaches
    128: then it is one object's mask, with soft edges cut at one half.

    Raises:
        OSError: it cannot be read.
        ValueError: it is a colour image.
    """
    with Image.open(path) as image:
        if image.mode not in ("P", "L", "1"):
            raise ValueError(f"a {image.mode} image, not an indexed or grey one")
        indexed = image.mode == "P"
        values = np.array(image.convert("L") if image.mode == "1" else image, np.uint8)
    if indexed and np.isin(values, (0, VOID), invert=True).any():
        return values
    return (values >= 128).astype(np.uint8) if values.max(initial=0) >= 128 else values


def _checked(image: Path, mask: Path, group: str) -> AnnotatedImage | Problem:
    """Open both files of a pair; void and small objects do not make it fit to train on."""
    if not mask.is_file():
        return Problem(image, f"has no mask {mask}")
    try:
        height, width = read_image(image).shape[:2]
    except (OSError, ValueError) as error:
        return Problem(image, f"cannot be read ({error})")
    try:
        labels = read_labels(mask)
    except (OSError, ValueError) as error:
        return Problem(mask, f"cannot be read ({error})")
    if labels.shape != (height, width):
        return Problem(mask, f"is {labels.shape[1]}x{labels.shape[0]}, its image {width}x{height}")
    areas = np.bincount(labels.ravel(), minlength=256)[:VOID]
    ids = tuple(int(i) for i in np.flatnonzero(areas >= LEAST_AREA) if i != 0)
    return AnnotatedImage(image, mask, ids, group)


def _check_all(pairs: Iterable[tuple[Path, Path, str]]) -> list[AnnotatedImage | Problem]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda pair: _checked(*pair), pairs))


def _images_in(folder: Path) -> list[Path]:
    return natsorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


def find_stills(folders: Iterable[Path]) -> tuple[list[AnnotatedImage], list[Problem]]:
    """Find `images/*.jpg` with `masks/*.png` of the same stem in each folder.

    Raises:
        UsageError: a folder has no `images` or no `masks`.
    """
    pairs = []
    for folder in folders:
        for part in ("images", "masks"):
            if not (folder / part).is_dir():
                raise UsageError(
                    f"`images={str(folder)!r}`: there is no folder {folder / part}; give a folder of images/ and masks/"
                )
        group = folder.resolve().name
        pairs += [(path, folder / "masks" / f"{path.stem}.png", group) for path in _images_in(folder / "images")]
    found: list[AnnotatedImage] = []
    problems: list[Problem] = []
    for item in _check_all(pairs):
        if isinstance(item, Problem):
            problems.append(item)
        elif not item.ids:
            problems.append(Problem(item.mask, f"shows no object of {LEAST_AREA} pixels or more"))
        else:
            found.append(item)
    return found, problems


def _sequence_folders(root: Path) -> list[tuple[Path, Path]]:
    """The image and annotation folders of a DAVIS layout, with or without its level of resolutions."""
    for part in ("JPEGImages", "Annotations"):
        if not (root / part).is_dir():
            raise UsageError(
                f"`videos={str(root)!r}`: there is no folder {root / part}; give a folder in the DAVIS layout"
            )
    images, masks = root / "JPEGImages", root / "Annotations"
    for resolution in ("480p", "Full-Resolution"):
        if (images / resolution).is_dir():
            images, masks = images / resolution, masks / resolution
            break
    return [(path, masks / path.name) for path in natsorted(images.iterdir()) if path.is_dir()]


def find_sequences(roots: Iterable[Path]) -> tuple[list[AnnotatedSequence], list[Problem]]:
    """Find the sequences of folders in the DAVIS layout (`JPEGImages/<name>/*.jpg`, `Annotations/<name>/*.png`).

    Frames without a mask are left out, which is one problem a sequence; it needs an object that is seen in two frames.

    Raises:
        UsageError: a folder is not in the DAVIS layout.
    """
    sequences: list[AnnotatedSequence] = []
    problems: list[Problem] = []
    for images, masks in (pair for root in roots for pair in _sequence_folders(root)):
        pairs = [(path, masks / f"{path.stem}.png", images.name) for path in _images_in(images)]
        annotated = [pair for pair in pairs if pair[1].is_file()]
        if len(annotated) < len(pairs):
            problems.append(Problem(images, f"{len(pairs) - len(annotated)} of {len(pairs)} frames have no mask"))
        items = _check_all(annotated)
        problems += [item for item in items if isinstance(item, Problem)]
        frames = tuple(item for item in items if isinstance(item, AnnotatedImage))
        seen = Counter(i for frame in frames for i in frame.ids)
        ids = tuple(sorted(i for i, count in seen.items() if count >= 2))
        if ids:
            sequences.append(AnnotatedSequence(images.name, frames, ids))
        else:
            problems.append(Problem(masks, "shows no object in two frames"))
    return sequences, problems


class Reader:
    """Reads pairs, and keeps the last ones decoded: training comes back to each of them many times.

    Args:
        budget: bytes of decoded images and labels to keep.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._used = 0
        self._kept: OrderedDict[Path, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = OrderedDict()

    def read(self, item: AnnotatedImage) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return (H, W, 3) uint8 RGB and (H, W) uint8 ids. Neither may be written to."""
        pair = self._kept.pop(item.image, None)
        if pair is None:
            pair = read_image(item.image), read_labels(item.mask)
            self._used += pair[0].nbytes + pair[1].nbytes
        self._kept[item.image] = pair
        while self._used > self._budget and len(self._kept) > 1:
            _, (image, labels) = self._kept.popitem(last=False)
            self._used -= image.nbytes + labels.nbytes
        return pair
