import gc
import weakref

import numpy as np
import pytest

from tests.helpers.frames import square_frame
from tests.helpers.prompts import ColourPromptEngine
from vosctl.errors import UsageError
from vosctl.prompts import Prompt, Stroke
from vosctl.prompts.maps import BOX, INSIDE, MASK, NEGATIVE, POSITIVE
from vosctl.prompts.predictor import MaskPredictor

RED, BLUE = (230, 40, 40), (40, 40, 230)


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.fixture
def engine():
    return ColourPromptEngine()


@pytest.fixture
def scene():
    """A red and a blue square in a picture much larger than what the network looks at."""
    return square_frame(480, 640, (1, RED, 100, 200, 60), (2, BLUE, 420, 120, 90))


def test_a_click_on_something_small_is_looked_at_closely(engine, scene):
    image, labels = scene
    found = MaskPredictor(engine, image).predict(Prompt(points=((130, 230, True),)))
    assert found.probability.shape == labels.shape
    assert found.score == 0.8
    assert overlap(found.mask, labels == 1) > 0.93, "one pixel of the whole picture's view is ten of the picture"
    assert engine.regions == 2
    first, second = engine.maps
    assert not first[MASK].any()
    assert second[MASK].any(), "what was found from afar is passed on"
    assert (first[INSIDE] > 0).mean() == pytest.approx(480 / 640, abs=0.02)


def test_a_thing_that_is_not_seen_from_afar_is_looked_for_round_the_click(engine):
    image, labels = square_frame(2160, 3840, (1, RED, 2000, 1000, 24))
    found = MaskPredictor(engine, image).predict(Prompt(points=((2012, 1012, True),)))
    assert found.mask[labels == 1].all()
    assert found.mask.sum() < 64**2, "less than a thousandth of the picture, though one pixel from afar is 60 x 60"


def test_one_more_click_costs_the_head_only_and_one_less_nothing(engine, scene):
    image, _ = scene
    predictor = MaskPredictor(engine, image)
    one = predictor.predict(Prompt(points=((130, 230, True),)))
    regions, calls = engine.regions, len(engine.maps)
    predictor.predict(Prompt(points=((130, 230, True), (110, 210, True))))
    assert (engine.regions, len(engine.maps)) == (regions, calls + 1)
    assert engine.maps[-1][MASK].any()
    again = predictor.predict(Prompt(points=((130, 230, True),)))
    assert (engine.regions, len(engine.maps)) == (regions, calls + 1)
    assert np.array_equal(one.probability, again.probability)


def test_a_click_far_away_widens_the_region(engine, scene):
    image, labels = scene
    clicks = (130, 230, True), (460, 160, True)
    found = MaskPredictor(engine, image).predict(Prompt(points=clicks))
    assert overlap(found.mask, labels > 0) > 0.8
    without = MaskPredictor(engine, image).predict(Prompt(points=(*clicks, (131, 231, False))))
    assert overlap(without.mask, labels == 2) > 0.8


def test_a_box_its_corrections_and_what_lies_outside_the_picture(engine):
    image, labels = square_frame(200, 300, (1, RED, -20, 50, 80), (2, BLUE, 70, 50, 40))
    predictor = MaskPredictor(engine, image)
    found = predictor.predict(Prompt(box=(-24.5, 46, 88, 88)))
    assert overlap(found.mask, labels == 1) > 0.93
    assert found.box == (-24.5, 46, 88, 88)
    maps = engine.maps[-1]
    assert maps[BOX].any()
    assert not maps[POSITIVE].any()
    both = predictor.predict(Prompt(box=(-24.5, 46, 88, 88), points=((90, 70, True),)))
    assert overlap(both.mask, labels > 0) > 0.9
    with pytest.raises(UsageError, match="lies outside the 300x200 picture"):
        predictor.predict(Prompt(box=(400, 0, 10, 10)))


def test_an_earlier_mask_and_strokes_go_in(engine, scene):
    image, labels = scene
    rough = np.zeros(labels.shape, np.float32)
    rough[210:250, 110:150] = 1
    prompt = Prompt(mask=rough, strokes=(Stroke(((430.0, 130.0), (500.0, 200.0)), True, 4),))
    found = MaskPredictor(engine, image).predict(prompt)
    assert overlap(found.mask, (rough > 0) | (labels == 2)) > 0.8
    away = Prompt(mask=(labels > 0).astype(np.float32), strokes=(Stroke(((125.0, 225.0),), False, 4),))
    assert overlap(MaskPredictor(engine, image).predict(away).mask, labels == 2) > 0.8
    assert engine.maps[-1][NEGATIVE].any()


def test_clicks_beside_the_object_before_the_first_on_it_are_kept(engine, scene):
    image, labels = scene
    found = MaskPredictor(engine, image).predict(Prompt(points=((460, 160, False), (130, 230, True))))
    assert overlap(found.mask, labels == 1) > 0.9
    with pytest.raises(UsageError, match="none of them is on the object"):
        MaskPredictor(engine, image).predict(Prompt(points=((460, 160, False),)))


@pytest.mark.parametrize(
    ("box", "score", "looks"),
    [
        ((98, 198, 64, 64), 0.8, 2),
        ((90, 190, 140, 140), 0.8, 1),  # less than most of it is filled: a part perhaps
        ((98, 198, 64, 64), 0.6, 1),  # what was found is no good guide
    ],
)
def test_what_fills_a_box_is_looked_at_once_more(scene, box, score, looks):
    image, labels = scene
    engine = ColourPromptEngine(score=score)
    found = MaskPredictor(engine, image).predict(Prompt(box=box))
    assert overlap(found.mask, labels == 1) > 0.9
    assert len(engine.maps) == looks
    assert engine.maps[-1][MASK].any() == (looks == 2)


def test_a_mask_whose_answer_is_kept_is_kept_too(engine, scene):
    """A new one in its place in memory would be taken for it."""
    image, labels = scene
    predictor = MaskPredictor(engine, image)
    mask = (labels == 1).astype(np.float32)
    kept = weakref.ref(mask)
    predictor.predict(Prompt(box=(0.0, 0.0, 640.0, 480.0), mask=mask))
    del mask
    gc.collect()
    assert kept() is not None
