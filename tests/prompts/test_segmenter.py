import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.helpers.prompts import ColourPromptEngine
from vosctl import mask_from
from vosctl.errors import UsageError, VosctlError
from vosctl.prompts import Stroke, finder_for, predict_mask
from vosctl.prompts.segmenter import registered_prompt_engine


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.fixture
def cup(demo_frames):
    """The first frame of the demo scene and the cup's exact mask."""
    image, labels = demo_frames[0]
    return image, labels == 2


def box_of(mask, margin=4):
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return x - margin + 0.5, y - margin, width + 2 * margin, height + 2 * margin - 0.5


def test_a_box_finds_the_object_in_a_photograph(cup):
    image, exact = cup
    mask = mask_from(image, box=box_of(exact))
    assert mask.shape == exact.shape
    assert mask.dtype == bool
    assert overlap(mask, exact) > 0.8
    assert np.array_equal(mask, mask_from(image, box=box_of(exact))), "the same every time"


def test_a_box_on_a_large_picture_is_as_good(cup):
    image, exact = cup
    large = cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    mask = mask_from(large, box=[4 * value for value in box_of(exact)])
    assert overlap(mask, cv2.resize(exact.astype(np.uint8), None, fx=4, fy=4) > 0) > 0.8


def test_clicks_on_it_and_beside_it(cup):
    image, exact = cup
    ys, xs = np.nonzero(exact)
    find = finder_for(image)
    x, y, width, height = box_of(exact, 0)
    found = predict_mask(image, points=[(xs.mean(), ys.mean(), True)])
    assert found.mask[round(ys.mean()), round(xs.mean())]
    more = predict_mask(image, box=(x, y, width, height), points=[(xs.mean(), ys.mean(), True), (x - 8, y - 8, False)])
    assert overlap(more.mask, exact) > 0.8
    assert 0 <= more.score <= 1
    assert find is not None


def test_an_earlier_mask_is_improved(cup):
    image, exact = cup
    rough = cv2.dilate(exact.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    better = mask_from(image, mask=rough)
    assert overlap(better, exact) > overlap(rough, exact)


def test_the_soft_mask_comes_along(cup):
    image, exact = cup
    found = predict_mask(image, box=box_of(exact))
    assert found.probability.shape == exact.shape
    assert found.probability.dtype == np.float32
    assert found.doubt is None


def test_a_box_outside_the_picture_says_so(cup):
    with pytest.raises(UsageError, match="lies outside the"):
        mask_from(cup[0], box=(2000, 10, 30, 30))
    with pytest.raises(VosctlError, match="nothing says where the object is"):
        predict_mask(cup[0], strokes=[Stroke(((3.0, 3.0),), False, 2.0)])


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (np.zeros((50, 50), np.uint8), r"\(50, 50\) of uint8"),
        (np.zeros((50, 50, 3)), r"\(50, 50, 3\) of float64"),
        (np.zeros((50, 50, 4), np.uint8), r"\(50, 50, 4\) of uint8"),
        ("cup.png", "str"),
    ],
)
def test_a_picture_is_rgb_bytes(image, kind):
    with pytest.raises(UsageError, match=rf"`image`: give a NumPy array \(H, W, 3\) of uint8 RGB, not {kind}"):
        mask_from(image, box=(1, 1, 5, 5))


def test_a_registered_engine_answers_in_its_place(cup):
    engine = ColourPromptEngine()
    with registered_prompt_engine(engine):
        predict_mask(cup[0], points=[(20, 20, True)])
    assert engine.regions > 0
    regions = engine.regions
    predict_mask(cup[0], points=[(20, 20, True)])
    assert engine.regions == regions


COUNT_THREADS = """
import os, sys
import numpy as np
import cv2
from vosctl.prompts import predict_mask
from vosctl.prompts.segmenter import limit_prompt_threads

cv2.setNumThreads(1)
limit_prompt_threads(int(sys.argv[1]))
before = len(os.listdir("/proc/self/task"))
predict_mask(np.zeros((64, 64, 3), np.uint8), points=[(32, 32, True)])
print(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_it_takes_as_many_threads_as_it_is_given():
    def counted(threads):
        command = [sys.executable, "-c", COUNT_THREADS, str(threads)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert counted(3) == counted(1) + 4, "two more for each of its two graphs"
