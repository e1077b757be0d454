"""CPU, GPU, driver, PyTorch's CUDA, ONNX Runtime's execution providers, OpenVINO: whether what is there is used."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from typing import Any

from vosctl import extras
from vosctl.diagnosis.findings import Finding, error, ok, reason, warning
from vosctl.diagnosis.machine import Gpu
from vosctl.diagnosis.probe import Probe

TINY_GRAPH = base64.b64decode("CAc6MwoMCgF4EgF5IgRSZWx1EgFnWg8KAXgSCgoICAESBAoCCAFiDwoBeRIKCggIARIECgIIAUIECgAQDQ==")
"""y = Relu(x) on one float, as ONNX (opset 13): enough to make a provider load its libraries and compute."""
OPTIONAL = {"TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider"}
"""Providers that packages list although their libraries come from elsewhere; nobody misses them."""
NVIDIA_VENDOR, DISPLAY_CLASS = "0x10de", "0x03"
"""Identifiers of the PCI code assignment."""
NEEDS_GPU = {"CUDAExecutionProvider", *OPTIONAL}


_kept: list[object] = []
"""OpenVINO's cores that were made: one that ends takes the stack for signals with it, see `shared_core`."""


def check_cpu(probe: Probe) -> list[Finding]:
    """Tell how many of the CPU's cores may be used: fewer than there are where the process is limited."""
    cores, usable = probe.cores(), probe.usable_cores()
    if usable == cores:
        return [ok("CPU", f"{cores} core{'s' * (cores != 1)}")]
    return [ok("CPU", f"{usable} of {cores} cores may be used here: a container's share, or what it is bound to")]


def check_gpu(probe: Probe) -> list[Finding]:
    """List the GPUs that the driver knows, and say whether anything here can compute on them."""
    gpus, finding = _gpus(probe)
    if finding is not None:
        return [finding]
    if not gpus and _on_the_bus(probe):
        message = "this machine has an NVIDIA GPU, but its driver lists none: it is left idle"
        return [warning("GPU", message, "install the NVIDIA driver; in a container: start it with --gpus all")]
    if not gpus:
        return [ok("GPU", "no NVIDIA GPU; the network runs on the CPU")]
    return [ok("GPU", str(gpu)) for gpu in gpus]


def _gpus(probe: Probe) -> tuple[list[Gpu], Finding | None]:
    """Return the GPUs, and what is wrong with the driver."""
    try:
        return probe.gpus(), None
    except (OSError, subprocess.SubprocessError, ValueError) as problem:
        return [], warning(
            "GPU",
            f"nvidia-smi is there but does not answer as it should: {reason(problem)}",
            "restart the machine; if that does not help, reinstall the NVIDIA driver",
        )


def _on_the_bus(probe: Probe) -> bool:
    """Return whether Linux sees an NVIDIA display controller, with or without a driver."""
    for device in probe.pci_devices.glob("*"):
        try:
            vendor, kind = ((device / name).read_text(encoding="ascii").strip() for name in ("vendor", "class"))
        except (OSError, ValueError):
            continue
        if vendor == NVIDIA_VENDOR and kind.startswith(DISPLAY_CLASS):
            return True
    return False


def check_torch(probe: Probe) -> list[Finding]:
    """Check whether PyTorch, where it is installed, uses the GPU that is there."""
    if not probe.present("torch"):
        return []  # a choice: `check_extras` names it
    try:
        torch = probe.load("torch")
    except (ImportError, OSError) as problem:
        cure = "python -m pip install --force-reinstall torch"
        return [warning("torch", f"is installed but cannot be imported: {reason(problem)}", cure)]
    gpus, _ = _gpus(probe)
    build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    named = f"{torch.__version__}, {build}"
    if gpus and torch.version.cuda is None:
        cure = "install a CUDA build: see https://pytorch.org/get-started/locally"
        return [warning("torch", f"{named}: {gpus[0].name} is left idle by `engine='torch'`", cure)]
    if gpus and not torch.cuda.is_available():
        message = f"{named}, but driver {gpus[0].driver} gives it no device"
        return [warning("torch", message, "update the NVIDIA driver, or install a PyTorch built for an older CUDA")]
    if not torch.cuda.is_available():
        metal = ", Metal device" if torch.backends.mps.is_available() else ""
        return [ok("torch", f"{named}{metal}, {torch.get_num_threads()} CPU threads")]
    try:
        torch.ones(8, device="cuda").sum().item()
    except RuntimeError as problem:
        message = f"{named} cannot compute on {torch.cuda.get_device_name()}: {reason(problem)}"
        return [
            warning("torch", message, "install a PyTorch built for this GPU: https://pytorch.org/get-started/locally")
        ]
    return [ok("torch", f"{named}, computes on {torch.cuda.get_device_name()}")]


