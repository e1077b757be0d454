import numpy as np
import pytest

from vosctl.prompts import Prompt, Stroke
from vosctl.prompts.regions import holds, reach_of, region_round, runs_out, union, whole_region
from vosctl.tracking.crop import Crop


@pytest.mark.parametrize("box", [(10, 10, 50, 30), (0, 0, 20, 20), (600, 400, 40, 80), (-30, 100, 80, 60)])
def test_a_region_shows_its_box_with_context_and_little_outside_the_picture(box):
    region = region_round(box, 480, 640, 256)
    x, y, width, height = box
    inside = max(x, 0), max(y, 0), min(x + width, 640) - max(x, 0), min(y + height, 480) - max(y, 0)
    assert holds(region, inside, slack=0.02)
    assert region.side >= 1.3 * max(width, height)
    assert region.x >= -2
    assert region.x + region.side <= 642
    assert region.size == 256


def test_a_region_is_never_larger_than_the_picture_nor_tiny():
    assert region_round((0, 0, 640, 480), 480, 640, 256).side == pytest.approx(640, abs=4)
    assert whole_region(480, 640, 256).side == pytest.approx(640, abs=4)
    assert region_round((300, 200, 2, 2), 480, 640, 256).side >= 32


def test_what_a_prompt_reaches():
    assert reach_of(Prompt(points=((3, 4, False),))) is None
    mask = np.zeros((60, 80), np.float32)
    mask[10:20, 30:40] = 1
    prompt = Prompt(points=((3, 4, True), (70, 50, False)), mask=mask)
    assert reach_of(prompt) == (3, 4, 37, 16)
    assert reach_of(Prompt(strokes=(Stroke(((5, 6), (9, 9)), True, 2),))) == (5, 6, 5, 4)
    assert union([(0, 0, 2, 2), (5, 5, 1, 1)]) == (0, 0, 6, 6)


def test_a_mask_runs_out_of_its_region_only_where_the_picture_goes_on():
    mask = np.zeros((64, 64), bool)
    mask[30:40, :20] = True
    assert runs_out(mask, Crop(100, 100, 128, 64), 480, 640)
    assert not runs_out(mask, Crop(0, 100, 128, 64), 480, 640)
    assert not runs_out(np.roll(mask, 20, axis=1), Crop(100, 100, 128, 64), 480, 640)
