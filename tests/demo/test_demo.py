"""The packaged clip is what the renderer makes, and its masks are exact."""

import av
import numpy as np
import pytest
from PIL import Image

from vosctl.demo import demo_clip, made_clip
from vosctl.demo.scene import CUP_ID, PERIOD, RACCOON_ID, Scene, render_demo
from vosctl.errors import VosctlError


def test_packaged_clip_is_the_rendered_scene_with_sound():
    clip, mask = made_clip()
    with av.open(str(clip)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(decoded) == PERIOD
    scene = Scene()
    for index in (0, 45, PERIOD - 1):
        image, _ = scene.frame(index)
        assert np.abs(decoded[index].astype(int) - image).mean() < 6
    with Image.open(mask) as first:
        assert first.mode == "P"
        np.testing.assert_array_equal(np.asarray(first), scene.frame(0)[1])


def test_frames_repeat_after_a_period_and_are_deterministic():
    image, labels = Scene(160, 90).frame(7)
    again, labels_again = Scene(160, 90).frame(7 + PERIOD)
    assert image.shape == (90, 160, 3)
    assert image.dtype == labels.dtype == np.uint8
    assert np.abs(image.astype(int) - again).max() <= 1
    assert np.mean(labels != labels_again) < 1e-3
    assert np.mean(image != Scene(160, 90).frame(8)[0]) > 0.5


def test_the_cup_is_always_there_and_is_half_hidden_for_a_while():
    areas = [int(np.sum(labels == CUP_ID)) for _, labels in render_demo(PERIOD, 160, 90)]
    assert min(areas) > 100
    assert areas[42] < 0.6 * areas[20]


def test_masks_lie_on_their_objects():
    image, labels = Scene(320, 180).frame(70)
    red, green, _ = (image[..., channel].astype(int) for channel in range(3))
    inside, raccoon = labels == CUP_ID, labels == RACCOON_ID
    # The cup is red, white and brown; neither the raccoon nor the leaves are redder than green by much.
    assert np.mean((red - green)[inside] > 20) > 0.9
    assert np.mean((red - green)[~inside] > 60) < 0.01
    assert np.mean((green - red)[raccoon] > 30) < 0.02


@pytest.mark.parametrize(("width", "height"), [(90, 160), (101, 75)])
def test_any_shape_is_filled(width, height):
    image, labels = Scene(width, height).frame(0)
    assert image.shape[:2] == labels.shape == (height, width)
    assert np.all(image[[0, -1]].max(axis=(1, 2)) > 0)


def test_a_size_too_small_is_refused():
    with pytest.raises(VosctlError, match="8x8"):
        Scene(8, 8)


def test_the_real_clip_has_sound_and_a_mask_of_its_size():
    clip, mask = demo_clip()
    with av.open(str(clip)) as container, Image.open(mask) as first:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        video = container.streams.video[0]
        assert first.size == (video.width, video.height)
        labels = np.asarray(first)
    assert set(np.unique(labels)) == {0, 1}
    rows, columns = np.nonzero(labels)
    assert 390 <= columns.min() < columns.max() < 555, "the bud"
    assert 195 <= rows.min() < rows.max() < 355
