"""Each object's colour in the overlay."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vosctl.errors import UsageError
from vosctl.video.colours import ColourRequest, ObjectColours, colour_difference, object_colour

SIZE = (90, 120)


def lab(colour):
    return cv2.cvtColor(np.array([[colour]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]


def distance(first, second):
    return float(colour_difference(lab(first), lab(second)))


def test_differences_are_those_of_cie94():
    """A published pair: L*a*b* 50, 2.6772, -79.7751 and 50, 0, -82.7485; and greys, where CIELAB's own is the same."""
    blue = np.array([50, 2.6772, -79.7751], np.float32), np.array([50, 0.0, -82.7485], np.float32)
    assert colour_difference(*blue) == pytest.approx(1.395, abs=0.02)
    assert distance((0, 0, 0), (119, 119, 119)) == pytest.approx(50, abs=0.5)
    assert distance((10, 200, 30), (10, 200, 30)) == 0


def scene(background, *objects):
    """A picture of squares side by side, with a little noise, and its labels."""
    image = np.full((*SIZE, 3), background, np.float32)
    labels = np.zeros(SIZE, np.uint8)
    for number, colour in enumerate(objects, start=1):
        left = 5 + 28 * (number - 1)
        image[30:60, left : left + 24] = colour
        labels[30:60, left : left + 24] = number
    noise = np.random.default_rng(0).normal(0, 4, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), labels


def colours_of(image, labels, request=None):
    colours = ObjectColours(request)
    colours.see(image, labels, [int(number) for number in np.unique(labels) if number])
    return colours


def test_an_object_keeps_the_colour_of_its_id_where_that_can_be_seen():
    colours = colours_of(*scene((110, 110, 110), (90, 90, 95), (120, 120, 125)))
    assert dict(colours) == {1: object_colour(1), 2: object_colour(2)}


@pytest.mark.parametrize("paint", [(230, 40, 50), (200, 30, 60), (255, 90, 90), (60, 200, 90), (40, 120, 240)])
@pytest.mark.parametrize("background", [(90, 130, 60), (60, 60, 60), (230, 60, 60), (60, 110, 220), (240, 240, 240)])
def test_the_colour_stands_out_from_the_object_and_from_what_is_around_it(paint, background):
    colour = colours_of(*scene(background, paint))[1]
    assert distance(colour, paint) > 25
    assert distance(colour, background) > 25


def test_the_colours_of_objects_differ():
    colours = colours_of(*scene((80, 120, 70), (220, 40, 60), (225, 50, 60), (215, 45, 55), (220, 45, 65)))
    pairs = [(a, b) for a in colours.values() for b in colours.values() if a is not b]
    assert len(set(colours.values())) == 4
    assert min(distance(a, b) for a, b in pairs) > 15
    assert all(distance(colour, (220, 45, 60)) > 25 for colour in colours.values())


def test_many_objects_all_have_a_colour():
    labels = np.arange(1, 181, dtype=np.uint8).reshape(12, 15).repeat(6, axis=0).repeat(8, axis=1)
    image = np.random.default_rng(0).integers(0, 256, (72, 120, 3), np.uint8)
    colours = colours_of(image, labels)
    assert sorted(colours) == list(range(1, 181))


def test_the_same_picture_gives_the_same_colours():
    image, labels = scene((90, 130, 60), (230, 40, 50), (60, 200, 90))
    assert dict(colours_of(image, labels)) == dict(colours_of(image.copy(), labels.copy()))


def test_a_colour_is_decided_once():
    image, labels = scene((90, 130, 60), (230, 40, 50))
    colours = colours_of(image, labels)
    before = colours[1]
    colours.see(np.full_like(image, before), labels, [1])
    assert colours[1] == before


def test_an_object_that_comes_later_differs_from_those_that_are_there():
    image, labels = scene((90, 130, 60), (230, 40, 50), (230, 40, 50))
    colours = ObjectColours()
    colours.see(image, np.where(labels == 1, 1, 0).astype(np.uint8), [1])
    colours.see(image, labels, [1, 2])
    assert distance(colours[1], colours[2]) > 15


def test_an_object_of_a_pixel_or_of_none_has_a_colour():
    image, labels = scene((90, 130, 60))
    labels[0, 0] = 1
    colours = ObjectColours()
    colours.see(image, labels, [1, 2])
    assert set(colours) == {1, 2}
    assert colours[9] == object_colour(9)


def test_colours_that_are_set():
    request = ColourRequest.parse("red, 2=#0f0,#102030")
    assert request == ColourRequest({2: (0, 255, 0)}, ((255, 0, 0), (16, 32, 48)))
    image, labels = scene((90, 130, 60), (230, 40, 50), (60, 200, 90), (10, 10, 10), (200, 200, 200))
    colours = colours_of(image, labels, request)
    assert [colours[number] for number in (1, 2, 3)] == [(255, 0, 0), (0, 255, 0), (16, 32, 48)]
    assert colours[4] not in [colours[number] for number in (1, 2, 3)]


def test_no_colours_are_set():
    assert not ColourRequest.parse("")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rde", "rde is no colour; give names or #rrggbb"),
        ("red,,blue", "nothing is no colour"),
        ("#12345", "#12345 is no colour"),
        ("2=", "2= is no colour"),
        ("x=red", "x=red is no colour"),
        ("rgb(1,2,3)", "is no colour"),
        ("0=red", "objects are numbered from 1 to 255"),
        ("256=red", "objects are numbered from 1 to 255"),
        ("3=red,3=blue", "object 3 is there twice"),
    ],
)
def test_what_is_no_colour(text, message):
    with pytest.raises(UsageError, match="`colors=") as caught:
        ColourRequest.parse(text)
    assert message in str(caught.value)
