"""Score predicted masks on disk against a sequence's annotations."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosctl.datasets import Objects, Sequence, Task, read_annotation
from vosctl.errors import VosctlError
from vosctl.evaluation.metrics import Statistics, mean_statistics, region_and_boundary, statistics
from vosctl.video.masks import read_indexed_png


@dataclass(frozen=True, slots=True, eq=False)
class SequenceScore:
    """The measures of one sequence, frame by frame.

    Attributes:
        name: the sequence.
        object_ids: (O) ids of the first annotation.
        frames: (N) stems of the scored frames: the annotated ones but the first and the last.
        region: (O, N) J, 0..1.
        boundary: (O, N) F, 0..1.
        left_out: ids that are annotated in scored frames, but not in the first one: nothing can follow them.
    """

    name: str
    object_ids: tuple[int, ...]
    frames: tuple[str, ...]
    region: NDArray[np.float64]
    boundary: NDArray[np.float64]
    left_out: tuple[int, ...] = ()

    @property
    def region_statistics(self) -> list[Statistics]:
        """J's mean, recall and decay of each object."""
        return [statistics(values) for values in self.region]

    @property
    def boundary_statistics(self) -> list[Statistics]:
        """F's mean, recall and decay of each object."""
        return [statistics(values) for values in self.boundary]


@dataclass(frozen=True, slots=True)
class Summary:
    """J and F as means over objects, of one sequence or of all of them together."""

    region: Statistics
    boundary: Statistics

    @property
    def region_and_boundary(self) -> float:
        """J&F: the mean of J mean and F mean, 0..1."""
        return (self.region.mean + self.boundary.mean) / 2


def summarise(scores: list[SequenceScore]) -> Summary:
    """Return the mean over every object of the sequences, each object counting the same, as the benchmark takes it."""
    return Summary(
        region=mean_statistics([part for score in scores for part in score.region_statistics]),
        boundary=mean_statistics([part for score in scores for part in score.boundary_statistics]),
    )


def scored_frames(sequence: Sequence) -> tuple[str, ...]:
    """Stems of the frames that count. Raises VosctlError when nothing is left without the first and the last."""
    stems = tuple(sequence.annotations)[1:-1]
    if not stems:
        raise VosctlError(
            f"sequence {sequence.name!r} has {len(sequence.annotations)} annotated frame(s), at least 3 are needed: "
            "the first and the last are not scored"
        )
    return stems


def check_predictions(sequence: Sequence, predictions: Path) -> None:
    """Raise VosctlError naming the first predicted mask that is missing: ``predictions/<sequence>/<frame>.png``."""
    folder = predictions / sequence.name
    if not folder.is_dir():
        raise VosctlError(f"no predictions of sequence {sequence.name!r}: there is no folder {folder}")
    for stem in scored_frames(sequence):
        path = folder / f"{stem}.png"
        if not path.is_file():
            raise VosctlError(
                f"prediction missing: {path} (every annotated frame but the first and the last needs one)"
            )


def score_sequence(
    sequence: Sequence,
    predictions: Path,
    task: Task,
    workers: int | None = None,
    progress: Callable[[], None] = lambda: None,
) -> SequenceScore:
    """Measure the masks of ``predictions/<sequence>``.

    Args:
        sequence: what is true.
        predictions: folder of the predicted sequences, PNG masks of the annotations' names.
        task: "single" merges all ids to one object, "multi" scores each id of the first annotation.
        workers: threads; None takes one a core.
        progress: called once a scored frame, on the calling thread.

    Raises:
        VosctlError: a mask is missing, unreadable, or not of its annotation's size.
    """
    check_predictions(sequence, predictions)
    stems = scored_frames(sequence)
    objects = Objects.of(read_annotation(next(iter(sequence.annotations.values()))), task, sequence.name)

    def score(stem: str) -> _FrameScore:
        return _score_frame(objects, predictions / sequence.name / f"{stem}.png", sequence.annotations[stem])

    measures, later = [], set[int]()
    with ThreadPoolExecutor(workers) as pool:
        for scored in pool.map(score, stems):
            measures.append(scored.measures)
            later.update(scored.later)
            progress()
    by_object = np.asarray(measures, dtype=np.float64).transpose(1, 2, 0)  # (O, 2, N)
    return SequenceScore(sequence.name, objects.ids, stems, by_object[:, 0], by_object[:, 1], tuple(sorted(later)))


@dataclass(frozen=True, slots=True)
class _FrameScore:
    """(J, F) of each object in one frame, and the ids in it that are not followed."""

    measures: list[tuple[float, float]]
    later: tuple[int, ...]


def _score_frame(objects: Objects, prediction: Path, annotation: Path) -> _FrameScore:
    predicted, truth = read_indexed_png(prediction), read_annotation(annotation)
    if predicted.shape != truth.shape:
        raise VosctlError(
            f"{prediction} is {predicted.shape[1]}x{predicted.shape[0]}, its annotation {annotation} is "
            f"{truth.shape[1]}x{truth.shape[0]}: predictions must have the annotations' size"
        )
    pairs = zip(objects.predicted_masks(predicted), objects.masks(truth), strict=True)
    return _FrameScore([region_and_boundary(mask, true) for mask, true in pairs], objects.later(truth))
