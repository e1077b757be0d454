"""Annotated clips on disk: the DAVIS layout, with or without the resolution's folder and the sets' lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from natsort import natsorted
from numpy.typing import NDArray

from vosctl.errors import UsageError, VosctlError

Task = Literal["single", "multi"]
ALL_SEQUENCES = "all"
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
VOID = 255
"""DAVIS' value for pixels that belong to nobody, unless it is the only id: then it is the object (0/255 masks)."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """One annotated clip.

    Attributes:
        name: its folder's name.
        images: the frames' files by stem, in order; empty when the data set has no images of it.
        annotations: the masks' files by stem, in order; not every frame needs one.
    """

    name: str
    images: dict[str, Path]
    annotations: dict[str, Path]


@dataclass(frozen=True, slots=True)
class Objects:
    """Which objects of a sequence count: those of the first annotation.

    Attributes:
        ids: sorted, as annotated. For the task "single" only the lowest, which then stands for all of them.
        merged: True for the task "single": every id but `VOID` is the one object.
    """

    ids: tuple[int, ...]
    merged: bool

    @classmethod
    def of(cls, first_annotation: NDArray[np.uint8], task: Task, sequence: str) -> Objects:
        """The objects of a sequence's first annotation, (H, W) uint8. Raises VosctlError when there are none."""
        ids = [int(value) for value in np.flatnonzero(np.bincount(first_annotation.ravel(), minlength=256)) if value]
        if len(ids) > 1 and VOID in ids:
            ids.remove(VOID)
        if not ids:
            raise VosctlError(f"the first annotation of sequence {sequence!r} holds no object: there is none to follow")
        return cls(tuple(ids[:1] if task == "single" else ids), merged=task == "single")

    def keep(self, annotation: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W) labels of these objects alone: void, and objects that came later, are background."""
        labels = np.zeros_like(annotation)
        for value, mask in zip(self.ids, self.masks(annotation), strict=True):
            labels[mask] = value
        return labels

    def masks(self, annotation: NDArray[np.uint8]) -> list[NDArray[np.bool_]]:
        """One (H, W) mask an object, in the order of `ids`."""
        if self.merged:
            return [annotation != 0 if self.ids == (VOID,) else (annotation != 0) & (annotation != VOID)]
        return [annotation == value for value in self.ids]

    def predicted_masks(self, labels: NDArray[np.uint8]) -> list[NDArray[np.bool_]]:
        """One (H, W) mask an object out of a prediction, which may write a single object as 1, as 255 or as its id."""
        if self.merged or self.ids == (VOID,):
            return [labels != 0]
        if len(self.ids) == 1:
            return [(labels == self.ids[0]) | (labels == VOID)]
        return [labels == value for value in self.ids]


def find_sequences(root: Path, subset: str = ALL_SEQUENCES) -> list[Sequence]:
    """The sequences of a data set.

    Args:
        root: holds ``Annotations/<sequence>`` and ``JPEGImages/<sequence>``, either below a folder ``480p`` or not.
        subset: "all", or a list below ``ImageSets`` such as "2016/val.txt" (the suffix may be left out).

    Raises:
        UsageError: the layout or the list is not there.
        VosctlError: a listed sequence has no annotations.
    """
    annotations = _media_folder(root, "Annotations")
    if annotations is None:
        raise UsageError(f"no Annotations folder in {root}: expected {root}/Annotations/<sequence>/*.png")
    images = _media_folder(root, "JPEGImages")
    if subset == ALL_SEQUENCES:
        names = natsorted(entry.name for entry in annotations.iterdir() if entry.is_dir())
    else:
        names = _read_list(_find_list(root, subset))
    sequences = [
        Sequence(
            name,
            _files(images / name, IMAGE_SUFFIXES) if images is not None else {},
            _files(annotations / name, {".png"}),
        )
        for name in names
    ]
    for sequence in sequences:
        if not sequence.annotations:
            raise VosctlError(
                f"sequence {sequence.name!r} has no annotations: {annotations / sequence.name} has no PNG"
            )
    if not sequences:
        raise UsageError(f"no sequences in {annotations}: expected one folder of PNG masks a sequence")
    return sequences


def check_trackable(sequence: Sequence) -> None:
    """Raise VosctlError when a sequence cannot be tracked and scored: no images, or the first frame not annotated."""
    name = sequence.name
    if not sequence.images:
        raise VosctlError(f"sequence {name!r} has no images: expected JPEGImages[/480p]/{name}/*.jpg")
    first = next(iter(sequence.images))
    if first not in sequence.annotations:
        raise VosctlError(
            f"sequence {name!r} lacks its first annotation, {first}.png: tracking starts from the first frame's mask"
        )
    for stem in sequence.annotations:
        if stem not in sequence.images:
            raise VosctlError(f"sequence {name!r} has an annotation {stem}.png, but no image of that name")


def _media_folder(root: Path, kind: str) -> Path | None:
    """``root/kind/480p`` or ``root/kind``, whichever holds the sequences; None when there is neither."""
    for folder in (root / kind / "480p", root / kind):
        if folder.is_dir():
            return folder
    return None


def _files(folder: Path, suffixes: Iterable[str]) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    found = (path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith("."))
    return {path.stem: path for path in natsorted(found, key=lambda path: path.name)}


def _find_list(root: Path, subset: str) -> Path:
    folder = root / "ImageSets"
    for path in (folder / subset, folder / f"{subset}.txt"):
        if path.is_file():
            return path
    known = natsorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.txt"))
    choice = f"it has {', '.join(known)}" if known else "it has none: use `subset='all'`"
    raise UsageError(f"no set {subset!r} in {folder}; {choice}")


def _read_list(path: Path) -> list[str]:
    """Sequence names of a list, in its order: one name a line, or DAVIS 2016's lines of image and mask paths."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"the set {path} is not a text file: expected one sequence name a line") from error
    names = [line.split()[0] for line in lines if line.strip()]
    return list(dict.fromkeys(name.split("/")[-2] if "/" in name else name for name in names))
