from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vosctl.tracking.crop import Crop
from vosctl.training.appearance import with_leak
from vosctl.training.framing import LEAST_SHARE, _to_previous, frame_scene
from vosctl.training.objective import into_crop
from vosctl.training.passers import with_passer, with_screen
from vosctl.training.samples import NumberedBatches, Samples, SampleSettings, collate
from vosctl.training.scenes import OTHER, Cutout, Scene, transplanted
from vosctl.training.sources import find_sequences, find_stills


def samples(stills: Path, videos: Path, share: float, targets: int = 2, seed: int = 1) -> Samples:
    settings = SampleSettings(targets=targets, max_skip=2, video_share=share, seed=seed)
    return Samples(find_stills([stills])[0], find_sequences([videos])[0], settings)


def test_a_sample_is_drawn_from_its_number_alone(stills: Path, videos: Path):
    first, second = samples(stills, videos, 0.5), samples(stills, videos, 0.5)
    backwards = {n: second[n, 64] for n in (5, 4, 3)}
    for n, again in backwards.items():
        assert all(torch.equal(a, b) for a, b in zip(first[n, 64], again, strict=True))
    assert not torch.equal(first[3, 64][0], first[4, 64][0])
    assert not torch.equal(first[3, 64][0], samples(stills, videos, 0.5, seed=2)[3, 64][0])


def test_a_batch_has_its_shapes_and_shows_the_object(stills: Path, videos: Path):
    made, cut = samples(stills, videos, 0.0, targets=3), samples(stills, videos, 1.0, targets=3)
    batch = collate([source[n, 64] for source in (made, cut) for n in range(8)])
    assert batch.reference.shape == (16, 3, 64, 64)
    assert batch.images.shape == (16, 3, 3, 64, 64)
    assert batch.labels.shape == (16, 3, 1, 64, 64)
    assert batch.to_previous.shape == (16, 3, 2, 3)
    assert set(batch.labels.unique().tolist()) <= {0, 1, 255}
    shown = (batch.reference_mask > 127).float().mean((1, 2, 3))
    assert shown.min() >= LEAST_SHARE
    assert shown.mean() > 0.1
    assert ((batch.labels == 1).float().mean((1, 2, 3, 4)) > 0.02).float().mean() > 0.8
    assert torch.allclose(batch.to_previous[:, 0], torch.eye(2, 3))


def brightest(image: torch.Tensor) -> torch.Tensor:
    grey = image.float().mean(0, keepdim=True)
    return grey > 0.8 * grey.max()


def test_crops_follow_the_object_and_masks_are_where_it_is():
    # a white square on black that moves; every label has to lie on it, whatever the crops are
    images, labels = [], []
    for x in (20, 30, 45, 60):
        label = np.zeros((120, 160), np.uint8)
        label[40:70, x : x + 30] = 1
        labels.append(label)
        images.append(np.dstack([label * 255] * 3))
    for seed in range(6):
        framed = frame_scene(Scene(images, labels), 96, np.random.default_rng(seed))
        assert framed is not None
        reference, reference_mask, guidance, targets, target_labels, _ = framed
        bright = brightest(reference)
        assert (bright == (reference_mask > 127)).float().mean() > 0.93
        for image, label in zip(targets, target_labels, strict=True):
            bright = brightest(image)
            assert (bright == (label == 1)).float().mean() > 0.93
        assert (guidance > 127).any()


def test_a_mask_is_carried_between_crops_as_in_tracking():
    before, after = Crop(20, 30, 120, 64), Crop(36, 26, 150, 64)
    mask = np.zeros((64, 64), np.float32)
    mask[20:44, 16:40] = 1
    expected = after.resample(mask, before)
    carried = into_crop(torch.from_numpy(mask)[None, None], torch.from_numpy(_to_previous(after, before))[None])
    np.testing.assert_allclose(carried[0, 0].numpy(), expected, atol=0.03)


def test_processes_share_a_steps_samples():
    alone = iter(NumberedBatches((64, 96), batch=4, first_step=3))
    parts = [iter(NumberedBatches((64, 96), batch=2, first_step=3, rank=rank, world=2)) for rank in range(2)]
    for _ in range(3):
        assert next(alone) == next(parts[0]) + next(parts[1])


def test_each_step_draws_one_size_for_all_its_samples_and_draws_it_again_when_resumed():
    begun = iter(NumberedBatches((64, 96, 128), batch=2, first_step=0))
    steps = [next(begun) for _ in range(40)]
    assert {size for step in steps for _, size in step} == {64, 96, 128}
    assert all(step[0][1] == step[1][1] for step in steps)
    resumed = iter(NumberedBatches((64, 96, 128), batch=2, first_step=17))
    assert [next(resumed) for _ in range(5)] == steps[17:22]


def test_a_sample_shows_the_same_scene_at_every_size(stills: Path, videos: Path):
    source = samples(stills, videos, 0.5)
    small, large = source[3, 64], source[3, 128]
    assert large[0].shape == (3, 128, 128)
    shrunk = torch.nn.functional.avg_pool2d(large[0].float(), 2)
    assert (shrunk - small[0].float()).abs().mean() < 12


