"""GPUs, drivers, PyTorch, providers: each wrong set-up is made, and must be found with its cure."""

import subprocess
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from vosctl.diagnosis import accelerators
from vosctl.diagnosis.findings import Severity
from vosctl.diagnosis.machine import Gpu, nvidia_gpus


def test_a_machine_without_a_gpu_has_no_fault(machine, all_ok):
    assert all_ok(accelerators.check_gpu(machine))
    assert all_ok(accelerators.check_torch(machine))
    assert all_ok(accelerators.check_providers(machine))


def test_what_may_be_used_of_the_cpu_is_told(machine):
    (finding,) = accelerators.check_cpu(replace(machine, cores=lambda: 64, usable_cores=lambda: 2))
    assert finding.message.startswith("2 of 64 cores may be used here")
    (finding,) = accelerators.check_cpu(replace(machine, cores=lambda: 64, usable_cores=lambda: 64))
    assert finding.message == "64 cores"


def test_a_gpu_without_a_driver(machine, the_only, tmp_path):
    card = tmp_path / "0000:01:00.0"
    card.mkdir()
    (card / "vendor").write_text("0x10de\n")
    (card / "class").write_text("0x030000\n")
    assert "its driver lists none" in the_only(accelerators.check_gpu(machine), Severity.WARNING).message


@pytest.fixture
def driver(tmp_path):
    """A program in place of nvidia-smi."""

    def write(*lines, status=0):
        program = tmp_path / "nvidia-smi"
        program.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines) + f"exit {status}\n")
        program.chmod(0o755)
        return str(program)

    return write


def test_a_broken_driver(machine, the_only, driver):
    program = driver("NVML: Driver/library version mismatch", status=18)
    broken = replace(machine, gpus=lambda: nvidia_gpus(program))
    assert "does not answer" in the_only(accelerators.check_gpu(broken), Severity.WARNING).message
    with pytest.raises(subprocess.SubprocessError):
        nvidia_gpus(program)


def test_what_the_driver_lists(machine, driver):
    program = driver("NVIDIA H100, 550.54, 81559, 4", "NVIDIA H100, 550.54, 81559, 9")
    listing = replace(machine, gpus=lambda: nvidia_gpus(program))
    assert [one.message for one in accelerators.check_gpu(listing)] == ["NVIDIA H100, 81559 MB, driver 550.54"] * 2
    assert nvidia_gpus(program)[0] == Gpu("NVIDIA H100", "550.54", 81559, 4)


def test_what_the_driver_does_not_tell_is_left_out(machine, driver):
    program = driver("NVIDIA GB10, 580.95, [N/A], [N/A]", "NVIDIA H100, 550.54, 81559, [Insufficient Permissions]")
    listing = replace(machine, gpus=lambda: nvidia_gpus(program))
    assert [one.message for one in accelerators.check_gpu(listing)] == [
        "NVIDIA GB10, driver 580.95",
        "NVIDIA H100, 81559 MB, driver 550.54",
    ]
    assert nvidia_gpus(program) == [
        Gpu("NVIDIA GB10", "580.95", None, None),
        Gpu("NVIDIA H100", "550.54", 81559, None),
    ]


# --- PyTorch


def torch_of(cuda, available, ones=None):
    """A PyTorch built for that CUDA."""
    return SimpleNamespace(
        __version__="2.13.0",
        version=SimpleNamespace(cuda=cuda),
        cuda=SimpleNamespace(is_available=lambda: available, get_device_name=lambda: "NVIDIA H100"),
        ones=ones,
    )


def test_no_torch_is_no_fault(gpu_machine):
    assert accelerators.check_torch(replace(gpu_machine, present=lambda name: False)) == []


def test_a_torch_that_cannot_be_imported(machine, with_modules, the_only):
    broken = with_modules(machine, torch=OSError("libtorch_cpu.so: cannot open shared object file"))
    assert "libtorch_cpu.so" in the_only(accelerators.check_torch(broken), Severity.WARNING).message


def test_torch_without_cuda(gpu_machine, with_modules, the_only):
    found = accelerators.check_torch(with_modules(gpu_machine, torch=torch_of(None, False)))
    assert "built without CUDA: NVIDIA H100 is left idle" in the_only(found, Severity.WARNING).message


def test_a_driver_too_old_for_torch(gpu_machine, with_modules, the_only):
    found = accelerators.check_torch(with_modules(gpu_machine, torch=torch_of("13.0", False)))
    finding = the_only(found, Severity.WARNING)
    assert "built for CUDA 13.0, but driver 550.54 gives it no device" in finding.message
    assert "update the NVIDIA driver" in finding.cure


