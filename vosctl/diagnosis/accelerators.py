"""GPU, driver, PyTorch's CUDA, ONNX Runtime's execution providers, OpenVINO: whether what is there is really used."""

from __future__ import annotations

import base64
import subprocess
from importlib.util import find_spec
from pathlib import Path

from vosctl.diagnosis.findings import Finding, error, ok, reason, warning
from vosctl.diagnosis.machine import Gpu, nvidia_gpus

TINY_GRAPH = base64.b64decode("CAc6MwoMCgF4EgF5IgRSZWx1EgFnWg8KAXgSCgoICAESBAoCCAFiDwoBeRIKCggIARIECgIIAUIECgAQDQ==")
"""y = Relu(x) on one float, as ONNX (opset 13): enough to make a provider load its libraries and compute."""
OPTIONAL = {"TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider"}
"""Providers that packages list although their libraries come from elsewhere; nobody misses them."""
PCI_DEVICES = Path("/sys/bus/pci/devices")
NVIDIA_VENDOR, DISPLAY_CLASS = "0x10de", "0x03"
"""Identifiers of the PCI code assignment."""
NEEDS_GPU = {"CUDAExecutionProvider", *OPTIONAL}


def check_gpu() -> list[Finding]:
    """The driver's list of GPUs."""
    gpus, finding = _gpus()
    if finding is not None:
        return [finding]
    if not gpus and _on_the_bus():
        message = "this machine has an NVIDIA GPU, but its driver lists none: it is left idle"
        return [warning("GPU", message, "install the NVIDIA driver; in a container: start it with --gpus all")]
    if not gpus:
        return [ok("GPU", "no NVIDIA GPU; the network runs on the CPU")]
    return [ok("GPU", f"{gpu.name}, {gpu.memory} MB, driver {gpu.driver}") for gpu in gpus]


def _gpus() -> tuple[list[Gpu], Finding | None]:
    """The GPUs, and what is wrong with the driver."""
    try:
        return nvidia_gpus(), None
    except (OSError, subprocess.SubprocessError, ValueError) as problem:
        return [], warning(
            "GPU",
            f"nvidia-smi is there but does not answer as it should: {reason(problem)}",
            "restart the machine; if that does not help, reinstall the NVIDIA driver",
        )


def _on_the_bus() -> bool:
    """Whether Linux sees an NVIDIA display controller, with or without a driver."""
    for device in PCI_DEVICES.glob("*"):
        try:
            vendor, kind = ((device / name).read_text(encoding="ascii").strip() for name in ("vendor", "class"))
        except (OSError, ValueError):
            continue
        if vendor == NVIDIA_VENDOR and kind.startswith(DISPLAY_CLASS):
            return True
    return False


def check_torch() -> list[Finding]:
    """Whether PyTorch uses the GPU that is there."""
    import torch

    gpus, _ = _gpus()
    build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    if gpus and torch.version.cuda is None:
        cure = "install a CUDA build: see https://pytorch.org/get-started/locally"
        return [warning("torch", f"{build}: {gpus[0].name} is left idle by --engine torch", cure)]
    if gpus and not torch.cuda.is_available():
        message = f"{build}, but driver {gpus[0].driver} gives it no device"
        return [warning("torch", message, "update the NVIDIA driver, or install a PyTorch built for an older CUDA")]
    if not torch.cuda.is_available():
        metal = ", Metal device" if torch.backends.mps.is_available() else ""
        return [ok("torch", f"{build}{metal}, {torch.get_num_threads()} CPU threads")]
    try:
        torch.ones(8, device="cuda").sum().item()
    except RuntimeError as problem:
        message = f"{build} cannot compute on {torch.cuda.get_device_name()}: {reason(problem)}"
        return [
            warning("torch", message, "install a PyTorch built for this GPU: https://pytorch.org/get-started/locally")
        ]
    return [ok("torch", f"{build}, computes on {torch.cuda.get_device_name()}")]


def check_providers() -> list[Finding]:
    """Run a tiny graph with every provider that ONNX Runtime lists."""
    import onnxruntime

    if not hasattr(onnxruntime, "InferenceSession"):
        # what is left of the folder when one of two rival packages was uninstalled
        cure = "python -m pip install --force-reinstall onnxruntime-gpu (or onnxruntime)"
        return [error("onnxruntime", "its files are incomplete: there is no InferenceSession", cure)]
    gpus, _ = _gpus()
    listed = onnxruntime.get_available_providers()
    findings = [_check_provider(name, bool(gpus)) for name in listed]
    if gpus and "CUDAExecutionProvider" not in listed:
        message = f"this ONNX Runtime has no CUDA: {gpus[0].name} is left idle by --engine onnx"
        cure = "python -m pip uninstall -y onnxruntime; python -m pip install onnxruntime-gpu"
        findings.append(warning("onnxruntime", message, cure))
    return findings


def _check_provider(name: str, has_gpu: bool) -> Finding:
    if name in NEEDS_GPU and not has_gpu:
        return ok(name, "listed, not tried: there is no NVIDIA GPU")
    problem = try_provider(name)
    if problem is None:
        return ok(name, "loads and computes")
    if name == "CPUExecutionProvider":
        return error(name, problem, "python -m pip install --force-reinstall onnxruntime-gpu (or onnxruntime)")
    if name in OPTIONAL:
        return ok(name, f"listed, cannot be used: {problem}")
    cure = (
        "install the libraries it names (CUDA: python -m pip install 'onnxruntime-gpu[cuda,cudnn]'), or --provider cpu"
    )
    return warning(name, f"listed but does not load: {problem}", cure)


def check_openvino() -> list[Finding]:
    """Whether the openvino engine computes; where it is missing, whether this CPU would gain by it."""
    cure = "python -m pip install 'vosctl[openvino]'"
    if find_spec("openvino") is None:
        from vosctl.engine.devices import has_fast_cpu_bf16

        gain = f"; this CPU has bf16 instructions, which it would use: {cure}" if has_fast_cpu_bf16() else ""
        return [ok("openvino", f"not installed, needed for --engine openvino only{gain}")]
    import numpy as np

    try:
        import openvino

        core = openvino.Core()
        result = core.compile_model(core.read_model(TINY_GRAPH), "CPU")(np.array([2.0], np.float32))[0]
    except (ImportError, OSError, RuntimeError) as problem:
        return [warning("openvino", f"does not compute: {reason(problem)}", f"{cure} --force-reinstall")]
    if result[0] != 2.0:
        return [warning("openvino", f"computes {result[0]} where 2 is right", f"{cure} --force-reinstall")]
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return [ok("openvino", f"computes, in {'bf16 and fp32' if 'BF16' in capabilities else 'fp32'}")]


def try_provider(name: str) -> str | None:
    """Load and run the tiny graph with a provider; what went wrong, None when nothing did."""
    import numpy as np
    import onnxruntime

    from vosctl.engine.providers import PROVIDERS, Provider, why_unusable

    word = next((word for word, known in PROVIDERS.items() if known == name), None)
    if word is not None and (complaint := why_unusable(Provider(word))):
        return complaint.partition(": ")[2]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(TINY_GRAPH, options, providers=[name])
        result = session.run(None, {"x": np.array([2.0], np.float32)})[0]
    except Exception as problem:  # its exceptions share no base but this one
        return reason(problem)
    loaded = session.get_providers()[0]
    if loaded != name:  # it falls back on the CPU without an error
        return f"ONNX Runtime took {loaded} in its place"
    return None if result[0] == 2.0 else f"it computes {result[0]} where 2 is right"
