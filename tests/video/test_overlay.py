"""Objects drawn on a frame."""

from __future__ import annotations

import numpy as np
import pytest

from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.video.colours import object_colour
from vosctl.video.overlay import contour_width, render_overlay


def scene(objects: dict[int, tuple[int, int, int, int]], height=120, width=160) -> TrackedFrame:
    labels = np.zeros((height, width), np.uint8)
    for object_id, (x, y, w, h) in objects.items():
        labels[y : y + h, x : x + w] = object_id
    items = tuple(TrackedObject(i, "tracked", 1.0, w * h, (x, y, w, h)) for i, (x, y, w, h) in objects.items())
    return TrackedFrame(labels, (labels > 0).astype(np.uint8) * 255, items)


@pytest.fixture
def grey():
    return np.full((120, 160, 3), 100, np.uint8)


def test_object_is_tinted_inside_outlined_at_its_edge_and_nothing_else_changes(grey):
    drawn = render_overlay(grey, scene({5: (40, 30, 60, 50)})).astype(int)
    colour = np.array(object_colour(5))
    np.testing.assert_allclose(drawn[55, 70], 100 * 0.58 + colour * 0.42, atol=1)
    np.testing.assert_allclose(drawn[55, 40], colour, atol=12)
    assert (drawn[:28] == 100).all()
    assert (drawn[:, :38] == 100).all()
    assert (drawn[:, 103:] == 100).all()


def test_the_frame_itself_is_untouched(grey):
    render_overlay(grey, scene({1: (0, 0, 160, 120)}))
    assert (grey == 100).all()


def test_lost_objects_are_not_drawn(grey):
    labels = np.zeros((120, 160), np.uint8)
    lost = TrackedFrame(labels, labels, (TrackedObject(1, "lost", 0.0, 0, None),))
    np.testing.assert_array_equal(render_overlay(grey, lost), grey)


def test_an_object_inside_the_box_of_another_keeps_its_own_colour(grey):
    drawn = render_overlay(grey, scene({1: (20, 20, 100, 80), 2: (50, 40, 30, 30)})).astype(int)
    np.testing.assert_allclose(drawn[55, 65], 100 * 0.58 + np.array(object_colour(2)) * 0.42, atol=1)
    np.testing.assert_allclose(drawn[90, 100], 100 * 0.58 + np.array(object_colour(1)) * 0.42, atol=1)


def test_objects_at_the_borders_and_of_one_pixel(grey):
    drawn = render_overlay(grey, scene({1: (159, 119, 1, 1), 2: (0, 0, 160, 3)}))
    assert (drawn[119, 159] != 100).any()
    assert (drawn[0, 80] != 100).any()


def test_a_read_only_frame_can_be_drawn(grey):
    grey.setflags(write=False)
    assert (render_overlay(grey, scene({1: (10, 10, 20, 20)})) != 100).any()


@pytest.mark.parametrize(
    ("height", "width", "pixels"), [(240, 432, 1), (480, 854, 1), (1080, 1920, 3), (2160, 3840, 6), (1920, 1080, 3)]
)
def test_contours_scale_with_the_frame(height, width, pixels):
    assert contour_width(height, width) == pixels


def test_every_id_has_a_valid_colour_and_the_first_ones_differ_plainly():
    colours = np.array([object_colour(i) for i in range(1, 256)])
    assert colours.min() >= 0
    assert colours.max() <= 255
    assert len(np.unique(colours, axis=0)) == 255
    first = colours[:12].astype(int)
    distances = np.abs(first[:, None] - first[None]).sum(-1)
    assert distances[~np.eye(12, dtype=bool)].min() > 80
