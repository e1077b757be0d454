"""Show where a tracker fails: J over time of every sequence, and its worst frames beside the truth.

Needs matplotlib, which the extra ``plot`` brings.
"""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosctl.datasets import Objects, Sequence, Task, read_annotation
from vosctl.errors import UsageError
from vosctl.evaluation.metrics import RECALL_THRESHOLD
from vosctl.evaluation.report import Evaluation, write_output
from vosctl.evaluation.scoring import SequenceScore, summarise
from vosctl.extras import require
from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.video.colours import object_colour
from vosctl.video.masks import read_indexed_png
from vosctl.video.overlay import render_overlay
from vosctl.video.sources.pictures import read_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT_SUFFIXES = (".png", ".html")
MOST_IN_PNG = 300
"""Sequences in a picture, a row each: matplotlib draws up to 65,536 pixels."""
WORST_FRAMES = 2
OVERLAY_HEIGHT = 300


@dataclass(frozen=True, slots=True, eq=False)
class WorstFrame:
    """One frame to look at.

    Attributes:
        index: position among the scored frames.
        stem: its name.
        region: mean J of its objects.
        predicted: (h, w, 3) uint8 RGB, the image with the predicted masks.
        truth: (h, w, 3) uint8 RGB, the image with the annotated masks.
    """

    index: int
    stem: str
    region: float
    predicted: NDArray[np.uint8]
    truth: NDArray[np.uint8]


def check_plot(path: Path, sequences: int) -> None:
    """Make sure that so many sequences can be drawn to a file.

    Raises:
        UsageError: its suffix is another, a picture has no room for so many, or matplotlib is not installed.
    """
    if path.suffix.lower() not in PLOT_SUFFIXES:
        raise UsageError(f"`plot={str(path)!r}`: the name must end in {' or '.join(PLOT_SUFFIXES)}")
    if path.suffix.lower() == ".png" and sequences > MOST_IN_PNG:
        raise UsageError(
            f"`plot={str(path)!r}`: a picture has room for {MOST_IN_PNG} sequences, not for {sequences}; name an .html"
        )
    require("plot", "`plot`")


def write_plot(evaluation: Evaluation, sequences: list[Sequence], predictions: Path, path: Path) -> None:
    """Draw an evaluation to a PNG, or to an HTML page that needs no other file; the worst sequence comes first.

    Args:
        evaluation: the scores, one a sequence.
        sequences: the same sequences in the same order. Frames without an image are shown as masks on grey, those
            with one of another size in that of the masks.
        predictions: folder of the masks that were scored.
        path: ends in .png or .html.
    """
    check_plot(path, len(sequences))
    pages = [
        (score, worst_frames(score, sequence, predictions, evaluation.task))
        for score, sequence in zip(evaluation.scores, sequences, strict=True)
    ]
    pages.sort(key=lambda page: summarise([page[0]]).region.mean)
    drawn = _html(evaluation, pages).encode() if path.suffix.lower() == ".html" else _png(evaluation, pages)
    write_output(path, drawn)


