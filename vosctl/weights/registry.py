"""The weights that can be asked for by name: those shipped with vosctl and those the user imported. Needs no torch."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import platformdirs

from vosctl.errors import UsageError, VosctlError
from vosctl.weights.text import printable

REGISTRY_FILE = "registry.json"
DEFAULT_WEIGHTS = "lite"
FACTS = ("licence", "training_data", "quality")
"""What is known of weights besides their values: fields of the registry and of a checkpoint's metadata."""
HEADS = ("outline", "presence")
"""First parts of the keys of heads that may lie in a file of their own (`head_file`), by which the registry's field
`HEAD_sha256`, which may lack, is named."""
RETIRED = "retired"
"""Field of the registry, which may lack: why weights are no longer recommended, in one sentence."""
_FIELDS = ("network", "file", "sha256", *FACTS)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class WeightsEntry:
    """One named checkpoint.

    Attributes:
        name: what `weights` takes.
        network: name of the network it belongs to.
        path: the checkpoint file.
        sha256: hex digest of that file.
        licence: what the weights may be used for.
        training_data: what they were trained on.
        quality: measured quality, in words, with the set it was measured on.
        shipped: True for weights that came with vosctl, False for imported ones.
        heads: hex digests of the files beside it with its heads, by `HEADS`, for those that there are.
        retired: why it is no longer recommended, and what to take; empty where it is recommended.
    """

    name: str
    network: str
    path: Path
    sha256: str
    licence: str
    training_data: str
    quality: str
    shipped: bool
    heads: Mapping[str, str] = field(default_factory=dict)
    retired: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """All named weights.

    Attributes:
        entries: by name, shipped ones first; a shipped name cannot be taken over by an imported one.
        problem: what keeps the user's registry, or a part of it, from being used, in one line; None when nothing does.
    """

    entries: Mapping[str, WeightsEntry]
    problem: str | None = None


_shipped: list[Path] = []


def shipped_folder() -> Path:
    """Return the folder of the shipped weights, in an installed wheel or in a checkout."""
    if _shipped:
        return _shipped[-1]
    package = Path(__file__).parents[1]
    installed = package / "_weights"
    return installed if installed.is_dir() else package.parent / "weights"


@contextmanager
def shipped_from(folder: Path) -> Iterator[None]:
    """Take another folder for that of the shipped weights, for as long as the block lasts."""
    _shipped.append(folder)
    try:
        yield
    finally:
        _shipped.pop()


def user_folder() -> Path:
    """Return the folder of imported weights: `$VOSCTL_HOME/weights`, else in the platform's user data directory."""
    home = os.environ.get("VOSCTL_HOME")
    return (Path(home) if home else platformdirs.user_data_path("vosctl", appauthor=False)) / "weights"


def is_name(name: str) -> bool:
    """Return whether weights may be called so."""
    return _NAME.fullmatch(name) is not None


def read_registry() -> Registry:
    """Read both registries. What is wrong with the user's own does not keep the shipped weights from being used.

    Raises:
        VosctlError: the registry that came with vosctl cannot be read.
    """
    try:
        shipped = _entries(shipped_folder(), read_listed(shipped_folder()), shipped=True)
    except ValueError as error:
        raise VosctlError(f"{error}; reinstall vosctl") from error
    folder = user_folder()
    try:
        listed = read_listed(folder)
    except ValueError as error:
        return Registry(shipped, f"{error}; {_cure(folder)}")
    imported: dict[str, WeightsEntry] = {}
    problem = None
    for name, fields in listed.items():
        try:
            imported |= _entries(folder, {name: fields}, shipped=False)
        except ValueError as error:
            problem = problem or f"{error}; delete that entry and import the weights again"
    return Registry(shipped | {name: entry for name, entry in imported.items() if name not in shipped}, problem)