def check_providers(probe: Probe, why_unusable: Callable[[str], str | None] | None = None) -> list[Finding]:
    """Run a tiny graph with every provider that ONNX Runtime lists.

    Args:
        probe: the machine.
        why_unusable: says what a provider, by ONNX Runtime's name, lacks; by default this machine is asked.
    """
    onnxruntime = probe.load("onnxruntime")
    if not hasattr(onnxruntime, "InferenceSession"):
        # what is left of the folder when one of two rival packages was uninstalled
        cure = "python -m pip install --force-reinstall onnxruntime-gpu (or onnxruntime)"
        return [error("onnxruntime", "its files are incomplete: there is no InferenceSession", cure)]
    gpus, _ = _gpus(probe)
    listed = onnxruntime.get_available_providers()
    findings = [_check_provider(name, bool(gpus), onnxruntime, why_unusable or _why_unusable) for name in listed]
    if gpus and "CUDAExecutionProvider" not in listed:
        message = f"this ONNX Runtime has no CUDA: {gpus[0].name} is left idle by `engine='onnx'`"
        cure = "python -m pip uninstall -y onnxruntime; python -m pip install onnxruntime-gpu"
        findings.append(warning("onnxruntime", message, cure))
    return findings


def _check_provider(name: str, has_gpu: bool, onnxruntime: Any, why_unusable: Callable[[str], str | None]) -> Finding:
    if name in NEEDS_GPU and not has_gpu:
        return ok(name, "listed, not tried: there is no NVIDIA GPU")
    problem = why_unusable(name) or _try(name, onnxruntime)
    if problem is None:
        return ok(name, "loads and computes")
    if name == "CPUExecutionProvider":
        return error(name, problem, "python -m pip install --force-reinstall onnxruntime-gpu (or onnxruntime)")
    if name in OPTIONAL:
        return ok(name, f"listed, cannot be used: {problem}")
    from vosctl.engine.providers import CUDA_LIBRARIES

    cure = f"install the libraries it names (CUDA: {CUDA_LIBRARIES}), or use `provider='cpu'`"
    return warning(name, f"listed but does not load: {problem}", cure)


def _why_unusable(name: str) -> str | None:
    from vosctl.engine.providers import PROVIDERS, Provider, why_unusable

    word = next((word for word, known in PROVIDERS.items() if known == name), None)
    lack = why_unusable(Provider(word)) if word is not None else None
    return None if lack is None else lack.reason


def _try(name: str, onnxruntime: Any) -> str | None:
    """Load and run the tiny graph with a provider; return what went wrong, None when nothing did."""
    import numpy as np

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(TINY_GRAPH, options, providers=[name], enable_fallback=0)
        result = session.run(None, {"x": np.array([2.0], np.float32)})[0]
    except Exception as problem:  # its exceptions share no base but this one
        return reason(problem)
    loaded = session.get_providers()[0]
    if loaded != name:  # it falls back on the CPU without an error
        return f"ONNX Runtime took {loaded} in its place"
    return None if result[0] == 2.0 else f"it computes {result[0]} where 2 is right"


def check_openvino(probe: Probe) -> list[Finding]:
    """Check whether the openvino engine computes; where it is missing, whether this CPU would gain by it."""
    if not probe.present("openvino"):
        if not probe.bf16():
            return []  # a choice: `check_extras` names it
        return [ok("openvino", f"this CPU has bf16 instructions, which it would use: {extras.install('openvino')}")]
    import numpy as np

    cure = "python -m pip install --force-reinstall openvino"
    try:
        core = probe.load("openvino").Core()
        _kept.append(core)
        result = core.compile_model(core.read_model(TINY_GRAPH), "CPU")(np.array([2.0], np.float32))[0]
    except (ImportError, OSError, RuntimeError) as problem:
        return [warning("openvino", f"does not compute: {reason(problem)}", cure)]
    if result[0] != 2.0:
        return [warning("openvino", f"computes {result[0]} where 2 is right", cure)]
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return [ok("openvino", f"computes, in {'bf16 and fp32' if 'BF16' in capabilities else 'fp32'}")]
