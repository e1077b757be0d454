"""Run a tracker over annotated sequences and keep its masks on disk, where they are scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vosctl.datasets import Objects, Sequence, Task, read_annotation
from vosctl.errors import UsageError, VosctlError
from vosctl.tracking.results import TrackedFrame
from vosctl.video.leftovers import clean_and_log
from vosctl.video.masks import write_indexed_png
from vosctl.video.sources.pictures import read_image
from vosctl.video.staging import StagedDirectory, write_errors


class SequenceTracker(Protocol):
    """What the runner needs of a tracker; `vosctl.tracking.Tracker` has it."""

    def start(self, frame: NDArray[np.uint8], mask: NDArray[np.uint8], /) -> TrackedFrame:
        """Forget what was followed, and follow the objects of `mask` (H, W) from `frame` (H, W, 3) RGB on."""

    def step(self, frame: NDArray[np.uint8], /) -> TrackedFrame:
        """Find the objects in the next frame."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How long the tracker itself took: reading images and writing masks are not in it.

    Attributes:
        frames: frames tracked, the first ones left out: they are given, not tracked.
        seconds: spent on those frames.
    """

    frames: int
    seconds: float

    @property
    def frames_per_second(self) -> float:
        """Frames a second, 0 when nothing was tracked."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    def __add__(self, other: Speed) -> Speed:
        """Return the counts of both runs together."""
        return Speed(self.frames + other.frames, self.seconds + other.seconds)


def check_masks_folder(sequences: list[Sequence], masks: Path, *, overwrite: bool) -> None:
    """See that every sequence's masks can go to ``masks/<sequence>``.

    Raises:
        UsageError: something is there that may not be replaced: masks without `overwrite`, other files, or the
            annotations themselves.
    """
    for sequence in sequences:
        folder = masks / sequence.name
        present = list(folder.iterdir()) if folder.is_dir() else []
        if folder.resolve() in {path.parent.resolve() for path in sequence.annotations.values()}:
            raise UsageError(f"`masks={str(masks)!r}`: {folder} holds the annotations; choose another folder")
        if (folder.exists() and not folder.is_dir()) or any(path.suffix.lower() != ".png" for path in present):
            raise UsageError(f"`masks={str(masks)!r}`: {folder} is not a folder of masks alone; choose another folder")
        if present and not overwrite:
            raise UsageError(
                f"`masks={str(masks)!r}`: {folder} is not empty; pass `overwrite=True` or choose another folder"
            )


def track_sequence(
    tracker: SequenceTracker,
    sequence: Sequence,
    task: Task,
    masks: Path,
    *,
    overwrite: bool = False,
    progress: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = perf_counter,
) -> Speed:
    """Track one sequence from its first annotation and write every frame's mask to ``masks/<sequence>``.

    Args:
        tracker: started anew by its first frame.
        sequence: with images and an annotation of the first frame (`check_trackable`).
        task: "single" follows all ids as one object.
        masks: indexed PNGs named as the images go to its folder of the sequence's name, which appears when whole.
        overwrite: replace the sequence's folder when it is there (`check_masks_folder` first).
        progress: called once a frame.
        clock: gives the time, in seconds.

    Raises:
        VosctlError: a file cannot be read, or the first image and its annotation differ in size.
    """
    annotation_path = next(iter(sequence.annotations.values()))
    annotation = read_annotation(annotation_path)
    labels = Objects.of(annotation, task, sequence.name).keep(annotation)
    with write_errors(masks):
        masks.mkdir(parents=True, exist_ok=True)
    clean_and_log(masks / sequence.name)
    folder = StagedDirectory(masks / sequence.name, overwrite=overwrite)
    speed = Speed(0, 0.0)
    try:
        for index, (stem, path) in enumerate(sequence.images.items()):
            frame = read_image(path)
            if frame.shape[:2] != labels.shape:
                raise VosctlError(
                    f"{path} is {frame.shape[1]}x{frame.shape[0]}, but the annotation {annotation_path} is "
                    f"{labels.shape[1]}x{labels.shape[0]}: they must have the same size"
                )
            began = clock()
            tracked = tracker.start(frame, labels) if index == 0 else tracker.step(frame)
            found = tracked.labels  # waits for them where they are still under way
            if index > 0:
                speed += Speed(1, clock() - began)
            write_indexed_png(folder.add(f"{stem}.png"), found)
            progress()
    except BaseException:
        folder.discard()
        raise
    folder.commit()
    return speed
