from pathlib import Path

import numpy as np
import torch

from vosctl.tracking.crop import Crop
from vosctl.training.framing import LEAST_SHARE, _to_previous, frame_scene
from vosctl.training.objective import into_crop
from vosctl.training.samples import NumberedBatches, Samples, SampleSettings, collate
from vosctl.training.scenes import Scene
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
