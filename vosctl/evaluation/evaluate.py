"""An evaluation from end to end: check everything, track, score, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vosctl.datasets import Sequence, Task, check_annotated, check_trackable, find_sequences
from vosctl.errors import UsageError, VosctlError
from vosctl.evaluation.report import Evaluation, write_json
from vosctl.evaluation.runner import SequenceTracker, Speed, check_masks_folder, track_sequence
from vosctl.evaluation.scoring import SequenceScore, check_predictions, score_sequence, scored_frames
from vosctl.video.sinks.checks import check_plain_file

MakeTracker = Callable[[], tuple[SequenceTracker, dict[str, Any]]]
"""Builds the tracker, and says what it is for the report. Called once, after everything else was checked."""

Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""``with progress(what, total) as advance``: `advance` is called once a frame."""


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What is to be measured, and where the results go.

    Attributes:
        root: the data set (`find_sequences`).
        subset: a list below ImageSets, or "all".
        task: "single" or "multi".
        predictions: folder of masks to score; None tracks.
        masks: folder that keeps the tracker's masks; None does not keep them.
        report: the JSON report's file.
        plot: the plot's file, .png or .html.
        overwrite: whether outputs that exist are replaced.
    """

    root: Path
    subset: str
    task: Task
    predictions: Path | None = None
    masks: Path | None = None
    report: Path | None = None
    plot: Path | None = None
    overwrite: bool = False


def evaluate(request: EvaluationRequest, make_tracker: MakeTracker, progress: Progress) -> Evaluation:
    """Track the sequences, unless predictions are given, score the masks and write the outputs.

    The masks are scored from their files, so that those kept give the same numbers when scored again. A sequence that
    fails, by a damaged image for example, is left out and named; the others are measured all the same.

    Raises:
        UsageError: the request cannot be served; nothing was run.
        VosctlError: the data set or the predictions are incomplete, or no sequence could be measured.
    """
    sequences = _checked_sequences(request)
    speeds: dict[str, Speed] = {}
    scores: list[SequenceScore] = []
    failures: dict[str, str] = {}
    description = None
    with _masks_folder(request) as masks:
        if request.predictions is None:
            tracker, description = make_tracker()
            with progress("tracking", sum(len(sequence.images) for sequence in sequences)) as advance:
                for sequence in sequences:
                    with _failing_alone(sequence, failures):
                        speeds[sequence.name] = track_sequence(
                            tracker, sequence, request.task, masks, overwrite=request.overwrite, progress=advance
                        )
        tracked = [sequence for sequence in sequences if sequence.name not in failures]
        with progress("scoring", sum(len(scored_frames(sequence)) for sequence in tracked)) as advance:
            for sequence in tracked:
                with _failing_alone(sequence, failures):
                    scores.append(score_sequence(sequence, masks, request.task, progress=advance))
        if not scores:
            name, reason = next(iter(failures.items()))
            others = f" (as do {len(failures) - 1} more)" if len(failures) > 1 else ""
            raise VosctlError(f"nothing was measured: sequence {name!r} fails{others}: {reason}")
        kept = request.predictions or request.masks
        evaluation = Evaluation(request.root, request.subset, request.task, kept, scores, description, speeds, failures)
        if request.report is not None:
            write_json(evaluation, request.report)
        if request.plot is not None:
            from vosctl.evaluation.plot import write_plot

            scored = [sequence for sequence in tracked if sequence.name not in failures]
            write_plot(evaluation, scored, masks, request.plot)
    return evaluation


@contextmanager
def _failing_alone(sequence: Sequence, failures: dict[str, str]) -> Iterator[None]:
    """Note what goes wrong with a sequence, and go on."""
    try:
        yield
    except VosctlError as error:
        failures[sequence.name] = str(error)


def _checked_sequences(request: EvaluationRequest) -> list[Sequence]:
    """Everything that can be known to be wrong before a network is loaded."""
    for name, path in (("report", request.report), ("plot", request.plot)):
        if path is not None:
            check_plain_file(name, path, overwrite=request.overwrite)
    if request.plot is not None and request.report is not None and request.report.resolve() == request.plot.resolve():
        raise UsageError(f"`report` and `plot` would be written to the same file, {request.plot}; name another")
    if request.predictions is not None and request.masks is not None:
        raise UsageError("`masks` keeps the tracker's masks, but `predictions` tracks nothing; leave one of them out")
    sequences = find_sequences(request.root, request.subset)
    for sequence in sequences:
        check_annotated(sequence)
        scored_frames(sequence)
        if request.predictions is not None:
            check_predictions(sequence, request.predictions)
        else:
            check_trackable(sequence)
    _check_reads_nothing(request, sequences)
    if request.masks is not None:
        check_masks_folder(sequences, request.masks, overwrite=request.overwrite)
    if request.plot is not None:
        from vosctl.evaluation.plot import check_plot

        check_plot(request.plot, len(sequences))
    return sequences


def _check_reads_nothing(request: EvaluationRequest, sequences: list[Sequence]) -> None:
    """Make sure that neither the report nor the plot lies among the pictures that are read."""
    read = {path.parent.resolve() for one in sequences for path in (*one.images.values(), *one.annotations.values())}
    if request.predictions is not None:
        read |= {(request.predictions / one.name).resolve() for one in sequences}
    for name, path in (("report", request.report), ("plot", request.plot)):
        if path is not None and (folder := path.resolve().parent) in read:
            raise UsageError(f"`{name}`: {path} would lie among what is read, in {folder}; choose another folder")


@contextmanager
def _masks_folder(request: EvaluationRequest) -> Iterator[Path]:
    """Return where the masks to score are, or will be: a temporary folder when they are not kept."""
    given = request.predictions or request.masks
    if given is not None:
        yield given
        return
    with TemporaryDirectory(prefix="vosctl-eval-") as folder:
        yield Path(folder)
