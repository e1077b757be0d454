"""`torch.compile`, where it is asked for; a compiler of the test's own stands in but for one slow test."""

import numpy as np
import pytest
import torch

from tests.helpers.bright_network import BrightObjectNetwork
from tests.helpers.frames import square_frame
from vosctl import Tracker, TrackingSettings
from vosctl.engine import create_engine
from vosctl.engine.devices import resolve_placement
from vosctl.engine.settings import EngineSettings
from vosctl.engine.torch_compiling import torch_compiler
from vosctl.engine.torch_engine import TorchEngine
from vosctl.errors import UsageError, VosctlError
from vosctl.events import Events
from vosctl.jobs.running import tell_of_first_build


class Counting:
    """Compiles to what counts its calls."""

    def __init__(self):
        self.calls = []

    def __call__(self, call):
        def counted(*arguments):
            self.calls.append(call.__name__)
            return call(*arguments)

        return counted


def engine_with(compiler, *, tells_presence=False):
    network = BrightObjectNetwork(tells_presence=tells_presence)
    return TorchEngine(network, resolve_placement("cpu", "fp32"), "bright", compiler=compiler)


@pytest.mark.parametrize("on_device", [False, True])
def test_what_is_compiled_runs_from_the_start_and_in_every_frame(on_device):
    compiler = Counting()
    tracker = Tracker(engine_with(compiler, tells_presence=True), TrackingSettings(on_device=on_device))
    assert compiler.calls[0] == "propagate_with_presence"
    (line,) = tracker.preparations
    assert line.startswith("the network was compiled in ")
    begun = len(compiler.calls)
    plain = Tracker(engine_with(None, tells_presence=True), TrackingSettings(on_device=on_device))
    assert plain.preparations == []
    for step in range(3):
        frame, labels = square_frame(96, 128, (1, (230, 40, 40), 20 + 3 * step, 30, 30))
        if step:
            np.testing.assert_array_equal(tracker.step(frame).labels, plain.step(frame).labels)
        else:
            tracker.start(frame, labels)
            plain.start(frame, labels)
    assert len(compiler.calls) >= begun + 2


def test_what_cannot_be_compiled_is_refused_in_one_line():
    def failing(call):
        def fail(*arguments):
            raise RuntimeError("no C++ compiler was found\nSet CXX to one")

        return fail

    with pytest.raises(VosctlError, match=r"^`compiled=True`: torch cannot compile .*\(no C\+\+ compiler was found\)"):
        engine_with(failing)


def test_what_a_compiler_says_is_told_and_not_which_one_it_was():
    def failing(call):
        def fail(*arguments):
            raise RuntimeError(
                "backend='inductor' raised:\nOSError: kernel.so: file too short\n\nSet TORCHDYNAMO_VERBOSE=1"
            )

        return fail

    with pytest.raises(VosctlError, match=r"cannot compile .* \(OSError: kernel\.so: file too short\); leave it out"):
        engine_with(failing)


def test_a_cache_that_cannot_be_written_is_told_in_one_line(tmp_path):
    (tmp_path / "cache").write_text("a file in the place of the folder")

    def writing(call):
        return lambda *arguments: (tmp_path / "cache" / "kernel").mkdir()

    with pytest.raises(VosctlError, match=r"^`compiled=True`: torch cannot compile .*cache/kernel.*; leave it out$"):
        engine_with(writing)


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_compiling_is_for_torch(engine):
    with pytest.raises(UsageError, match="`compiled=True`: is for the torch engine; leave it out, or"):
        create_engine("lite", engine=engine, device="cpu", compiled=True)


def test_that_it_takes_a_while_is_said_before(monkeypatch, tmp_path):
    monkeypatch.setenv("VOSCTL_HOME", str(tmp_path))
    told: list[str] = []

    class Heard(Events):
        def note(self, line):
            told.append(line)

    tell_of_first_build(Heard(), EngineSettings(engine="onnx", compiled=True))  # which is refused
    tell_of_first_build(Heard(), EngineSettings(compiled=True))
    assert told == [
        f"torch compiles the network first, which takes a while; it is kept in {tmp_path / 'cache' / 'torch'}"
    ]


@pytest.mark.slow
def test_torch_compiles_the_network_and_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    mask = np.zeros((96, 96), np.float32)
    mask[20:40, 20:40] = 1
    answers = []
    for compiler in (None, torch_compiler()):
        engine = engine_with(compiler)
        state = engine.encode_reference(image, mask)
        answers.append(engine.propagate(image[None], mask[None], [state]).probabilities)
    plain, compiled = answers
    np.testing.assert_allclose(compiled, plain, atol=1e-5)
    assert any(tmp_path.rglob("*"))
    torch._dynamo.reset()
