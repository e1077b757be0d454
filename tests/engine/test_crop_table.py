"""Crops, guidance and masks on the device against OpenCV's, which the plain path uses."""

import numpy as np
import pytest
import torch

from tests.helpers.bright_network import bright_torch_engine
from tests.helpers.frames import square_frame
from vosctl.engine.crop_table import fill_table, parts_of, table_length
from vosctl.engine.on_device import BUCKETS, Carried, Look, bucket_of
from vosctl.engine.torch_crop_step import cut_planes, cut_rgb, merge
from vosctl.engine.torch_sampling import sampled, taps
from vosctl.tracking.crop import FILL, Crop
from vosctl.tracking.merging import soft_aggregation
from vosctl.video.planar import Coding, PlanarPicture

SIZE = 64
HEIGHT, WIDTH = 150, 215
# inside; enlarged; over the edges; halved once and twice; all of the frame and more; an odd side; beside the frame
CROPS = [
    (40, 30, 64), (61, 33, 41), (-30, -17, 96), (20, 10, 128), (-41, -60, 256), (-100, -110, 400), (3, 5, 139),
    (300, 20, 80),
]  # fmt: skip


@pytest.fixture(scope="module")
def frame():
    """Smooth colours with an edge, as a picture has them, and some noise."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    smooth = np.stack([rows + 40, columns, 255 - rows], axis=2) * 0.9
    smooth[40:90, 60:150] = (200, 40, 30)
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def picture(frame):
    luma = frame.mean(axis=2).astype(np.uint8)
    half = frame[: HEIGHT // 2 * 2 : 2, ::2]
    planes = luma, np.ascontiguousarray(half[..., 0] // 2 + 64), np.ascontiguousarray(half[..., 1] // 2 + 64)
    return PlanarPicture(planes, Coding("bt709", full_range=False), lambda: frame)


def crop_of(square):
    x, y, side = square
    return Crop(x, y, side, SIZE)


def matrices_of(looks):
    table = np.zeros(table_length(len(looks)), np.float32)
    fill_table(table, looks, len(looks), SIZE)
    cut, back, _, pairs = map(torch.from_numpy, parts_of(table, len(looks)))
    return cut, taps(cut, SIZE, max(HEIGHT, WIDTH)), back, pairs


@pytest.mark.parametrize("crop", CROPS)
def test_crops_of_rgb_are_those_of_the_plain_path(frame, crop):
    table, matrices, _, _ = matrices_of([Look(1, crop, crop)])
    found = cut_rgb(torch.from_numpy(frame), FILL)(table, matrices)
    wanted = crop_of(crop).cut(frame).astype(np.float32)
    difference = np.abs(found[0].permute(1, 2, 0).numpy() - wanted)
    assert difference.max() <= 2.0  # levels: the plain path rounds after each halving
    assert (difference == 0).mean() >= (0.88 if crop[2] >= 2 * SIZE else 0.995)


@pytest.mark.parametrize("crop", CROPS)
def test_crops_of_planes_are_those_of_the_plain_path(picture, crop):
    table, matrices, _, _ = matrices_of([Look(1, crop, crop)])
    luma, chroma = torch.from_numpy(picture.planes[0]), torch.from_numpy(np.stack(picture.planes[1:]))
    found = cut_planes(luma, chroma, FILL, picture.coding)(table, matrices)
    wanted = crop_of(crop).cut(picture).astype(np.float32)
    difference = np.abs(found[0].permute(1, 2, 0).numpy() - wanted)
    assert difference.max() <= 4.0  # the plain path rounds luma and chroma, which weigh up to 2.1, after each halving
    assert (difference == 0).mean() >= (0.88 if crop[2] >= 2 * SIZE else 0.97)


@pytest.mark.parametrize(("crop", "seen_in"), [((40, 30, 64), (31, 33, 70)), ((0, 0, 128), (20, 40, 50))])
def test_masks_are_carried_from_crop_to_crop_as_by_the_plain_path(crop, seen_in):
    mask = np.random.default_rng(1).random((SIZE, SIZE), dtype=np.float32)
    _, matrices, _, _ = matrices_of([Look(1, crop, seen_in)])
    rows, columns = matrices[:, 4, :, :SIZE], matrices[:, 5, :, :SIZE]
    found = sampled(torch.from_numpy(mask)[None], rows, columns)[0].numpy()
    wanted = crop_of(crop).resample(mask, crop_of(seen_in))
    np.testing.assert_allclose(found, wanted, atol=0.04)  # OpenCV takes places in 1/32 of a pixel
    assert np.abs(found - wanted).mean() < 0.005


def test_a_mask_that_stays_in_its_crop_is_not_changed():
    mask = torch.rand((1, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
    _, matrices, _, _ = matrices_of([Look(1, (13, 7, 90), (13, 7, 90))])
    found = sampled(mask, matrices[:, 4, :, :SIZE], matrices[:, 5, :, :SIZE])
    np.testing.assert_allclose(found.numpy(), mask.numpy(), atol=1e-5)


@pytest.mark.parametrize("crop", CROPS[:6])
def test_masks_go_back_to_the_frame_as_by_the_plain_path(crop):
    _, labels = square_frame(SIZE, SIZE, (1, (255, 255, 255), 20, 14, 30))
    levels = (labels * 255).astype(np.uint8)
    _, _, back, _ = matrices_of([Look(1, crop, crop)])
    matrices = taps(back, max(HEIGHT, WIDTH), SIZE)
    found = sampled(torch.from_numpy(levels).float()[None], matrices[:, 0, :HEIGHT], matrices[:, 1, :WIDTH])[0]
    wanted = crop_of(crop).to_frame(levels, 0, 0, WIDTH, HEIGHT)
    assert (wanted > 127).any()
    assert ((found.numpy() > 127) == (wanted > 127)).mean() > 0.998
    assert np.abs(found.numpy() - wanted).mean() < 0.5


def test_merging_is_that_of_the_plain_path():
    """Three objects: two that overlap, of which one yields, and one far away."""
    crops = [(10, 10, 64), (30, 20, 80), (400, 400, 64)]
    yields = [False, True, False]
    own = np.random.default_rng(2).random((3, SIZE, SIZE), dtype=np.float32)
    looks = [
        Look(index, crop, crop, given_up) for index, (crop, given_up) in enumerate(zip(crops, yields, strict=True))
    ]
    _, _, _, pairs = matrices_of(looks)
    found = merge(torch.from_numpy(own), pairs).numpy()
    first, second = (crop_of(crop) for crop in crops[:2])
    np.testing.assert_array_equal(found[0], own[0])  # what yields takes nothing away
    np.testing.assert_array_equal(found[2], own[2])
    wanted = soft_aggregation(np.stack([own[1], second.resample(own[0], first)]))[1]
    assert np.abs(found[1] - wanted).mean() < 0.005
    assert np.abs(found[1] - own[1]).mean() > 0.05


def test_what_is_left_over_of_a_bucket_changes_nothing():
    crop = (10, 10, 64)
    table = np.full(table_length(4), np.nan, np.float32)
    fill_table(table, [Look(7, crop, crop)], 4, SIZE)
    _, _, flags, pairs = parts_of(table, 4)
    np.testing.assert_array_equal(flags[:, 2], [1, 0, 0, 0])
    assert np.isfinite(table).all()
    assert not pairs[..., 3].any()


def test_numbers_of_objects_are_rounded_up():
    assert [bucket_of(count) for count in (1, 2, 3, 4, 5, 8, 9, 16, 17, 33)] == [1, 2, 4, 4, 8, 8, 16, 16, 32, 48]
    assert all(bucket_of(bucket) == bucket for bucket in BUCKETS)


def test_what_the_network_was_shown_can_be_fetched(frame):
    engine = bright_torch_engine()
    crops = engine.open_crops(HEIGHT, WIDTH, SIZE, FILL)
    mask = np.zeros((SIZE, SIZE), np.float32)
    mask[20:40, 20:40] = 1
    first, second = Crop(60, 40, 64, SIZE), Crop(20, 10, 90, SIZE)
    states = [engine.encode_reference(crop.cut(frame), mask) for crop in (first, second)]
    crops.take([Carried(state, mask) for state in states])
    squares = [(crop.x, crop.y, crop.side) for crop in (first, second)]
    crops.send(frame)
    found = crops.look([Look(index, square, square) for index, square in enumerate(squares)])()
    for index, crop in enumerate((first, second)):
        image, own = found.shown(index)
        assert np.abs(image.astype(int) - crop.cut(frame)).max() <= 2
        wanted = engine.propagate(crop.cut(frame)[None], mask[None], [states[index]]).probabilities[0]
        assert np.abs(own - wanted).mean() < 0.02
        assert found.own_pixels[index] == np.count_nonzero(own > 0.5) > 0
