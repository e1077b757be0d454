"""The weights that can be asked for by name: those shipped with vosctl and those the user imported. Needs no torch."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import platformdirs

from vosctl.errors import UsageError, VosctlError

REGISTRY_FILE = "registry.json"
DEFAULT_WEIGHTS = "lite"


@dataclass(frozen=True, slots=True)
class WeightsEntry:
    """One named checkpoint.

    Attributes:
        name: what `--weights` takes.
        network: name of the network it belongs to: "lite", "lite-plus" or "rgmp".
        path: the checkpoint file.
        sha256: hex digest of that file.
        licence: what the weights may be used for.
        training_data: what they were trained on.
        quality: measured quality, in words, with the set it was measured on.
        shipped: True for weights that came with vosctl, False for imported ones.
    """

    name: str
    network: str
    path: Path
    sha256: str
    licence: str
    training_data: str
    quality: str
    shipped: bool


def shipped_folder() -> Path:
    """The folder of the shipped weights, in an installed wheel or in a checkout."""
    package = Path(__file__).parent
    installed = package / "_weights"
    return installed if installed.is_dir() else package.parent / "weights"


def user_folder() -> Path:
    """The folder of imported weights: `$VOSCTL_HOME/weights`, else the platform's user data directory."""
    home = os.environ.get("VOSCTL_HOME")
    return (Path(home) if home else platformdirs.user_data_path("vosctl", appauthor=False)) / "weights"


def _entries_of(folder: Path, shipped: bool) -> dict[str, WeightsEntry]:
    file = folder / REGISTRY_FILE
    if not file.exists():
        return {}
    try:
        listed: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        return {
            name: WeightsEntry(
                name=name,
                network=fields["network"],
                path=folder / fields["file"],
                sha256=fields["sha256"],
                licence=fields["licence"],
                training_data=fields["training_data"],
                quality=fields["quality"],
                shipped=shipped,
            )
            for name, fields in listed.items()
        }
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise VosctlError(
            f"{file}: the weights registry cannot be read ({error}); reinstall vosctl or mend it"
        ) from error


def registered_weights() -> dict[str, WeightsEntry]:
    """All named weights, shipped ones first; a shipped name cannot be taken over by an imported one."""
    shipped = _entries_of(shipped_folder(), shipped=True)
    imported = _entries_of(user_folder(), shipped=False)
    return shipped | {name: entry for name, entry in imported.items() if name not in shipped}


def find_weights(name: str) -> WeightsEntry:
    """The entry of a registered name.

    Raises:
        UsageError: no such name.
    """
    entries = registered_weights()
    if name not in entries:
        known = ", ".join(entries) or "none"
        raise UsageError(f"--weights {name}: neither a file nor a registered name; names: {known}")
    return entries[name]


def locate_weights(weights: str | os.PathLike[str]) -> Path:
    """The file of a registered name, its digest verified, else the path that was given, as it is.

    A name goes before a file of the same name in the current directory; `./name` is that file.

    Raises:
        UsageError: neither a registered name nor anything with a suffix or that exists.
        VosctlError: the file of that name is missing or is not the registered one.
    """
    path = Path(weights)
    if str(weights) not in registered_weights() and (path.suffix or path.exists()):
        return path
    entry = find_weights(str(weights))
    verify_entry(entry)
    return entry.path


def file_sha256(path: Path) -> str:
    """Hex digest of a file.

    Raises:
        VosctlError: the file cannot be read.
    """
    try:
        state = path.stat()
        return _digest(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise VosctlError(f"{path}: cannot be read ({error.strerror}); check that it exists and is readable") from error


@lru_cache
def _digest(path: Path, size: int, changed: int) -> str:
    """The digest of a file as it was at that moment: one run may ask for it several times."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_entry(entry: WeightsEntry) -> None:
    """Compare the file with the digest the registry gives.

    Raises:
        VosctlError: missing, or another file than the registered one.
    """
    if file_sha256(entry.path) != entry.sha256:
        cure = "reinstall vosctl" if entry.shipped else "import it again with `vosctl weights import`"
        raise VosctlError(f"{entry.path}: not the registered weights '{entry.name}' (sha256 differs); {cure}")
