from dataclasses import replace

import pytest

from vosctl.tracking.presence import (
    CONFIRMED_ABOVE,
    FOUND_ABOVE,
    FOUND_AFTER_CHANGE_ABOVE,
    FOUND_IN_PLACE_ABOVE,
    GONE_BELOW,
    LOST_BELOW,
    PATIENCE,
    TRIAL_BELOW,
    TRIAL_FRAMES,
    Belief,
)

DOUBTFUL = (GONE_BELOW + LOST_BELOW) / 2
BETWEEN = (LOST_BELOW + FOUND_AFTER_CHANGE_ABOVE) / 2


def after(presences, belief=None):
    belief = belief or Belief()
    for presence in presences:
        belief = belief.after(presence)
    return belief


def test_what_is_surely_gone_is_lost_at_once():
    assert after([0.0]).lost


def test_one_doubtful_frame_loses_nothing_but_several_do():
    assert not after([DOUBTFUL] * (PATIENCE - 1)).lost
    assert after([DOUBTFUL] * PATIENCE).lost
    assert not after([*[DOUBTFUL] * (PATIENCE - 1), 0.9, *[DOUBTFUL] * (PATIENCE - 1)]).lost


@pytest.mark.parametrize("presence", [DOUBTFUL, BETWEEN])
def test_after_a_cut_what_is_followed_has_to_be_found(presence):
    assert Belief().after(presence, scene_changed=True).lost
    assert not Belief().after(FOUND_ABOVE + 0.01, scene_changed=True).lost


@pytest.mark.parametrize("presence", [DOUBTFUL, BETWEEN])
def test_finding_asks_for_more_than_following(presence):
    assert after([presence] * 50, Belief(lost=True)).lost
    assert not after([FOUND_ABOVE + 0.01], Belief(lost=True)).lost
    assert not after([BETWEEN] * 50).lost


def test_anywhere_more_is_asked_for_than_in_its_place():
    presence = (FOUND_IN_PLACE_ABOVE + FOUND_ABOVE) / 2
    assert not Belief(lost=True).after(presence, guided=True).lost
    assert Belief(lost=True).after(presence, guided=False).lost
    assert not Belief(lost=True).after(FOUND_ABOVE + 0.01, guided=False).lost


def test_in_its_place_less_is_asked_for_when_the_scene_has_just_come_back():
    presence = (FOUND_AFTER_CHANGE_ABOVE + FOUND_IN_PLACE_ABOVE) / 2
    assert Belief(lost=True).after(presence).lost
    assert not Belief(lost=True).after(presence, searching=True).lost
    assert Belief(lost=True).after(presence, guided=False, searching=True).lost


def test_in_another_scene_its_place_counts_for_nothing():
    assert Belief(lost=True).after(FOUND_ABOVE - 0.01, searching=True, elsewhere=True).lost
    assert not Belief(lost=True).after(FOUND_ABOVE + 0.01, searching=True, elsewhere=True).lost


def test_what_fades_slowly_is_followed_on_and_what_drops_is_not():
    """An object turns away from how it was shown; the same low presence all at once is another thing."""
    fading = [0.95 * 0.965**step for step in range(54)]  # down to 0.14
    assert min(fading) < LOST_BELOW / 2
    assert not after(fading).lost
    assert after([*[0.95] * 10, *[min(fading)] * PATIENCE]).lost


def test_what_was_found_faintly_may_stay_faint():
    found = Belief(lost=True).after(FOUND_IN_PLACE_ABOVE + 0.01)
    assert found.usual == pytest.approx(FOUND_IN_PLACE_ABOVE + 0.01)


def test_in_its_place_it_may_be_as_faint_as_it_was():
    faint = after([0.95 * 0.965**step for step in range(40)])
    found = replace(faint, lost=True).after(0.9, searching=True)
    assert found.usual == faint.usual
    assert not after([LOST_BELOW * 0.6] * 20, found).lost
    assert replace(faint, lost=True).after(0.9, guided=False).usual == 0.9


def test_what_is_found_in_another_scene_is_on_trial_for_a_while():
    found = Belief(lost=True).after(0.9, elsewhere=True)
    assert not found.lost
    assert after([TRIAL_BELOW - 0.01], found).lost
    assert not after([0.9] * TRIAL_FRAMES, found).trial
    assert not after([*[0.9] * TRIAL_FRAMES, TRIAL_BELOW - 0.01], found).lost
    assert not after([TRIAL_BELOW - 0.01], Belief(lost=True).after(0.9)).lost


def test_a_second_look_decides():
    found = Belief(lost=True).after(0.9, guided=False)
    assert found.confirmed(CONFIRMED_ABOVE - 0.01).lost
    assert found.confirmed(CONFIRMED_ABOVE + 0.01) == replace(found, usual=CONFIRMED_ABOVE + 0.01)
