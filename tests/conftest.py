"""Shared by all tests: tiny networks with random weights, and frames with an object whose place is known."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module

import pytest
from click.testing import CliRunner

from tests.helpers.engines import BrightObjectEngine, register_engine
from tests.helpers.networks import TINY_STAGES, randomise_norms
from tests.helpers.prompts import ColourPromptEngine
from vosctl.prompts.segmenter import registered_prompt_engine

# torch compiles with setuptools, which has to come before anything that imports Python's own distutils.
with suppress(ImportError):
    import_module("setuptools")

# A user's own settings and imported weights must not reach the tests; one thread keeps them deterministic and friendly.
for name in [name for name in os.environ if name.startswith("VOSCTL_")]:
    del os.environ[name]


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


@pytest.fixture
def tiny_engine(tiny_lite):
    from vosctl.engine.devices import resolve_placement
    from vosctl.engine.torch_engine import TorchEngine

    return TorchEngine(tiny_lite, resolve_placement("cpu", "fp32"), "tiny")


@pytest.fixture
def bright_engine():
    return BrightObjectEngine()


@pytest.fixture
def registered_bright_engine(bright_engine):
    """The same as what every command and `Tracker.load` takes; boxes and clicks mean areas of one colour.

    The colour may differ as much as halved chroma makes it at edges.
    """
    with register_engine(bright_engine), registered_prompt_engine(ColourPromptEngine(tolerance=90)):
        yield bright_engine


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
