import cv2
import numpy as np
import pytest

from tests.helpers.frames import square_frame
from vosctl.errors import UsageError
from vosctl.selection import mask_from_box, mask_from_points, mask_from_stroke, refine_mask

RED = (230, 40, 40)


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.fixture
def cup(demo_frames):
    """The first frame of the demo scene and the cup's exact mask."""
    image, labels = demo_frames[0]
    return image, labels == 2


def test_a_box_finds_the_object_in_a_photograph(cup):
    image, exact = cup
    x, y, width, height = cv2.boundingRect(exact.astype(np.uint8))
    mask = mask_from_box(image, (x - 4, y - 4, width + 8, height + 8))
    assert mask.shape == exact.shape
    assert mask.dtype == bool
    assert overlap(mask, exact) > 0.9
    assert np.array_equal(mask, mask_from_box(image, (x - 4, y - 4, width + 8, height + 8))), "the same every time"


def test_a_box_on_a_large_picture_is_as_good(cup):
    image, exact = cup
    x, y, width, height = cv2.boundingRect(exact.astype(np.uint8))
    large = cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    mask = mask_from_box(large, (4 * (x - 4), 4 * (y - 4), 4 * (width + 8), 4 * (height + 8)))
    assert overlap(mask, cv2.resize(exact.astype(np.uint8), None, fx=4, fy=4) > 0) > 0.9


def test_a_stroke_round_the_object_finds_it(cup):
    image, exact = cup
    grown = cv2.dilate(exact.astype(np.uint8), np.ones((9, 9)))
    contours, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    stroke = [(int(x), int(y)) for x, y in max(contours, key=len)[:, 0]]
    assert overlap(mask_from_stroke(image, stroke), exact) > 0.9


def test_one_point_finds_a_whole_object_and_background_points_hold_it_back():
    image, labels = square_frame(120, 160, (1, RED, 30, 40, 40), (2, RED, 76, 40, 30))
    assert overlap(mask_from_points(image, [(50, 60)]), labels == 1) > 0.85
    both = mask_from_points(image, [(50, 60), (90, 55)], [(73, 55)])
    assert overlap(both, labels > 0) > 0.8
    assert not both[55, 73]


def test_paint_corrects_where_it_is_and_nowhere_else(cup):
    image, exact = cup
    halved = exact.copy()
    x, _, width, _ = cv2.boundingRect(exact.astype(np.uint8))
    halved[:, x + width // 2 :] = False
    ys, xs = np.nonzero(exact & ~halved)
    painted = [(int(xs[index]), int(ys[index])) for index in range(0, len(xs), 40)]
    corrected = refine_mask(image, halved, painted, [], radius=4)
    assert overlap(corrected, exact) > 0.9
    far = np.zeros_like(exact)
    far[-30:, :40] = True
    with_far = refine_mask(image, halved | far, painted, [], radius=4)
    assert with_far[-30:, :40].all()
    erased = refine_mask(image, corrected, [], [(int(xs[0]), int(ys[0]))], radius=3)
    assert corrected[ys[0], xs[0]]
    assert not erased[ys[0], xs[0]]


def test_a_box_over_the_whole_picture_and_one_over_its_corner():
    image, labels = square_frame(60, 80, (1, RED, 20, 10, 40))
    assert overlap(mask_from_box(image, (0, 0, 80, 60)), labels == 1) > 0.9
    image, labels = square_frame(60, 80, (1, RED, -10, -10, 40))
    assert overlap(mask_from_box(image, (-20, -20, 55, 55)), labels == 1) > 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda image: mask_from_box(image, (200, 10, 20, 20)), "box 200,10,20,20: covers less than 4x4"),
        (lambda image: mask_from_box(image, (10, 10, 2, 20)), "covers less than"),
        (lambda image: mask_from_stroke(image, [(1, 1), (40, 1)]), "encloses next to nothing"),
        (lambda image: mask_from_points(image, []), "none of them is on the object"),
        (lambda image: mask_from_points(image, [(80, 1)]), "point 80,1: lies outside the 80x60 picture"),
        (lambda image: mask_from_points(image, [(8, 1)], [(8, -1)]), "point 8,-1: lies outside"),
        (lambda image: refine_mask(image, np.eye(60, 80) > 2, [], [(5, 5)], 2), "nothing of the object is left"),
    ],
)
def test_what_cannot_be_cut_is_said(call, message):
    with pytest.raises(UsageError, match=message):
        call(square_frame(60, 80, (1, RED, 20, 10, 30))[0])
