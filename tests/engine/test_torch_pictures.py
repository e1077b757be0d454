"""Pictures read on the device, here torch's CPU, against those of the host."""

import numpy as np
import pytest
import torch

from vosctl.engine.torch_pictures import DevicePictures, decoded, decoding_matrix, doubled, whole_planes, whole_rgb
from vosctl.engine.torch_transfers import PlainQueue, Transfers
from vosctl.video.planar import Coding, PlanarPicture, rgb_of_planes

CPU = torch.device("cpu")
CODINGS = [Coding("bt601", full_range=False), Coding("bt709", full_range=False), Coding("bt601", full_range=True)]


def random_planes(height, width, seed=0):
    generator = np.random.default_rng(seed)
    half = (-(-height // 2), -(-width // 2))
    shapes = ((height, width), half, half)
    luma, cb, cr = (generator.integers(0, 256, shape).astype(np.uint8) for shape in shapes)
    return luma, cb, cr


@pytest.mark.parametrize("coding", CODINGS, ids=str)
def test_colours_are_decoded_as_on_the_host(coding):
    values = np.random.default_rng(1).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    found = decoded(torch.from_numpy(values).permute(2, 0, 1).float(), decoding_matrix(coding, CPU))
    np.testing.assert_array_equal(found.permute(1, 2, 0).numpy(), coding.decode(values))


@pytest.mark.parametrize("coding", CODINGS, ids=str)
@pytest.mark.parametrize("size", [(36, 50), (35, 51)])
def test_planes_are_read_as_on_the_host(coding, size):
    planes = random_planes(*size)
    luma, *chroma = (torch.from_numpy(plane) for plane in planes)
    found = whole_planes(luma, torch.stack(chroma), coding)().permute(1, 2, 0).numpy()
    difference = np.abs(found - rgb_of_planes(planes, coding))
    assert found.shape == (*size, 3)
    assert (difference == 0).mean() > 0.95, "noise is the worst that there is"
    assert difference.max() <= 3


def test_what_is_doubled_has_whole_numbers_between_its_neighbours():
    planes = torch.tensor([[[10, 20], [30, 40]]], dtype=torch.uint8)
    found = doubled(planes)[0]
    assert found.shape == (4, 4)
    assert found[0, 0] == 10
    assert found[3, 3] == 40
    assert (found == found.round()).all()
    assert (found.diff(dim=0) >= 0).all()
    assert (found.diff(dim=1) >= 0).all()


def test_pictures_are_sent_into_memory_that_stays_and_kept_until_the_second_after():
    pictures = DevicePictures(CPU, Transfers(PlainQueue()), whole_planes, whole_rgb)
    first = np.full((4, 6, 3), 7, np.uint8)
    sent = pictures.send(first)
    first[:] = 0
    kept = sent.picture
    assert (np.asarray(kept) == 7).all()
    again = pictures.send(np.full((4, 6, 3), 9, np.uint8))
    assert (np.asarray(kept) == 7).all()
    assert (again.kind, again.use) == (sent.kind, sent.use)
    assert (sent.use() == 9).all()
    planes, coding = random_planes(4, 6), CODINGS[0]
    planar = PlanarPicture(planes, coding, lambda: first)
    other = pictures.send(planar)
    assert other.kind != sent.kind
    assert other.picture is planar
    assert np.abs(other.use().permute(1, 2, 0).numpy() - rgb_of_planes(planes, coding)).max() <= 3
