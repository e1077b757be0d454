"""Python, and the packages vosctl stands on: which, from where, and whether several claim the same files."""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path

from vosctl import extras
from vosctl.diagnosis.findings import Finding, error, ok, reason, warning
from vosctl.diagnosis.probe import Probe

IMPORTS = {
    "vosctl": "vosctl", "onnxruntime": "onnxruntime", "cv2": "opencv-python", "av": "av",
    "numpy": "numpy", "PIL": "pillow", "safetensors": "safetensors", "pycocotools": "pycocotools",
    "simplejpeg": "simplejpeg", "onnx": "onnx", "ml_dtypes": "ml_dtypes",
}  # fmt: skip
"""Modules by name, with the package that brings each."""
OPTIONAL: dict[extras.Extra, str] = {
    "torch": "a GPU through PyTorch, the official weights.pth, training, export",
    "openvino": "`engine='openvino'`",
    "camera": "`virtual_camera`",
    "plot": "`plot`",
}
"""Extras, and what each is for."""
RIVALS = {
    "onnxruntime": (
        ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml"),
        "which of them is used is chance, and the GPU may be left idle",
    ),
    "cv2": (
        ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
        "whether windows can be shown is chance",
    ),
}
"""Packages that write the same module, and what comes of having two."""
OLDEST_PYTHON = (3, 11)
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)>=(?P<oldest>[\d.]+)")


def check_python(probe: Probe) -> list[Finding]:
    """Check the interpreter."""
    found = f"{platform.python_version()}, {sys.executable}"
    if probe.python < OLDEST_PYTHON:
        return [error("python", f"{found}: too old", "install Python 3.11 or newer and vosctl into it")]
    return [ok("python", found)]


def check_imports(probe: Probe) -> list[Finding]:
    """Import everything and tell its version and place."""
    return [_import(probe, module, package) for module, package in IMPORTS.items()]


def _import(probe: Probe, module: str, package: str) -> Finding:
    try:
        loaded = probe.load(module)
    except (ImportError, OSError, ValueError, AttributeError) as problem:  # a library that lacks, one for another NumPy
        rivals, _ = RIVALS.get(module, ((package,), ""))
        present = [one for one in rivals if probe.installed(one)] or [package]
        cure = f"python -m pip install --force-reinstall {_wanted(present)}"
        if "libGL" in str(problem) or "libgthread" in str(problem):
            cure = f"python -m pip uninstall -y {' '.join(present)}; python -m pip install opencv-python-headless"
        return error(module, f"cannot be imported: {reason(problem)}", cure)
    place = Path(loaded.__file__).parent if loaded.__file__ else "nowhere"
    version = getattr(loaded, "__version__", None) or probe.installed(package) or "version unknown"
    return ok(module, f"{version}, {place}")


def check_versions(probe: Probe) -> list[Finding]:
    """Find packages that are older than vosctl needs: another program's installation may have replaced them."""
    findings = []
    for requirement in probe.requirements():
        found = _REQUIREMENT.fullmatch(requirement.partition(";")[0].strip())
        if found is None or "extra ==" in requirement:
            continue
        name, oldest = found["name"], found["oldest"]
        for package in next((packages for packages, _ in RIVALS.values() if name in packages), (name,)):
            version = probe.installed(package)
            if version is not None and _numbers(version) < _numbers(oldest):
                cure = f'python -m pip install "{package}>={oldest}"'
                findings.append(error(package, f"{version}: too old, vosctl needs {oldest} or newer", cure))
    return findings


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def check_extras(probe: Probe) -> list[Finding]:
    """Tell which optional parts are installed; none of them has to be."""
    findings = []
    for extra, purpose in OPTIONAL.items():
        if all(probe.present(module) for module in extras.MODULES[extra]):
            findings.append(ok(f"extra {extra}", f"installed: {purpose}"))
        else:
            findings.append(ok(f"extra {extra}", f"not installed, a choice; for {purpose} {extras.install(extra)}"))
    return findings


def check_rivals(probe: Probe) -> list[Finding]:
    """Find two packages that write the same module: the one installed last has overwritten the other in part."""
    findings = []
    for module, (packages, consequence) in RIVALS.items():
        present = [package for package in packages if probe.installed(package)]
        if len(present) > 1:
            uninstall = f"python -m pip uninstall -y {' '.join(present)}"
            cure = f"{uninstall}; python -m pip install {_wanted(present)}"
            several = (
                f"{', '.join(present[:-1])} and {present[-1]} are {'both' if len(present) == 2 else 'all'} installed"
            )
            findings.append(warning(module, f"{several}: {consequence}", cure))
    return findings


def _wanted(present: list[str]) -> str:
    """Choose the one to keep: the GPU's, and the one with windows."""
    return next((one for one in present if one.endswith("-gpu")), present[0])
