from dataclasses import replace
from functools import partial
from pathlib import Path

import onnxruntime
import pytest

from vosctl.engine import create_engine
from vosctl.engine.backend import EngineRequest
from vosctl.engine.builtin import rank_openvino, rank_torch
from vosctl.engine.onnx_sessions import FAILURES
from vosctl.engine.providers import Lack, Provider, check_loaded, resolve_provider, tensorrt_cache, why_unusable
from vosctl.engine.settings import EngineSettings
from vosctl.engine.table import backends, choose, registered_backend
from vosctl.errors import UsageError, VosctlError
from vosctl.events import Events
from vosctl.jobs.running import tell_of_first_build


@pytest.mark.parametrize(
    ("provider", "device", "chosen"),
    [
        ("auto", "auto", Provider("cuda")),
        ("auto", "cpu", Provider("cpu")),
        ("auto", "cuda:1", Provider("cuda", 1)),
        ("cpu", "auto", Provider("cpu")),
        ("tensorrt", "cuda:2", Provider("tensorrt", 2)),
        ("openvino", "cpu", Provider("openvino")),
        ("openvino-gpu", "auto", Provider("openvino-gpu")),
        ("coreml", "auto", Provider("coreml")),
        ("directml", "auto", Provider("directml")),
    ],
)
def test_words_become_a_provider(provider, device, chosen):
    resolved = resolve_provider(provider, device, has_gpu=lambda: True, problem_of=lambda provider: None)
    assert resolved == chosen


def test_auto_takes_the_cpu_when_the_gpus_libraries_are_missing():
    lack = Lack("no cuDNN", "install it")
    resolve = partial(resolve_provider, has_gpu=lambda: True, problem_of=lambda provider: lack)
    assert resolve() == Provider("cpu")
    with pytest.raises(VosctlError, match=r"^`provider='cuda'`: no cuDNN; install it; or use `provider='cpu'`$"):
        resolve("cuda")


def test_a_device_that_cannot_be_had_is_told_by_its_own_name():
    resolve = partial(resolve_provider, device="cuda:1", problem_of=lambda provider: Lack("no cuDNN", "install it"))
    with pytest.raises(VosctlError, match=r"^`device='cuda:1'`: no cuDNN; install it; or use `device='cpu'`$"):
        resolve(has_gpu=lambda: True)
    with pytest.raises(VosctlError, match=r"^`device='cuda:1'`: no NVIDIA GPU here, or no .*; use `device='cpu'`$"):
        resolve(has_gpu=lambda: False)


@pytest.mark.parametrize(
    ("provider", "device", "message"),
    [
        ("tpu", "auto", "`provider='tpu'`: unknown"),
        ("auto", "mps", "`device='mps'`: the onnx engine"),
        ("auto", "cuda:x", "`device='cuda:x'`"),
        ("cuda", "cpu", "`provider='cuda'`: does not run on `device='cpu'`"),
        ("cpu", "cuda", "`provider='cpu'`: does not run on `device='cuda'`"),
        ("coreml", "cpu", "`provider='coreml'`: does not run on `device='cpu'`"),
        ("directml", "cuda", "`provider='directml'`: does not run on `device='cuda'`"),
    ],
)
def test_words_that_do_not_fit_are_named(provider, device, message):
    with pytest.raises(UsageError, match=message):
        resolve_provider(provider, device)


@pytest.mark.parametrize(
    ("provider", "package"),
    [
        ("cuda", "onnxruntime-gpu"),
        ("tensorrt", "onnxruntime-gpu"),
        ("openvino", "onnxruntime-openvino"),
        ("openvino-gpu", "onnxruntime-openvino"),
        ("coreml", "onnxruntime on a Mac"),
        ("directml", "onnxruntime-directml on Windows"),
    ],
)
def test_the_wrong_package_is_named(provider, package):
    problem_of = partial(why_unusable, available=["CPUExecutionProvider"])
    with pytest.raises(VosctlError, match=f"`provider='{provider}'`: .* has no .*; install {package} in its place"):
        resolve_provider(provider, problem_of=problem_of)


