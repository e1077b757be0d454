"""Mattes are moved and faded by what was asked for, and soft edges get the object's own colour."""

import numpy as np
import pytest

import vosctl
from vosctl.video.edges import Edges, foreground_colours


def disc(radius=30.0, softness=8.0, size=160):
    """A disc's opacity as 0..1, soft over `softness` pixels."""
    y, x = np.mgrid[:size, :size]
    return np.clip((radius - np.hypot(x - size / 2, y - size / 2)) / softness + 0.5, 0, 1)


def as_bytes(opacity):
    return np.rint(opacity * 255).astype(np.uint8)


def width_of(alpha):
    return int((alpha[80] > 127).sum())


@pytest.mark.parametrize("grow", [-6, -1, 2, 9])
def test_an_edge_moves_by_so_many_pixels(grow):
    before = as_bytes(disc(softness=1))
    after = Edges(grow=grow).apply(before)
    assert abs(width_of(after) - width_of(before) - 2 * grow) <= 2  # one to each side


def test_a_feathered_edge_fades_over_so_many_pixels_about_where_it_was():
    before = np.zeros((60, 160), np.uint8)
    before[:, 80:] = 255
    after = Edges(feather=20).apply(before)
    soft = np.flatnonzero((after[30] > 5) & (after[30] < 250))
    assert 17 <= len(soft) <= 23
    assert abs(soft.mean() - 79.5) <= 1


def test_nothing_asked_for_changes_nothing():
    before = as_bytes(disc())
    assert Edges().apply(before) is before


@pytest.mark.parametrize("wrong", [{"grow": 201}, {"grow": -201}, {"feather": -1}, {"feather": float("nan")}])
def test_numbers_out_of_range(wrong):
    with pytest.raises(vosctl.UsageError, match="must be"):
        Edges(**wrong)


def scene(front, back):
    """A picture of a disc of one colour before another, with textures, and the disc's opacity."""
    random = np.random.default_rng(0)
    opacity = disc()
    textures = random.normal(0, 6, (2, 160, 160, 3))
    colours = np.array(front) + textures[0], np.array(back) + textures[1]
    mixed = colours[0] * opacity[..., None] + colours[1] * (1 - opacity[..., None])
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8), as_bytes(opacity)


@pytest.mark.parametrize(("front", "back"), [((200, 40, 40), (30, 200, 60)), ((40, 40, 60), (230, 230, 240))])
def test_the_old_background_does_not_shine_through(front, back):
    image, alpha = scene(front, back)
    soft = (alpha > 25) & (alpha < 230)
    error_before = np.abs(image[soft].astype(float) - front).mean()
    cleaned = foreground_colours(image, alpha)
    error_after = np.abs(cleaned[soft].astype(float) - front).mean()
    assert error_before > 40
    assert error_after < error_before / 4
    hard = (alpha == 0) | (alpha == 255)
    np.testing.assert_array_equal(cleaned[hard], image[hard])


def test_a_picture_without_a_soft_edge_is_left_as_it_is():
    image, alpha = scene((200, 40, 40), (30, 200, 60))
    hard = np.where(alpha > 127, 255, 0).astype(np.uint8)
    assert foreground_colours(image, hard) is image
