import numpy as np
import pytest

from vosctl.training.prompt.clicks import add_click


@pytest.fixture
def truth():
    labels = np.zeros((96, 96), np.uint8)
    labels[20:60, 20:60] = 1
    labels[60:64, 20:60] = 255
    return labels


def maps():
    prompts = np.zeros((5, 96, 96), np.float32)
    prompts[4] = 1
    return prompts


def test_the_first_click_lies_in_the_middle_of_the_object_or_near_it(truth):
    for seed in range(20):
        prompts = maps()
        add_click(prompts, truth, np.zeros(truth.shape, bool), np.random.default_rng(seed))
        assert prompts[0].any()
        assert not prompts[1].any()
        ys, xs = np.nonzero(prompts[0])
        assert abs(ys - 39.5).max() < 20
        assert abs(xs - 39.5).max() < 20


def test_the_next_click_lies_in_the_largest_error_on_its_side(truth):
    found = truth == 1
    found[:, 45:] = False  # a strip 15 wide is missing
    found[70:80, 70:80] = True  # a square of 10 is too much
    prompts = maps()
    add_click(prompts, truth, found, np.random.default_rng(0))
    assert prompts[0, 20:60, 45:60].any()
    found[66:92, 64:92] = True
    add_click(prompts, truth, found, np.random.default_rng(0))
    assert prompts[1, 66:92, 64:92].any()


@pytest.mark.parametrize("outside", [False, True])
def test_void_and_what_lies_outside_the_picture_are_no_errors(truth, outside):
    found = truth != 0  # the void is taken for the object
    prompts = maps()
    if outside:
        found[70:, 70:] = True
        prompts[4, 66:] = 0
    add_click(prompts, truth, found, np.random.default_rng(0))
    assert not prompts[:2].any()
