"""Many short clips through `vosctl batch`: its time, its memory and files over a long run, and what kills leave.

    python benchmarks/batch.py speed [--clips 200]       # against as many separate `vosctl segment` calls
    python benchmarks/batch.py soak [--frames 100000]    # memory and open files of every process, as it goes on
    python benchmarks/batch.py kill [--times 10]         # kill -9 of all processes, then --resume: the same bytes?

The clips are pieces of the demo scene, small, so that what is measured is what is round the network. All is run
as a user would, in processes of its own, on the CPU. `soak` exits 1 when memory or files rise over its second half,
`kill` when a byte differs. Needs psutil.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
import psutil

from vosctl.demo.scene import PERIOD, Scene
from vosctl.types import Labels, RGBImage
from vosctl.video.masks import write_indexed_png

VOSCTL = (sys.executable, "-m", "vosctl")
SMALL = ("--window-size", "64", "--device", "cpu")
DIFFERENT = 20
"""Clips that are made; a longer list names them again and again."""
READING_SECONDS = 5.0
ALLOWED_SLOPE = 0.1
"""MB per thousand frames that a process may rise by: noise of the allocator over processes of a few hundred MB."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of the clips, in pixels and frames."""

    width: int
    height: int
    frames: int


@cache
def scene_of(width: int, height: int) -> list[tuple[RGBImage, Labels]]:
    """Draw one period of the demo scene."""
    scene = Scene(width, height)
    return [scene.frame(index) for index in range(PERIOD)]


def make_clip(path: Path, size: Size, begin: int = 0) -> None:
    """Make a clip and the mask of its first frame, beside it."""
    frames = scene_of(size.width, size.height)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "23", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = size.width, size.height, "yuv420p"
        for index in range(size.frames):
            image, labels = frames[(begin + index) % PERIOD]
            if index == 0:
                write_indexed_png(path.with_suffix(".png"), (labels == 1).astype(np.uint8))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def make_list(folder: Path, clips: int, size: Size) -> Path:
    """Make clips and a list of as many jobs as are wanted."""
    for number in range(min(DIFFERENT, clips)):
        make_clip(folder / f"clip{number:02}.mp4", size, 3 * number)
    lines = []
    for number in range(clips):
        clip = f"clip{number % DIFFERENT:02}"
        lines.append(json.dumps({"name": f"{number:05}", "source": f"{clip}.mp4", "first_mask": f"{clip}.png"}))
    path = folder / "jobs.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def batch(jobs: Path, output: Path, outputs: str, *more: str) -> list[str]:
    """Return the command of a run."""
    return [*VOSCTL, "batch", str(jobs), "-o", str(output), "--outputs", outputs, "-q", *SMALL, *more]


def speed(folder: Path, clips: int, workers: int) -> int:
    """Time a batch against a loop of `vosctl segment`."""
    jobs = make_list(folder, clips, Size(160, 96, 15))
    begun = time.perf_counter()
    subprocess.run(batch(jobs, folder / "out", "masks", "--jobs", str(workers)), check=True)
    together = time.perf_counter() - begun
    begun = time.perf_counter()
    for line in jobs.read_text().splitlines():
        job = json.loads(line)
        source, mask = folder / job["source"], folder / job["first_mask"]
        command = [*VOSCTL, "segment", str(source), "--first-mask", str(mask), "-q", *SMALL]
        subprocess.run([*command, "--masks", str(folder / "one" / job["name"])], check=True)
    apart = time.perf_counter() - begun
    same = all(
        digests(folder / "out" / job / "masks") == digests(folder / "one" / job)
        for job in (json.loads(line)["name"] for line in jobs.read_text().splitlines())
    )
    print(f"{clips} clips of 15 frames: batch {together:.1f} s with {workers} processes, segment {apart:.1f} s")
    print(f"batch takes {together / apart:.2f} of the time; the masks are {'the same' if same else 'NOT the same'}")
    return int(not same)


