import numpy as np
import pytest

from vosctl.engine import EngineInfo, Step
from vosctl.errors import VosctlError
from vosctl.export.checking import FOLLOWED_FRAMES, check_masks, check_probabilities
from vosctl.export.clip import CheckClip, frame_agreement, frame_j

SIZE = (96, 128)


class Echo:
    """Answers with the guidance mask, changed by `change`."""

    info = EngineInfo("fake", "echo", "echo", "cpu", "fp32")
    stride = 32
    crop_size = 96
    takes_float = False

    def __init__(self, change=lambda masks: masks):
        self.change = change
        self.batches = []

    def encode_reference(self, image, mask):
        assert image.shape == (*mask.shape, 3)
        return mask.mean()

    def propagate(self, images, masks, states):
        self.batches.append(images.shape)
        assert len(images) == len(states)
        return Step(self.change(masks), states)


def flipped_corner(masks):
    """Of 96x128 pixels 288, 2.3 %, are others."""
    changed = masks.copy()
    changed[:, :12, :24] = 1 - changed[:, :12, :24]
    return changed


def test_probabilities_are_compared_for_one_object_and_for_several():
    exported = Echo(lambda masks: np.clip(masks + np.float32(5e-4), 0, 2))
    assert check_probabilities(exported, Echo(), [SIZE], 3) == pytest.approx(5e-4, rel=1e-2)
    assert {shape[0] for shape in exported.batches} == {1, 3}


def test_probabilities_that_differ_are_an_error():
    with pytest.raises(VosctlError, match=r"differ from torch by 2\.0e-03"):
        check_probabilities(Echo(lambda masks: masks + np.float32(2e-3)), Echo(), [SIZE], 1)
    with pytest.raises(VosctlError, match="nan"):
        check_probabilities(Echo(lambda masks: masks * np.float32("nan")), Echo(), [SIZE], 1)


def test_masks_have_a_floor():
    result = check_masks(Echo(), Echo(), SIZE, "fp16")
    assert result.agreement == 1
    assert result.j == result.j_torch > 0.5
    with pytest.raises(VosctlError, match=r"97\.66% of the pixels .* 99\.5% is the least"):
        check_masks(Echo(flipped_corner), Echo(), SIZE, "fp16")
    assert check_masks(Echo(flipped_corner), Echo(), SIZE, "int8").agreement == pytest.approx(1 - 288 / 96 / 128)


def test_what_is_left_of_an_object_that_torch_has_lost_is_no_measure():
    def lost(from_step, value):
        engine = Echo()
        engine.change = lambda masks: np.full_like(masks, value) if len(engine.batches) > from_step else masks
        return engine

    late = FOLLOWED_FRAMES - 4
    assert check_masks(lost(late, 1), lost(late, 0), SIZE, "fp16").agreement == 1
    with pytest.raises(VosctlError, match="agree"):
        check_masks(lost(late, 0), Echo(), SIZE, "fp16")
    with pytest.raises(VosctlError, match=r" 0\.00% of the pixels"):
        check_masks(lost(0, 1), lost(0, 0), SIZE, "fp16")  # it never followed anything


def test_the_clip_shows_its_objects_whole():
    clip = CheckClip.made(2)
    assert clip.object_ids == [1, 2]
    for one in clip.object_ids:
        image, mask = next(clip.views(one, SIZE))
        assert (image.shape, image.dtype) == ((96, 128, 3), np.uint8)
        assert mask.shape == SIZE
        seen = mask > 0.5
        assert 0.02 < seen.mean() < 0.4
        assert not seen[0].any()
        assert not seen[:, 0].any()


def test_j_and_agreement_of_every_frame():
    truth = np.zeros((2, 1, 4, 4), bool)
    truth[:, :, :2] = True
    masks = truth.copy()
    masks[1, :, 1] = False
    assert frame_j(masks, truth).tolist() == [[1], [0.5]]
    assert frame_agreement(masks, truth).tolist() == [[1], [0.75]]
    nothing = np.zeros_like(truth)
    assert (frame_j(nothing, nothing) == 1).all()
