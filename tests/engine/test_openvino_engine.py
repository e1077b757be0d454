import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.helpers.networks import randomise_norms
from vosctl.engine import create_engine
from vosctl.errors import UsageError, VosctlError
from vosctl.network.table import PACKAGED, create_network
from vosctl.tracking import Tracker
from vosctl.weights.checkpoint import load_checkpoint
from vosctl.weights.networks import save_network

pytest.importorskip("openvino")

from vosctl.engine.openvino_models import compile_checkpoint, has_fast_bf16, resolve_precision

SIZE = (64, 96)


def run(engine, images, masks):
    references = [engine.encode_reference(image, mask) for image, mask in zip(images, masks, strict=True)]
    return engine.propagate(images, masks[::-1], references).probabilities


@pytest.fixture
def inputs():
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (3, *SIZE, 3), dtype=np.uint8), rng.random((3, *SIZE), dtype=np.float32)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name != "lite" else []) for name in PACKAGED]
)
def test_every_network_agrees_with_torch(name, inputs, tmp_path):
    torch.manual_seed(2)
    path = tmp_path / "random.safetensors"
    save_network(randomise_norms(create_network(name)), path)
    ours, torchs = (
        create_engine(str(path), engine=engine, device="cpu", precision="fp32") for engine in ("openvino", "torch")
    )
    assert (ours.stride, ours.crop_size, ours.takes_float) == (torchs.stride, torchs.crop_size, False)
    found, wanted = run(ours, *inputs), run(torchs, *inputs)
    assert (found.shape, found.dtype) == ((3, *SIZE), np.float32)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert wanted.std() > 0


def masks_of(engine, demo_frames):
    tracker = Tracker(engine)
    tracker.start(*demo_frames[0])
    return [tracker.step(frame).labels for frame, _ in demo_frames[1:]]


def test_masks_agree_with_those_of_onnx_runtime(demo_frames):
    ours = create_engine("lite", engine="openvino", precision="fp32")
    assert (ours.info.engine, ours.info.device, ours.info.precision) == ("openvino", "cpu", "fp32")
    wanted = masks_of(create_engine("lite", engine="onnx", device="cpu"), demo_frames)
    for found, true in zip(masks_of(ours, demo_frames), wanted, strict=True):
        assert np.mean(found == true) >= 0.995
        assert true.any()


def test_bf16_follows_the_same_objects(demo_frames):
    if not has_fast_bf16():
        pytest.skip("this CPU has no bf16 instructions")
    ours = create_engine("lite", device="cpu", precision="bf16")
    assert (ours.info.engine, ours.info.precision) == ("openvino", "bf16")
    assert create_engine("lite", engine="openvino").info.precision == "bf16"
    wanted = masks_of(create_engine("lite", engine="onnx", device="cpu"), demo_frames)
    for found, true in zip(masks_of(ours, demo_frames), wanted, strict=True):
        assert np.mean(found == true) >= 0.98


def test_objects_may_come_and_go(demo_frames):
    engine = create_engine("lite", engine="openvino", precision="fp32")
    tracker = Tracker(engine)
    (first, mask), (second, _), (third, _) = demo_frames[:3]
    one, other = (int(i) for i in np.unique(mask) if i)
    tracker.start(first, np.where(mask == one, mask, 0))
    tracker.step(second)
    tracker.add(second, mask == other, other)
    both = tracker.step(third)
    assert [item.status for item in both.objects] == ["tracked", "tracked"]
    tracker.remove(one)
    assert [item.id for item in tracker.step(third).objects] == [other]


def test_a_run_imports_no_torch():
    code = """if True:
        import sys
        import numpy as np
        from vosctl import Tracker
        frame = np.zeros((64, 64, 3), np.uint8)
        frame[20:40, 20:40] = 200
        tracker = Tracker.load("lite", engine="openvino")
        tracker.start(frame, frame[..., 0] > 0)
        tracker.step(frame)
        sys.exit(", ".join({"torch", "onnxruntime"} & set(sys.modules)) or 0)
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_threads_are_taken_as_asked():
    models = compile_checkpoint(load_checkpoint("lite"), "fp32", threads=1)
    assert models.step.get_property("INFERENCE_NUM_THREADS") == 1


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        ({"device": "cuda"}, UsageError, "`device='cuda'`: the openvino engine runs on the CPU"),
        ({"provider": "cpu"}, UsageError, "`provider='cpu'`: is for the onnx engine"),
        (
            {"precision": "fp16"},
            UsageError,
            "`precision='fp16'`: the openvino engine runs a checkpoint in fp32 or bf16",
        ),
        ({"precision": "int8"}, UsageError, "export-onnx --precision int8"),
        ({"weights": "missing.safetensors"}, VosctlError, "missing.safetensors"),
    ],
)
def test_requests_that_cannot_be_served(request_, error, message):
    with pytest.raises(error, match=message):
        create_engine(**{"weights": "lite", "engine": "openvino", **request_})


def test_a_cpu_without_bf16_runs_in_fp32():
    assert resolve_precision("auto", "fp32", has_bf16=lambda: True) == "bf16"
    assert resolve_precision("auto", "fp32", has_bf16=lambda: False) == "fp32"
    with pytest.raises(VosctlError, match="`precision='bf16'`: this CPU has no bf16 instructions"):
        resolve_precision("bf16", "fp32", has_bf16=lambda: False)


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(VosctlError, match=r"needs openvino, .* pip install .*\[openvino\]"):
        create_engine("lite", engine="openvino")


def test_graphs_that_cannot_be_run_are_told(tmp_path):
    with pytest.raises(VosctlError, match=r"reference\.onnx: missing"):
        create_engine(str(tmp_path), engine="openvino")
    for kind in ("reference", "step"):
        (tmp_path / f"{kind}.onnx").write_bytes(b"no graph")
    with pytest.raises(VosctlError, match=r"reference\.onnx: damaged or not an ONNX graph .*export it again"):
        create_engine(str(tmp_path), engine="openvino")


def test_a_signal_is_heard_after_an_engine_was_dropped_on_another_thread():
    """OpenVINO changes the stack that signals are handled on; it must not be left without one."""
    program = """
import gc, signal, threading
from vosctl.engine import create_engine
engines = [create_engine("lite", engine="openvino", precision="fp32")]
def drop():
    engines.clear()
    gc.collect()
other = threading.Thread(target=drop)
other.start()
other.join()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("heard")
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stdout) == (0, "heard\n"), run.stderr