def soak(folder: Path, frames: int, workers: int, length: int) -> int:
    """Watch memory and open files over many clips."""
    jobs = make_list(folder, -(-frames // length), Size(96, 64, length))
    process = subprocess.Popen(batch(jobs, folder / "out", "masks,overlay", "--jobs", str(workers)))
    readings: list[tuple[int, list[float], list[int]]] = []
    begun, shown = time.perf_counter(), 0.0
    while process.poll() is None:
        time.sleep(READING_SECONDS)
        with suppress(psutil.Error, OSError):
            every = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
            every = [one for one in every if "resource_tracker" not in " ".join(one.cmdline())]
            done = length * (folder / "out" / "results.jsonl").read_bytes().count(b"\n")
            memory = [one.memory_info().rss / 1e6 for one in every]
            if len(every) == workers + 1 and done:
                readings.append((done, memory, [one.num_fds() for one in every]))
        if readings and time.perf_counter() - shown > 60:
            shown = time.perf_counter()
            print_reading(*readings[-1], shown - begun)
    print_reading(*readings[-1], time.perf_counter() - begun)
    return int(process.returncode != 0 or not is_flat(readings))


def print_reading(done: int, memory: list[float], files: list[int], seconds: float) -> None:
    """Print what each process holds, the one that the user started first."""
    held = ", ".join(f"{one:.1f}" for one in memory)
    print(f"{done:7} frames {done / seconds:6.1f} fps: {held} MB, {', '.join(map(str, files))} open files", flush=True)


def is_flat(readings: list[tuple[int, list[float], list[int]]]) -> bool:
    """Tell whether memory and files stay as they are over the second half."""
    half = readings[len(readings) // 2 :]
    frames = [done for done, _, _ in half]
    slopes = [1000 * float(np.polyfit(frames, held, 1)[0]) for held in zip(*(one for _, one, _ in half), strict=True)]
    most = [max(one) for one in zip(*(files for _, _, files in half), strict=True)]
    before = [max(one) for one in zip(*(files for _, _, files in readings[: len(half)]), strict=True)]
    named = ", ".join(f"{slope:+.3f}" for slope in slopes)
    print(f"second half, MB per 1000 frames of each process: {named}; most open files {most}, before {before}")
    return all(slope <= ALLOWED_SLOPE for slope in slopes) and all(a <= b for a, b in zip(most, before, strict=True))


def kill(folder: Path, times: int, workers: int, seed: int) -> int:
    """Kill all processes at random moments, and compare what is there after --resume with a run without a kill."""
    for number in range(12):
        make_clip(folder / "v" / f"short{number:02}.mp4", Size(96, 64, 20), 5 * number)
    make_clip(folder / "v" / "long.mp4", Size(96, 64, 1100))
    chance = random.Random(seed)

    def command(output: str, *more: str) -> list[str]:
        return batch(folder / "v", folder / output, "masks,overlay,rle", "--jobs", str(workers), *more)

    begun = time.perf_counter()
    subprocess.run(command("whole"), check=True)
    seconds = time.perf_counter() - begun
    whole, bad = digests(folder / "whole"), 0
    print(f"without a kill: {seconds:.1f} s, {len(whole)} files", flush=True)
    number = 0
    while number < times:
        output, after = f"killed{number}", chance.uniform(0, seconds)
        process = subprocess.Popen(command(output), start_new_session=True, stderr=subprocess.DEVNULL)
        begun = time.perf_counter()
        with suppress(subprocess.TimeoutExpired):
            process.wait(after)
            seconds = min(seconds, time.perf_counter() - begun)  # the machine is faster now: it was over before
            shutil.rmtree(folder / output)
            continue
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        number += 1
        left = digests(folder / output)
        done = [path for path in left if left[path] == whole.get(path)]
        tracks = len(list((folder / output / ".vosctl").glob("*.vostrack")))
        subprocess.run(command(output, "--resume"), check=True)
        same = digests(folder / output) == whole
        bad += not same
        print(
            f"killed after {after:4.1f} s: {len(done)} of {len(whole)} files whole, {len(left) - len(done)} others, "
            f"{tracks} tracks to go on from; after --resume {'the same bytes' if same else 'NOT the same'}",
            flush=True,
        )
    return int(bad > 0)


def digests(folder: Path) -> dict[str, str]:
    """Return what is in a folder, by the files' paths: all but the file of results, which has times in it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "results.jsonl"
    }


def main() -> int:
    """Run one of the three; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "soak", "kill"])
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--length", type=int, default=50, help="frames of each clip of soak")
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "v").mkdir()
        if chosen.what == "speed":
            return speed(folder, chosen.clips, chosen.workers)
        if chosen.what == "soak":
            return soak(folder, chosen.frames, chosen.workers, chosen.length)
        return kill(folder, chosen.times, chosen.workers, chosen.seed)


if __name__ == "__main__":
    sys.exit(main())
