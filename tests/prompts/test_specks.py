"""Maps of ids that were a JPEG once, and are PNG now."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from vosctl.errors import UsageError
from vosctl.prompts.mask_file import read_first_mask
from vosctl.prompts.specks import has_specks

SIZE = (180, 320)


def circles(values):
    labels = np.zeros(SIZE, np.uint8)
    for number, value in enumerate(values):
        cv2.circle(labels, (60 + 95 * number, 60 + 30 * number), 40, value, -1)
    return labels


def through_jpeg(labels, quality):
    file = io.BytesIO()
    Image.fromarray(labels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("values", [(1, 2, 3), (3, 9, 1), (50, 100, 150)])
@pytest.mark.parametrize("quality", [60, 80, 95, 100])
def test_ids_that_were_a_jpeg_once_are_refused(tmp_path, values, quality):
    """They would be objects along every edge."""
    labels = circles(values)
    Image.fromarray(labels).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_first_mask(tmp_path / "m.png", SIZE, fix=False).labels, labels)
    Image.fromarray(through_jpeg(labels, quality)).save(tmp_path / "m.png")
    with pytest.raises(UsageError, match=r"m\.png: (was a JPEG once, .* indexed PNG|the mask has soft edges)"):
        read_first_mask(tmp_path / "m.png", SIZE, fix=False)


@pytest.mark.parametrize("quality", [60, 80, 95, 100])
def test_specks_of_neighbouring_values(quality):
    assert has_specks(through_jpeg(circles((1, 2, 3)), quality))


def stripes():
    """Thin parts of objects with neighbouring numbers that touch."""
    labels = circles((1, 1, 1))
    for x in range(20, 300, 12):
        labels[20:160, x] = 1
        labels[20:160, x + 1] = 2
    return labels


def dots():
    """Stray pixels of every object, as automatic tools leave them."""
    labels = circles((1, 2, 3))
    rng = np.random.default_rng(0)
    where = rng.random(SIZE) < 0.003
    labels[where] = rng.integers(0, 4, where.sum())
    return labels


@pytest.mark.parametrize("make", [stripes, dots, lambda: circles(range(1, 8)), lambda: np.eye(2, dtype=np.uint8)])
def test_thin_things_and_stray_pixels_are_none(make):
    assert not has_specks(make())
