import re
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial

import av
import numpy as np
import pytest

from tests.helpers.engines import BrightObjectEngine, register_engine
from vosctl.benchmark.backends import find_backends
from vosctl.benchmark.cases import OUTPUTS, SIZES, Backend, BenchmarkSettings, Case, Percentiles
from vosctl.benchmark.clip import MadeClips
from vosctl.benchmark.measure import measure, peak_resident
from vosctl.benchmark.run import Worker, describe, measurement, plan
from vosctl.engine.table import backends, registered_backend
from vosctl.errors import UsageError, VosctlError
from vosctl.video.masks import read_indexed_png

CPU = Backend("torch", "cpu", "fp32", "cpu")
OTHER = Backend("onnx", "cpu", "fp32", "CPUExecutionProvider")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A size at which nothing takes time."""
    monkeypatch.setitem(SIZES, "tiny", (160, 90))


@pytest.fixture
def clips(tmp_path):
    return MadeClips(tmp_path, period=3)


# --- Settings and plan


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sizes": ("8k",)}, "`sizes=('8k',)`: 8k is no choice; give one or more of 480p"),
        ({"sizes": ()}, "`sizes=()`: nothing is no choice"),
        ({"outputs": ("gif",)}, "`outputs=('gif',)`"),
        ({"engines": ("fast",)}, "`engines=('fast',)`"),
        ({"devices": ("tpu",)}, "`devices=('tpu',)`"),
        ({"decoders": ("auto",)}, "`decoders=('auto',)`: auto is no choice; give one or more of cpu, nvdec"),
        ({"objects": (0,)}, "`objects`: give numbers from 1"),
        ({"objects": ()}, "`objects`"),
        ({"frames": 0}, "`frames=0`: must be 1"),
        ({"warmup": 0}, "`warmup=0`: must be 1"),
    ],
)
def test_settings_that_cannot_be(wrong, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        BenchmarkSettings(**wrong)


def test_the_plan():
    """Steps with everything; the first output with everything; the others once a size with the first engine."""
    settings = BenchmarkSettings(sizes=("480p", "4k"), objects=(1, 3), outputs=("overlay", "none", "rle"))
    cases = [(one.backend.engine, one.objects, one.size, one.output) for one in plan(settings, [OTHER, CPU])]
    assert cases[:4] == [("onnx", 1, "", ""), ("torch", 1, "", ""), ("onnx", 3, "", ""), ("torch", 3, "", "")]
    assert cases[4:12] == [
        (engine, objects, size, "overlay")
        for size in ("480p", "4k")
        for objects in (1, 3)
        for engine in ("onnx", "torch")
    ]
    assert cases[12:] == [("onnx", 1, size, output) for size in ("480p", "4k") for output in ("none", "rle")]


def test_the_plan_of_two_decoders():
    """The first output with both of them; the network's step decodes nothing, and the other outputs take the first."""
    settings = BenchmarkSettings(sizes=("480p", "4k"), objects=(1,), outputs=("none", "rle"), decoders=("nvdec", "cpu"))
    cases = [(one.size, one.output, one.decoder) for one in plan(settings, [CPU])]
    assert cases[1:] == [
        *(("480p", "none", one) for one in ("nvdec", "cpu")),
        *(("4k", "none", one) for one in ("nvdec", "cpu")),
        *((size, "rle", "nvdec") for size in ("480p", "4k")),
    ]
    assert describe(plan(settings, [CPU])[1]) == "torch fp32 on cpu, 1 object, 480p decoded by nvdec, to none"


def test_percentiles_are_milliseconds():
    assert Percentiles.of([index / 1000 for index in range(101)]) == Percentiles(50.0, 95.0, 99.0)


# --- Clips


@pytest.mark.parametrize("objects", [1, 2, 3, 8])
def test_a_clip_has_its_size_length_and_objects(clips, objects):
    path, mask = clips.write("tiny", objects, 7)
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [frame.shape for frame in frames] == [(90, 160, 3)] * 7
    labels = read_indexed_png(mask)
    assert labels.shape == (90, 160)
    assert np.unique(labels).tolist() == list(range(objects + 1))
    assert np.abs(frames[0].astype(int) - frames[1]).mean() > 0.5  # it moves


def test_a_clip_is_made_once(clips):
    path, _ = clips.write("tiny", 1, 3)
    before = path.stat().st_mtime_ns
    assert clips.write("tiny", 1, 3)[0].stat().st_mtime_ns == before


def test_it_goes_back_and_forth_without_a_jump(clips):
    pictures = list(clips.pictures(1, 9))
    for one, other in ((1, 3), (0, 4), (1, 5), (0, 8)):
        np.testing.assert_array_equal(pictures[one], pictures[other])


# --- Measuring


@pytest.fixture
def engines(bright_engine):
    with register_engine(bright_engine, name=CPU.engine):
        yield bright_engine


