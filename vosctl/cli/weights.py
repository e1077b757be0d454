"""`vosctl weights`: what is there, whether it is whole, and checkpoints in and out by name."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vosctl.cli.command import VosctlGroup
from vosctl.cli.completion import complete_weights
from vosctl.cli.paths import GivenPath
from vosctl.errors import VosctlError
from vosctl.network.table import OUTLINE, networks, part_of
from vosctl.weights.registry import (
    FACTS,
    HEADS,
    Registry,
    WeightsEntry,
    find_weights,
    head_file,
    is_file_path,
    read_registry,
    registered_weights,
    retirement,
    user_folder,
    verify_entry,
)
from vosctl.weights.text import printable

if TYPE_CHECKING:
    from rich.table import Table

PRESENCE = {
    True: "a head tells whether what is marked is the object, which decides what is lost and found",
    False: "no head: what is lost and found is decided by size and score",
}
REFERENCES = {
    2: "two of an object, its first mask and the latest that corrects it",
    1: "one of an object; a mask that corrects it takes the old one's place",
}
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
NOT_SAID = "not said by the file"
PIPE_WIDTH = 200
"""Columns of a table when standard output is no terminal: nothing is cut."""


@click.group(short_help="List, check, import and export weights.", cls=VosctlGroup)
def weights() -> None:
    """List, check, import and export weights.

    Weights that are imported go to $VOSCTL_HOME/weights, by default in the user's data directory, and are then taken by
    every command as --weights NAME.
    """


@weights.command("list", short_help="List weights that have a name.")
@json_option
def list_command(as_json: bool) -> None:
    """List the weights that --weights takes by name, shipped and imported."""
    registry = read_registry()
    entries = registry.entries
    _warn(registry)
    if as_json:
        click.echo(json.dumps([_as_json(entry) for entry in entries.values()], indent=2))
        return
    from rich.console import Console

    Console(file=sys.stdout, width=None if sys.stdout.isatty() else PIPE_WIDTH).print(_table(entries.values()))
    for line in filter(None, map(retirement, entries)):
        click.echo(line)
    click.echo(f"Imported weights are kept in {user_folder()}")


@weights.command(short_help="Show all details of one.")
@click.argument("weights", metavar="NAME|FILE", shell_complete=complete_weights)
@json_option
def info(weights: str, as_json: bool) -> None:
    """Show what is known of weights: network, file, digest, heads, references, licence, data, quality.

    Of a FILE, such as one that `vosctl train` wrote, it is what the file itself says.
    """
    entry, contents = _looked_up(weights)
    if as_json:
        click.echo(json.dumps({**_as_json(entry), **contents}, indent=2))
        return
    for title, value in (
        ("name", f"{entry.name or 'none'}, {_origin(entry)}"),
        ("network", entry.network),
        ("file", str(entry.path)),
        ("state", _state(entry)),
        ("sha256", entry.sha256),
        ("values", ", ".join(f"{count:,} {kind}" for kind, count in contents["values"].items())),
        *_of_following(contents),
        *([("outlines", "drawn at full size by a head of their own")] if contents["outlines"] else []),
        ("licence", entry.licence),
        ("trained on", entry.training_data),
        ("quality", entry.quality),
        *([("retired", entry.retired)] if entry.retired else []),
    ):
        click.echo(f"{title:<11} {value}")


@weights.command(short_help="Check files against their sha256.")
@click.argument("weights", nargs=-1, metavar="[NAME]...")
@click.pass_context
def verify(context: click.Context, weights: tuple[str, ...]) -> None:
    """Compare the files of the named weights, or of all, with their registered sha256. Exit 1 when one differs."""
    registry = read_registry()
    chosen = [find_weights(name) for name in weights] if weights else list(registry.entries.values())
    failures = 0
    if registry.problem and not weights:
        failures += 1
        click.echo(f"FAILED  {registry.problem}", err=True)
    for entry in chosen:
        try:
            verify_entry(entry)
            click.echo(f"{entry.name}: ok  {entry.sha256}  {entry.path}")
        except VosctlError as error:
            failures += 1
            click.echo(f"{entry.name}: FAILED  {error}", err=True)
    if failures:
        context.exit(1)


@weights.command("import", short_help="Import a checkpoint under a name.")
@click.argument("file", type=GivenPath(exists=True, path_type=Path))
@click.option("--name", required=True, metavar="NAME", help="Name for --weights.")
@click.option("--licence", metavar="TEXT", help="What the weights may be used for.  [default: what the file says]")
@click.option("--overwrite", is_flag=True, help="Replace imported weights of that name.")
def import_command(file: Path, name: str, licence: str | None, overwrite: bool) -> None:
    """Import FILE under a name, for use as --weights NAME.

    FILE is an official RGMP weights.pth, converted to safetensors value for value, or a .safetensors file of vosctl's,
    such as one that `vosctl train` wrote. A .pth counts as the official release, which is for non-commercial research
    only, unless --licence says otherwise.

    \b
    Examples:
      vosctl weights import weights.pth --name official
      vosctl weights import runs/mine/best.safetensors --name mine --licence "our own, all rights reserved"
    """
    from vosctl.weights.store import import_weights

    entry = import_weights(file, name, licence=licence, overwrite=overwrite)
    click.echo(f"Imported {file} as '{entry.name}' ({entry.network}): {entry.path}")
    click.echo(f"Licence: {entry.licence}")
    click.echo(f"Use it with --weights {entry.name}")


@weights.command("export", short_help="Write weights to a file.")
@click.argument("weights", metavar="NAME|FILE", shell_complete=complete_weights)
@click.argument("output", type=GivenPath(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def export_command(weights: str, output: Path, overwrite: bool) -> None:
    """Write weights to OUTPUT: .pth for the official RGMP layout (keys with `module.`), or .safetensors.

    What was imported from a .pth comes out of it with the same keys and the same values. A .safetensors file says what
    its weights may be used for, and `vosctl weights import` takes that back; the official layout has no place for it.

    \b
    Examples:
      vosctl weights export official weights.pth
      vosctl weights export lite lite.safetensors
    """
    from vosctl.weights.store import export_weights

    click.echo(f"Wrote {export_weights(weights, output, overwrite=overwrite)}")
    entry = read_registry().entries.get(weights)
    if entry is not None and output.suffix != ".safetensors":
        click.echo(f"The file cannot hold the licence, give it when it is imported: {entry.licence}")


@weights.command(short_help="Remove imported weights.")
@click.argument("name")
def remove(name: str) -> None:
    """Forget the imported weights NAME and delete their file. Shipped weights stay."""
    from vosctl.weights.store import remove_weights

    click.echo(f"Removed {remove_weights(name)}")


def _looked_up(weights: str) -> tuple[WeightsEntry, dict[str, Any]]:
    """Return what is known of registered weights or of a file, and what is in them, see `_contents`."""
    if weights in registered_weights() or not is_file_path(weights):
        entry = find_weights(weights)
        return entry, _contents(entry)
    from vosctl.weights.checkpoint import read_checkpoint

    checkpoint = read_checkpoint(Path(weights), task=None)
    licence, data, quality = (checkpoint.metadata.get(fact) or NOT_SAID for fact in FACTS)
    entry = WeightsEntry("", checkpoint.network, checkpoint.path, checkpoint.sha256, licence, data, quality, False)
    if checkpoint.path.suffix == ".safetensors":
        return entry, _contents(entry)
    values = Counter[str]()
    for array in checkpoint.arrays.values():
        values[array.dtype.name] += array.size
    return entry, {"tensors": len(checkpoint.arrays), "values": dict(values), **_abilities(entry.network, set())}


def _origin(entry: WeightsEntry) -> str:
    if entry.shipped:
        return "shipped with vosctl"
    return "imported" if entry.name else "a file; `vosctl weights import` gives it one"


def _state(entry: WeightsEntry) -> str:
    if not entry.name:
        return "whole; not registered, so that there is no digest to compare with"
    try:
        verify_entry(entry)
    except VosctlError as error:
        return f"FAILED: {error}"
    return "verified"


def _as_json(entry: WeightsEntry) -> dict[str, Any]:
    return {
        "name": entry.name or None,
        "network": entry.network,
        "file": str(entry.path),
        "sha256": entry.sha256,
        "state": _state(entry),
        "shipped": entry.shipped,
        "licence": entry.licence,
        "training_data": entry.training_data,
        "quality": entry.quality,
        "retired": entry.retired or None,
    }


def _warn(registry: Registry) -> None:
    if registry.problem:
        click.echo(f"Warning: {registry.problem}", err=True)


def _contents(entry: WeightsEntry) -> dict[str, Any]:
    """Return numbers of tensors and values of a file, which heads the weights have, and what their network reads."""
    from safetensors import SafetensorError, safe_open

    values: dict[str, int] = {}
    tensors = 0
    description = networks().get(entry.network)
    heads = {head for head in HEADS if head_file(entry.path, head).is_file()}
    try:
        with safe_open(entry.path, framework="numpy") as file:
            for key in file.keys():  # noqa: SIM118 - not a mapping
                part = file.get_slice(key)
                count = 1
                for length in part.get_shape():
                    count *= length
                values[part.get_dtype()] = values.get(part.get_dtype(), 0) + count
                tensors += 1
                if description is not None and part_of(key) in description.optional_parts:
                    heads.add(part_of(key))
    except (SafetensorError, OSError) as error:
        reason = printable(error)
        raise VosctlError(f"{entry.path}: damaged or missing ({reason}); see `vosctl weights verify`") from error
    return {"tensors": tensors, "values": values, **_abilities(entry.network, heads)}


def _abilities(network: str, heads: set[str]) -> dict[str, Any]:
    """Return which heads there are, and how many references the network reads; None where it does not follow."""
    description = networks().get(network)
    references = None
    if description is not None and description.task == "follow":
        references = 2 if description.side_by_side else 1
    return {"presence": "presence" in heads, "outlines": OUTLINE in heads, "references": references}


def _of_following(contents: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is to be said of weights that follow objects; nothing of those that only find them."""
    if contents["references"] is None:
        return []
    return [("presence", PRESENCE[contents["presence"]]), ("references", REFERENCES[contents["references"]])]


def _table(entries: Iterable[WeightsEntry]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for title in ("name", "network", "from", "MB", "state", "licence"):
        table.add_column(title, justify="right" if title == "MB" else "left")
    for entry in entries:
        size = f"{entry.path.stat().st_size / 1e6:.1f}" if entry.path.exists() else "-"
        state = "verified" if _state(entry) == "verified" else "FAILED"
        state += ", retired" if entry.retired else ""
        cells = (entry.name, entry.network, "vosctl" if entry.shipped else "import", size, state, entry.licence)
        table.add_row(*map(Text, cells))  # plain text: a licence may hold what rich takes for its markup
    return table
