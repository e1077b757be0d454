"""The optional parts of an installation: which packages they need, and the command that installs them.

A plain installation runs both shipped networks in ONNX Runtime. What needs more says so through `require`, with a
command that works where vosctl was installed from: a clone of the repository or a package index.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlparse

from vosctl.errors import VosctlError

Extra = Literal["torch", "train", "export", "openvino", "camera", "plot", "ray", "s3", "gs"]

MODULES: dict[Extra, tuple[str, ...]] = {
    "torch": ("torch",),
    "train": ("torch",),
    "export": ("torch",),
    "openvino": ("openvino",),
    "camera": ("pyvirtualcam",),
    "plot": ("matplotlib",),
    "ray": ("ray",),
    "s3": ("s3fs",),
    "gs": ("gcsfs",),
}
"""What each extra of pyproject.toml brings, by the name it is imported under."""

EXTRA_OF_SCHEME: dict[str, Extra] = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
"""The extra that brings what reads addresses of a scheme, `s3://`."""


def missing_modules(extra: Extra) -> list[str]:
    """Return the modules of an extra that are not installed; imports none of them."""
    return [name for name in MODULES[extra] if not is_present(name)]


def is_present(module: str) -> bool:
    """Return whether a module can be imported, without importing it."""
    if module in sys.modules:
        return sys.modules[module] is not None
    return find_spec(module) is not None


def require(extra: Extra, what: str) -> None:
    """Make sure that an extra is installed.

    Args:
        extra: the extra.
        what: what needs it, as the start of a sentence: "`engine='torch'`", "training".

    Raises:
        VosctlError: it is not installed; the message ends with the command that installs it.
    """
    if missing := missing_modules(extra):
        raise VosctlError(f"{what}: needs {' and '.join(missing)}, which a plain install leaves out; {install(extra)}")


def install(extra: Extra) -> str:
    """Return the command that adds an extra to this installation."""
    return f"run: python -m pip install {_target(extra)}"


def _target(extra: Extra) -> str:
    """Return what pip is to install, in the quotes that every shell knows, Windows' too."""
    folder, editable = _installed_from()
    if folder is None:
        return f'"vosctl[{extra}]"'
    return f'{"-e " if editable else ""}"{folder}[{extra}]"'


def _installed_from() -> tuple[Path | None, bool]:
    """Return the clone that vosctl was installed from, None for an index, and whether the clone itself is what runs."""
    from importlib.metadata import PackageNotFoundError, distribution  # slow to import, and seldom needed

    try:
        record = distribution("vosctl").read_text("direct_url.json")
    except PackageNotFoundError:  # run from a clone without an installation
        folder = Path(__file__).resolve().parents[1]
        return (folder, True) if (folder / "pyproject.toml").is_file() else (None, False)
    return clone_of_record(record)


def clone_of_record(record: str | None) -> tuple[Path | None, bool]:
    """Read pip's note of where a package came from (PEP 610).

    Args:
        record: content of `direct_url.json`; None where pip wrote none, as for a package from an index.

    Returns:
        The folder it was installed from, None where there is none any more, and whether it was installed editable.
    """
    if record is None:
        return None, False
    try:
        content = json.loads(record)
        url = urlparse(content["url"])
        editable = bool(content.get("dir_info", {}).get("editable", False))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, False
    folder = Path(unquote(url.path))
    if url.scheme != "file" or not (folder / "pyproject.toml").is_file():
        return None, False
    return folder, editable
