"""Annotated stills and sequences on disk: checked for training, and read on demand."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from vosctl.datasets import VOID, davis, read_annotation, stills
from vosctl.errors import UsageError, VosctlError
from vosctl.types import Labels, RGBImage
from vosctl.video.sources.pictures import read_image

LEAST_AREA = 64
"""An object of fewer pixels in the annotation is not trained on."""

Content = Literal["ids", "binary", "empty"]


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
        content: of the mask: "ids", where 255 is void; "binary" is 0/255, and read as object 1; or "empty".
    """

    image: Path
    mask: Path
    ids: tuple[int, ...]
    group: str
    content: Content


@dataclass(frozen=True, slots=True)
class AnnotatedSequence:
    """A sequence whose frames are annotated, in order, with the ids seen in at least two of them.

    Attributes:
        root: the folder in the DAVIS layout that it lies in.
        name: of its own folder there.
        frames: in order.
        ids: seen in at least two of them.
    """

    root: Path
    name: str
    frames: tuple[AnnotatedImage, ...]
    ids: tuple[int, ...]


def _checked(image: Path, mask: Path, group: str) -> AnnotatedImage | Problem:
    """Open both files of a pair; void and small objects do not make it fit to train on."""
    if not mask.is_file():
        return Problem(image, f"has no mask {mask}")
    try:
        height, width = read_image(image).shape[:2]
    except VosctlError as error:
        return Problem(image, _reason(image, error))
    try:
        labels = read_annotation(mask)
    except VosctlError as error:
        return Problem(mask, _reason(mask, error))
    if labels.shape != (height, width):
        return Problem(mask, f"is {labels.shape[1]}x{labels.shape[0]}, its image {width}x{height}")
    areas = np.bincount(labels.ravel(), minlength=VOID + 1)
    large = tuple(int(value) for value in np.flatnonzero(areas >= LEAST_AREA) if value)
    if areas[1:VOID].any():
        return AnnotatedImage(image, mask, tuple(value for value in large if value != VOID), group, "ids")
    if areas[VOID]:
        return AnnotatedImage(image, mask, (1,) if large else (), group, "binary")
    return AnnotatedImage(image, mask, (), group, "empty")


def _reason(path: Path, error: VosctlError) -> str:
    """Return what an error says of a file, without the file's name in front."""
    return str(error).removeprefix(f"{path}: ")


def _check_all(pairs: Iterable[tuple[Path, Path, str]]) -> list[AnnotatedImage | Problem]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda pair: _checked(*pair), pairs))


def find_stills(folders: Iterable[Path]) -> tuple[list[AnnotatedImage], list[Problem]]:
    """Find and check the stills of folders with `images/` and `masks/`.

    Raises:
        UsageError: a folder has no `images` or no `masks`.
    """
    pairs = []
    for folder in folders:
        try:
            found_here = stills.find_stills(folder)
        except UsageError as error:
            raise UsageError(f"`images={str(folder)!r}`: {error}") from error
        pairs += [(still.image, still.mask, still.group) for still in found_here]
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


def find_sequences(roots: Iterable[Path]) -> tuple[list[AnnotatedSequence], list[Problem]]:
    """Find and check the sequences of folders in the DAVIS layout.

    Frames without a mask are left out, which is one problem a sequence; it needs an object that is seen in two frames.

    Raises:
        UsageError: a folder is not in the DAVIS layout.
    """
    sequences: list[AnnotatedSequence] = []
    problems: list[Problem] = []
    for root, sequence in [(folder, found) for folder in roots for found in _listed(folder)]:
        images, masks = sequence.images, sequence.annotations
        if not images:
            problems.append(Problem(root / "JPEGImages" / sequence.name, "holds no images"))
            continue
        folder = next(iter(images.values())).parent
        pairs = [(path, masks[stem], sequence.name) for stem, path in images.items() if stem in masks]
        if len(pairs) < len(images):
            problems.append(Problem(folder, f"{len(images) - len(pairs)} of {len(images)} frames have no mask"))
        items = _check_all(pairs)
        problems += [item for item in items if isinstance(item, Problem)]
        frames = _of_one_kind([item for item in items if isinstance(item, AnnotatedImage)])
        seen = Counter(i for frame in frames for i in frame.ids)
        ids = tuple(sorted(i for i, count in seen.items() if count >= 2))
        if ids:
            sequences.append(AnnotatedSequence(root, sequence.name, frames, ids))
        else:
            problems.append(Problem(folder, "its masks show no object in two frames"))
    return sequences, problems


def _listed(root: Path) -> list[davis.Sequence]:
    try:
        return davis.find_sequences(root, unannotated=True)
    except UsageError as error:
        raise UsageError(f"`videos={str(root)!r}`: {error}; give a folder in the DAVIS layout") from error


def _of_one_kind(frames: list[AnnotatedImage]) -> tuple[AnnotatedImage, ...]:
    """Return the frames of a sequence, where 255 is void in every frame if any frame holds ids."""
    if not any(frame.content == "ids" for frame in frames):
        return tuple(frames)
    return tuple(replace(frame, ids=(), content="empty") if frame.content == "binary" else frame for frame in frames)


class Reader:
    """Reads pairs, and keeps the last ones decoded: training comes back to each of them many times.

    Args:
        budget: bytes of decoded images and labels to keep.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._used = 0
        self._kept: OrderedDict[Path, tuple[RGBImage, Labels]] = OrderedDict()

    def read(self, item: AnnotatedImage) -> tuple[RGBImage, Labels]:
        """Return (H, W, 3) uint8 RGB and (H, W) uint8 ids. Neither may be written to."""
        pair = self._kept.pop(item.image, None)
        if pair is None:
            pair = read_image(item.image), _read_labels(item)
            self._used += pair[0].nbytes + pair[1].nbytes
        self._kept[item.image] = pair
        while self._used > self._budget and len(self._kept) > 1:
            _, (image, labels) = self._kept.popitem(last=False)
            self._used -= image.nbytes + labels.nbytes
        return pair


def _read_labels(item: AnnotatedImage) -> Labels:
    """Return (H, W) ids, 255 for void."""
    labels = read_annotation(item.mask)
    return (labels == VOID).astype(np.uint8) if item.content == "binary" else labels
