import numpy as np
import pytest

from vosctl.tracking.scene_change import SceneChange


def picture(seed, height=120, width=208):
    """Large patches of random brightness."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(20, 235, (6, 8, 1), dtype=np.uint8)
    return np.repeat(np.kron(patches[..., 0], np.ones((height // 6, width // 8), np.uint8))[..., None], 3, axis=2)


def test_the_first_frame_and_the_same_again_change_nothing():
    scene = SceneChange()
    assert not scene.happened(picture(1))
    assert not scene.happened(picture(1))


def test_another_picture_and_black_are_changes_and_so_is_coming_back():
    scene = SceneChange()
    scene.happened(picture(1))
    assert scene.happened(picture(2))
    assert scene.happened(np.zeros_like(picture(1)))
    assert not scene.happened(np.zeros_like(picture(1)))
    assert scene.happened(picture(1))


def test_a_pan_and_a_large_object_are_none():
    scene, wide = SceneChange(), picture(3, 120, 416)
    for x in range(0, 200, 6):
        frame = np.ascontiguousarray(wide[:, x : x + 208])
        frame[20:90, 40 + x // 4 : 100 + x // 4] = 255
        assert not scene.happened(frame), x


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (2160, 3840)])
def test_frames_of_any_size(shape):
    scene = SceneChange()
    dark, bright = np.zeros((*shape, 3), np.uint8), np.full((*shape, 3), 200, np.uint8)
    assert [scene.happened(frame) for frame in (dark, dark, bright)] == [False, False, True]
