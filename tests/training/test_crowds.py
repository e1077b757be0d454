import numpy as np
import pytest

from tests.training.conftest import disc, picture
from vosctl.training.crowds import camera_path, crowd_scene, lit
from vosctl.training.samples import Samples, SampleSettings
from vosctl.training.scenes import OTHER, Cutout, paste
from vosctl.training.sources import find_stills

RED, BLUE = (220, 30, 30), (30, 30, 220)


def thing(colour):
    alpha = disc(40, 40, 20, 20, 18).astype(np.uint8) * 255
    return Cutout(np.full((40, 40, 3), colour, np.uint8), alpha)


def scenes(count, **options):
    grey = np.full((120, 160, 3), 128, np.uint8)
    return [
        crowd_scene([thing(RED), thing(BLUE), thing(BLUE)], grey, 5, np.random.default_rng(seed), **options)
        for seed in range(count)
    ]


def test_the_first_object_and_the_others_are_told_apart():
    seen = 0
    for scene in scenes(12):
        assert len(scene.images) == len(scene.labels) == 5
        for image, label in zip(scene.images, scene.labels, strict=True):
            assert set(np.unique(label)) <= {0, 1, OTHER}
            if (label == OTHER).sum() > 100:
                red, _, blue = image[label == OTHER].mean(axis=0)
                assert blue > red
            if (label == 1).sum() > 100:
                red, _, blue = image[label == 1].mean(axis=0)
                seen += red > blue
                assert red > blue
    assert seen > 30


def test_others_hide_parts_of_it_but_not_in_the_reference():
    smallest = []
    for scene in scenes(30, reach=0.0):
        areas = [(label == 1).sum() for label in scene.labels]
        assert areas[0] > 0.25 * max(areas)
        smallest.append(min(areas[1:]) / max(areas))
    assert min(smallest) < 0.5  # behind the others at times


def test_the_camera_moves_on_steadily_and_not_at_all_without_reach():
    still = camera_path((160, 120), 6, np.random.default_rng(0), reach=0.0)
    assert all(np.allclose(matrix, [[1, 0, 0], [0, 1, 0]]) for matrix in still)
    shifts = np.array(
        [[matrix[:, 2] for matrix in camera_path((160, 120), 6, np.random.default_rng(s))] for s in range(40)]
    )
    steps = np.diff(shifts[:, 1:], axis=1)
    along = (steps[:, :-1] * steps[:, 1:]).sum(axis=(1, 2))
    assert (along > 0).mean() > 0.7
    assert np.abs(steps).max() < 80


def test_light_changes_in_a_part_of_the_scenes_and_never_to_darkness():
    frames = [np.full((60, 80, 3), 128, np.uint8)] * 5
    changed = [lit(frames, np.random.default_rng(seed)) for seed in range(60)]
    means = np.array([[image.mean() for image in images] for images in changed])
    same = (means == 128).all(axis=1)
    assert 0.3 < same.mean() < 0.7
    assert means.min() > 25
    assert np.ptp(means[~same], axis=1).max() > 15


def test_samples_show_crowds_when_they_are_asked_for(stills):
    found, _ = find_stills([stills])
    some = Samples(found, [], SampleSettings(2, 3, 0.0, 1, crowds=1.0))
    again = Samples(found, [], SampleSettings(2, 3, 0.0, 1, crowds=1.0))
    none = Samples(found, [], SampleSettings(2, 3, 0.0, 1))
    for number in range(4):
        first, second, other = (samples[number, 96] for samples in (some, again, none))
        assert all((a == b).all() for a, b in zip(first, second, strict=True))
        assert any((a != b).any() for a, b in zip(first, other, strict=True))
        assert first[3].shape == (2, 3, 96, 96)


@pytest.mark.parametrize("blur", [None, np.full((5, 5), 1 / 25, np.float32)])
def test_pasting_leaves_everything_else_as_it_is(blur):
    from vosctl.training.motion import Motion

    image = picture(np.random.default_rng(0), 160, 128)
    away = Motion(np.array([[1.0, 0, 60], [0, 1.0, 50]]), np.zeros((2, 2, 2), np.float32))
    mixed, alpha = paste(image, thing(RED), away, blur)
    assert (mixed[alpha == 0] == image[alpha == 0]).all()
    assert (mixed[alpha == 255] == RED).all()
    assert 600 < (alpha > 127).sum() < 1400
    outside = Motion(np.array([[1.0, 0, 600], [0, 1.0, 50]]), np.zeros((2, 2, 2), np.float32))
    mixed, alpha = paste(image, thing(RED), outside, blur)
    assert (mixed == image).all()
    assert not alpha.any()
