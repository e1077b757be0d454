import numpy as np
import pytest

from tests.helpers.bright_network import BrightObjectNetwork
from vosctl.engine import EngineInfo
from vosctl.engine.devices import resolve_placement
from vosctl.engine.graph_engine import GraphEngine
from vosctl.engine.graph_metadata import GraphMetadata
from vosctl.engine.parts import even_parts, largest_part
from vosctl.engine.torch_engine import TorchEngine

SIDE = 320


@pytest.mark.parametrize(
    ("objects", "most", "sizes"),
    [(1, 4, [1]), (4, 4, [4]), (5, 4, [2, 3]), (9, 4, [3, 3, 3]), (60, 4, [4] * 15), (3, 1, [1, 1, 1])],
)
def test_parts_are_as_few_and_as_even_as_can_be(objects, most, sizes):
    parts = even_parts(objects, most)
    assert [part.stop - part.start for part in parts] == sizes
    assert [index for part in parts for index in range(objects)[part]] == list(range(objects))


def test_a_part_is_smaller_in_larger_images_and_never_empty():
    assert largest_part(320, 320) == 4
    assert largest_part(192, 192) > 4
    assert largest_part(2160, 3840) == 1


class CountingGraphs(GraphEngine):
    """Graphs that answer with an object's own number, and note how many objects they were run on at once."""

    def __init__(self, *, objects=None, in_parts=True):
        metadata = GraphMetadata("fake", 32, SIDE, ("number",), objects=objects, tells_presence=True)
        super().__init__(EngineInfo("fake", "fake", "fake", "cpu", "fp32"), metadata, in_parts=in_parts)
        self.batches = []
        self.placed = 0

    def _run_reference(self, image, mask):
        return (np.full((1, 1), image[0, 0, 0, 0], np.float32),)

    def _place(self, state):
        self.placed += 1
        return state

    def _run_step(self, images, masks, state):
        assert (images[:, 0, 0, 0] == state[0][:, 0]).all(), "each object has its own state"
        self.batches.append(len(images))
        return np.ones_like(masks) * state[0][:, :, None], state[0][:, 0]


class CountingNetwork(BrightObjectNetwork):
    """Answers with an object's own number, and notes how many objects it was run on at once."""

    def __init__(self):
        super().__init__(tells_presence=True)
        self.batches = []

    def encode_reference(self, image, mask):
        return (image[:, :1, :1, :1],)

    def propagate_with_presence(self, image, mask, *state):
        self.batches.append(len(image))
        return mask * 0 + state[0] * 255, state[0][:, 0, 0, 0] * 255


def step_of(engine, count):
    """Follow objects 1, 2, ...: the answers, object by object."""
    images = np.zeros((count, SIDE, SIDE, 3), np.uint8)
    images[:] = np.arange(1, count + 1)[:, None, None, None]
    masks = np.ones((count, SIDE, SIDE), np.float32)
    states = [engine.encode_reference(image, mask) for image, mask in zip(images, masks, strict=True)]
    steps = [engine.propagate(images, masks, states) for _ in range(2)]
    for step in steps:
        assert step.probabilities.shape == (count, SIDE, SIDE)
        assert [id(state) for state in step.states] == [id(state) for state in states]
        np.testing.assert_allclose(step.probabilities[:, 0, 0], np.arange(1, count + 1), rtol=1e-5)
        np.testing.assert_allclose(step.presence, np.arange(1, count + 1), rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "batches"),
    [
        ({}, [3, 3, 3]),
        ({"in_parts": False}, [9]),
        ({"objects": 5}, [5, 5]),  # of which one is the first object again
    ],
)
def test_many_objects_go_through_graphs_in_parts(settings, batches):
    engine = CountingGraphs(**settings)
    step_of(engine, 9)
    assert engine.batches == 2 * batches
    assert engine.placed == len(batches), "once, not in each frame"


def test_many_objects_go_through_a_torch_network_in_parts():
    network = CountingNetwork()
    step_of(TorchEngine(network, resolve_placement("cpu", "fp32"), "fake"), 9)
    assert network.batches == 2 * [3, 3, 3]