def test_torch_that_cannot_compute_there(gpu_machine, with_modules, the_only):
    def ones(*shape, device):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nmore")

    found = accelerators.check_torch(with_modules(gpu_machine, torch=torch_of("13.0", True, ones)))
    assert "no kernel image" in the_only(found, Severity.WARNING).message


# --- ONNX Runtime's providers


def runtime_of(*providers, session=onnxruntime.InferenceSession):
    """An ONNX Runtime that lists these providers."""
    return SimpleNamespace(
        get_available_providers=lambda: list(providers),
        SessionOptions=onnxruntime.SessionOptions,
        InferenceSession=session,
    )


def test_onnxruntime_without_cuda_beside_a_gpu(gpu_machine, with_modules, the_only):
    found = accelerators.check_providers(with_modules(gpu_machine, onnxruntime=runtime_of("CPUExecutionProvider")))
    finding = the_only(found, Severity.WARNING)
    assert "NVIDIA H100 is left idle" in finding.message
    assert "install onnxruntime-gpu" in finding.cure


def test_a_provider_whose_libraries_are_missing(gpu_machine, with_modules, the_only):
    listing = with_modules(gpu_machine, onnxruntime=runtime_of("CUDAExecutionProvider", "CPUExecutionProvider"))
    found = accelerators.check_providers(
        listing, lambda name: "libcudnn.so.9: cannot open shared object file" if name[:4] == "CUDA" else None
    )
    finding = the_only(found, Severity.WARNING)
    assert finding.subject == "CUDAExecutionProvider"
    assert "libcudnn.so.9" in finding.message
    assert "onnxruntime-gpu[cuda,cudnn]" in finding.cure


def session_of(loaded, result):
    return lambda *args, **settings: SimpleNamespace(
        get_providers=lambda: [loaded], run=lambda names, inputs: [np.array([result], np.float32)]
    )


@pytest.mark.parametrize(
    ("loaded", "result", "message"),
    [("CPUExecutionProvider", 2.0, "took CPUExecutionProvider in its place"), ("OddProvider", 3.0, "where 2 is right")],
)
def test_a_provider_that_falls_back_or_computes_wrongly(machine, with_modules, the_only, loaded, result, message):
    runtime = runtime_of("OddProvider", session=session_of(loaded, result))
    found = accelerators.check_providers(with_modules(machine, onnxruntime=runtime))
    assert message in the_only(found, Severity.WARNING).message


def test_a_cpu_provider_that_fails_stops_work(machine, with_modules, the_only):
    def fail(*args, **settings):
        raise RuntimeError("illegal model")

    runtime = runtime_of("CPUExecutionProvider", session=fail)
    found = accelerators.check_providers(with_modules(machine, onnxruntime=runtime))
    assert "illegal model" in the_only(found, Severity.ERROR).message


def test_what_is_left_of_onnxruntime_after_a_rival_was_removed(machine, with_modules, the_only):
    found = accelerators.check_providers(with_modules(machine, onnxruntime=SimpleNamespace()))
    assert "incomplete" in the_only(found, Severity.ERROR).message


def test_missing_tensorrt_is_no_fault(gpu_machine, with_modules, all_ok):
    listing = with_modules(
        gpu_machine,
        onnxruntime=runtime_of("TensorrtExecutionProvider", "CUDAExecutionProvider", session=session_of("", 2)),
    )
    found = accelerators.check_providers(listing, lambda name: "no libnvinfer" if name[0] == "T" else None)
    assert found[0].severity is Severity.OK
    assert "no libnvinfer" in found[0].message


# --- OpenVINO


def test_openvino_computes_where_it_is_installed(machine):
    pytest.importorskip("openvino")
    (finding,) = accelerators.check_openvino(machine)
    assert finding.severity is Severity.OK
    assert finding.message.startswith("computes, in ")


@pytest.mark.parametrize("fast", [True, False])
def test_openvino_is_advised_where_the_cpu_would_gain(machine, fast):
    findings = accelerators.check_openvino(replace(machine, present=lambda name: False, bf16=lambda: fast))
    assert ["[openvino]" in one.message for one in findings] == [True] * fast


def test_an_openvino_that_cannot_be_imported(machine, with_modules, the_only):
    broken = with_modules(machine, openvino=ImportError("libopenvino.so"))
    assert "does not compute" in the_only(accelerators.check_openvino(broken), Severity.WARNING).message
