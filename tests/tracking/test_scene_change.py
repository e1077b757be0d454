import numpy as np
import pytest

from vosctl.tracking.scene_change import SceneChange
from vosctl.video.planar import Coding, PlanarPicture


def picture(seed, height=120, width=208, tint=(1.0, 1.0, 1.0)):
    """Large patches of random brightness."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(20, 235, (6, 8, 1), dtype=np.uint8)
    grey = np.kron(patches[..., 0], np.ones((height // 6, width // 8), np.uint8))
    return (grey[..., None] * np.array(tint)).astype(np.uint8)


def test_the_first_frame_and_the_same_again_change_nothing():
    scene = SceneChange()
    assert scene.between(picture(1)) == "none"
    assert scene.between(picture(1)) == "none"


def test_another_picture_and_black_are_cuts_and_so_is_coming_back():
    scene = SceneChange()
    scene.between(picture(1))
    assert scene.between(picture(1)) == "none"
    assert scene.between(picture(2, tint=(1.0, 0.6, 0.5))) == "cut"
    assert scene.between(np.zeros_like(picture(1))) == "cut"
    assert scene.between(np.zeros_like(picture(1))) == "none"
    assert scene.between(picture(1)) == "cut"


def test_a_pan_and_a_large_object_are_none():
    scene, wide = SceneChange(), picture(3, 120, 416)
    for x in range(0, 200, 6):
        frame = np.ascontiguousarray(wide[:, x : x + 208])
        frame[20:90, 40 + x // 4 : 100 + x // 4] = 255
        assert scene.between(frame) == "none", x


def test_a_fast_pan_is_motion_and_a_cut_between_scenes_of_about_its_colours_is_none():
    """What a pan brings in changes the colours, but it does not begin at once."""
    wide = np.concatenate([picture(seed, tint=(1.0, 0.9, 1 - seed / 60)) for seed in range(8)], axis=1)
    panned = [np.ascontiguousarray(wide[:, x : x + 208]) for x in (0, 5, 15, 35, 75, 130, 190, 260, 330, 400)]
    scene = SceneChange()
    said = [scene.between(frame) for frame in panned]
    assert "cut" not in said
    assert said.count("motion") > 3
    scene = SceneChange()
    for x in (0, 2, 4):
        assert scene.between(np.ascontiguousarray(wide[:, x : x + 208])) == "none"
    assert scene.between(np.ascontiguousarray(wide[:, 1000:1208])) == "cut"


def test_planes_of_a_video_tell_the_same():
    def planes(frame):
        luma = np.ascontiguousarray(frame[..., 1])
        cb, cr = (np.full((60, 104), 128 + offset, np.uint8) for offset in (int(frame[0, 0, 2]) // 9, 0))
        return PlanarPicture((luma, cb, cr), Coding("bt601", True), lambda: frame)

    scene = SceneChange()
    shown = [picture(1), picture(1), picture(2, tint=(1.0, 0.6, 0.5)), np.zeros_like(picture(1))]
    assert [scene.between(planes(frame)) for frame in shown] == ["none", "none", "cut", "cut"]


def test_where_the_frame_before_is_not_known_a_change_is_taken_for_motion():
    """So in a state of an earlier release."""
    scene, before = SceneChange(), SceneChange()
    before.between(picture(1))
    scene.before = before.before
    assert scene.between(picture(2, tint=(1.0, 0.6, 0.5))) == "motion"


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (2160, 3840)])
def test_frames_of_any_size(shape):
    scene = SceneChange()
    dark, bright = np.zeros((*shape, 3), np.uint8), np.full((*shape, 3), 200, np.uint8)
    assert [scene.between(frame) for frame in (dark, dark, bright)] == ["none", "none", "cut"]
