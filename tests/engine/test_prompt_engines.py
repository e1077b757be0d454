from typing import Any

import numpy as np
import pytest
import torch

from vosctl.engine.devices import resolve_placement
from vosctl.engine.graph_files import graphs_index
from vosctl.engine.prompt_onnx import OnnxPromptEngine
from vosctl.engine.prompt_torch import TorchPromptEngine
from vosctl.engine.providers import Provider
from vosctl.errors import UsageError
from vosctl.network.table import create_prompt_network
from vosctl.weights.checkpoint import read_checkpoint
from vosctl.weights.networks import load_prompt_network, save_network


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("prompt") / "random.safetensors"
    save_network(create_prompt_network(), path)
    return path


@pytest.fixture
def given():
    """A region, and prompt maps with a click, a box and an earlier mask."""
    rng = np.random.default_rng(0)
    maps = np.zeros((5, 256, 256), np.float32)
    maps[0, 100:110, 120:130] = maps[2, 60:200, 70:190] = maps[4] = 1
    maps[1, 220:228, 20:28] = 1
    maps[3] = rng.random((256, 256))
    return rng.integers(0, 255, (256, 256, 3), np.uint8), maps


def test_onnx_and_torch_agree(checkpoint, given):
    image, maps = given
    answers = []
    engines: list[Any] = [
        OnnxPromptEngine(read_checkpoint(checkpoint, task="find"), Provider("cpu"), "random"),
        TorchPromptEngine(load_prompt_network(checkpoint), resolve_placement("cpu", "fp32"), "random"),
    ]
    for engine in engines:
        assert engine.size == 256
        assert engine.info.network == "prompt"
        probability, score = engine.segment(maps, engine.encode(image))
        assert probability.shape == (256, 256)
        assert probability.dtype == np.float32
        answers.append((probability, score))
    (one, score), (other, other_score) = answers
    assert np.ptp(one) > 0.01, "the comparison means something"
    assert np.abs(one - other).max() < 1e-4
    assert abs(score - other_score) < 1e-4


def test_features_serve_every_prompt_of_a_region(checkpoint, given):
    image, maps = given
    engine = OnnxPromptEngine(read_checkpoint(checkpoint, task="find"), Provider("cpu"), "random")
    features = engine.encode(image)
    first, _ = engine.segment(maps, features)
    assert np.abs(engine.segment(maps * 0, features)[0] - first).max() > 1e-3, "prompts are heard"
    assert np.array_equal(engine.segment(maps, features)[0], first)


def test_the_packages_graphs_take_every_weight(checkpoint):
    arrays = read_checkpoint(checkpoint, task="find").arrays
    taken = {key for keys in graphs_index()["prompt"].values() for key in keys}
    assert taken == set(arrays)


def test_networks_of_the_other_task_are_refused_by_name(checkpoint):
    with pytest.raises(UsageError, match="a prompt network, which finds objects from a box or clicks"):
        read_checkpoint(checkpoint)
    with pytest.raises(UsageError, match="a lite network, which follows objects"):
        load_prompt_network("lite")
