"""Two references of an object in one state."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.engines import BrightObjectEngine
from tests.helpers.networks import TINY_STAGES, randomise_norms
from vosctl.engine import EngineInfo, create_engine
from vosctl.engine.devices import resolve_placement
from vosctl.engine.graph_engine import GraphEngine
from vosctl.engine.graph_metadata import GraphMetadata
from vosctl.engine.providers import PROVIDERS, Provider
from vosctl.engine.references import ReferenceStates, joins_references, why_one_reference
from vosctl.engine.torch_engine import TorchEngine
from vosctl.network.lite import Lite

SIZE = 64


def tensors(rng, rows=4, objects=1):
    """A state of one tensor that is read place by place, and one that is compared as a whole."""
    return tuple(rng.random((objects, 3, size, 5), dtype=np.float32) for size in (rows, 2))


@pytest.fixture
def states():
    return ReferenceStates(("key", "r5"), ("key", "appearance"), np.concatenate)


def test_of_two_references_the_places_lie_side_by_side_and_the_rest_is_the_mean(states):
    first, second = (tensors(np.random.default_rng(seed)) for seed in (1, 2))
    key, r5 = states.join(first, second)
    np.testing.assert_array_equal(key[:, :, :4], first[0])
    np.testing.assert_array_equal(key[:, :, 4:], second[0])
    np.testing.assert_array_equal(r5, (first[1] + second[1]) / 2)


def test_in_a_mixed_batch_one_reference_lies_there_twice(states):
    first, second, other = (tensors(np.random.default_rng(seed)) for seed in (1, 2, 3))
    joined = states.join(first, second)
    key, r5 = states.batch([joined, other])
    np.testing.assert_array_equal(key[0], joined[0][0])
    np.testing.assert_array_equal(key[1], np.concatenate((other[0], other[0]), 2)[0])
    np.testing.assert_array_equal(r5[1], other[1][0])


def test_a_batch_of_single_references_is_as_it_was(states):
    given = [tensors(np.random.default_rng(seed)) for seed in (1, 2)]
    for made, plain in zip(states.batch(given), zip(*given, strict=True), strict=True):
        np.testing.assert_array_equal(made, np.concatenate(plain))
    assert all(one is other for one, other in zip(states.even(given), given, strict=True))


def test_states_of_a_network_that_reads_one_are_batched_alike():
    states = ReferenceStates(("r5",), (), np.concatenate)
    given = [tensors(np.random.default_rng(seed))[1:] for seed in (1, 2)]
    np.testing.assert_array_equal(states.batch(given)[0], np.concatenate([one[0] for one in given]))


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(4)
    network = randomise_norms(Lite(4, TINY_STAGES, (6, 6, 8, 8), 8))
    network.add_presence()
    return TorchEngine(network, resolve_placement("cpu", "fp32"), "tiny")


@pytest.fixture(
    scope="module",
    params=["tiny", *(pytest.param(name, marks=pytest.mark.slow) for name in ("torch", "onnx", "openvino"))],
)
def engine(request, tiny):
    if request.param == "tiny":
        return tiny
    if request.param == "openvino":
        pytest.importorskip("openvino")
        return create_engine("lite", engine="openvino", device="cpu", precision="fp32")
    return create_engine("lite", engine=request.param, device="cpu")


@pytest.fixture
def shown():
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
    masks = np.zeros((3, SIZE, SIZE), np.float32)
    masks[0, :40, :40], masks[1, 20:, 20:], masks[2, :, 30:] = 1, 1, 1
    return images, masks


def test_an_object_with_one_reference_reads_alike_beside_one_with_two(engine, shown):
    images, masks = shown
    first, second, other = (engine.encode_reference(image, mask) for image, mask in zip(*shown, strict=True))
    joined = joins_references(engine).join_references(first, second)
    together = engine.propagate(images[:2], masks[:2], [joined, other])
    for index, state in enumerate((joined, other)):
        alone = engine.propagate(images[index : index + 1], masks[index : index + 1], [state])
        np.testing.assert_allclose(together.probabilities[index], alone.probabilities[0], atol=1e-4)
        np.testing.assert_allclose(together.presence[index], alone.presence[0], atol=1e-3)
    once = engine.propagate(images[:1], masks[:1], [first])
    assert np.abs(together.probabilities[0] - once.probabilities[0]).max() > 1e-4, "the second one is read"
    assert len(first) == len(joined)


@pytest.mark.slow
def test_every_engine_reads_two_alike(shown):
    """The shipped graphs take twice the places as they are."""
    images, masks = shown
    found = []
    for name in ("torch", "onnx"):
        engine: Any = create_engine("lite", engine=name, device="cpu", precision="fp32")
        states = [engine.encode_reference(image, mask) for image, mask in zip(*shown, strict=True)]
        found.append(engine.propagate(images[:1], masks[:1], [engine.join_references(*states[1:])]))
    np.testing.assert_allclose(found[0].probabilities, found[1].probabilities, atol=1e-4)
    np.testing.assert_allclose(found[0].presence, found[1].presence, atol=1e-4)


class NoGraphs(GraphEngine):
    """A graph engine without graphs."""

    def _run_reference(self, image, mask):
        raise NotImplementedError

    def _place(self, state):
        raise NotImplementedError

    def _run_step(self, images, masks, state):
        raise NotImplementedError


def graphs(network="lite", size=None, one_size=""):
    info = EngineInfo("onnx", "made", network, "cpu", "fp32")
    return NoGraphs(info, GraphMetadata(network, 32, 320, ("key", "value", "r5"), size=size), one_size)


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (graphs(), ""),
        (graphs("lite-plus"), ""),
        (graphs("rgmp"), "the rgmp network reads one reference of an object"),
        (graphs("somebody's"), "the somebody's network reads one reference of an object"),
        (graphs(size=(320, 320)), "graphs that were exported for a fixed size read one reference of an object"),
        (graphs(one_size="CoreML reads one"), "CoreML reads one"),
        (BrightObjectEngine(), "the fake engine reads one reference of an object"),
    ],
)
def test_an_engine_says_why_it_reads_one(engine, reason):
    assert why_one_reference(engine) == reason
    assert (joins_references(engine) is engine) == (reason == "")


def test_what_compiles_for_a_size_reads_one():
    assert [word for word in PROVIDERS if Provider(word).takes_any_size] == ["cpu", "cuda"]
