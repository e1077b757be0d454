"""What an evaluation found: as JSON, and as a table."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vosctl import __version__
from vosctl.datasets import Task
from vosctl.evaluation.runner import Speed
from vosctl.evaluation.scoring import SequenceScore, Summary, summarise
from vosctl.video.leftovers import clean_and_log
from vosctl.video.staging import write_whole

if TYPE_CHECKING:
    from rich.table import Table

DECIMALS = 6


@dataclass(frozen=True)
class Evaluation:
    """One evaluation's circumstances and results.

    Attributes:
        root: the data set's folder.
        subset: the list it was taken from, or "all".
        task: "single" or "multi".
        predictions: folder of the masks that were scored, None when they were made by this run and not kept.
        scores: one a sequence, at least one.
        tracker: what made the masks (weights, engine, device...), None when only scored.
        speeds: by sequence, empty when only scored.
        failures: why a sequence could not be tracked or scored, by its name.
    """

    root: Path
    subset: str
    task: Task
    predictions: Path | None
    scores: list[SequenceScore]
    tracker: dict[str, Any] | None = None
    speeds: dict[str, Speed] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def total_speed(self) -> Speed | None:
        """All sequences together."""
        return reduce(add, self.speeds.values()) if self.speeds else None


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return the whole report: measures are 0..1 (decay -1..1), `frames_per_second` is the tracker's alone or null."""
    return {
        "vosctl": __version__,
        "root": str(evaluation.root),
        "set": evaluation.subset,
        "task": evaluation.task,
        "predictions": None if evaluation.predictions is None else str(evaluation.predictions),
        "tracker": evaluation.tracker,
        "overall": {
            **_summary_json(summarise(evaluation.scores), evaluation.total_speed),
            "sequences": len(evaluation.scores),
            "objects": sum(len(score.object_ids) for score in evaluation.scores),
            "frames": sum(len(score.frames) for score in evaluation.scores),
        },
        "sequences": [_sequence_json(score, evaluation.speeds.get(score.name)) for score in evaluation.scores],
        "failed": [{"name": name, "reason": reason} for name, reason in evaluation.failures.items()],
    }


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Write the report to a file, replacing an older one. Raises VosctlError when it cannot be written."""
    write_output(path, json.dumps(as_json(evaluation), indent=2).encode() + b"\n")


def write_output(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it when whole. Raises VosctlError when that fails."""
    clean_and_log(path)
    write_whole(path, content)


def table(evaluation: Evaluation, *, plain: bool) -> Table:
    """Return a row a sequence and one for all: percent, as the benchmark's tables are.

    Args:
        evaluation: what to show.
        plain: no rules or colours, for a pipe.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None if plain else box.SIMPLE_HEAD, show_footer=False, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column("sequence", no_wrap=True, overflow="ellipsis")
    columns = ["objects", "frames", "J mean", "recall", "decay", "F mean", "recall", "decay", "J&F"]
    for title in columns + (["fps"] if evaluation.speeds else []):
        shown.add_column(title, justify="right", no_wrap=True)
    for index, score in enumerate(evaluation.scores):
        last = index == len(evaluation.scores) - 1
        cells = _cells([score], evaluation.speeds.get(score.name))
        shown.add_row(Text(score.name), *cells, end_section=last)
    overall = _cells(evaluation.scores, evaluation.total_speed)
    shown.add_row("overall", *overall, style=None if plain else "bold")
    return shown


def _cells(scores: list[SequenceScore], speed: Speed | None) -> list[str]:
    summary = summarise(scores)
    measures = [*asdict(summary.region).values(), *asdict(summary.boundary).values(), summary.region_and_boundary]
    counts = [sum(len(score.object_ids) for score in scores), sum(len(score.frames) for score in scores)]
    cells = [str(count) for count in counts] + [f"{100 * value:.1f}" for value in measures]
    return cells if speed is None else [*cells, f"{speed.frames_per_second:.1f}"]


def _sequence_json(score: SequenceScore, speed: Speed | None) -> dict[str, Any]:
    objects = [
        {
            "id": object_id,
            **_summary_json(Summary(score.region_statistics[index], score.boundary_statistics[index]), None),
            "J_per_frame": _rounded(score.region[index].tolist()),
            "F_per_frame": _rounded(score.boundary[index].tolist()),
        }
        for index, object_id in enumerate(score.object_ids)
    ]
    return {
        "name": score.name,
        **_summary_json(summarise([score]), speed),
        "frames": list(score.frames),
        "left_out": list(score.left_out),
        "objects": [{key: value for key, value in entry.items() if key != "frames_per_second"} for entry in objects],
    }


def _summary_json(summary: Summary, speed: Speed | None) -> dict[str, Any]:
    return {
        "J&F": round(summary.region_and_boundary, DECIMALS),
        "J": {name: round(value, DECIMALS) for name, value in asdict(summary.region).items()},
        "F": {name: round(value, DECIMALS) for name, value in asdict(summary.boundary).items()},
        "frames_per_second": None if speed is None else round(speed.frames_per_second, 2),
    }


def _rounded(values: list[float]) -> list[float]:
    return [round(value, DECIMALS) for value in values]
