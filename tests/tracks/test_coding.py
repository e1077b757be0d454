"""What is packed comes back as it was."""

import zlib

import numpy as np
import pytest

from vosctl.tracks.coding import PackedMatte, pack_mask, pack_matte, unpack_mask, unpack_matte


def blobs(seed, height=61, width=83):
    random = np.random.default_rng(seed)
    return random.random((height, width)) < (seed + 1) / 8


@pytest.mark.parametrize("seed", range(6))
def test_masks_come_back(seed):
    mask = blobs(seed)
    mask[: seed * 4], mask[:, : seed * 5] = False, False
    (x, y, width, height), part = unpack_mask(pack_mask(mask))
    whole = np.zeros_like(mask)
    whole[y : y + height, x : x + width] = part
    np.testing.assert_array_equal(whole, mask)


def test_empty_and_full_masks():
    assert pack_mask(np.zeros((5, 7), bool)) == b""
    assert unpack_mask(b"") is None
    box, part = unpack_mask(pack_mask(np.ones((5, 7), bool)))
    assert box == (0, 0, 7, 5)
    assert part.all()


@pytest.mark.parametrize("seed", range(4))
def test_mattes_come_back(seed):
    alpha = np.random.default_rng(seed).integers(0, 256, (61, 83)).astype(np.uint8)
    alpha[: seed * 9], alpha[:, seed * 20 :] = 0, 0
    np.testing.assert_array_equal(unpack_matte(pack_matte(alpha), 61, 83), alpha)


@pytest.mark.parametrize("damage", [lambda b: b[:-3], lambda b: b"\x00" + b[1:], lambda b: b[:12]])
def test_a_damaged_mask_is_told(damage):
    with pytest.raises(ValueError):  # noqa: PT011 - any of the decoder's
        unpack_mask(damage(pack_mask(blobs(2))))


@pytest.mark.parametrize(
    "numbers",
    [
        [0, 0, 7, 5, 0, 35],  # wider than the frame
        [2, 0, 5, 5, 0, 25],
        [0, 4, 6, 2, 0, 12],
        [0, 0, 6, 5, 0, 29],  # too few pixels
        [0, 0, 6, 5, *[0] * 40],  # more runs than there are pixels
        [0, 0, 60000, 60000, 0, 3_600_000_000],
    ],
)
def test_a_mask_that_does_not_fit_is_told(numbers):
    packed = zlib.compress(np.array(numbers, "<u4").tobytes())
    with pytest.raises(ValueError):  # noqa: PT011
        unpack_mask(packed, 5, 6)


def test_a_matte_beyond_the_frame_is_told():
    packed = pack_matte(np.full((20, 30), 9, np.uint8))
    for wrong in (PackedMatte(1, 0, packed.png), PackedMatte(0, -1, packed.png), PackedMatte(0, 0, b"no picture")):
        with pytest.raises(ValueError):  # noqa: PT011
            unpack_matte(wrong, 20, 30)


def test_a_matte_with_a_soft_edge_is_small():
    """A disc of 200 pixels with a soft outline: a few kilobytes of the forty that its box has."""
    y, x = np.mgrid[:1080, :1920]
    distance = 100 - np.hypot(y - 500, x - 900)
    alpha = np.clip(distance * 40 + 128, 0, 255).astype(np.uint8)
    assert len(pack_matte(alpha).png) < 8000