def read_listed(folder: Path) -> dict[str, object]:
    """Read the registry of a folder as it is in the file; empty where there is none.

    Raises:
        ValueError: it cannot be read, or is no JSON object; one line with the file's name.
    """
    file = folder / REGISTRY_FILE
    try:
        listed = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(f"{file}: the weights registry cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else printable(error)
        raise ValueError(f"{file}: the weights registry cannot be read ({reason})") from error
    if not isinstance(listed, dict):
        raise ValueError(f"{file}: the weights registry cannot be read (it is no JSON object)")
    return listed


def _cure(folder: Path) -> str:
    return f"correct it, or move it away and import again the .safetensors files that lie in {folder}"


def _entries(folder: Path, listed: Mapping[str, object], *, shipped: bool) -> dict[str, WeightsEntry]:
    """Check what a registry lists.

    Raises:
        ValueError: an entry is not one, or its file lies elsewhere; one line with the names of file and entry.
    """
    entries = {}
    for name, given in listed.items():
        where = f"{folder / REGISTRY_FILE}: the entry '{printable(name)}'"
        if not is_name(name):
            raise ValueError(f"{where} has no proper name")
        if not isinstance(given, dict):
            raise ValueError(f"{where} is no JSON object")
        fields = {key: given.get(key) for key in _FIELDS}
        if wrong := next((key for key, value in fields.items() if not isinstance(value, str) or not value), None):
            raise ValueError(f"{where} has no {wrong}")
        texts = {key: str(value) for key, value in fields.items()}
        heads = {head: str(given[f"{head}_sha256"]) for head in HEADS if given.get(f"{head}_sha256", "") != ""}
        if not all(_SHA256.fullmatch(digest) for digest in (texts["sha256"], *heads.values())):
            raise ValueError(f"{where} has no proper sha256")
        retired = given.get(RETIRED, "")
        if not isinstance(retired, str):
            raise ValueError(f"{where} has no proper {RETIRED}")
        file = texts.pop("file")
        if not _lies_in(folder, file):
            raise ValueError(f"{where} names a file outside of its folder ({printable(file)})")
        facts = {key: printable(texts[key], 1000) for key in FACTS}
        entries[name] = WeightsEntry(
            name,
            printable(texts["network"]),
            folder / file,
            texts["sha256"],
            **facts,
            shipped=shipped,
            heads=heads,
            retired=printable(retired, 1000),
        )
    return entries


def _lies_in(folder: Path, file: str) -> bool:
    """Return whether a name is that of a file right in a folder: no path, and no link that leads elsewhere."""
    if file in {".", ".."} or "\0" in file or Path(file).name != file:
        return False
    try:
        return (folder / file).resolve().parent == folder.resolve()
    except (OSError, RuntimeError):  # a link that leads to itself
        return False


def registered_weights() -> Mapping[str, WeightsEntry]:
    """Return all named weights that can be used; see `read_registry`."""
    return read_registry().entries


def find_weights(name: str) -> WeightsEntry:
    """Return the entry of a registered name.

    Raises:
        UsageError: no such name.
    """
    registry = read_registry()
    if name not in registry.entries:
        known = ", ".join(registry.entries) or "none"
        also = f"; {registry.problem}" if registry.problem else ""
        raise UsageError(f"`weights={name!r}`: neither a file nor a registered name; names: {known}{also}")
    return registry.entries[name]


def retirement(weights: str | os.PathLike[str]) -> str | None:
    """Say in one line that weights are no longer recommended, and why; None where nothing is known against them.

    Args:
        weights: a registered name; of a file nothing is known.
    """
    entry = registered_weights().get(os.fspath(weights))
    return f"{entry.name} is retired: {entry.retired}" if entry is not None and entry.retired else None


def locate_weights(weights: str | os.PathLike[str]) -> Path:
    """Return the file of a registered name, its digest verified, else the path that was given, as it is.

    A name goes before a file of the same name in the current directory; `./name` is that file.

    Raises:
        UsageError: neither a registered name nor anything with a suffix or that exists.
        VosctlError: the file of that name is missing or is not the registered one.
    """
    name = os.fspath(weights)
    if name not in registered_weights() and is_file_path(name):
        return Path(name)
    entry = find_weights(name)
    try:
        verify_entry(entry)
    except VosctlError:
        # another process may have replaced the weights since the registry was read
        again = find_weights(name)
        if again == entry:
            raise
        verify_entry(again)
        return again.path
    return entry.path


def is_file_path(weights: str) -> bool:
    """Return whether weights that are no registered name are meant as a file: it exists, or has a suffix."""
    path = Path(weights)
    try:
        return bool(weights) and (bool(path.suffix) or path.exists())
    except (OSError, ValueError):  # a name that no file can have
        return False


def file_sha256(path: Path) -> str:
    """Return the hex digest of a file.

    Raises:
        VosctlError: the file cannot be read.
    """
    try:
        state = path.stat()
        return _digest(path, state.st_size, state.st_mtime_ns, state.st_ino)
    except OSError as error:
        raise VosctlError(f"{path}: cannot be read ({error.strerror}); check that it exists and is readable") from error


@lru_cache
def _digest(path: Path, size: int, changed: int, inode: int) -> str:
    """Compute the digest of a file as it was at that moment: one run may ask for it several times."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_entry(entry: WeightsEntry) -> None:
    """Compare the file with the digest the registry gives.

    Raises:
        VosctlError: missing, or another file than the registered one.
    """
    files = {entry.path: entry.sha256}
    files |= {head_file(entry.path, head): digest for head, digest in entry.heads.items()}
    for path, sha256 in files.items():
        if file_sha256(path) != sha256:
            cure = "reinstall vosctl" if entry.shipped else "import it again with `vosctl weights import`"
            raise VosctlError(f"{path}: not the registered weights '{entry.name}' (sha256 differs); {cure}")


def head_file(path: Path, head: str) -> Path:
    """Return where a head of a checkpoint, one of `HEADS`, lies in a file of its own: NAME-HEAD.safetensors."""
    return path.with_name(f"{path.stem}-{head}.safetensors")
