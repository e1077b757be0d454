"""Each wrong set-up is made, and must be found, with its cure."""

import json
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest

from vosctl.diagnosis import accelerators, diagnose, machine, packages, video, weights
from vosctl.diagnosis.findings import Severity
from vosctl.diagnosis.machine import Gpu
from vosctl.errors import VosctlError
from vosctl.registry import shipped_folder, user_folder
from vosctl.video import encoder

H100 = Gpu("NVIDIA H100", "550.54", 81559, 4)


@pytest.fixture
def gpu(monkeypatch):
    """A machine whose driver lists a GPU."""
    monkeypatch.setattr(accelerators, "nvidia_gpus", lambda: [H100])


@pytest.fixture
def no_gpu(monkeypatch, tmp_path):
    monkeypatch.setattr(accelerators, "nvidia_gpus", list)
    monkeypatch.setattr(accelerators, "PCI_DEVICES", tmp_path)


def the_only(findings, severity):
    found = [one for one in findings if one.severity is not Severity.OK]
    assert [one.severity for one in found] == [severity], findings
    assert found[0].cure
    assert "\n" not in found[0].message + found[0].cure
    return found[0]


def all_ok(findings):
    return findings and all(one.severity is Severity.OK for one in findings)


# --- Python and packages


def installed_only(monkeypatch, *names):
    monkeypatch.setattr(packages, "installed", lambda package: "1.0" if package in names else None)


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(packages.sys, "version_info", (3, 10, 4, "final", 0))
    assert "too old" in the_only(packages.check_python(), Severity.ERROR).message


def test_a_package_that_cannot_be_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    finding = the_only(packages.check_imports(), Severity.ERROR)
    assert (finding.subject, finding.cure) == ("av", "python -m pip install --force-reinstall av")


def test_opencv_without_the_systems_libraries(monkeypatch):
    def import_module(name):
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
        return types.SimpleNamespace(__file__="/x/__init__.py", __version__="1")

    monkeypatch.setattr(packages, "import_module", import_module)
    assert "opencv-python-headless" in the_only(packages.check_imports(), Severity.ERROR).cure


def test_one_of_each_is_right(monkeypatch):
    installed_only(monkeypatch, "onnxruntime-gpu", "opencv-python")
    assert packages.check_rivals() == []


@pytest.mark.parametrize(
    ("pair", "subject", "kept"),
    [
        (("onnxruntime", "onnxruntime-gpu"), "onnxruntime", "onnxruntime-gpu"),
        (("opencv-python", "opencv-python-headless"), "cv2", "opencv-python"),
    ],
)
def test_two_packages_of_the_same_files(monkeypatch, pair, subject, kept):
    installed_only(monkeypatch, *pair)
    finding = the_only(packages.check_rivals(), Severity.WARNING)
    assert finding.subject == subject
    assert finding.message.startswith(f"{pair[0]} and {pair[1]} are both installed")
    assert finding.cure == f"python -m pip uninstall -y {pair[0]} {pair[1]}; python -m pip install {kept}"


# --- GPU


def test_a_machine_without_a_gpu_has_no_fault(no_gpu):
    assert all_ok(accelerators.check_gpu())
    assert all_ok(accelerators.check_torch())
    assert all_ok(accelerators.check_providers())


def test_a_gpu_without_a_driver(no_gpu, tmp_path):
    card = tmp_path / "0000:01:00.0"
    card.mkdir()
    (card / "vendor").write_text("0x10de\n")
    (card / "class").write_text("0x030000\n")
    assert "its driver lists none" in the_only(accelerators.check_gpu(), Severity.WARNING).message


def test_a_broken_driver(monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVML: Driver/library version mismatch'; exit 18\n")
    program.chmod(0o755)
    monkeypatch.setattr(machine.shutil, "which", lambda name: str(program))
    assert "does not answer" in the_only(accelerators.check_gpu(), Severity.WARNING).message
    assert machine.describe_machine().gpus == ()


def test_what_the_driver_lists(monkeypatch):
    def run(command, **settings):
        return subprocess.CompletedProcess(command, 0, "NVIDIA H100, 550.54, 81559, 4\nNVIDIA H100, 550.54, 81559, 9\n")

    monkeypatch.setattr(machine.shutil, "which", lambda name: name)
    monkeypatch.setattr(machine.subprocess, "run", run)
    assert [one.message for one in accelerators.check_gpu()] == ["NVIDIA H100, 81559 MB, driver 550.54"] * 2
    assert machine.nvidia_gpus()[0] == H100


def test_torch_without_cuda(gpu, monkeypatch):
    monkeypatch.setattr("torch.version.cuda", None)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert (
        "built without CUDA: NVIDIA H100 is left idle" in the_only(accelerators.check_torch(), Severity.WARNING).message
    )


def test_a_driver_too_old_for_torch(gpu, monkeypatch):
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    finding = the_only(accelerators.check_torch(), Severity.WARNING)
    assert "built for CUDA 13.0, but driver 550.54 gives it no device" in finding.message
    assert "update the NVIDIA driver" in finding.cure


def test_torch_that_cannot_compute_there(gpu, monkeypatch):
    def ones(*shape, device):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nmore")

    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "NVIDIA H100")
    monkeypatch.setattr("torch.ones", ones)
    assert "no kernel image" in the_only(accelerators.check_torch(), Severity.WARNING).message


