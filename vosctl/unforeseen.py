"""Errors that no module words itself, because they can come out of any: of the system, memory, a broken package."""

from __future__ import annotations

import errno
from types import ModuleType

from vosctl.engine.memory import is_memory_error
from vosctl.errors import VosctlError
from vosctl.memory_limit import reached_limit

PACKAGES = {
    "av", "cv2", "ml_dtypes", "numpy", "onnx", "onnxruntime", "openvino", "PIL", "pycocotools", "safetensors",
    "simplejpeg", "torch",
}  # fmt: skip


def explained(error: Exception) -> VosctlError | None:
    """Word an error that is the system's or the installation's; None for one that is a bug."""
    if isinstance(error, ImportError) and "failed to map segment" in str(error) and reached_limit() is not None:
        return VosctlError(f"out of memory, loading a library ({str(error).splitlines()[0]}); end other programs")
    if isinstance(error, ImportError | AttributeError):
        return _broken_package(error)
    if isinstance(error, ValueError) and "binary incompatibility" in str(error):  # built for another NumPy
        return _not_installed(_importing(error), str(error).splitlines()[0])
    if isinstance(error, OSError) and error.errno is not None:
        return _system(error)
    if is_memory_error(error):
        return VosctlError("out of memory; use smaller pictures or fewer objects, or end other programs")
    return None


def _broken_package(error: ImportError | AttributeError) -> VosctlError | None:
    """Explain a package that is there but cannot be imported, or lacks its contents."""
    if isinstance(error, ImportError):
        name = (error.name or "").partition(".")[0] or _importing(error)
        problem = str(error).splitlines()[0] if str(error) else "cannot be imported"
    else:
        module = error.obj
        name = module.__name__.partition(".")[0] if isinstance(module, ModuleType) else ""
        problem = f"has no {error.name}"
    return _not_installed(name, problem)


def _not_installed(name: str, problem: str) -> VosctlError | None:
    if name not in PACKAGES:
        return None
    return VosctlError(f"{name}: is not properly installed ({problem}); run `vosctl doctor`")


def _importing(error: BaseException) -> str:
    """Return the package of ours whose import failed, where the error itself does not name the missing library."""
    found = ""
    trace = error.__traceback__
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        found = name if name in PACKAGES else found
        trace = trace.tb_next
    return found


def _system(error: OSError) -> VosctlError:
    where = f"{_shortened(str(error.filename))}: " if error.filename is not None else ""
    cures = {
        errno.ENAMETOOLONG: "; choose a shorter one",
        errno.ENOSPC: "; make room, or write elsewhere",
        errno.EMFILE: "; raise the limit (ulimit -n)",
        errno.ENOMEM: "; close other programs",
    }
    what = error.strerror or type(error).__name__
    return VosctlError(f"{where}{what[:1].lower()}{what[1:]}{cures.get(error.errno or 0, '')}")


def _shortened(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:60]}…{name[-15:]}"