def worst_frames(score: SequenceScore, sequence: Sequence, predictions: Path, task: Task) -> list[WorstFrame]:
    """Return the frames with the lowest mean J, worst first, at least an eighth of the clip apart."""
    region = score.region.mean(axis=0)
    apart = max(len(region) // 8, 1)
    chosen: list[int] = []
    for index in np.argsort(region, kind="stable").tolist():
        if len(chosen) < WORST_FRAMES and all(abs(index - other) >= apart for other in chosen):
            chosen.append(index)
    objects = Objects.of(read_annotation(next(iter(sequence.annotations.values()))), task, sequence.name)
    return [_worst_frame(index, float(region[index]), score, sequence, predictions, objects) for index in chosen]


def _worst_frame(
    index: int, region: float, score: SequenceScore, sequence: Sequence, predictions: Path, objects: Objects
) -> WorstFrame:
    stem = score.frames[index]
    truth = read_annotation(sequence.annotations[stem])
    predicted = read_indexed_png(predictions / sequence.name / f"{stem}.png")
    image = np.full((*truth.shape, 3), 70, dtype=np.uint8)
    if stem in sequence.images:
        read = read_image(sequence.images[stem])  # of another size where only the masks are of this resolution
        image = np.asarray(cv2.resize(read, truth.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    return WorstFrame(
        index,
        stem,
        region,
        predicted=_overlay(image, objects.predicted_masks(predicted)),
        truth=_overlay(image, objects.masks(truth)),
    )


def _overlay(image: NDArray[np.uint8], masks: list[NDArray[np.bool_]]) -> NDArray[np.uint8]:
    """Return the image with each mask in its object's colour (`_colour_id`), `OVERLAY_HEIGHT` pixels high."""
    labels = np.zeros(image.shape[:2], dtype=np.uint8)
    objects = []
    for index, mask in enumerate(masks):
        labels[mask] = _colour_id(index)
        x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
        box = (x, y, width, height) if width else None
        objects.append(TrackedObject(_colour_id(index), "tracked", 1.0, int(mask.sum()), box))
    drawn = render_overlay(image, TrackedFrame(labels, np.zeros_like(labels), tuple(objects)))
    size = (max(round(image.shape[1] * OVERLAY_HEIGHT / image.shape[0]), 1), OVERLAY_HEIGHT)
    return np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _colour_id(index: int) -> int:
    """Return the id whose overlay colour an object gets: by position, so that a lone object 255 is red as well."""
    return index + 1


def _draw_region(axes: Axes, score: SequenceScore, worst: list[WorstFrame]) -> None:
    """J of each object over the scored frames, the worst frames marked."""
    for index, (object_id, values) in enumerate(zip(score.object_ids, score.region, strict=True)):
        colour = tuple(part / 255 for part in object_colour(_colour_id(index)))
        axes.plot(values, color=colour, linewidth=1.5, label=f"object {object_id}")
    axes.axhline(RECALL_THRESHOLD, color="0.7", linewidth=0.8, linestyle="--")
    for frame in worst:
        axes.axvline(frame.index, color="0.5", linewidth=0.8, linestyle=":")
    ticks = np.unique(np.linspace(0, len(score.frames) - 1, 6).astype(int))
    axes.set_xticks(ticks, [score.frames[tick] for tick in ticks], fontsize=7)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("J (IoU)", fontsize=8)
    axes.tick_params(axis="y", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    if len(score.object_ids) > 1:
        axes.legend(fontsize=6, loc="lower left", ncols=4)


def _title(score: SequenceScore) -> str:
    summary = summarise([score])
    return f"{score.name}   J {100 * summary.region.mean:.1f}   F {100 * summary.boundary.mean:.1f}"


def _heading(evaluation: Evaluation) -> str:
    summary = summarise(evaluation.scores)
    return (
        f"J&F {100 * summary.region_and_boundary:.1f}   J {100 * summary.region.mean:.1f}   "
        f"F {100 * summary.boundary.mean:.1f}   ({evaluation.root}, set {evaluation.subset}, task {evaluation.task})"
    )


def _png(evaluation: Evaluation, pages: list[tuple[SequenceScore, list[WorstFrame]]]) -> bytes:
    """Draw one row a sequence: the curve, then each worst frame as predicted and as annotated."""
    from matplotlib.figure import Figure

    columns = 1 + 2 * WORST_FRAMES
    figure = Figure(figsize=(17, 2.1 * len(pages) + 0.6), dpi=100, layout="constrained")
    figure.suptitle(_heading(evaluation), fontsize=11)
    grid = figure.subplots(len(pages), columns, squeeze=False, width_ratios=[1.5] + [1.0] * (columns - 1))
    for row, (score, worst) in zip(grid, pages, strict=True):
        _draw_region(row[0], score, worst)
        row[0].set_title(_title(score), fontsize=9, loc="left")
        for axes in row[1:]:
            axes.axis("off")
        for index, frame in enumerate(worst):
            predicted, truth = row[1 + 2 * index], row[2 + 2 * index]
            predicted.imshow(frame.predicted)
            predicted.set_title(f"{frame.stem}, J {frame.region:.2f}: predicted", fontsize=8)
            truth.imshow(frame.truth)
            truth.set_title(f"{frame.stem}: truth", fontsize=8)
    data = BytesIO()
    figure.savefig(data, format="png")
    return data.getvalue()


_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 1180px; padding: 0 1em; color: #222; }
h1 { font-size: 1.3em; } h2 { font-size: 1.05em; margin: 2em 0 .3em; }
.chart { width: 100%; } .frames { display: flex; flex-wrap: wrap; gap: 12px; }
figure { margin: 0; flex: 1 1 500px; } figure img { width: 49.5%; } figcaption { font-size: .85em; color: #555; }
"""


def _html(evaluation: Evaluation, pages: list[tuple[SequenceScore, list[WorstFrame]]]) -> str:
    """Write one section a sequence; every picture is inside the page."""
    heading = html.escape(_heading(evaluation))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>vosctl eval: {heading}</title>\n'
        f"<style>{_STYLE}</style></head><body>\n<h1>{heading}</h1>\n"
        "<p>Sequences from the lowest J to the highest. Worst frames: as predicted, then as annotated.</p>\n"
        f"{''.join(_section(score, worst) for score, worst in pages)}</body></html>\n"
    )


def _section(score: SequenceScore, worst: list[WorstFrame]) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.5, 2.2), layout="constrained")
    _draw_region(figure.subplots(), score, worst)
    chart = BytesIO()
    figure.savefig(chart, format="svg")
    figures = "".join(
        f'<figure><img src="{_jpeg_uri(frame.predicted)}" alt="predicted"> '
        f'<img src="{_jpeg_uri(frame.truth)}" alt="truth">'
        f"<figcaption>frame {html.escape(frame.stem)}, J {frame.region:.2f}: predicted, truth</figcaption></figure>\n"
        for frame in worst
    )
    return (
        f"<h2>{html.escape(_title(score))}</h2>\n"
        f'<img class="chart" src="{_data_uri("image/svg+xml", chart.getvalue())}" alt="J over time">\n'
        f'<div class="frames">{figures}</div>\n'
    )


def _jpeg_uri(image: NDArray[np.uint8]) -> str:
    data = BytesIO()
    Image.fromarray(image).save(data, format="JPEG", quality=85)
    return _data_uri("image/jpeg", data.getvalue())


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
