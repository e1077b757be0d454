import cv2
import numpy as np
import pytest

from vosctl.training.prompt.samples import (
    GREY,
    chosen_object,
    jittered_box,
    make_sample,
    pasted,
    region_matrix,
    shifted_inside,
    warp_region,
)


@pytest.fixture
def picture():
    """A picture with a bright disc (1), a square (2) and void (255) at the square's edge."""
    rng = np.random.default_rng(3)
    image = rng.integers(0, 80, (120, 200, 3), np.uint8)
    labels = np.zeros((120, 200), np.uint8)
    cv2.circle(labels, (60, 50), 24, 1, -1)
    labels[60:100, 130:170] = 255
    labels[62:98, 132:168] = 2
    image[labels == 1] = (240, 200, 40)
    image[labels == 2] = (40, 200, 240)
    return image, labels


def test_one_instance_is_chosen_and_the_others_are_background(picture):
    _, labels = picture
    seen = set()
    for seed in range(10):
        chosen = chosen_object(labels, (1, 2), False, np.random.default_rng(seed))
        seen.add(int(labels[chosen == 1][0]))
        assert len(np.unique(labels[chosen == 1])) == 1
        assert (chosen[labels == 255] == 255).all()
    assert seen == {1, 2}


def test_a_group_is_sometimes_one_of_its_large_pieces():
    labels = np.zeros((60, 120), np.uint8)
    labels[10:40, 10:40] = labels[10:40, 70:100] = labels[55:57, 55:57] = 1
    areas = {int((chosen_object(labels, (1,), True, np.random.default_rng(seed)) == 1).sum()) for seed in range(20)}
    assert areas == {900, 1804}, "one of the two, or all; never the speck"


def test_samples_show_the_object_with_what_is_said_of_it(picture):
    image, labels = picture
    one = np.where(labels == 1, np.uint8(1), np.uint8(0))
    kinds = set()
    for seed in range(60):
        sample = make_sample(image, one, 96, np.random.default_rng(seed))
        assert sample is not None
        region, region_labels, prompts, click = sample
        assert region.shape == (96, 96, 3)
        assert region_labels.shape == (96, 96)
        assert prompts.shape == (5, 96, 96)
        assert not prompts[:2].any(), "clicks are simulated while training"
        assert prompts[4].any()
        kinds.add("box" if prompts[2].any() else "mask" if prompts[3].any() else "click")
        if not prompts[2].any() and not prompts[3].any():
            assert click
        if prompts[2].any():
            inside = (region_labels == 1) & (prompts[2] > 0)
            assert inside.sum() > 0.7 * (region_labels == 1).sum()
    assert kinds == {"box", "mask", "click"}


def test_a_sample_of_nothing_is_none(picture):
    image, labels = picture
    assert make_sample(image, labels * 0, 96, np.random.default_rng(0)) is None


def test_picture_and_labels_go_to_the_same_place(picture):
    image, labels = picture
    one = np.where(labels == 1, np.uint8(1), np.uint8(0))
    for seed in range(8):
        matrix = region_matrix(one, 128, False, False, np.random.default_rng(seed))
        region, region_labels = warp_region(image, one, matrix, 128, float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))))
        bright = np.abs(region.astype(int) - (240, 200, 40)).max(axis=2) < 60
        both, either = (bright & (region_labels == 1)).sum(), (bright | (region_labels == 1)).sum()
        assert both / either > 0.93


def test_regions_shrunk_much_are_averaged_and_the_outside_is_grey():
    image = np.zeros((400, 400, 3), np.uint8)
    image[::2] = 200
    matrix = np.array([[0.1, 0, 20.0], [0, 0.1, 20.0]])
    region, _ = warp_region(image, np.zeros((400, 400), np.uint8), matrix, 80, 0.1)
    assert (region[0, 0] == GREY).all()
    assert abs(region[30:50, 30:50].astype(int) - 100).max() < 40


def test_a_square_is_moved_into_the_picture_where_it_fits():
    assert shifted_inside(np.array([5.0, 50.0]), 40, 200, 100).tolist() == [20, 50]
    assert shifted_inside(np.array([195.0, 99.0]), 40, 200, 100).tolist() == [180, 80]
    assert shifted_inside(np.array([5.0, 5.0]), 150, 200, 100).tolist() == [75, 50]


def test_boxes_are_moved_by_no_more_than_they_may(picture):
    mask = picture[1] == 1
    for seed in range(30):
        x, y, width, height = jittered_box(mask, np.random.default_rng(seed))
        assert 36 - 0.151 * 49 <= x <= 36 + 0.061 * 49
        assert 0.87 * 49 <= width <= 1.31 * 49
        assert 26 - 0.151 * 49 <= y <= 26 + 0.061 * 49
        assert 0.87 * 49 <= height <= 1.31 * 49


def test_a_pasted_object_is_background_or_the_object(picture):
    image, labels = picture
    one, two = ((labels == number).astype(np.uint8) for number in (1, 2))
    outcomes = set()
    for seed in range(30):
        mixed, changed = pasted(image, one, image, two, np.random.default_rng(seed))
        if np.array_equal(changed, one):
            continue
        blue = np.abs(mixed.astype(int) - (40, 200, 240)).max(axis=2) < 30
        outcomes.add(bool(blue[changed == 1].mean() > 0.5))
    assert outcomes == {True, False}