# --- ONNX Runtime's providers


def providers(monkeypatch, *names):
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: list(names))


def test_onnxruntime_without_cuda_beside_a_gpu(gpu, monkeypatch):
    providers(monkeypatch, "CPUExecutionProvider")
    finding = the_only(accelerators.check_providers(), Severity.WARNING)
    assert "NVIDIA H100 is left idle" in finding.message
    assert "install onnxruntime-gpu" in finding.cure


def test_a_provider_whose_libraries_are_missing(gpu, monkeypatch):
    providers(monkeypatch, "CUDAExecutionProvider", "CPUExecutionProvider")
    monkeypatch.setattr(
        "vosctl.engine.providers._load_failure", lambda provider: "libcudnn.so.9: cannot open shared object file"
    )
    finding = the_only(accelerators.check_providers(), Severity.WARNING)
    assert finding.subject == "CUDAExecutionProvider"
    assert "libcudnn.so.9" in finding.message
    assert "onnxruntime-gpu[cuda,cudnn]" in finding.cure


def session_of(loaded, result):
    return types.SimpleNamespace(
        get_providers=lambda: [loaded], run=lambda names, inputs: [np.array([result], np.float32)]
    )


@pytest.mark.parametrize(
    ("loaded", "result", "message"),
    [("CPUExecutionProvider", 2.0, "took CPUExecutionProvider in its place"), ("OddProvider", 3.0, "where 2 is right")],
)
def test_a_provider_that_falls_back_or_computes_wrongly(no_gpu, monkeypatch, loaded, result, message):
    providers(monkeypatch, "OddProvider")
    monkeypatch.setattr("onnxruntime.InferenceSession", lambda *args, **settings: session_of(loaded, result))
    assert message in the_only(accelerators.check_providers(), Severity.WARNING).message


def test_a_cpu_provider_that_fails_stops_work(no_gpu, monkeypatch):
    def fail(*args, **settings):
        raise RuntimeError("illegal model")

    providers(monkeypatch, "CPUExecutionProvider")
    monkeypatch.setattr("onnxruntime.InferenceSession", fail)
    assert "illegal model" in the_only(accelerators.check_providers(), Severity.ERROR).message


def test_what_is_left_of_onnxruntime_after_a_rival_was_removed(no_gpu, monkeypatch):
    monkeypatch.delattr("onnxruntime.InferenceSession")
    assert "incomplete" in the_only(accelerators.check_providers(), Severity.ERROR).message


def test_openvino_computes_where_it_is_installed():
    pytest.importorskip("openvino")
    (finding,) = accelerators.check_openvino()
    assert finding.severity is Severity.OK
    assert finding.message.startswith("computes, in ")


@pytest.mark.parametrize("fast", [True, False])
def test_openvino_is_advised_where_the_cpu_would_gain(fast, monkeypatch):
    monkeypatch.setattr(accelerators, "find_spec", lambda name: None)
    monkeypatch.setattr("vosctl.engine.devices.has_fast_cpu_bf16", lambda: fast)
    findings = accelerators.check_openvino()
    assert all_ok(findings)
    assert ("vosctl[openvino]" in findings[0].message) is fast


