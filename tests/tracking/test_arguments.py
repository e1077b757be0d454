"""What is given to a tracker by mistake: one clear line each, which names the parameter."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.frames import square_frame
from vosctl import Tracker
from vosctl.errors import UsageError

FRAME, LABELS = square_frame(60, 80, (1, (230, 40, 40), 20, 20, 20))


@pytest.fixture
def started(bright_engine):
    tracker = Tracker(bright_engine)
    tracker.start(FRAME, LABELS)
    return tracker


def refused(call, *words):
    with pytest.raises(UsageError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (None, "not None"),
        (FRAME.tolist(), "not a list; use numpy.array(...)"),
        (Image.fromarray(FRAME), "not a PIL Image; use numpy.asarray(image)"),
        (torch.from_numpy(FRAME), "not a torch Tensor; use tensor.cpu().numpy()"),
        ("frame.png", "not a str"),
        (FRAME[..., 0], "must be (H, W, 3) uint8 RGB, not (60, 80) uint8"),
        (FRAME.astype(np.float32), "not (60, 80, 3) float32"),
        (FRAME[..., :2], "not (60, 80, 2)"),
        (FRAME[None], "not (1, 60, 80, 3) uint8; give one at a time, frame[0]"),
        (FRAME[..., 0], "; of a grey picture use numpy.dstack([frame] * 3)"),
        (FRAME[..., :1], "; of a grey picture use numpy.repeat(frame, 3, axis=2)"),
        (np.dstack([FRAME, FRAME[..., :1]]), "; of RGBA use frame[..., :3]"),
        (FRAME.transpose(2, 0, 1), "; use frame.transpose(1, 2, 0)"),
        (FRAME / 255, "; where 1 is white use (frame * 255).round().astype(numpy.uint8)"),
        (FRAME.astype(np.uint16), "; bring its values to 0..255 and use frame.astype(numpy.uint8)"),
        (FRAME[:0], "is 80x0, it has no pixels"),
        (FRAME[:, :40], "is 40x60 but the first was 80x60; all must be of one size"),
    ],
)
@pytest.mark.parametrize("call", ["start", "step", "add"])
def test_frames(started, frame, words, call):
    calls = {
        "start": lambda: started.start(frame, LABELS),
        "step": lambda: started.step(frame),
        "add": lambda: started.add(frame, LABELS > 0, 2),
    }
    if call == "start" and "one size" in words:
        refused(calls[call], "`mask`", "is (60, 80) but the frame is (60, 40)")
    else:
        refused(calls[call], "`frame`", words)
    assert started.step(FRAME).labels.any()  # it goes on as if nothing had been


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (LABELS.tolist(), "not a list; use numpy.array(...)"),
        (Image.fromarray(LABELS), "not a PIL Image; use numpy.asarray(image)"),
        (torch.from_numpy(LABELS), "not a torch Tensor; use tensor.cpu().numpy()"),
        (LABELS.astype(np.float32), "must hold whole ids or bool, not float32"),
        (LABELS.astype(object), "must hold whole ids or bool, not object"),
        (LABELS[:30], "is (30, 80) but the frame is (60, 80)"),
        (LABELS[..., None], "is (60, 80, 1) but the frame is (60, 80); use mask[..., 0]"),
        (np.dstack([LABELS] * 3), "one id for each pixel, or mask.any(axis=2)"),
        (LABELS[None], "give one object at a time, mask[0]"),
        (LABELS.T, "use mask.T"),
        (LABELS.astype(int) * 300, "holds the ids 0 to 300; they must be 0..255"),
        (LABELS.astype(int) - 1, "holds the ids -1 to 0; they must be 0..255"),
        (np.zeros_like(LABELS), "is empty; mark at least one object"),
    ],
)
@pytest.mark.parametrize("call", ["start", "step", "add"])
def test_masks(started, mask, words, call):
    calls = {
        "start": lambda: started.start(FRAME, mask),
        "step": lambda: started.step(FRAME, mask),
        "add": lambda: started.add(FRAME, mask, 2),
    }
    refused(calls[call], "`mask`", words)
    assert started.objects == (1,)


def test_no_mask(started):
    for call in (lambda: started.start(FRAME, None), lambda: started.add(FRAME, None, 2)):
        refused(call, "`mask`", "not None")


@pytest.mark.parametrize(
    ("object_id", "words"),
    [
        (0, "`object_id=0`: must be in 1..255"),
        (256, "`object_id=256`: must be in 1..255"),
        (-1, "`object_id=-1`"),
        (True, "not a bool"),
        (1.0, "not a float"),
        ("1", "not a str"),
        (None, "not None"),
    ],
)
def test_ids(started, object_id, words):
    refused(lambda: started.add(FRAME, LABELS > 0, object_id), "`object_id", words)


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ([3], "object 3 has no pixel in the mask, which holds 1"),
        ([], "names no object"),
        (1, "give a list of ids, not a int"),
        ("1", "give a list of ids, not a str"),
        ([1.5], "`object_id`: must be a whole number"),
    ],
)
def test_objects_asked_for(started, objects, words):
    refused(lambda: started.step(FRAME, LABELS, objects), words)


def test_objects_without_a_mask(started):
    refused(lambda: started.step(FRAME, objects=[1]), "`objects`", "`mask`")


def test_removing_what_is_not_followed(started):
    refused(lambda: started.remove(9), "`object_id=9`: is not followed", "are: 1")
    started.remove(1)
    refused(lambda: started.remove(1), "are: none")


def test_before_the_start(bright_engine):
    tracker = Tracker(bright_engine)
    for call in (
        lambda: tracker.step(FRAME),
        lambda: tracker.step(FRAME, LABELS),
        lambda: tracker.add(FRAME, LABELS, 1),
        lambda: tracker.remove(1),
    ):
        refused(call, "call start(frame, mask) first")
    assert tracker.objects == ()


@pytest.mark.parametrize("engine", ["lite", None, 3])
def test_an_engine_that_is_none(engine):
    refused(lambda: Tracker(engine), "`engine`", "Tracker.load")


@pytest.mark.parametrize("settings", [{"window": False}, "off"])
def test_settings_that_are_none(bright_engine, settings):
    refused(lambda: Tracker(bright_engine, settings), "`settings`", "give TrackingSettings")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"weights": None}, "`weights`: give a name, a file or a folder, not None"),
        ({"weights": b"lite"}, "`weights`"),
        ({"threads": -1}, "`threads=-1`: give a whole number from 1 on, or 0"),
        ({"threads": 1.5}, "`threads`: must be a whole number, not a float"),
        ({"engine": "tensorflow"}, "tensorflow"),
        ({"precision": 16}, "`precision=16`"),
        ({"provider": None}, "`provider=None`"),
        ({"device": None}, "`device=None`"),
        ({"settings": {"window": False}}, "`settings`"),
    ],
)
def test_loading(given, words):
    refused(lambda: Tracker.load(**given), words)


@pytest.mark.parametrize("form", ["flipped", "strided", "fortran", "big-endian", "read-only"])
def test_arrays_of_any_layout_give_the_same(bright_engine, form):
    frame, labels = square_frame(60, 80, (3, (230, 40, 90), 20, 20, 20))
    arrangements: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "flipped": lambda array: np.ascontiguousarray(array[:, ::-1])[:, ::-1],
        "strided": lambda array: np.repeat(array, 2, axis=1)[:, ::2],
        "fortran": np.asfortranarray,
        "big-endian": lambda array: array if array.ndim == 3 else array.astype(">i4"),
        "read-only": lambda array: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape),
    }
    arrange = arrangements[form]
    expected, answers = Tracker(bright_engine), Tracker(bright_engine)
    expected.start(frame, labels)
    answers.start(arrange(frame), arrange(labels))
    for _ in range(2):
        np.testing.assert_array_equal(answers.step(arrange(frame)).labels, expected.step(frame).labels)
    np.testing.assert_array_equal(
        answers.add(arrange(frame), arrange(labels) > 0, 4).labels, expected.add(frame, labels > 0, 4).labels
    )


@pytest.mark.parametrize("object_id", ["1", 1.0, 1.5, True, None])
def test_what_is_removed_is_named_by_a_whole_number(started, object_id):
    refused(lambda: started.remove(object_id), "`object_id`", "must be a whole number in 1..255")
    assert started.objects == (1,)


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy], ids=["pickle", "deepcopy"])
def test_a_tracker_says_that_it_is_not_copied(started, copied):
    with pytest.raises(TypeError, match=r"cannot be pickled or copied; make one in each process, with Tracker\.load"):
        copied(started)
