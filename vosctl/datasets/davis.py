"""Annotated clips on disk: the DAVIS layout, with or without the resolution's folder and the sets' lists."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from natsort import natsorted

from vosctl.datasets.files import files_by_stem
from vosctl.errors import UsageError, VosctlError

ALL_SEQUENCES = "all"
RESOLUTIONS = ("480p", "Full-Resolution")
"""Folders between a kind and its sequences, the one that is taken first where there are both."""


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


def find_sequences(root: Path, subset: str = ALL_SEQUENCES, *, unannotated: bool = False) -> list[Sequence]:
    """Find the sequences of a data set.

    Args:
        root: holds ``Annotations/<sequence>`` and ``JPEGImages/<sequence>``, both below a folder ``480p`` or
            ``Full-Resolution``, or neither.
        subset: "all", or a list below ``ImageSets`` such as "2016/val.txt" (the suffix may be left out).
        unannotated: whether "all" includes folders of images that have no folder of annotations.

    Raises:
        UsageError: the layout or the list is not there.
    """
    annotations = _media_folder(root, "Annotations")
    if annotations is None:
        raise UsageError(f"no Annotations folder in {root}: expected {root}/Annotations/<sequence>/*.png")
    resolution = annotations.name if annotations.name in RESOLUTIONS else None
    images = _media_folder(root, "JPEGImages", resolution)
    if subset == ALL_SEQUENCES:
        folders = [annotations, images] if unannotated and images is not None else [annotations]
        entries = (entry for folder in folders for entry in folder.iterdir() if not entry.name.startswith("."))
        names = natsorted({entry.name for entry in entries if entry.is_dir()})
    else:
        names = _read_list(_find_list(root, subset))
    if not names:
        raise UsageError(f"no sequences in {annotations}: expected one folder of PNG masks a sequence")
    return [
        Sequence(
            name,
            files_by_stem(images / name) if images is not None else {},
            files_by_stem(annotations / name, {".png"}),
        )
        for name in names
    ]


def check_annotated(sequence: Sequence) -> None:
    """Raise VosctlError when a sequence has no annotations."""
    if not sequence.annotations:
        raise VosctlError(f"sequence {sequence.name!r} has no annotations: expected Annotations/{sequence.name}/*.png")


def check_trackable(sequence: Sequence) -> None:
    """Raise VosctlError when a sequence cannot be tracked and scored: no images, or the first frame not annotated."""
    name = sequence.name
    if not sequence.images:
        raise VosctlError(f"sequence {name!r} has no images: expected JPEGImages/{name}/*.jpg")
    first = next(iter(sequence.images))
    if first not in sequence.annotations:
        raise VosctlError(
            f"sequence {name!r} lacks its first annotation, {first}.png: tracking starts from the first frame's mask"
        )
    for stem in sequence.annotations:
        if stem not in sequence.images:
            raise VosctlError(f"sequence {name!r} has an annotation {stem}.png, but no image of that name")


def _media_folder(root: Path, kind: str, resolution: str | None = None) -> Path | None:
    """Return the folder of a kind's sequences, of a resolution where there are several; None when there is none."""
    first = [resolution] if resolution else []
    for folder in (root / kind / name for name in (*first, *RESOLUTIONS)):
        if folder.is_dir():
            return folder
    return root / kind if (root / kind).is_dir() else None


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
