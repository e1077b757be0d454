"""A validation that can tell: sequences followed in several crops, at several speeds and in several views.

One crop at one speed is one throw of the dice: a crop that lies a pixel elsewhere changes a clip's mean J by more than
most changes to the weights do. So the mean is taken over crops and speeds, and views that should change nothing
(mirrored, a few percent smaller or larger) say how far that mean is to be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vosctl.datasets import Objects, check_annotated, check_trackable, read_annotation
from vosctl.datasets import Sequence as Clip
from vosctl.errors import VosctlError
from vosctl.evaluation.metrics import region_and_boundary
from vosctl.evaluation.scoring import scored_frames
from vosctl.types import Labels, RGBImage
from vosctl.video.sources.pictures import read_image

if TYPE_CHECKING:
    from vosctl.evaluation.runner import SequenceTracker

LEAST_ANNOTATED = 3
"""Annotated frames of a clip, the first and the last among them, which are not scored."""

MakeTracker = Callable[[int], "SequenceTracker"]
"""Makes the tracker of a crop size, 0 for the network's own."""


@dataclass(frozen=True, slots=True)
class View:
    """A way to show a clip that leaves what is to be found in it as it is.

    Attributes:
        name: of the view.
        mirrored: from left to right.
        scale: of the frames' sides.
    """

    name: str
    mirrored: bool = False
    scale: float = 1.0

    def of_image(self, image: RGBImage) -> RGBImage:
        """Return a frame, (H, W, 3) uint8 RGB, as it is seen in this view."""
        method = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
        return self._mirrored(image if self.scale == 1 else _resized(image, self.scale, method))

    def of_labels(self, labels: Labels) -> Labels:
        """Return (H, W) ids as they are seen in this view."""
        return self._mirrored(labels if self.scale == 1 else _resized(labels, self.scale, cv2.INTER_NEAREST))

    def _mirrored(self, picture: RGBImage) -> RGBImage:
        return np.ascontiguousarray(picture[:, ::-1]) if self.mirrored else picture


def _resized(picture: RGBImage, scale: float, method: int) -> RGBImage:
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)


VIEWS = (View("plain"), View("mirrored", mirrored=True), View("smaller", scale=0.97), View("larger", scale=1.03))


@dataclass(frozen=True, slots=True)
class Grid:
    """What is run: every combination of these.

    Attributes:
        sizes: sides of the crop in pixels, 0 for the network's own.
        steps: 1 for every frame, 3 for every third.
        views: how the clips are shown.
    """

    sizes: tuple[int, ...] = (256, 320, 384)
    steps: tuple[int, ...] = (1, 3)
    views: tuple[View, ...] = VIEWS


QUICK = Grid(sizes=(0,), steps=(1,), views=VIEWS[:1])
"""Every frame in the network's own crop."""
PLAIN = Grid(views=VIEWS[:1])
"""Every crop and speed, without the views that tell the noise."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one clip gave in one run.

    Attributes:
        sequence: its name.
        size: side of the crop, 0 for the network's own.
        step: 1 for every frame, 3 for every third.
        view: name of the view.
        region: mean J over the scored frames and the objects, 0..1.
        boundary: mean F over them.
    """

    sequence: str
    size: int
    step: int
    view: str
    region: float
    boundary: float

    @property
    def key(self) -> tuple[str, int, int, str]:
        """What tells it from the other rows."""
        return self.sequence, self.size, self.step, self.view

    @property
    def both(self) -> float:
        """J&F."""
        return (self.region + self.boundary) / 2


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over rows, each of them counting the same; 0..1."""

    region: float
    boundary: float

    @property
    def both(self) -> float:
        """J&F."""
        return (self.region + self.boundary) / 2


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was run.

    Attributes:
        rows: one for each clip and combination.
    """

    rows: tuple[Row, ...]

    def figure(self, **where: str | int) -> Figure:
        """Return the mean of the rows whose fields have these values, of all rows when none are given."""
        chosen = [row for row in self.rows if all(getattr(row, name) == value for name, value in where.items())]
        region, boundary = np.mean([(row.region, row.boundary) for row in chosen], axis=0).tolist()
        return Figure(region, boundary)

    def values(self, field: str) -> list[Any]:
        """Return what a field of the rows can be, in the order in which it was run."""
        return list(dict.fromkeys(getattr(row, field) for row in self.rows))

    @property
    def spread(self) -> float:
        """Standard deviation of the mean J&F from view to view: how far it is to be trusted; NaN for one view."""
        return _deviation([self.figure(view=view).both for view in self.values("view")])

    def saved(self) -> list[dict[str, str | int | float]]:
        """Return the rows as what JSON can hold."""
        return [asdict(row) for row in self.rows]

    @classmethod
    def loaded(cls, saved: Iterable[dict[str, Any]]) -> Measured:
        """Return what `saved` gave; raises VosctlError for anything else."""
        try:
            return cls(tuple(Row(**row) for row in saved))
        except TypeError as error:
            raise VosctlError(f"this is no validation that was saved: {error}") from error