def test_the_step_is_measured_with_all_objects(engines):
    measured = measure(Case("lite", CPU, objects=3, frames=4, warmup=2))
    assert engines.batches == [3] * 6
    assert 0 < measured.frame.p50 <= measured.frame.p95 <= measured.frame.p99
    assert measured.rate > 0
    assert (measured.track, measured.gpu) == (None, None)


@pytest.mark.parametrize("output", OUTPUTS)
def test_every_output_is_written_and_measured(engines, clips, output, tmp_path):
    folder = tmp_path / "outputs"
    folder.mkdir()
    clip, mask = clips.write("tiny", 2, 6)
    measured = measure(Case("lite", CPU, 2, 4, 2, "tiny", output, clip, mask), folder=folder)
    assert [path.name for path in folder.iterdir()] == ([] if output == "none" else [OUTPUTS[output]])
    assert measured.track is not None
    assert measured.track.p50 <= measured.frame.p99
    assert measured.rate > 0


class SlowAtFirst(BrightObjectEngine):
    """An engine that moves a clock: half a second in the frames before those that count, then 20 ms each."""

    now = 0.0

    def propagate(self, images, masks, states):
        step = super().propagate(images, masks, states)
        self.now += 0.5 if len(self.batches) <= 2 else 0.02  # the first frame of all is encoded, not propagated
        return step


def test_warm_up_does_not_count(clips):
    clip, mask = clips.write("tiny", 1, 7)
    engine = SlowAtFirst()
    with register_engine(engine, name=CPU.engine):
        measured = measure(Case("lite", CPU, 1, 4, 3, "tiny", "none", clip, mask), clock=lambda: engine.now)
    assert len(engine.batches) == 6
    for times in (measured.frame, measured.track):
        assert (times.p50, times.p99) == (pytest.approx(20), pytest.approx(20))
    assert measured.rate == pytest.approx(50)


def test_gpu_memory_is_what_was_taken(engines):
    from vosctl.diagnosis.machine import Gpu

    used = iter((1000, 1750))
    case = Case("lite", Backend("torch", "cuda", "bf16", "cuda:0"), 1, 1, 1)
    assert measure(case, gpus=lambda: [Gpu("H100", "1", 80000, next(used))]).gpu == 750


@pytest.mark.parametrize("count", [0, 1], ids=["no nvidia-smi", "a GPU that is split up"])
def test_memory_that_the_driver_does_not_tell_is_left_out(engines, count):
    from vosctl.diagnosis.machine import Gpu

    case = Case("lite", Backend("torch", "cuda", "bf16", "cuda:0"), 1, 1, 1)
    assert measure(case, gpus=lambda: [Gpu("H100", "1", 80000, None)] * count).gpu is None


@pytest.mark.skipif(sys.platform == "win32", reason="not told there")
def test_the_peak_is_the_processs_own():
    """A child's peak is not that of the parent that started it."""
    held = np.ones(300_000_000, np.uint8)
    ours = peak_resident()
    code = "from vosctl.benchmark.measure import peak_resident; print(peak_resident())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert ours is not None
    assert 20 < float(done.stdout) < ours - 0.5 * held.nbytes / 1e6


def test_backends_are_those_that_can_be_created():
    from vosctl.engine import EngineInfo

    def create(engine, device_name, request):
        if request.device not in {"auto", "cpu"} or request.precision not in {"auto", "fp32"}:
            raise VosctlError("not here")
        return type("Engine", (), {"info": EngineInfo(engine, request.weights, "lite", device_name, "fp32")})

    with ExitStack() as stack:
        for name, device_name in (("torch", "cpu"), ("onnx", "CPUExecutionProvider")):
            backend = replace(backends()[name], rank=partial(lambda name, request: name == "onnx", name))
            stack.enter_context(registered_backend(replace(backend, create=partial(create, name, device_name))))
        _check_what_is_found()


def _check_what_is_found():
    assert find_backends(BenchmarkSettings(engines=("torch", "onnx"))) == [OTHER, CPU]
    assert find_backends(BenchmarkSettings(engines=("torch",))) == [CPU]
    with pytest.raises(VosctlError, match="none of these is available here; not here"):
        find_backends(BenchmarkSettings(devices=("cuda",)))


def test_a_process_that_fails_is_told_in_one_line():
    with pytest.raises(VosctlError, match=r"^looking: .*no such weights file") as caught:
        Worker().ask({"probe": {"weights": "absent.safetensors"}}, "looking")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_the_worker_answers_with_json():
    """The real thing, once: the default engine in a process of its own."""
    answer = Worker().ask({"case": asdict(Case("lite", OTHER, objects=1, frames=1, warmup=1))}, "one")
    measured = measurement(answer)
    assert measured.frame.p50 > 0
    assert measured.track is None
