"""Training of the head for presence: what is recorded, and that it can be learned from."""

import numpy as np
import pytest
import torch

from tests.helpers.frames import square_frame
from tests.helpers.networks import TINY_STAGES, randomise_norms
from vosctl.evaluation.absences import AbsenceClip
from vosctl.network.lite import Lite
from vosctl.network.presence import Marked, PresenceHead
from vosctl.training.presence.examples import (
    Example,
    RecordingEngine,
    Reference,
    examples_of_batch,
    examples_of_clip,
)
from vosctl.training.presence.fitting import FitSettings, Whitening, fit, passing_absent, presences
from vosctl.training.samples import Samples, SampleSettings, collate
from vosctl.training.sources import find_sequences, find_stills

CHANNELS, SIDE = 10, 6


class RedMarker(RecordingEngine):
    """Marks what is red, whatever the network would."""

    def mark(self, images, guidance, states):
        super().mark(images, guidance, states)
        red = (images[:, :1] > 0.7) & (images[:, 1:].amax(1, keepdim=True) < 0.4)
        probability = red.float() * 0.9
        self.last = Marked.of(self.last.places, guidance, probability)
        return probability


@pytest.fixture
def engine():
    torch.manual_seed(0)
    return RedMarker(randomise_norms(Lite(stem_channels=4, stages=TINY_STAGES, widths=(4, 4, 8, 8))))


def test_a_clip_gives_examples_with_and_without_the_object(engine):
    frames, masks = [], []
    for index in range(14):
        frame, labels = square_frame(96, 128, (1, (230, 30, 30), 50, 30, 32), background=(60, 60, 90 + index))
        frames.append(frame)
        masks.append((labels > 0) & (not 5 <= index < 9))  # what is red there is something else
    clip = AbsenceClip("cut", "one > other", frames, masks, [], 9, [])
    examples = examples_of_clip(engine, clip, 64, late=1)
    assert {example.present for example in examples} == {True, False}
    assert {example.group for example in examples} == {("cut", "one > other")}
    for example in examples:
        assert example.places.shape == (8 + 6, 4, 4)
        assert example.weight.shape == example.guidance.shape == (16,)
        assert example.reference.share.shape == (4, 4)
        assert 0 < example.area <= 1
        assert example.score == pytest.approx(0.9, abs=0.05)
    absent = [example for example in examples if not example.present]
    assert any(example.guidance.max() > 0.2 for example in absent)  # still followed in the first frame
    assert any(example.guidance.max() == 0 for example in absent)  # then lost


def test_a_batch_gives_every_object_in_its_own_picture_and_in_another(engine, stills, videos):
    found, _ = find_stills([stills])
    sequences, _ = find_sequences([videos])
    samples = Samples(found, sequences, SampleSettings(targets=2, max_skip=1, video_share=0.5, seed=1))
    batch = collate([samples[number, 64] for number in range(3)])
    examples = list(examples_of_batch(engine, batch, shift=1))
    groups = {example.group[1] for example in examples}
    assert groups <= {"own guided", "own unguided", "other guided", "other unguided", "other misguided"}
    assert {"other guided", "other unguided", "other misguided"} <= groups
    assert not any(example.present for example in examples if example.group[1].startswith("other"))


def made(rng, objects, present, number):
    """An example whose features are an object's own ones under the mask, and noise around it."""
    one, other = rng.choice(len(objects), 2, replace=False)
    mask = np.zeros((SIDE, SIDE), np.float32)
    y, x = rng.integers(0, 3, 2)
    mask[y : y + 3, x : x + 3] = 1

    def features(index, share):
        noise = rng.normal(0, 0.4, (CHANNELS, SIDE, SIDE))
        return noise + objects[index][:, None, None] * share + rng.normal(0, 1, (CHANNELS, 1, 1)) * (1 - share)

    shown = features(one, mask).astype(np.float16)
    seen = features(one if present else other, mask).astype(np.float16)
    reference = Reference(shown, mask.astype(np.float16))
    flat = mask.reshape(-1).astype(np.float16)
    return Example(reference, seen, flat, flat, float(mask.mean()), 0.9, present, ("still", str(number)))


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(5)
    objects = rng.normal(0, 1, (40, CHANNELS))
    return [made(rng, objects, number % 2 == 0, number) for number in range(360)]


def test_the_head_learns_to_tell_objects_apart(examples):
    losses = []
    head = fit(examples[:300], FitSettings(steps=150, batch=32, seed=1), lambda _, loss: losses.append(loss))
    told = presences(head, examples[300:])
    present = np.array([example.present for example in examples[300:]])
    assert np.mean(losses[-20:]) < 0.6 * np.mean(losses[:20])
    assert told[present].mean() > told[~present].mean() + 0.5
    assert passing_absent(told, present, 0.9) < 0.2


def test_the_same_seed_gives_the_same_head(examples):
    settings = FitSettings(steps=3, batch=16, seed=2)
    one, other = (fit(examples[:60], settings).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_components_are_uncorrelated_and_fold_into_the_head(examples):
    rng = np.random.default_rng(0)
    whitening = Whitening.of(examples, rng)
    reduced = np.stack([whitening.apply(example.places) for example in examples]).astype(np.float32)
    flat = reduced.transpose(1, 0, 2, 3).reshape(len(whitening.matrix), -1)
    np.testing.assert_allclose(np.cov(flat), np.eye(len(flat)), atol=0.25)
    torch.manual_seed(1)
    head = PresenceHead(len(whitening.matrix)).eval()
    whole = whitening.folded_into(head)
    places = torch.from_numpy(examples[0].places.astype(np.float32))[None]
    torch.testing.assert_close(whole.embed(places), head.embed(torch.from_numpy(reduced[:1])), atol=0.02, rtol=0.02)


def test_what_passes_is_counted_at_the_level_of_the_present():
    told = np.array([0.9, 0.8, 0.7, 0.6, 0.65, 0.1], np.float32)
    present = np.array([True, True, True, True, False, False])
    assert passing_absent(told, present, 1.0) == 0.5
    assert passing_absent(told, present, 0.6) == 0.0