def test_an_openvino_that_cannot_be_imported(monkeypatch):
    monkeypatch.setattr(accelerators, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert "does not compute" in the_only(accelerators.check_openvino(), Severity.WARNING).message


def test_missing_tensorrt_is_no_fault(gpu, monkeypatch):
    providers(monkeypatch, "TensorrtExecutionProvider", "CPUExecutionProvider")
    monkeypatch.setattr(accelerators, "try_provider", lambda name: "no libnvinfer" if name[0] == "T" else None)
    found = {one.subject: one for one in accelerators.check_providers()}
    assert found["TensorrtExecutionProvider"].severity is Severity.OK
    assert "no libnvinfer" in found["TensorrtExecutionProvider"].message


# --- Video


def test_codecs_are_there():
    assert all_ok(video.check_encoders() + video.check_decoders() + video.check_opencv())


@pytest.mark.parametrize(
    ("name", "severity", "use"), [("H264", Severity.ERROR, "overlays"), ("PRORES_4444", Severity.WARNING, "cut-outs")]
)
def test_an_encoder_that_does_not_open(monkeypatch, name, severity, use):
    monkeypatch.setattr(encoder, name, encoder.VideoEncoding("libnothing", "yuv420p"))
    finding = the_only(video.check_encoders(), severity)
    assert finding.subject == "libnothing"
    assert use in finding.message
    assert "av" in finding.cure


def test_a_decoder_that_is_missing(monkeypatch):
    monkeypatch.setattr(video, "DECODERS", ("h264", "nothing"))
    assert "no decoder for nothing" in the_only(video.check_decoders(), Severity.WARNING).message


def test_sound_that_cannot_be_copied(monkeypatch):
    monkeypatch.setattr("vosctl.video.audio.can_hold", lambda container, stream: False)
    assert "cannot be copied" in the_only(video.check_decoders(), Severity.WARNING).message


def test_a_damaged_demo_clip(monkeypatch, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"nothing")
    monkeypatch.setattr("vosctl.demo.demo_clip", lambda: (tmp_path / "clip.mp4", tmp_path))
    assert "cannot be decoded" in the_only(video.check_decoders(), Severity.ERROR).message


def test_opencv_without_windows(monkeypatch):
    monkeypatch.setattr("cv2.getBuildInformation", lambda: "  GUI:                           NONE\n")
    assert "headless" in video.check_opencv()[0].message


def test_cameras_that_may_not_be_opened(monkeypatch):
    monkeypatch.setattr(video.sys, "platform", "linux")
    monkeypatch.setattr(video.glob, "glob", lambda pattern: ["/dev/video0", "/dev/video1"])
    monkeypatch.setattr(video.os, "access", lambda path, mode: path.endswith("0"))
    finding = the_only(video.check_cameras(), Severity.WARNING)
    assert finding.message.startswith("/dev/video1")
    assert video.check_cameras()[1].message == "0"


def test_cameras_elsewhere_are_probed(monkeypatch):
    camera = types.SimpleNamespace(release=lambda: None)
    monkeypatch.setattr(video.sys, "platform", "darwin")
    monkeypatch.setattr(
        "cv2.VideoCapture", lambda number: types.SimpleNamespace(**vars(camera), isOpened=lambda: number == 1)
    )
    assert video.check_cameras()[0].message == "1"


# --- Weights


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A copy of the shipped weights that may be spoilt."""
    folder = tmp_path / "weights"
    shutil.copytree(shipped_folder(), folder)
    monkeypatch.setattr("vosctl.registry.shipped_folder", lambda: folder)
    return folder


def test_the_weights_are_whole():
    assert all_ok(weights.check_weights())


def test_spoilt_shipped_weights(shipped):
    with (shipped / "lite.safetensors").open("ab") as file:
        file.write(b"x")
    finding = the_only(weights.check_weights(), Severity.ERROR)
    assert (finding.subject, "sha256 differs" in finding.message) == ("lite", True)
    assert "reinstall" in finding.cure
    assert "cannot run" in the_only(weights.check_segmentation(), Severity.ERROR).message


def test_missing_shipped_weights(shipped):
    (shipped / "registry.json").unlink()
    assert "'lite'" in the_only(weights.check_weights(), Severity.ERROR).message


def test_missing_imported_weights():
    user_folder().mkdir(parents=True)
    entry = json.loads((shipped_folder() / "registry.json").read_text())["lite"] | {"file": "gone.safetensors"}
    (user_folder() / "registry.json").write_text(json.dumps({"mine": entry}))
    finding = the_only(weights.check_weights(), Severity.WARNING)
    assert finding.subject == "mine"
    assert "weights import" in finding.cure


def test_a_registry_that_cannot_be_read():
    user_folder().mkdir(parents=True)
    (user_folder() / "registry.json").write_text("{")
    assert "cannot be read" in the_only(weights.check_weights(), Severity.ERROR).message


def test_the_self_test_passes():
    finding = weights.check_segmentation()[0]
    assert finding.severity is Severity.OK, finding
    assert "IoU 0.9" in finding.message


def test_the_self_test_notices_a_network_that_finds_nothing(monkeypatch, bright_engine):
    """An engine that answers nonsense."""
    monkeypatch.setattr("vosctl.tracking.tracker.create_engine", lambda *args, **settings: bright_engine)
    finding = the_only(weights.check_segmentation(), Severity.ERROR)
    assert "IoU 0." in finding.message


# --- All of them


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(monkeypatch):
    def check_broken():
        raise AttributeError("partially initialized module")

    def check_refused():
        raise VosctlError("no")

    fine = [weights.ok("x", "fine")]
    monkeypatch.setattr(diagnose, "CHECKS", {"A": (check_broken, lambda: fine), "B": (check_refused,)})
    (_, first), (_, second) = diagnose.diagnose()
    assert first[0].subject == "broken"
    assert "AttributeError: partially initialized module" in first[0].message
    assert first[1:] == fine
    assert second[0].severity is Severity.ERROR
