from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vosctl.errors import UsageError, VosctlError
from vosctl.evaluation.runner import Speed, check_masks_folder, track_sequence
from vosctl.evaluation.scoring import score_sequence
from vosctl.tracking.arriving import ArrivingFrame, Settled
from vosctl.tracking.results import TrackedFrame
from vosctl.video.masks import read_indexed_png


class StayingTracker:
    """Answers every frame with the first mask."""

    def __init__(self) -> None:
        self.started: list[np.ndarray] = []
        self.frames: list[np.ndarray] = []

    def start(self, frame: np.ndarray, labels: np.ndarray) -> TrackedFrame:
        self.started.append(labels)
        return self.step(frame)

    def step(self, frame: np.ndarray) -> TrackedFrame:
        self.frames.append(frame)
        return TrackedFrame(self.started[-1], np.zeros_like(self.started[-1]), ())


def test_masks_of_every_frame_are_written(make_sequence, moving, tmp_path) -> None:
    tracker, calls = StayingTracker(), []
    sequence = make_sequence("bear", moving)
    speed = track_sequence(tracker, sequence, "multi", tmp_path / "masks", progress=lambda: calls.append(None))
    written = sorted(path.name for path in (tmp_path / "masks" / "bear").iterdir())
    assert written == [f"{index:05d}.png" for index in range(6)]
    assert len(calls) == len(tracker.frames) == 6
    assert speed.frames == 5
    assert tracker.frames[0].shape == (60, 80, 3)
    assert np.array_equal(read_indexed_png(tmp_path / "masks" / "bear" / "00005.png"), moving[0])
    region = score_sequence(sequence, tmp_path / "masks", "multi").region[0]
    # A square of 20 pixels that is 4, 8, 12, 16 pixels ahead of its first place.
    assert region == pytest.approx([(20 - step) / (20 + step) for step in (4, 8, 12, 16)])


@pytest.mark.parametrize(("task", "ids"), [("multi", [0, 1, 7]), ("single", [0, 1])])
def test_task_decides_what_is_followed(make_sequence, moving, square, tmp_path, task, ids) -> None:
    tracker = StayingTracker()
    sequence = make_sequence("pair", [square(0, y=0, value=7, base=mask) for mask in moving])
    track_sequence(tracker, sequence, task, tmp_path / "masks")
    assert np.unique(tracker.started[0]).tolist() == ids


def test_image_and_annotation_must_agree(make_sequence, moving, tmp_path) -> None:
    sequence = make_sequence("bear", moving)
    Image.fromarray(np.zeros((10, 20, 3), np.uint8)).save(sequence.images["00002"])
    with pytest.raises(VosctlError, match=r"00002\.png is 20x10, but the annotation .* is 80x60"):
        track_sequence(StayingTracker(), sequence, "multi", tmp_path / "masks")
    assert list((tmp_path / "masks").iterdir()) == []


def test_present_masks_are_not_replaced_unasked(make_sequence, moving, tmp_path) -> None:
    sequence = make_sequence("bear", moving)
    masks = tmp_path / "masks"
    check_masks_folder([sequence], masks, overwrite=False)
    track_sequence(StayingTracker(), sequence, "multi", masks)
    with pytest.raises(UsageError, match=r"bear is not empty; pass `overwrite=True`"):
        check_masks_folder([sequence], masks, overwrite=False)
    check_masks_folder([sequence], masks, overwrite=True)
    (masks / "bear" / "notes.txt").touch()
    with pytest.raises(UsageError, match="not a folder of masks alone"):
        check_masks_folder([sequence], masks, overwrite=True)


def test_annotations_are_never_replaced(make_sequence, moving, root) -> None:
    with pytest.raises(UsageError, match="holds the annotations"):
        check_masks_folder([make_sequence("bear", moving)], root / "Annotations", overwrite=True)


class LateTracker(StayingTracker):
    """Takes two seconds a frame, of which one is waited for when its masks are asked for."""

    now = 0.0

    def step(self, frame: np.ndarray) -> TrackedFrame:
        plain = super().step(frame)
        self.now += 1

        def arrive() -> tuple[np.ndarray, np.ndarray]:
            self.now += 1
            return plain.labels, plain.alpha

        return ArrivingFrame.of(lambda: Settled((), arrive))


def test_masks_that_arrive_late_count_in_the_speed(make_sequence, moving, tmp_path) -> None:
    tracker = LateTracker()
    sequence = make_sequence("bear", moving)
    speed = track_sequence(tracker, sequence, "multi", tmp_path / "masks", clock=lambda: tracker.now)
    assert (speed.frames, speed.seconds) == (5, 10.0)


def test_speed() -> None:
    assert (Speed(10, 2.0) + Speed(5, 1.0)).frames_per_second == 5.0
    assert Speed(0, 0.0).frames_per_second == 0.0
