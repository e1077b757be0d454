"""The paper's protocol against a plain second writing of the official release's steps, loops and all."""

import cv2
import numpy as np
import pytest
import torch

from tests.helpers.balanced import balance
from tests.helpers.frames import square_frame
from vosctl import Tracker, TrackingSettings
from vosctl.engine.devices import resolve_placement
from vosctl.engine.torch_engine import TorchEngine
from vosctl.errors import UsageError


def to_tensors(frame, mask):
    return torch.from_numpy(frame).permute(2, 0, 1)[None], torch.from_numpy(mask)[None, None]


def pad(array):
    """Centred zeros; a size that is a multiple of 32 already grows by 32."""
    height, width = array.shape[:2]
    new_height, new_width = height + 32 - height % 32, width + 32 - width % 32
    top, left = (new_height - height) // 2, (new_width - width) // 2
    out = np.zeros((new_height, new_width, *array.shape[2:]), np.float32)
    out[top : top + height, left : left + width] = array
    return out, (slice(top, top + height), slice(left, left + width))


def shrink(array, scale):
    if scale == 1.0:
        return array
    height, width = (int(n * scale) + 32 - int(n * scale) % 32 for n in array.shape[:2])
    return cv2.resize(array, (width, height), interpolation=cv2.INTER_LINEAR)


def official(network, frames, first_labels):
    """Labels of every frame after the first, with ids 1..N."""
    count = first_labels.max()
    first = pad(frames[0] / np.float32(255))[0]
    masks = [pad((first_labels == index).astype(np.float32))[0] for index in range(1, count + 1)]
    followed = [*masks, sum(masks)] if count > 1 else masks
    references = [
        [network.encode_reference(*to_tensors(shrink(first, s), shrink(mask, s))) for s in (0.5, 0.75, 1.0)]
        for mask in followed
    ]
    answers = []
    for frame in frames[1:]:
        image, inside = pad(frame / np.float32(255))
        previous = [*masks, sum(masks)] if count > 1 else masks
        found = []
        for mask, reference in zip(previous, references, strict=True):
            total = 0
            for scale, state in zip((0.5, 0.75, 1.0), reference, strict=True):
                p = network.propagate(*to_tensors(shrink(image, scale), shrink(mask, scale)), *state)[0, 0].numpy()
                total = total + cv2.resize(p, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            found.append(total / 3)
        if count == 1:
            masks = found
            merged = np.stack([1 - found[0], found[0]])
        else:
            stacked = np.clip(np.stack([1 - found[-1], *found[:-1]]), 1e-7, 1 - 1e-7)
            logits = np.log(stacked / (1 - stacked))
            merged = np.exp(logits) / np.exp(logits).sum(axis=0)
            masks = list(merged[1:].astype(np.float32))
        answers.append(merged.argmax(axis=0)[inside])
    return answers


@pytest.mark.parametrize("objects", [1, 2])
@pytest.mark.parametrize("size", [(64, 96), (70, 81)])
def test_labels_are_the_official_ones(tiny_rgmp, objects, size):
    generator = np.random.default_rng(5)
    squares = [(1, (220, 60, 50), 10, 12, 24), (2, (60, 80, 220), 44, 30, 26)][:objects]
    moving = [
        square_frame(*size, *((i, colour, x + 3 * step, y + step, side) for i, colour, x, y, side in squares))
        for step in range(4)
    ]
    frames = [np.clip(frame + generator.integers(-20, 20, frame.shape), 0, 255).astype(np.uint8) for frame, _ in moving]
    first = moving[0][1]
    balance(tiny_rgmp, frames[0], first == 1)
    with torch.inference_mode():
        expected = official(tiny_rgmp, frames, first)
    assert 0.05 < np.mean([answer > 0 for answer in expected]) < 0.95, "a test of one label would show nothing"
    engine = TorchEngine(tiny_rgmp, resolve_placement("cpu", "fp32"), "tiny")
    tracker = Tracker(engine, TrackingSettings.paper())
    tracker.start(frames[0], first)
    for frame, answer in zip(frames[1:], expected, strict=True):
        assert (tracker.step(frame).labels == answer).mean() >= 0.995


def test_the_protocol_needs_float_images_and_its_first_frame(bright_engine, tiny_engine):
    with pytest.raises(UsageError, match="needs the torch engine"):
        Tracker(bright_engine, TrackingSettings.paper())
    tracker = Tracker(tiny_engine, TrackingSettings.paper())
    frame, labels = square_frame(64, 64, (1, (255, 0, 0), 10, 10, 20))
    tracker.start(frame, labels)
    with pytest.raises(UsageError, match="first frame only"):
        tracker.add(frame, labels > 0, 2)
