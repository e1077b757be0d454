import numpy as np
import pytest

from tests.helpers.frames import square_frame
from tests.helpers.prompts import ColourPromptEngine
from vosctl.errors import VosctlError
from vosctl.prompts import Prompt
from vosctl.prompts.first_objects import FirstObjects
from vosctl.prompts.segmenter import registered_prompt_engine

RED = (230, 40, 40)


@pytest.fixture
def image():
    return square_frame(120, 160, (1, RED, 60, 40, 10))[0]


def labels_of(objects, image):
    told = []
    with registered_prompt_engine(ColourPromptEngine()):
        return objects.labels(image, told.append, told.append), told


def test_a_mask_that_hardly_fills_its_box_stops_unless_told_to_go_on(image):
    point = Prompt(box=(10, 10, 130, 100), points=((65, 45, True), (20, 100, False)))
    with registered_prompt_engine(OnlyClicks()), pytest.raises(VosctlError) as error:
        FirstObjects(prompts={2: point}).labels(image, print, print)
    assert "object 2: the mask fills only" in str(error.value)
    assert "`accept_doubtful=True`" in str(error.value)
    told = []
    with registered_prompt_engine(OnlyClicks()):
        labels = FirstObjects(prompts={2: point}, accept_doubtful=True).labels(image, print, told.append)
    assert set(np.unique(labels)) == {0, 2}
    assert "fills only" in told[0]


class OnlyClicks(ColourPromptEngine):
    """Finds what is clicked on, whatever the box."""

    def segment(self, maps, features):
        maps = maps.copy()
        maps[2:4] = 0
        return super().segment(maps, features)


def test_nothing_found_stops_in_any_case(image):
    nothing = Prompt(points=((5, 5, True),))  # the background is of no bright colour
    with (
        registered_prompt_engine(ColourPromptEngine()),
        pytest.raises(VosctlError, match="no object was found") as error,
    ):
        FirstObjects(prompts={1: nothing}, accept_doubtful=True).labels(image, print, print)
    assert "accept" not in str(error.value)


def test_what_is_found_without_doubt_is_taken(image):
    labels, told = labels_of(FirstObjects(prompts={3: Prompt(points=((65, 45, True),))}), image)
    assert (labels == 3).sum() > 60
    assert told == []
