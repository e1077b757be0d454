import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vosctl.errors import VosctlError
from vosctl.evaluation.grid import PLAIN, QUICK, VIEWS, Grid, Measured, Row, View, difference, measure, thinned
from vosctl.tracking.results import TrackedFrame


class Shadow:
    """Answers with the annotation itself, which the images show at half its values, `late` frames late."""

    def __init__(self, late: int = 0):
        self._late = late
        self.seen: list[tuple[int, ...]] = []

    def start(self, frame, mask, /):
        self._kept = [mask]
        self.seen.append(frame.shape)
        return TrackedFrame(mask, None, ())

    def step(self, frame, /):
        self._kept.append((frame[..., 0] * 2 >= 128).astype(np.uint8) * 255)
        self.seen.append(frame.shape)
        return TrackedFrame(self._kept[max(len(self._kept) - 1 - self._late, 0)], None, ())


@pytest.fixture
def clip(make_sequence, square):
    return make_sequence("drift", [square(5 + 4 * index, value=255) for index in range(9)])


def test_every_combination_is_run_and_a_perfect_tracker_has_all(clip):
    trackers = {}

    def make(size):
        return trackers.setdefault(size, Shadow())

    heard = []
    measured = measure(make, [clip], Grid((64, 96), (1, 3), VIEWS), heard.append)
    assert len(measured.rows) == 2 * 2 * len(VIEWS) == len(heard)
    assert measured.figure(view="plain").both == measured.figure(view="mirrored").both == 1.0
    assert measured.figure(view="smaller").region > 0.85  # pixels of the outline are interpolated
    assert (60, 80, 3) in trackers[64].seen
    assert (58, 78, 3) in trackers[64].seen
    assert (62, 82, 3) in trackers[96].seen


def test_a_late_tracker_loses_more_where_frames_are_left_out(clip):
    measured = measure(lambda size: Shadow(late=1), [clip], replace(PLAIN, sizes=(0,)))
    every, third = measured.figure(step=1).region, measured.figure(step=3).region
    assert every == pytest.approx(16 / 24)
    assert third == pytest.approx(8 / 32)
    assert measured.figure().region == pytest.approx((every + third) / 2)


def test_an_annotation_of_another_size_is_named(clip):
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(clip.annotations["00004"])
    with pytest.raises(VosctlError, match=r"00004\.png: is not of its image's size"):
        measure(lambda size: Shadow(), [clip], QUICK)


def test_frames_are_left_out_with_their_annotations(clip):
    assert list(thinned(clip, 3).images) == ["00000", "00003", "00006"] == list(thinned(clip, 3).annotations)
    assert thinned(clip, 8) is None


def test_a_clip_of_few_annotations_counts_at_every_frame_only(make_sequence, square):
    short = make_sequence("short", [square(5 + index, value=255) for index in range(5)])
    measured = measure(lambda size: Shadow(), [short], replace(PLAIN, sizes=(0,)))
    assert [row.step for row in measured.rows] == [1]
    with pytest.raises(VosctlError, match="no clip has 3 annotated frames"):
        measure(lambda size: Shadow(), [short], replace(QUICK, steps=(3,)))


def rows(**by_view):
    return Measured(tuple(Row("a", 256, 1, view, value, value) for view, value in by_view.items()))


def test_the_spread_is_that_of_the_views():
    assert rows(plain=0.5, mirrored=0.6).spread == pytest.approx(0.1 / math.sqrt(2))
    assert math.isnan(rows(plain=0.5).spread)


def test_differences_are_taken_run_by_run():
    gain, deviation = difference(rows(plain=0.5, mirrored=0.7), rows(plain=0.4, mirrored=0.6, smaller=0.1))
    assert gain == pytest.approx(0.1)
    assert deviation == pytest.approx(0, abs=1e-9)
    with pytest.raises(VosctlError, match="in common"):
        difference(rows(plain=0.5), rows(mirrored=0.5))


def test_what_was_saved_is_loaded_again():
    measured = rows(plain=0.5, mirrored=0.6)
    assert Measured.loaded(measured.saved()) == measured
    with pytest.raises(VosctlError, match="no validation"):
        Measured.loaded([{"sequence": "a"}])


def test_a_mirrored_view_mirrors_image_and_ids_alike():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    view = View("mirrored", mirrored=True)
    assert (view.of_image(image) == image[:, ::-1]).all()
    assert (view.of_labels(image[..., 0]) == image[:, ::-1, 0]).all()
