import itertools

import numpy as np
import pytest

from tests.helpers.frames import square_frame
from vosctl.tracking.colours import ALIKE, LEAST_PIXELS, colours_of, compared, likeness, with_colours


def seen(colour, side=80, noise=0.0):
    frame, labels = square_frame(256, 256, (1, colour, 60, 60, side))
    grain = np.random.default_rng(1).normal(0, noise, frame.shape) if noise else 0
    return np.clip(frame + grain, 0, 255).astype(np.uint8), (labels > 0).astype(np.float32)


def colours(colour, **kwargs):
    found = colours_of(*seen(colour, **kwargs))
    assert found is not None
    return found


def test_the_same_colours_are_alike_at_any_size_and_others_are_not():
    red = colours((200, 40, 40))
    assert red.sum() == pytest.approx(1, abs=1e-4)
    assert likeness(red, colours((200, 40, 40), side=150)) > 0.98
    assert likeness(red, colours((200, 40, 40), noise=8)) > ALIKE
    for other in ((40, 200, 40), (40, 40, 200), (230, 200, 60), (90, 90, 90)):
        assert likeness(red, colours(other)) < 0.7


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_flat_thing_that_changes_bit_by_bit_never_jumps(channel):
    """Not even from one bin of the histogram to the next."""
    steps = []
    for level in range(120, 160):
        colour = [140, 100, 90]
        colour[channel] = level
        steps.append(colours(tuple(colour)))
    assert all(likeness(one, other) > 0.97 for one, other in itertools.pairwise(steps))
    assert likeness(steps[0], steps[-1]) < 0.9


def test_light_that_changes_a_little_changes_little():
    assert likeness(colours((140, 100, 90)), colours((154, 110, 99))) > 0.9
    assert likeness(colours((140, 100, 90)), colours((140, 140, 90))) < 0.7


def test_of_too_few_pixels_nothing_is_said():
    side = int(LEAST_PIXELS**0.5) - 1
    assert colours_of(*seen((200, 40, 40), side=side)) is None
    assert compared(0.7, None, [colours((200, 40, 40))]) == 0.7
    assert compared(0.7, colours((40, 40, 200)), [None, None]) == 0.7


def test_a_thing_that_is_one_pixel_wide_has_colours_or_none():
    image, found = seen((200, 40, 40))[0], []
    for x in range(100, 110):
        line = np.zeros(image.shape[:2], np.float32)
        line[20:230, x] = 1
        assert line.sum() >= LEAST_PIXELS
        found.append(colours_of(image, line))
    assert {one is None for one in found} == {True, False}
    assert all(one.sum() == pytest.approx(1, abs=1e-4) for one in found if one is not None)


def test_colours_only_speak_against_and_are_not_believed_without_limit():
    assert with_colours(0.7, 1.0) == pytest.approx(0.7)
    assert with_colours(0.7, ALIKE) == pytest.approx(0.7)
    assert with_colours(0.7, 0.9) < 0.3
    assert with_colours(0.98, 0.0) > 0.6, "the light may have changed"
    assert with_colours(1.0, 0.0) > 0.99
    assert with_colours(0.0, 0.5) == 0


def test_one_of_the_known_colours_is_enough():
    red, blue, green = colours((200, 40, 40)), colours((40, 40, 200)), colours((40, 200, 40))
    assert compared(0.9, blue, [red]) < 0.5
    assert compared(0.9, blue, [red, blue]) == pytest.approx(0.9)
    assert compared(0.9, red, [red, None]) == pytest.approx(0.9)
    assert compared(0.9, green, [red, blue]) < 0.5
