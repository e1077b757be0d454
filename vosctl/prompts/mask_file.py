"""Read the first mask in whatever form the user has it, and repair it when asked to.

Pictures are read as `mask_image` and `mask_labels` say, annotations (LabelMe, COCO, run-length encoding) as
`annotations` says. Several files are one object each, as annotation tools export them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from vosctl.errors import UsageError
from vosctl.prompts.annotations import SUFFIXES as ANNOTATION_SUFFIXES
from vosctl.prompts.annotations import read_annotations
from vosctl.prompts.mask_image import read_mask_image
from vosctl.prompts.mask_labels import MAX_OBJECTS, labels_of
from vosctl.types import Labels

StrPath = str | os.PathLike[str]


def check_is_mask(name: str, mask: object) -> None:
    """Make sure that what a caller gives as a mask is a file's name or an array.

    Raises:
        UsageError: it is something else; `name` names it.
    """
    if isinstance(mask, str | os.PathLike | np.ndarray):
        return
    kind = type(mask)
    advice = {"PIL": "; use numpy.asarray(image)", "torch": "; use mask.cpu().numpy()"}
    package = kind.__module__.partition(".")[0]
    raise UsageError(f"{name}: give a file or a NumPy array (H, W), not {kind.__name__}{advice.get(package, '')}")


@dataclass(frozen=True, slots=True, eq=False)
class FirstMask:
    """The objects to follow.

    Attributes:
        labels: (H, W) uint8 at the frame's size, 0 for background, else the object's id. Holds both.
        notes: one line for each thing that was changed or was a choice, with the file's name, to be shown to the user.
    """

    labels: Labels
    notes: list[str] = field(default_factory=list)


def read_first_mask(path: StrPath | Sequence[StrPath], frame_size: tuple[int, int], *, fix: bool = False) -> FirstMask:
    """Read the mask of the first frame.

    Args:
        path: a picture or annotations; the module's description says how they are read. Several are one object each,
            numbered from 1; where they overlap the later one lies on top.
        frame_size: (height, width) of the video's frames.
        fix: repair another size (nearest neighbour, for the same aspect ratio within 2 %) and edges whose cut is not
            obvious (each pixel goes to the nearer side) instead of refusing them.

    Returns:
        The labels, and what was repaired or chosen.

    Raises:
        UsageError: the mask cannot serve: missing, not an image, another size than the frame, soft edges, no object, no
            background, more than 255 objects.
        VosctlError: the file cannot be read.
    """
    if isinstance(path, str | os.PathLike):
        mask = _read_file(Path(path), frame_size, fix)
        _check_background(str(path), mask.labels)
        return mask
    paths = [Path(item) for item in path]
    if not paths:
        raise UsageError("`first_mask`: names no file; give one")
    if len(paths) == 1:
        return read_first_mask(paths[0], frame_size, fix=fix)
    return _merged(paths, frame_size, fix)


def _read_file(path: Path, frame_size: tuple[int, int], fix: bool) -> FirstMask:
    notes: list[str] = []
    if path.suffix.lower() in ANNOTATION_SUFFIXES:
        labels = read_annotations(path, frame_size, fix, notes)
    else:
        labels = labels_of(path, read_mask_image(path, frame_size, fix, notes), fix, notes)
    labels = _fit(labels, frame_size, notes)
    if not labels.any():
        raise UsageError(f"{path}: the mask is empty; paint the object on it (anything but black)")
    return FirstMask(labels, [f"{path}: {note}" for note in notes])


def _check_background(name: str, labels: Labels) -> None:
    if labels.all():
        raise UsageError(f"{name}: the mask has no background; leave everything but the objects black")


def _merged(paths: list[Path], frame_size: tuple[int, int], fix: bool) -> FirstMask:
    """Return one object from each file."""
    if len(paths) > MAX_OBJECTS:
        raise UsageError(f"`first_mask`: {len(paths)} files; {MAX_OBJECTS} objects are the most")
    merged = np.zeros(frame_size, np.uint8)
    areas = np.zeros(len(paths) + 1, np.int64)
    notes: list[str] = []
    for number, path in enumerate(paths, start=1):
        mask = _read_file(path, frame_size, fix)
        objects = int(np.count_nonzero(np.bincount(mask.labels.ravel())[1:]))
        if objects > 1:
            raise UsageError(f"{path}: holds {objects} objects; each of several mask files is one object, split it")
        notes.extend(mask.notes)
        merged[mask.labels > 0] = number
        areas[number] = np.count_nonzero(mask.labels)
    visible = np.bincount(merged.ravel(), minlength=len(areas))
    for number, path in enumerate(paths, start=1):
        if not visible[number]:
            raise UsageError(f"{path}: its object is completely covered by those of the files after it; give it later")
        if visible[number] < areas[number]:
            hidden = areas[number] - visible[number]
            notes.append(f"{path}: object {number}: {hidden} of its {areas[number]} pixels belong to later objects too")
    _check_background(", ".join(map(str, paths)), merged)
    return FirstMask(merged, notes)


def _fit(labels: Labels, frame_size: tuple[int, int], notes: list[str]) -> Labels:
    if labels.shape == frame_size:
        return labels
    height, width = frame_size
    fitted = np.asarray(cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    notes.append(f"resized from {labels.shape[1]}x{labels.shape[0]} to {width}x{height}")
    vanished = np.setdiff1d(labels, fitted)
    if vanished[vanished > 0].size:
        notes.append(f"too small to be seen at that size: object {', '.join(map(str, vanished[vanished > 0]))}")
    return fitted