def passed_scene(in_front):
    """A red square, and a blue one that passes by it."""
    images = [np.full((160, 200, 3), 128, np.uint8) for _ in range(4)]
    labels = [np.zeros((160, 200), np.uint8) for _ in images]
    for image, label in zip(images, labels, strict=True):
        image[60:110, 70:120] = (220, 30, 30)
        label[60:110, 70:120] = 1
    cutout = Cutout(np.full((50, 50, 3), (30, 30, 220), np.uint8), np.full((50, 50), 255, np.uint8))
    return [with_passer(Scene(images, labels), cutout, in_front, np.random.default_rng(seed)) for seed in range(6)]


@pytest.mark.parametrize("in_front", [False, True])
def test_what_passes_by_is_labelled_where_it_is_seen(in_front):
    for scene in passed_scene(in_front):
        seen = [(label == OTHER).sum() for label in scene.labels]
        assert max(seen) > 100
        for image, label in zip(scene.images, scene.labels, strict=True):
            inside = cv2.erode((label == OTHER).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
            assert (image[inside].astype(int) @ (-1, 0, 1) > 0).all()
        if not in_front:
            assert all((label == 1).sum() == 2500 for label in scene.labels)


def test_some_guidance_takes_in_what_passes_by_and_no_label_does():
    leaks = 0
    for number, scene in enumerate(passed_scene(in_front=False) * 6):
        framed = frame_scene(scene, 96, np.random.default_rng(number))
        if framed is None:
            continue
        _, _, guidance, _, labels, _ = framed
        assert set(labels.unique().tolist()) <= {0, 1}
        alone = replace(scene, labels=[np.where(one == OTHER, np.uint8(0), one) for one in scene.labels])
        blind = frame_scene(alone, 96, np.random.default_rng(number))
        assert blind is not None
        assert (guidance >= blind[2]).all()
        leaks += bool((guidance > blind[2]).any())
    assert 3 < leaks < 30


def test_a_leak_is_the_other_thing_or_a_part_of_it():
    guidance, other = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    guidance[10:30, 10:30], other[20:60, 40:60] = 255, 255
    leaked = [with_leak(guidance, other, np.random.default_rng(seed)) for seed in range(20)]
    shares = [(one[other > 0] > 60).mean() for one in leaked]
    assert min(shares) < 0.7
    assert max(shares) > 0.9
    for one in leaked:
        assert (one >= guidance).all()
        assert not one[:, :25][guidance[:, :25] == 0].any()
    np.testing.assert_array_equal(with_leak(guidance, np.zeros_like(other), np.random.default_rng(0)), guidance)


def square_scene(frames: int = 5) -> Scene:
    label = np.zeros((120, 160), np.uint8)
    label[40:70, 60:90] = 1
    return Scene([np.full((120, 160, 3), 100, np.uint8) for _ in range(frames)], [label] * frames)


def test_a_screen_slides_in_over_the_object_frame_by_frame():
    scene, picture = square_scene(), np.full((50, 80, 3), 250, np.uint8)
    hidden = []
    for seed in range(8):
        screened = with_screen(scene, picture, np.random.default_rng(seed))
        assert all(np.array_equal(a, b) for a, b in zip(screened.images[:2], scene.images[:2], strict=True))
        seen = [int((label == 1).sum()) for label in screened.labels]
        assert seen[0] == seen[1] == 900
        assert seen[1:] == sorted(seen[1:], reverse=True)
        for image, label in zip(screened.images, screened.labels, strict=True):
            assert ((label == OTHER) != (image[..., 0] > 175)).mean() < 0.01  # its edges are mixed
        hidden.append(seen[-1] / 900)
    assert min(hidden) < 0.1
    assert max(hidden) > 0.2


def test_a_transplanted_object_keeps_its_pixels_and_loses_its_surroundings():
    scene = square_scene(3)
    for image in scene.images:
        image[45:65, 65:85] = 180
    behind = [np.full((30, 90, 3), 10 * k, np.uint8) for k in range(3)]
    moved = transplanted(scene, behind)
    for k, image in enumerate(moved.images):
        assert np.array_equal(image[43:67, 63:87], scene.images[k][43:67, 63:87])
        assert (image[:38] == 10 * k).all()
        assert np.array_equal(moved.labels[k], scene.labels[k])


def test_each_folder_of_sequences_is_drawn_from_as_often(videos: Path):
    few = find_sequences([videos])[0][:1]
    many = [replace(few[0], root=videos / "more", name=f"copy-{n}") for n in range(30)]
    drawn = Samples([], few + many, SampleSettings(targets=1, max_skip=1, video_share=1.0, seed=1))
    rng = np.random.default_rng(1)
    own = sum(drawn._draw_sequence(rng).root == videos for _ in range(400))
    assert 150 < own < 250