def test_the_missing_library_is_named():
    problem_of = partial(
        why_unusable,
        available=["CUDAExecutionProvider"],
        load_failure=lambda provider: "libcudnn.so.9: cannot open",
    )
    said = r"needs CUDA and cuDNN, but libcudnn\.so\.9: cannot open; run: python -m pip install \"onnxruntime-gpu\[cuda"
    with pytest.raises(VosctlError, match=said):
        resolve_provider("cuda", problem_of=problem_of)


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this one has CUDA")
def test_an_engine_is_not_made_on_a_provider_that_is_not_there():
    with pytest.raises(VosctlError, match=r"`provider='cuda'`: .* has no CUDAExecutionProvider"):
        create_engine("lite", provider="cuda")


def test_what_was_loaded_is_compared_with_the_request():
    check_loaded(Provider("cpu"), ["CPUExecutionProvider"])
    with pytest.raises(VosctlError, match="loaded CPUExecutionProvider instead of CUDAExecutionProvider"):
        check_loaded(Provider("cuda"), ["CPUExecutionProvider"])


def test_gpus_are_asked_for_by_number_with_the_cpu_left_out():
    assert Provider("cuda", 1).session_providers() == [("CUDAExecutionProvider", {"device_id": 1})]
    tensorrt, cuda = Provider("tensorrt", 3).session_providers()
    assert tensorrt[0] == "TensorrtExecutionProvider"
    assert tensorrt[1]["device_id"] == cuda[1]["device_id"] == 3
    assert tensorrt[1]["trt_timing_cache_enable"]
    assert tensorrt[1]["trt_engine_cache_path"] == tensorrt[1]["trt_timing_cache_path"] == str(tensorrt_cache())
    assert Provider("openvino-gpu").session_providers() == [("OpenVINOExecutionProvider", {"device_type": "GPU"})]


def test_other_gpus_are_never_taken_by_themselves():
    asked = []

    def problem_of(provider):
        asked.append(provider.word)
        return

    resolve_provider(has_gpu=lambda: True, problem_of=problem_of)
    resolve_provider(has_gpu=lambda: False, problem_of=problem_of)
    assert asked == ["cuda"]


def test_a_first_build_is_said_once():
    line = Provider("tensorrt").first_build()
    assert line is not None
    assert str(tensorrt_cache()) in line
    heard = Heard()
    asked = EngineSettings(engine="onnx", provider="tensorrt")
    tell_of_first_build(heard, asked, lambda provider: Lack("no TensorRT", "install it"))
    assert heard.notes == []
    tell_of_first_build(heard, asked, lambda provider: None)
    assert heard.notes == [line]
    tensorrt_cache().mkdir(parents=True)
    (tensorrt_cache() / "lite_sm90.engine").touch()
    tell_of_first_build(heard, asked, lambda provider: None)
    tell_of_first_build(heard, EngineSettings(), lambda provider: None)
    assert heard.notes == [line]


def test_engines_that_are_kept_may_be_what_is_damaged():
    assert Provider("cuda").cure == Provider("tensorrt").cure == "use `provider='cpu'`"
    tensorrt_cache().mkdir(parents=True)
    (tensorrt_cache() / "lite_sm90.engine").touch()
    assert Provider("tensorrt").cure.startswith(f"remove {tensorrt_cache()}, where a kept engine may be damaged")
    assert Provider("cuda").cure == "use `provider='cpu'`"


def test_every_failure_of_a_provider_is_known():
    """TensorRT's are of a kind of their own."""
    assert {"EPFail", "EngineError", "Fail", "RuntimeException"} <= {one.__name__ for one in FAILURES}


class Heard(Events):
    def __init__(self):
        self.notes: list[str] = []

    def note(self, line):
        self.notes.append(line)


