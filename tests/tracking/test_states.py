"""The engine's states: those of the last step are what the next one is given, object by object."""

from dataclasses import dataclass

import numpy as np
import pytest

from tests.helpers.frames import square_frame
from vosctl.engine import EngineInfo, Step
from vosctl.tracking import Tracker, TrackingSettings


@dataclass(frozen=True, slots=True)
class Age:
    """The state of a network with a memory: whose it is, and how many frames it has seen."""

    colour: int
    frames: int


class MemoryEngine:
    """Finds what is of an object's red, and gives a new state after every frame."""

    takes_float = True
    stride = 32
    crop_size = 96
    info = EngineInfo("fake", "memory", "memory", "cpu", "fp32")

    def __init__(self):
        self.given = []

    def encode_reference(self, image, mask):
        scale = 255 if image.dtype == np.float32 else 1
        return Age(round(float(np.median(image[..., 0][mask > 0.5])) * scale), 0)

    def propagate(self, images, masks, states):
        self.given.append(list(states))
        scale = 255 if images.dtype == np.float32 else 1
        near = [abs(image[..., 0] * scale - one.colour) < 60 for image, one in zip(images, states, strict=True)]
        probabilities = np.where(np.stack(near), np.float32(0.95), np.float32(0.02))
        return Step(probabilities, [Age(one.colour, one.frames + 1) for one in states])


@pytest.mark.parametrize(
    "settings",
    [TrackingSettings(), TrackingSettings(window=False, scales=(0.5, 1.0)), TrackingSettings.paper()],
    ids=["crops", "full frame", "paper"],
)
def test_every_object_keeps_the_state_that_the_engine_gave_back(settings):
    engine = MemoryEngine()
    tracker = Tracker(engine, settings)
    frame, labels = square_frame(96, 128, (1, (250, 40, 40), 20, 20, 24), (2, (150, 40, 40), 80, 40, 24))
    tracker.start(frame, labels)
    for _ in range(3):
        result = tracker.step(frame)
    assert [one.status for one in result.objects] == ["tracked", "tracked"]
    calls = len(engine.given) // 3
    assert calls == (1 if settings.window else len(settings.scales))
    for number, states in enumerate(engine.given):
        assert {one.frames for one in states} == {number // calls}
        assert [one.colour for one in states[:2]] == [250, 150]
        assert len(states) == (3 if settings.paper_protocol else 2)


def test_an_object_that_is_added_begins_anew_and_the_others_go_on():
    engine = MemoryEngine()
    tracker = Tracker(engine)
    frame, labels = square_frame(96, 128, (1, (250, 40, 40), 20, 20, 24), (2, (150, 40, 40), 80, 40, 24))
    tracker.start(frame, np.where(labels == 1, labels, 0))
    tracker.step(frame)
    tracker.add(frame, labels == 2, 2)
    tracker.step(frame)
    tracker.step(frame)
    assert engine.given[-1] == [Age(250, 2), Age(150, 1)]
