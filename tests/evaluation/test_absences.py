import numpy as np
import pytest

from vosctl.errors import VosctlError
from vosctl.evaluation.absences import KINDS, LEAD, VIEW_SHARES, AnnotatedClip, make_absences, read_clips

RED = np.array((220, 30, 30), np.uint8)


def clip(name, x=20, side=24, step=2, background=60, height=120, width=240):
    """A square that moves to the right over a plain background."""
    frames, masks = [], []
    for index in range(12):
        frame, mask = np.full((height, width, 3), background, np.uint8), np.zeros((height, width), bool)
        left = x + step * index
        frame[40 : 40 + side, left : left + side] = RED
        mask[40 : 40 + side, left : left + side] = True
        frames.append(frame)
        masks.append(mask)
    return AnnotatedClip(name, frames, masks)


@pytest.fixture
def made():
    others = [clip("blue", background=120, x=90), clip("large", side=60, background=160)]
    return list(make_absences(clip("square"), others, KINDS))


def of(made, kind):
    return [one for one in made if one.kind == kind]


def test_every_kind_is_made_and_those_of_two_clips_with_every_other_clip(made):
    assert [one.kind for one in made] == [
        "pan",
        "cut",
        "cut",
        "black",
        "occlusion",
        *["look-alike"] * 2,
        *["bystander"] * 2,
    ]
    for one in made:
        assert len(one.frames) == len(one.masks) == len(one.others)
        assert {frame.shape[:2] for frame in one.frames} == {one.masks[0].shape}
        assert one.masks[0].any()
        assert one.masks[one.back].any()


@pytest.mark.parametrize("kind", ["pan", "cut", "black", "occlusion"])
def test_the_object_is_away_for_some_frames_and_comes_back(made, kind):
    for one in of(made, kind):
        away = [not mask.any() for mask in one.masks]
        assert sum(away) >= 10
        assert not any(away[:12])
        assert not any(away[one.back :])


def test_masks_lie_where_the_object_is_to_be_seen(made):
    for one in made:
        for frame, mask in zip(one.frames, one.masks, strict=True):
            assert (frame[mask] == RED).all(axis=-1).all()


def test_a_view_moves_through_the_frame_and_keeps_its_size(made):
    (one,) = of(made, "pan")
    assert one.frames[0].shape == (int(120 * VIEW_SHARES[0]), int(240 * VIEW_SHARES[0]), 3)
    assert one.plain == []


def test_a_cut_shows_the_other_clip_and_time_goes_on(made):
    cut = of(made, "cut")[0]
    assert (cut.frames[14][0, 0] == 120).all()
    original = clip("square")
    np.testing.assert_array_equal(cut.frames[-1], original.frames[cut.plain[-1]])
    assert not of(made, "black")[0].frames[14].any()


def test_a_look_alike_hides_what_it_passes_in_front_of(made):
    for one in of(made, "look-alike"):
        assert any(other.any() for other in one.others)
        assert not any((mask & other).any() for mask, other in zip(one.masks, one.others, strict=True))
        hidden = [mask.sum() for mask in one.masks]
        assert min(hidden) < 0.5 * hidden[0]


def test_a_bystander_passes_behind_the_object_and_stays_beside_it(made):
    for one in of(made, "bystander"):
        original = clip("square")
        for frame, mask, index in zip(one.frames, one.masks, one.plain, strict=True):
            np.testing.assert_array_equal(mask, original.masks[index])
            np.testing.assert_array_equal(frame[mask], original.frames[index][mask])
        pixels = [other.sum() for other in one.others]
        assert min(pixels[LEAD : one.back]) < 0.5 * pixels[-1], "it is never behind the object"
        gaps = [_gap(mask, other) for mask, other in zip(one.masks[one.back :], one.others[one.back :], strict=True)]
        assert all(0 <= gap < 20 for gap in gaps)


def _gap(mask, other):
    """Pixels between two things from left to right."""
    (first, last), (left, right) = (np.flatnonzero(one.any(axis=0))[[0, -1]] for one in (mask, other))
    return max(left - last, first - right) - 1


def test_an_object_as_wide_as_the_frame_is_neither_panned_from_nor_hidden():
    wide = clip("wide", x=0, side=200, step=0, height=260)
    assert [one.kind for one in make_absences(wide, [clip("other")], ("pan", "occlusion", "black"))] == ["black"]


def test_a_clip_of_one_annotated_image_is_named(make_sequence, moving, root):
    make_sequence("bear", moving)
    assert [len(clip.masks) for clip in read_clips(root)] == [6]
    make_sequence("cat", moving[:1])
    with pytest.raises(VosctlError, match=r"sequence 'cat' has 1 annotated image\(s\), at least 2 are needed"):
        read_clips(root)


def test_a_clip_is_played_to_and_fro():
    assert [clip("square").at(time) for time in (0, 5, 11, 12, 22, 23)] == [0, 5, 11, 10, 0, 1]
