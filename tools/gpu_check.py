"""Ten minutes of a GPU spent well: tests, agreement, speed, a profile, end to end, in one report to bring back.

python tools/gpu_check.py prepare           # here: what a machine without internet lacks, packed into .gpu/
python tools/gpu_check.py run --out REPORT  # there, from the repository's folder

`run` unpacks .gpu/ where it is there, runs each part of `tools/gpu_parts.py` in a process of its own under a limit,
and writes report.md and report.json after every part, so that what is cut off has left what was done. A part that fails
stops no other. `--device cpu --frames 4` tries it without a GPU.
"""

from __future__ import annotations

import json
import lzma
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
PACKED = ROOT / ".gpu" / "packages.tar.xz"
LIMIT = 64 * 2**20
"""Bytes that such a machine may take, the repository's own files included."""
LOG = 3000  # characters
PACKAGES = ("av", "natsort", "platformdirs", "simplejpeg", "pycocotools")
"""What a machine with torch, ONNX Runtime, onnx, OpenCV, click, rich, safetensors and pytest may still lack."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the check.

    Attributes:
        name: of the function in `gpu_parts` that it is.
        title: in the report.
        seconds: that it may take.
    """

    name: str
    title: str
    seconds: float


PARTS = (
    Part("environment", "Machine, versions, doctor", 60),
    Part("tests", "Tests marked gpu", 90),
    Part("agreement", "Agreement with the CPU's masks, share of equal labels in the worst frame", 90),
    Part("tracking", "Network and tracking, frames a second at 854x480", 80),
    Part("full_frame", "ResNet-50 on the full frame, and the paper's protocol against the official structure", 90),
    Part("end_to_end", "Decoding, tracking and masks, frames a second", 70),
    Part("video", "Decoders and encoders, frames a second", 50),
    Part("providers", "ONNX Runtime's providers", 60),
    Part("profile", "One step, profiled", 40),
    Part("bench", "What vosctl bench measures, plain", 60),
    Part("compiling", "torch.compile, frames a second", 90),
)
AIMS = {
    "agreement": dict.fromkeys([f"flower, a real clip, {one}, on_device" for one in ("bf16", "fp16")], "0.995"),
    "tracking": {
        "lite, 1 objects, bf16, on_device": "1000",
        "lite, 7 objects, bf16, on_device": "half of one object's",
    },
    "full_frame": {
        "1 objects, full frame, on_device, bf16": "400",
        "1 objects, paper protocol, on_device, bf16": "8 times the official structure",
    },
    "end_to_end": {"480p, 1 objects, masks, on_device": "300", "1080p, 1 objects, masks, on_device": "150"},
}
"""What is aimed at on one H100, by part and name of the result."""


@dataclass(slots=True)
class Outcome:
    """What came of a part.

    Attributes:
        part: its name.
        seconds: that it took.
        problem: what went wrong, one line; empty when nothing did.
        result: what it found, as JSON; what it had found so far where it was cut off.
        log: the end of what it wrote on standard error, where something went wrong.
    """

    part: str
    seconds: float
    problem: str = ""
    result: dict[str, object] = field(default_factory=dict)
    log: str = ""


def run_part(
    command: Sequence[str], part: Part, seconds: float, environment: Mapping[str, str] | None = None
) -> Outcome:
    """Run a part in a process of its own, which prints JSON objects, one a line, each with some more results.

    Args:
        command: what runs it.
        part: the part.
        seconds: that it may take.
        environment: its environment variables; None for those of this process.
    """
    begun = time.monotonic()
    problem = ""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, stdout=output, stderr=errors, cwd=ROOT, env=environment, start_new_session=True
        )
        try:
            status = process.wait(seconds)
            problem = f"ended with status {status}" if status else ""
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # what it has started too
            process.wait()
            problem = f"cut off after {seconds:.0f} seconds"
        output.seek(0)
        errors.seek(0)
        lines, said = output.read().splitlines(), errors.read().strip()
    if problem.startswith("ended") and said:
        problem += f": {said.splitlines()[-1][:300]}"
    result: dict[str, object] = {}
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            result |= found
    return Outcome(part.name, round(time.monotonic() - begun, 1), problem, result, said[-LOG:] if problem else "")


