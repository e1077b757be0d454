"""Kinds: checkpoints, graphs, the user's registry, training settings and command lines."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path

import click
import numpy as np
from click.testing import CliRunner

from tests.fuzz.kinds import kind
from tests.fuzz.mutations import NASTY_NUMBERS, NASTY_TEXTS, Rng, damage, damage_text, json_bytes, pick
from vosctl.errors import VosctlError

_EXIT_STATUSES = (0, 1, 2, 130, 141)


class CommandFaultError(Exception):
    """A command line that ended neither well nor with vosctl's own error."""


def run_command(arguments: list[str], home: Path) -> list[str]:
    """Run a command line in this process; an error that it words is raised again."""
    from vosctl.cli import cli

    environment = {"VOSCTL_HOME": str(home)}
    result = CliRunner().invoke(cli, arguments, env=environment, prog_name="vosctl")
    said = result.output.strip()
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if "this is a bug" in said:
        raise CommandFaultError(next(line for line in said.splitlines() if "this is a bug" in line)[:300])
    if result.exit_code not in _EXIT_STATUSES:
        raise CommandFaultError(f"exit status {result.exit_code}")
    if result.exit_code in (1, 2):
        if not said:
            raise CommandFaultError(f"exit status {result.exit_code} without a word")
        raise VosctlError(said.splitlines()[-1])
    return []


def _safetensors(rng: Rng, samples: Path, folder: Path) -> Path:
    """The header damaged as JSON, with its length made right, or the whole file as bytes."""
    data = (samples / "safetensors" / "small.safetensors").read_bytes()
    path = folder / f"input{pick(rng, ('.safetensors',) * 9 + ('.pth',))}"
    if rng.random() < 0.6:
        length = struct.unpack("<Q", data[:8])[0]
        header = json_bytes(rng, json.loads(data[8 : 8 + length]))
        data = struct.pack("<Q", len(header)) + header + data[8 + length :]
    else:
        data = damage(rng, data)
    path.write_bytes(data)
    return path


@kind("safetensors", 2, _safetensors)
def load_weights(rng: Rng, path: Path) -> Iterable[str] | None:
    """Load a checkpoint into an engine, or take it into the user's folder."""
    from tests.fuzz.samples import tiny_network
    from tests.helpers.networks import register_network
    from vosctl.engine import create_engine

    if rng.random() < 0.2:
        with register_network(tiny_network()):
            return run_command(["weights", "import", str(path), "--name", "mine"], path.parent / "home")
    if rng.random() < 0.3:  # the graphs are those of the package's own network, whose shapes are others
        create_engine(str(path), engine="onnx", device="cpu")
    else:
        with register_network(tiny_network()):
            create_engine(str(path), engine="torch", device="cpu")
    return None


def _pth(rng: Rng, samples: Path, folder: Path) -> Path:
    """A pickled checkpoint: its bytes, or those of the pickle inside the archive, damaged."""
    import io
    import zipfile

    source = pick(rng, sorted((samples / "pth").iterdir()))
    data = source.read_bytes()
    if zipfile.is_zipfile(source) and rng.random() < 0.6:
        changed = io.BytesIO()
        with zipfile.ZipFile(source) as archive, zipfile.ZipFile(changed, "w") as output:
            for name in archive.namelist():
                content = archive.read(name)
                output.writestr(name, damage(rng, content) if name.endswith("data.pkl") else content)
        data = changed.getvalue()
    else:
        data = damage(rng, data)
    path = folder / f"input{pick(rng, ('.pth', '.pth', '.pt', '.bin', '.ckpt', '.safetensors'))}"
    path.write_bytes(data)
    return path


kind("pth", 3, _pth)(load_weights)


def _settings(rng: Rng, samples: Path, folder: Path) -> Path:
    text = (samples / "settings" / "settings.toml").read_text()
    choice = rng.random()
    if choice < 0.04:
        data = (text + "x = " + "[" * 5000 + "]" * 5000).encode()
    elif choice < 0.08:
        data = text.replace("= 5", "= " + "9" * 5000).encode()
    else:
        data = damage_text(rng, text)
    path = folder / "settings.toml"
    path.write_bytes(data)
    return path


@kind("settings", 2, _settings)
def train_with(rng: Rng, path: Path) -> Iterable[str]:
    """Begin a training run whose data do not exist."""
    return run_command(["train", "--settings", str(path), "-o", str(path.parent / "run")], path.parent / "home")


def _registry(rng: Rng, samples: Path, folder: Path) -> Path:
    home = folder / "home" / "weights"
    home.mkdir(parents=True)
    path = home / "registry.json"
    path.write_bytes(json_bytes(rng, json.loads((samples / "registry" / "registry.json").read_text())))
    if rng.random() < 0.5:
        (home / "mine.safetensors").write_bytes((samples / "safetensors" / "small.safetensors").read_bytes())
    return path


@kind("registry", 2, _registry)
def use_registry(rng: Rng, path: Path) -> Iterable[str]:
    """List, verify or remove the user's weights, or ask for some by name."""
    commands = (["list"], ["list", "--json"], ["verify"], ["info", "mine"], ["remove", "mine"], ["info", "nonesuch"])
    return run_command(["weights", *pick(rng, commands)], path.parents[1])