def difference(new: Measured, old: Measured) -> tuple[float, float]:
    """Return the mean J&F of `new` minus that of `old` over the runs both have, and its deviation between the views.

    Raises:
        VosctlError: they have no run in common.
    """
    before = {row.key: row for row in old.rows}
    by_view: dict[str, list[float]] = {}
    for row in new.rows:
        if row.key in before:
            by_view.setdefault(row.view, []).append(row.both - before[row.key].both)
    if not by_view:
        raise VosctlError("these validations have no clip, crop, speed and view in common")
    means = [float(np.mean(values)) for values in by_view.values()]
    return float(np.mean([value for values in by_view.values() for value in values])), _deviation(means)


def _deviation(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def check_clip(clip: Clip) -> None:
    """Make sure that a clip can be followed and scored.

    Raises:
        VosctlError: it has no images, too few annotations, or none of its first frame.
    """
    check_annotated(clip)
    check_trackable(clip)
    scored_frames(clip)


def thinned(clip: Clip, step: int) -> Clip | None:
    """Return every `step`-th frame of a clip; None when too few of them are annotated to be scored."""
    images = dict(list(clip.images.items())[::step])
    annotations = {stem: path for stem, path in clip.annotations.items() if stem in images}
    return Clip(clip.name, images, annotations) if len(annotations) >= LEAST_ANNOTATED else None


def measure(
    make_tracker: MakeTracker,
    clips: Sequence[Clip],
    grid: Grid,
    progress: Callable[[Row], None] = lambda row: None,
) -> Measured:
    """Follow the objects of the clips from their first frames, and compare with the annotations.

    Args:
        make_tracker: makes the tracker of a crop size.
        clips: checked by `check_clip`; one of few annotations is left out where frames are.
        grid: what to run.
        progress: called with each clip's figures.

    Raises:
        VosctlError: a file cannot be read, or nothing can be scored.
    """
    rows = []
    for size in grid.sizes:
        tracker = make_tracker(size)
        for step, view, clip in product(grid.steps, grid.views, clips):
            part = thinned(clip, step)
            if part is not None:
                rows.append(Row(clip.name, size, step, view.name, *_score(tracker, part, view)))
                progress(rows[-1])
    if not rows:
        raise VosctlError(f"no clip has {LEAST_ANNOTATED} annotated frames among those that are to be followed")
    return Measured(tuple(rows))


def _score(tracker: SequenceTracker, clip: Clip, view: View) -> tuple[float, float]:
    """Return the mean J and F over the objects of the first frame and the frames that count."""
    first, *others = clip.images.items()
    annotation = view.of_labels(read_annotation(clip.annotations[first[0]]))
    objects = Objects.of(annotation, "multi", clip.name)
    tracker.start(view.of_image(read_image(first[1])), objects.keep(annotation))
    counted = set(scored_frames(clip))
    values = []
    for stem, path in others:
        labels = tracker.step(view.of_image(read_image(path))).labels
        if stem in counted:
            true = view.of_labels(read_annotation(clip.annotations[stem]))
            if true.shape != labels.shape:
                raise VosctlError(f"{clip.annotations[stem]}: is not of its image's size; replace it")
            truth = objects.masks(true)
            found = objects.predicted_masks(labels)
            values += [region_and_boundary(f, t) for f, t in zip(found, truth, strict=True)]
    region, boundary = np.mean(values, axis=0).tolist()
    return float(region), float(boundary)
