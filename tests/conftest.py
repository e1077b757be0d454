"""Shared by all tests: tiny networks with random weights, and frames with an object whose place is known."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

# A user's own settings and imported weights must not reach the tests; one thread keeps them deterministic and friendly.
for name in [name for name in os.environ if name.startswith("VOSCTL_")]:
    del os.environ[name]

TINY_STAGES = (
    (1, 4, 1, 1, 3),
    (2, 6, 1, 2, 3),
    (2, 6, 1, 2, 5),
    (2, 8, 1, 2, 3),
    (2, 8, 1, 1, 5),
    (2, 8, 1, 2, 5),
    (2, 8, 1, 1, 3),
)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory, monkeypatch):
    """No test sees or changes the user's data directory."""
    monkeypatch.setenv("VOSCTL_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def tiny_lite():
    import torch

    from vosctl.network.lite import Lite

    torch.manual_seed(0)
    return randomise_norms(Lite(stem_channels=4, stages=TINY_STAGES, widths=(4, 4, 8, 8)))


@pytest.fixture
def tiny_lite_plus():
    import torch

    from vosctl.network.lite_plus import LitePlus

    torch.manual_seed(0)
    network = LitePlus(stem_channels=4, stages=TINY_STAGES, widths=(4, 4, 8, 8), value_channels=8, half_channels=4)
    return randomise_norms(network)


@pytest.fixture
def tiny_rgmp():
    import torch

    from vosctl.network.rgmp import RGMP

    torch.manual_seed(0)
    return randomise_norms(RGMP(width=4, channels=8))


def randomise_norms(network):
    """Give every batch norm statistics of its own, so that folding or forgetting one shows."""
    from torch import nn

    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2.0)
            module.weight.data.uniform_(0.8, 1.2)
            module.bias.data.uniform_(-0.2, 0.2)
    return network


def register_network(network):
    """A context in which a network of one's own, such as a tiny one, takes the place of that of its name."""
    import copy
    from dataclasses import replace

    from vosctl.network.table import registered_network

    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    described = replace(network.description, factory=lambda: copy.deepcopy(network), own_shapes=shapes)
    return registered_network(described)


@pytest.fixture
def tiny_engine(tiny_lite):
    from vosctl.engine.devices import resolve_placement
    from vosctl.engine.torch_engine import TorchEngine

    return TorchEngine(tiny_lite, resolve_placement("cpu", "fp32"), "tiny")


class BrightObjectEngine:
    """An engine that finds what is bright: tracking can be tested without a network that works."""

    takes_float = False
    stride = 32
    window = 96

    def __init__(self):
        from vosctl.engine import EngineInfo

        self.info = EngineInfo("fake", "bright", "bright", "cpu", "fp32")
        self.batches = []

    def encode_reference(self, image, mask):
        assert image.dtype == np.uint8
        assert image.shape[:2] == mask.shape
        colours = image[mask > 0.5]
        return np.median(colours, axis=0) if len(colours) else np.full(3, 999.0)

    def propagate(self, images, masks, states):
        from vosctl.engine import Step

        self.batches.append(len(images))
        near = [np.abs(image - colour).max(axis=-1) < 40 for image, colour in zip(images, states, strict=True)]
        return Step(np.where(np.stack(near), np.float32(0.95), np.float32(0.02)), tuple(states))


@pytest.fixture
def bright_engine():
    return BrightObjectEngine()


def square_frame(height, width, *squares, background=(60, 90, 60)):
    """A frame with coloured squares and its labels; a square is (id, colour, x, y, side)."""
    frame = np.full((height, width, 3), background, np.uint8)
    labels = np.zeros((height, width), np.uint8)
    for object_id, colour, x, y, side in squares:
        rows, columns = slice(max(y, 0), max(y + side, 0)), slice(max(x, 0), max(x + side, 0))
        frame[rows, columns] = colour
        labels[rows, columns] = object_id
    return frame, labels


@pytest.fixture(scope="session")
def demo_frames():
    """Twelve frames of the demo scene at 432x240 and their exact labels."""
    from vosctl.demo.scene import render_demo

    return list(render_demo(12, 432, 240))


@pytest.fixture
def runner():
    return CliRunner()


@pytest.fixture
def invoke(runner, tmp_path, monkeypatch):
    """Run a vosctl command line in an empty folder."""
    from vosctl.cli import cli

    monkeypatch.chdir(tmp_path)

    def run(*arguments, **settings):
        return runner.invoke(cli, [str(argument) for argument in arguments], **settings)

    return run


def write_video(path: Path, frames, rate=25, codec="libx264", crf="12"):
    """A silent H.264 video of these RGB frames."""
    import av

    with av.open(str(path), "w") as container:
        height, width = frames[0].shape[:2]
        stream = container.add_stream(codec, rate=rate, options={"crf": crf, "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path