@pytest.mark.parametrize(
    ("request_", "gpu", "engine"),
    [
        ({}, False, "onnx"),
        ({}, True, "torch"),
        ({"device": "cpu"}, True, "onnx"),
        ({"device": "cpu", "precision": "fp32"}, True, "onnx"),
        ({"device": "cpu", "precision": "bf16"}, True, "openvino"),
        ({"precision": "bf16"}, False, "openvino"),
        ({"precision": "bf16"}, True, "torch"),
        ({"precision": "fp16"}, False, "torch"),
        ({"device": "cuda"}, True, "torch"),
        ({"device": "mps"}, True, "torch"),
        ({"provider": "cuda"}, True, "onnx"),
        ({"precision": "int8"}, False, "onnx"),
    ],
)
def test_auto_takes_the_faster_engine(request_, gpu, engine):
    request_ = EngineRequest("lite", Path("lite.safetensors"), **request_)
    assert auto(request_, gpu, openvino=True) == engine
    assert auto(request_, gpu, openvino=False) == ("torch" if engine == "openvino" else engine)


@pytest.mark.parametrize(
    ("request_", "engine"),
    [
        ({}, "onnx"),
        ({"device": "cuda"}, "onnx"),
        ({"device": "cuda:1", "precision": "fp32"}, "onnx"),
        ({"device": "cuda", "precision": "bf16"}, "torch"),
        ({"device": "cuda", "precision": "fp16"}, "torch"),
        ({"device": "mps"}, "torch"),
        ({"compiled": True}, "torch"),
    ],
)
def test_onnx_runtime_takes_the_gpu_where_there_is_no_torch(request_, engine):
    request_ = EngineRequest("lite", Path("lite.safetensors"), **request_)
    backend = replace(backends()["torch"], rank=partial(rank_torch, has_gpu=lambda: False, is_missing=lambda: True))
    with registered_backend(backend):
        assert choose("auto", request_).name == engine


@pytest.mark.parametrize(
    ("request_", "gpu", "engine"),
    [
        ({}, False, "openvino"),
        ({"device": "cpu", "precision": "fp32"}, True, "openvino"),
        ({}, True, "torch"),
        ({"precision": "int8"}, False, "onnx"),
        ({"precision": "fp16"}, False, "torch"),
        ({"provider": "cpu"}, False, "onnx"),
    ],
)
def test_auto_takes_openvino_where_it_was_found_faster(request_, gpu, engine):
    request_ = EngineRequest("lite", Path("lite.safetensors"), **request_)
    assert auto(request_, gpu, openvino=True, faster=True) == engine
    assert auto(request_, gpu, openvino=False, faster=True) != "openvino"


def auto(request_, gpu, openvino, faster=False):
    torch_backend = replace(backends()["torch"], rank=partial(rank_torch, has_gpu=lambda: gpu))
    rank = partial(rank_openvino, is_missing=lambda: not openvino, is_faster=lambda request: faster)
    openvino_backend = replace(backends()["openvino"], rank=rank)
    with registered_backend(torch_backend), registered_backend(openvino_backend):
        return choose("auto", request_).name


def test_a_folder_of_graphs_runs_in_onnx_runtime(tmp_path):
    assert auto(EngineRequest("out", tmp_path), gpu=True, openvino=True) == "onnx"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"engine": "tensorflow"}, "`engine='tensorflow'`: unknown"),
        ({"precision": "fp8"}, "`precision='fp8'`: unknown"),
        ({"provider": "tpu"}, "`provider='tpu'`: unknown"),
        ({"engine": "torch", "provider": "cpu"}, "`provider='cpu'`: is for the onnx engine"),
        (
            {"engine": "onnx", "precision": "fp16", "device": "cpu"},
            "`precision='fp16'`: .*export-onnx --precision fp16",
        ),
    ],
)
def test_requests_that_cannot_be_served(request_, message):
    with pytest.raises(UsageError, match=message):
        create_engine("lite", **request_)
