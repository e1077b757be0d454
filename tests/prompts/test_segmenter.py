import numpy as np
import pytest

from tests.helpers.frames import square_frame
from vosctl import mask_from
from vosctl.errors import UsageError
from vosctl.prompts import predict_mask

RED = (230, 40, 40)


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.fixture
def square():
    image, labels = square_frame(120, 160, (1, RED, 30, 40, 40))
    return image, labels == 1


def test_a_box_and_a_click_find_the_object(square):
    image, exact = square
    for found in (mask_from(image, box=(26.5, 36, 48, 48.5)), mask_from(image, points=[(50, 60, True)])):
        assert found.dtype == bool
        assert overlap(found, exact) > 0.85


def test_the_soft_mask_comes_along(square):
    image, exact = square
    found = predict_mask(image, box=(26, 36, 48, 48))
    assert found.probability.shape == exact.shape
    assert found.probability.dtype == np.float32
    assert found.doubt is None


def test_a_box_outside_the_picture_says_so(square):
    with pytest.raises(UsageError, match="lies outside the 160x120 picture"):
        mask_from(square[0], box=(200, 10, 30, 30))