def write_report(folder: Path, outcomes: Sequence[Outcome], titles: dict[str, str]) -> None:
    """Write report.json and report.md."""
    (folder / "report.json").write_text(json.dumps([asdict(one) for one in outcomes], indent=1), encoding="utf-8")
    lines = ["# GPU check", ""]
    for one in outcomes:
        lines += [f"## {titles[one.part]}", "", f"{one.seconds} s" + (f"; **{one.problem}**" if one.problem else "")]
        aims = AIMS.get(one.part, {})
        lines += ["", *(_told(name, value, aims.get(name, "")) for name, value in one.result.items()), ""]
        lines += [_told("standard error", f"{one.log}\n")] if one.log else []
    (folder / "report.md").write_text("\n".join(lines), encoding="utf-8")


def _told(name: str, value: object, aim: str = "") -> str:
    if isinstance(value, str) and "\n" in value:
        return f"\n{name}:\n\n```\n{value.rstrip()}\n```\n"
    told = f"- {name}: {f'{value:.4g}' if isinstance(value, float) else value}"
    return f"{told} (aim: {aim})" if aim else told


@click.group()
def main() -> None:
    """Check vosctl on a GPU."""


@main.command()
@click.option("--python", "version", default="3.12", show_default=True, help="Version of Python there.")
def prepare(version: str) -> None:
    """Pack the wheels that a machine without internet lacks into .gpu/."""
    PACKED.parent.mkdir(exist_ok=True)
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    with tempfile.TemporaryDirectory() as wheels, tempfile.TemporaryDirectory() as unpacked:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--python-version",
             version, "--implementation", "cp", *platforms, "-d", wheels, *PACKAGES],
            check=True,
        )  # fmt: skip
        for wheel in Path(wheels).glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(unpacked)
        preset = 9 | lzma.PRESET_EXTREME  # a third less than the wheels
        with lzma.open(PACKED, "wb", preset=preset) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
            archive.add(unpacked, "")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tree = sum((ROOT / name).stat().st_size for name in listed.split("\0") if name and (ROOT / name).is_file())
    total = tree + PACKED.stat().st_size
    click.echo(
        f"{PACKED.relative_to(ROOT)}: {PACKED.stat().st_size / 2**20:.1f} MiB, {total / 2**20:.1f} with the tree"
    )
    if total > LIMIT:
        raise click.ClickException(f"more than {LIMIT >> 20} MiB: leave weights that are not needed out of the tree")


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / ".gpu" / "report", help="Folder of the report.")
@click.option("--device", default="cuda", show_default=True)
@click.option("--frames", default=200, show_default=True, help="Frames measured in a case.")
@click.option("--minutes", default=8.5, show_default=True, help="For all; parts that find none left are left out.")
@click.option("--only", default="", help="Parts, with commas between them.")
@click.option("--without", default="", help="Parts to leave out, likewise.")
@click.option(
    "--packed", type=click.Path(path_type=Path), default=PACKED, help="What `prepare` has packed, if it is there."
)
def run(out: Path, device: str, frames: int, minutes: float, only: str, without: str, packed: Path) -> None:
    """Run the parts and write the report."""
    out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * minutes
    wanted = [
        part for part in PARTS if (not only or part.name in only.split(",")) and part.name not in without.split(",")
    ]
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as site:  # of this run alone: another one may be loading from its own
        environment = {**os.environ, "PYTHONPATH": _python_path(packed, Path(site))}
        for part in wanted:
            seconds = min(part.seconds, end - time.monotonic())
            command = [sys.executable, str(ROOT / "tools" / "gpu_parts.py"), part.name, device, str(frames)]
            if seconds < 5:
                outcomes.append(Outcome(part.name, 0.0, "left out: no time was left"))
            else:
                outcomes.append(run_part(command, part, seconds, environment))
            write_report(out, outcomes, {one.name: one.title for one in PARTS})
            last = outcomes[-1]
            click.echo(f"{part.name}: {last.seconds} s {last.problem or 'done'}")
    click.echo((out / "report.md").read_text(encoding="utf-8"))


def _python_path(packed: Path, site: Path) -> str:
    """Unpack what was packed, where it is there, and return the path on which Python finds it and this tree."""
    places = [str(ROOT)]
    if packed.exists():
        with tarfile.open(packed, "r:xz") as archive:
            archive.extractall(site, filter="data")
        places.append(str(site))
    return os.pathsep.join([*places, *filter(None, [os.environ.get("PYTHONPATH")])])


if __name__ == "__main__":
    main()