def _onnx(rng: Rng, samples: Path, folder: Path) -> Path:
    """An export whose graphs or metadata are damaged, swapped or missing."""
    target = folder / "export"
    shutil.copytree(samples / "onnx", target)
    files = sorted(path for path in target.iterdir() if path.suffix != ".md")
    victim = pick(rng, files)
    choice = rng.random()
    if choice < 0.05:
        victim.unlink()
    elif choice < 0.1:
        victim.write_bytes(pick(rng, files).read_bytes())
    elif choice < 0.5 and victim.suffix == ".onnx":
        _damage_metadata(rng, victim)
    else:
        victim.write_bytes(damage(rng, victim.read_bytes()))
    return target


def _damage_metadata(rng: Rng, path: Path) -> None:
    import onnx

    model = onnx.load(path)
    if model.metadata_props:
        entry = pick(rng, list(model.metadata_props))
        text = damage_text(rng, entry.value).decode("utf-8", "replace")
        entry.value = pick(rng, (text, str(pick(rng, NASTY_NUMBERS)), ""))
    if rng.random() < 0.3 and model.graph.node:
        del model.graph.node[int(rng.integers(len(model.graph.node)))]
    onnx.save(model, path)


@kind("onnx", 1, _onnx)
def run_graphs(rng: Rng, path: Path) -> None:
    """Open an export and follow an object for one frame."""
    from vosctl.engine import create_engine

    engine = create_engine(str(path), engine="onnx", device="cpu", threads=1)
    image = np.zeros((64, 96, 3), np.uint8)
    mask = np.zeros((64, 96), np.float32)
    mask[20:40, 20:40] = 1
    state = engine.encode_reference(image, mask)
    engine.propagate(image[None], mask[None], [state])


_BASE = {
    "segment": ["videos/h264.mkv", "--first-mask", "masks/davis.png", "--max-frames", "2", "-q"],
    "eval": ["nowhere"],
    "export-onnx": ["--weights", "pth/zip.pth"],
    "train": [],
    "webcam": ["videos/h264.mkv", "--no-window", "--box", "5,5,20,20", "--max-frames", "2", "-q"],
    "weights list": [],
    "weights info": ["lite"],
    "weights verify": [],
    "weights import": ["pth/zip.pth", "--name", "mine"],
    "weights export": ["lite"],
    "weights remove": ["mine"],
    "bench": [],
    "demo": [],
}
_ENDLESS = {"bench": ["--weights", "nonesuch"], "demo": ["--weights", "nonesuch"]}
"""What makes commands that work for minutes stop before they begin."""
_PATHS = (
    "masks/davis.png",
    "masks",
    "videos/h264.mkv",
    "images",
    "nowhere",
    "nowhere/x.mp4",
    "x.mp4",
    "x",
    "x.json",
    ".",
)
_MOST_THREADS = 64


def _options(rng: Rng, samples: Path, folder: Path) -> Path:
    """A command line: a valid one with options set to what they were not made for."""
    name = pick(rng, list(_BASE))
    arguments = [*name.split(" "), *_BASE[name]]
    for option in _drawn_options(rng, name):
        arguments[len(name.split(" ")) + int(rng.integers(2)) * len(_BASE[name]) :] += option
    if rng.random() < 0.1 and len(arguments) > 2:
        arguments[int(rng.integers(1, len(arguments)))] = _value(rng)
    path = folder / "arguments.json"
    path.write_text(json.dumps({"samples": str(samples), "arguments": [*arguments, *_ENDLESS.get(name, [])]}))
    return path


def _drawn_options(rng: Rng, name: str) -> list[list[str]]:
    from vosctl.cli import cli

    context = click.Context(cli, info_name="vosctl")
    command: click.Command = cli
    for part in name.split(" "):
        found = command.get_command(context, part) if isinstance(command, click.Group) else None
        if found is None:
            raise ValueError(f"{name}: no such command")
        command = found
    options = [item for item in command.params if isinstance(item, click.Option) and item.name != "threads"]
    drawn = []
    for _ in range(int(rng.integers(1, 4))):
        if not options:
            break
        option = pick(rng, options)
        flag = pick(rng, option.opts)
        drawn.append([flag] if option.is_flag else [flag, _value(rng, option.type)])
    return drawn


def _value(rng: Rng, of: click.ParamType | None = None) -> str:
    if isinstance(of, click.Choice) and rng.random() < 0.6:
        return str(pick(rng, list(of.choices)))
    if isinstance(of, click.Path) and rng.random() < 0.7:
        return str(pick(rng, _PATHS))
    numbers = [str(number) for number in NASTY_NUMBERS]
    lists = ",".join(pick(rng, numbers) for _ in range(int(rng.integers(1, 6))))
    value = pick(rng, (pick(rng, numbers), pick(rng, NASTY_TEXTS), lists, pick(rng, _PATHS)))
    return value.replace("\x00", "").encode("utf-8", "replace").decode()


@kind("options", 2, _options)
def run_options(rng: Rng, path: Path) -> Iterable[str]:
    """Run the command line in a folder with the samples."""
    request = json.loads(path.read_text())
    place = path.parent / "place"
    place.mkdir()
    for name in ("masks", "videos", "images", "pth"):
        shutil.copytree(Path(request["samples"]) / name, place / name)
    before = Path.cwd()
    os.chdir(place)
    try:
        return run_command(request["arguments"], path.parent / "home")
    finally:
        os.chdir(before)
