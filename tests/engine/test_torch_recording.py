"""What is around a CUDA graph, with a recorder that behaves like one on the CPU: same memory in, same memory out."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.bright_network import BrightObjectNetwork
from tests.helpers.frames import square_frame
from vosctl import Tracker, TrackingSettings
from vosctl.engine.devices import resolve_placement
from vosctl.engine.torch_engine import TorchEngine
from vosctl.engine.torch_recording import WARMUP, Recordings, recorder_for

RED, BLUE = (230, 40, 40), (40, 40, 230)


class ReplayRecorder:
    """Runs a step a few times, then plays it into the tensors of the recorded run, as a CUDA graph does."""

    def __init__(self):
        self.recorded = 0
        self.played = 0

    def record(self, step):
        for _ in range(WARMUP):
            step()
        outcome = step()
        self.recorded += 1

        def play():
            self.played += 1
            fresh = step()
            for field in fields(outcome):
                getattr(outcome, field.name).copy_(getattr(fresh, field.name))
            return outcome

        return play


class FailingRecorder:
    def record(self, step):
        step()
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nCompile with TORCH_USE...")


def tracker_with(recorder):
    network = BrightObjectNetwork(tells_presence=True)
    engine = TorchEngine(network, resolve_placement("cpu", "fp32"), "bright", recorder=lambda device: recorder)
    return Tracker(engine, TrackingSettings(on_device=True))


def frames(objects):
    """The frames of a run in which objects come and go: how many there are in each."""
    for step, count in enumerate(objects):
        squares = [(1, RED, 20 + 3 * step, 30, 30), (2, BLUE, 110, 60, 30), (3, (230, 230, 40), 60, 90, 25)]
        yield square_frame(130, 200, *squares[:count])


def run(tracker, objects):
    """Return labels and words of every frame."""
    results = []
    before = 0
    for (frame, labels), count in zip(frames(objects), objects, strict=True):
        if not results:
            result = tracker.start(frame, labels)
        elif count > before:
            result = tracker.step(frame, labels, list(range(before + 1, count + 1)))
        else:
            for object_id in range(count + 1, before + 1):
                tracker.remove(object_id)
            result = tracker.step(frame)
        before = count
        results.append((result.labels.copy(), result.alpha.copy(), [(one.id, one.status) for one in result.objects]))
    return results


def assert_same(results, others):
    for (labels, alpha, words), (other_labels, other_alpha, other_words) in zip(results, others, strict=True):
        np.testing.assert_array_equal(labels, other_labels)
        np.testing.assert_array_equal(alpha, other_alpha)
        assert words == other_words


def test_recorded_steps_give_what_plain_ones_do_while_objects_come_and_go():
    objects = [1, 1, 1, 2, 2, 3, 3, 3, 2, 2, 1, 1, 3, 3]
    recorder = ReplayRecorder()
    recorded = run(tracker_with(recorder), objects)
    assert_same(recorded, run(tracker_with(None), objects))
    assert recorder.recorded == 3, "one for each of 1, 2 and 4 objects, kept when objects go"
    assert recorder.played >= 8
    for (labels, *_), count in zip(recorded, objects, strict=True):
        assert set(np.unique(labels)) - {0} == set(range(1, count + 1))


def test_objects_with_two_references_have_a_recording_of_their_own():
    def corrected(recorder):
        tracker = tracker_with(recorder)
        results = []
        for step, (frame, labels) in enumerate(frames([2] * 14)):
            if step == 0:
                result = tracker.start(frame, labels)
            elif step == 5:
                result = tracker.step(frame + np.uint8(9), labels, [1])
            else:
                result = tracker.step(frame)
            words = [(one.id, one.status) for one in result.objects]
            results.append((result.labels.copy(), result.alpha.copy(), words))
        assert tracker.references == {1: 2, 2: 1}
        return results

    recorder = ReplayRecorder()
    assert_same(corrected(recorder), corrected(None))
    assert recorder.recorded == 3, "for two objects, the one that is not corrected, and two of which one has two"
    assert recorder.played >= 10


def test_a_step_that_cannot_be_recorded_runs_as_it_is_and_says_why():
    objects = [2] * 6
    tracker = tracker_with(FailingRecorder())
    assert_same(run(tracker, objects), run(tracker_with(None), objects))
    assert tracker.notes == [
        "the step for 2 objects runs without a CUDA graph, several times slower: "
        "CUDA error: operation not permitted when stream is capturing"
    ]


def test_a_recording_leaves_what_the_step_changes_as_it_was():
    counter = torch.zeros(1)
    recordings: Recordings[Any] = Recordings(ReplayRecorder(), [])
    step = recordings.get("key", "the step", lambda: _Counted(counter.add_(1).clone()), [counter])
    assert counter.item() == 0
    assert [step().value.item() for _ in range(3)] == [1, 2, 3]


def test_a_lack_of_memory_is_not_taken_for_what_cannot_be_recorded():
    class Full:
        def record(self, step):
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with pytest.raises(RuntimeError, match="out of memory"):
        Recordings(Full(), []).get("key", "the step", lambda: None, [])


def test_only_cuda_is_recorded():
    assert recorder_for(torch.device("cpu")) is None
    assert recorder_for(torch.device("mps")) is None


@dataclass
class _Counted:
    value: torch.Tensor
