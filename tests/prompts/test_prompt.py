from typing import Any, cast

import numpy as np
import pytest

from vosctl.errors import UsageError
from vosctl.prompts import MaskPrediction, Prompt, Stroke

SIZE = 60, 80


def test_a_prompt_is_put_together_from_plain_values():
    prompt = Prompt.of([1, 2.5, 30, 20], [(4, 5.5, True)], np.ones(SIZE, bool))
    assert prompt.box == (1.0, 2.5, 30.0, 20.0)
    assert prompt.points == ((4.0, 5.5, True),)
    assert prompt.mask is not None
    assert prompt.mask.dtype == np.float32
    prompt.check(*SIZE)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (Prompt(box=(100, 0, 20, 20)), "`box=100,0,20,20`: lies outside the 80x60 picture"),
        (Prompt(box=(-30, 5, 30, 20)), "lies outside"),
        (Prompt(box=(78, 5, 30, 20)), "covers less than 4x4"),
        (Prompt(points=((80, 10, True),)), "`point=80,10`: lies outside"),
        (Prompt(points=((-0.5, 10, True),)), "`point=-0.5,10`: lies outside"),
        (Prompt(points=((10, 10, False),)), "none of them is on the object"),
        (Prompt(), "nothing says where the object is"),
        (Prompt(mask=np.zeros(SIZE, np.float32)), "nothing says where the object is"),
        (Prompt(mask=np.ones((60, 81), np.float32)), "is 81x60, the picture 80x60"),
    ],
)
def test_what_does_not_fit_the_picture_is_said(prompt, words):
    with pytest.raises(UsageError) as error:
        prompt.check(*SIZE)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_box_partly_outside_and_corrections_beside_a_box_or_mask_are_fine():
    Prompt(box=(-10, -10, 40, 40), points=((50, 50, False),)).check(*SIZE)
    Prompt(strokes=(Stroke(((3, 3), (9, 9)), True, 2),)).check(*SIZE)
    Prompt(mask=np.ones(SIZE, np.float32), points=((5, 5, False),)).check(*SIZE)


@pytest.mark.parametrize(
    "given",
    [
        *({"box": (1, 2, 3)}, {"box": (1, 2, 0, 4)}, {"box": (1, 2, float("nan"), 4)}, {"points": [(1, 2)]}),
        *({"mask": "mask.png"}, {"mask": [[1, 0], [1]]}),
    ],
)
def test_other_forms_are_refused(given):
    with pytest.raises(UsageError):
        Prompt.of(**given)


def test_a_doubtful_mask_says_why():
    full = np.ones(SIZE, np.float32)
    assert MaskPrediction(full, 0.9).doubt is None
    assert "no object was found" in MaskPrediction(np.zeros(SIZE, np.float32), 0.9).doubt
    assert "doubtful (score 0.20 of 1)" in MaskPrediction(full, 0.2).doubt
    speck = np.zeros(SIZE, np.float32)
    speck[10:14, 10:14] = 1
    assert "fills only 0.6 % of its box" in MaskPrediction(speck, 0.9, (0, 0, 60, 45)).doubt
    assert MaskPrediction(speck, 0.9, (9, 9, 6, 6)).doubt is None
    assert MaskPrediction(speck, 0.9, (-1000, 9, 1015, 6)).doubt is None, "only the part in the picture counts"


@pytest.mark.parametrize("points", [(310, 240, True), [310, 240], np.array([310, 240, 1]), 310, "310,240"])
def test_one_click_in_the_place_of_a_list_is_said(points):
    with pytest.raises(UsageError, match=r"`point=.*310.*: give a list of clicks, such as \[\(310, 240, True\)\]"):
        Prompt.of(points=cast(Any, points))


def test_clicks_that_come_one_by_one_are_all_taken():
    assert Prompt.of(points=cast(Any, ((x, 5, True) for x in (3, 4)))).points == ((3.0, 5.0, True), (4.0, 5.0, True))
