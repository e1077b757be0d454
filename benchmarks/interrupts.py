"""Interrupt real runs at random moments and tell how they ended.

    python benchmarks/interrupts.py --runs 8

Each case starts the program, waits until frames are written (or not, where the start is the point), sends its signals
with random pauses, and looks at what is left: the exit status, whether every file that is left was announced, whether
it plays, and how long the end took. The table is Markdown; a run that did not end as it should is listed below it.
"""

from __future__ import annotations

import argparse
import array
import fcntl
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import av

from vosctl.demo.scene import render_demo
from vosctl.video.masks import write_indexed_png

WIDTH, HEIGHT, FRAMES, REPEATS = 1920, 1080, 12, 25
LONGEST = 40.0  # seconds after the last signal; what still lives then is ended by force
WRITTEN = 100_000  # bytes on the disk, from which on a run is taken to be under way
SMALLEST_PIPE = 4096  # bytes; a reader that does not read soon holds the writer up
INT, TERM, HUP, QUIT = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of interrupted run.

    Attributes:
        name: its row in the table.
        arguments: of `vosctl`.
        signals: what is sent.
        gap: seconds between two of them, from and to.
        delay: seconds before the first: from when frames are being written, or from the start, see `from_start`.
        from_start: whether to count from the start of the program.
        stdin: what standard input gives before it falls silent: "nothing" or "frames"; None where it is not read.
        reader: whether somebody reads standard output.
    """

    name: str
    arguments: tuple[str, ...]
    signals: tuple[signal.Signals, ...] = (INT,)
    gap: tuple[float, float] = (0.02, 0.2)
    delay: tuple[float, float] = (0.2, 1.5)
    from_start: bool = False
    stdin: str | None = None
    reader: bool = True


@dataclass(slots=True)
class Outcome:
    """How one run ended; `faults` is empty where all is as it should be."""

    status: int
    seconds: float
    kept: int = 0
    faults: list[str] = field(default_factory=list)
    errors: str = ""


SEGMENT = ("segment", "clip.mp4", "--first-mask", "mask.png", "--device", "cpu")
PIPED = ("segment", "-", "--first-mask", "mask.png", "--device", "cpu")
LIVE = ("webcam", "clip.mp4", "--no-window", "--first-mask", "mask.png", "--device", "cpu")

CASES = (
    Case("Ctrl-C, ProRes cutout", (*SEGMENT, "--cutout", "cut.mov")),
    Case("Ctrl-C twice, ProRes cutout", (*SEGMENT, "--cutout", "cut.mov"), (INT, INT)),
    Case(
        "Ctrl-C three times, four outputs",
        (*SEGMENT, "--cutout", "cut.mov", "--overlay", "o.mp4", "--matte", "m.mkv", "--masks", "masks"),
        (INT, INT, INT),
    ),
    Case("SIGTERM, overlay", (*SEGMENT, "--overlay", "o.mp4"), (TERM,)),
    Case("SIGHUP, overlay and masks", (*SEGMENT, "--overlay", "o.mp4", "--masks", "masks"), (HUP,)),
    Case("SIGQUIT, overlay", (*SEGMENT, "--overlay", "o.mkv"), (QUIT,)),
    Case(
        "SIGTERM, reader of `--rle -` stopped",
        (*SEGMENT, "--rle", "-", "--overlay", "o.mp4"),
        (TERM,),
        delay=(3.0, 5.0),
        reader=False,
    ),
    Case(
        "Ctrl-C twice, reader of `--json` stopped",
        (*SEGMENT, "--json", "--overlay", "o.mp4"),
        (INT, INT),
        delay=(3.0, 5.0),
        reader=False,
    ),
    Case("Ctrl-C, stdin stalled", (*PIPED, "--overlay", "o.mp4"), stdin="frames", delay=(1.0, 2.0)),
    Case(
        "Ctrl-C three times, stdin stalled",
        (*PIPED, "--cutout", "cut.mov"),
        (INT, INT, INT),
        stdin="frames",
        delay=(1.0, 2.0),
    ),
    Case(
        "Ctrl-C, stdin without a byte",
        (*PIPED, "--overlay", "o.mp4"),
        from_start=True,
        delay=(1.5, 3.0),
        stdin="nothing",
    ),
    Case(
        "Ctrl-C, silent server",
        ("segment", "http://127.0.0.1:{port}/a.mp4", *SEGMENT[2:], "--overlay", "o.mp4"),
        from_start=True,
        delay=(1.5, 3.0),
    ),
    Case(
        "Ctrl-C at any time from the start",
        (*SEGMENT, "--overlay", "o.mp4"),
        (INT, INT),
        from_start=True,
        delay=(0.05, 4.0),
    ),
    Case("Ctrl-C twice, live recording", (*LIVE, "--record", "r.mp4"), (INT, INT), delay=(0.5, 2.0)),
    Case("SIGHUP, live recording", (*LIVE, "--record", "r.mp4", "--masks", "masks"), (HUP,), delay=(0.5, 2.0)),
)


def make_inputs(folder: Path) -> None:
    """Return a 1080p clip of some seconds as mp4 and, for standard input, as Matroska; the mask of its first frame."""
    frames = list(render_demo(FRAMES, WIDTH, HEIGHT))
    write_indexed_png(folder / "mask.png", frames[0][1])
    for name in ("clip.mp4", "clip.mkv"):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"crf": "23", "preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for _ in range(REPEATS):
                for image, _labels in frames:
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))


@contextmanager
def silent_server() -> Iterator[int]:
    """Run a server that takes connections and never says a word; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def run_case(case: Case, inputs: Path, folder: Path, port: int, chance: random.Random) -> Outcome | None:
    """Run a case once, in an empty folder; None when the run was over before it could be interrupted."""
    for name in ("clip.mp4", "mask.png"):
        (folder / name).symlink_to(inputs / name)
    command = [sys.executable, "-m", "vosctl", *(argument.format(port=port) for argument in case.arguments)]
    with (folder / "errors.txt").open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE if case.stdin else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if case.reader else subprocess.PIPE,
            pipesize=-1 if case.reader else SMALLEST_PIPE,
            stderr=errors,
        )
    if case.stdin == "frames" and process.stdin is not None:
        data = (inputs / "clip.mkv").read_bytes()
        process.stdin.write(data[: len(data) // 8])
        process.stdin.flush()
    if not case.from_start:
        wait_for_outputs(folder, process)
    if process.stdout is not None:
        wait_for_full_pipe(process.stdout.fileno(), process)
    time.sleep(chance.uniform(*case.delay))
    if process.poll() == 0:
        return None
    begun = time.monotonic()
    for number in case.signals:
        with suppress(ProcessLookupError):
            process.send_signal(number)
        time.sleep(chance.uniform(*case.gap))
    hung = False
    try:
        process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        hung = True
        process.kill()
        process.wait()
    outcome = Outcome(process.returncode, time.monotonic() - begun)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    judge(outcome, case, folder)
    if hung:
        outcome.faults = ["hung"]
    return outcome


def wait_for_outputs(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Until frames have been written to the disk, or the program has ended."""
    while process.poll() is None and written_in(folder) < WRITTEN:
        time.sleep(0.01)


def written_in(folder: Path) -> int:
    """Return the bytes in the files of a folder, links to the inputs not counted."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size
    return total


def wait_for_full_pipe(descriptor: int, process: subprocess.Popen[bytes]) -> None:
    """Until the writer of a pipe is held up, or the program has ended."""
    waiting, before = array.array("i", [0]), -1
    while process.poll() is None and not waiting[0] == before > SMALLEST_PIPE // 2:
        before = waiting[0]
        time.sleep(0.5)
        fcntl.ioctl(descriptor, termios.FIONREAD, waiting)


def judge(outcome: Outcome, case: Case, folder: Path) -> None:
    """Look at what a run left and said."""
    outcome.errors = (folder / "errors.txt").read_text(errors="replace")
    announced = set(re.findall(r"(?:Kept what was whole: |Wrote )(.+)", outcome.errors))
    left = {path.name for path in folder.iterdir() if not path.is_symlink() and path.name != "errors.txt"}
    outcome.kept = len(left)
    if outcome.status != 128 + case.signals[0]:
        outcome.faults.append(f"status {outcome.status}")
    if "Traceback" in outcome.errors or "Fatal" in outcome.errors:
        outcome.faults.append("traceback")
    outcome.faults += [f"{name} not announced" for name in sorted(left - announced) if "--json" not in case.arguments]
    outcome.faults += [f"{name} announced, not there" for name in sorted(announced - left) if name != "-"]
    outcome.faults += [f"{name} does not play" for name in sorted(left) if not plays(folder / name)]


def plays(path: Path) -> bool:
    """Return whether every frame of a video decodes, or a folder holds pictures."""
    if path.is_dir():
        return any(path.iterdir())
    try:
        with av.open(str(path)) as container:
            return sum(1 for _ in container.decode(video=0)) > 0
    except (av.FFmpegError, IndexError):
        return False


def row(case: Case, outcomes: list[Outcome]) -> str:
    """Return a line of the table."""
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(Counter(o.status for o in outcomes).items()))
    faults = ", ".join(f"{what}: {count}" for what, count in Counter(f for o in outcomes for f in o.faults).items())
    kept, longest = sum(o.kept for o in outcomes), max(o.seconds for o in outcomes)
    return f"| {case.name} | {len(outcomes)} | {statuses} | {kept} | {longest:.1f} s | {faults or 'none'} |"


def main() -> None:
    """Interrupt every case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs of each case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    for number in (INT, TERM, HUP, QUIT):  # what is ignored here (nohup, a job in the background) would be there too
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    print("| interrupted | runs | exit status | files left | longest end | faults |")
    print("|---|---|---|---|---|---|", flush=True)
    bad = []
    with tempfile.TemporaryDirectory() as made, silent_server() as port:
        make_inputs(Path(made))
        for case in CASES:
            if options.only not in case.name:
                continue
            outcomes: list[Outcome] = []
            while len(outcomes) < options.runs:
                with tempfile.TemporaryDirectory() as folder:
                    outcome = run_case(case, Path(made), Path(folder), port, chance)
                if outcome is not None:
                    outcomes.append(outcome)
            print(row(case, outcomes), flush=True)
            bad += [(case, outcome) for outcome in outcomes if outcome.faults]
    for case, outcome in bad:
        print(f"\n{case.name}: {', '.join(outcome.faults)}\n{outcome.errors.strip()[-600:]}", file=sys.stderr)
    sys.exit(bool(bad))


if __name__ == "__main__":
    os.environ["PYTHONUNBUFFERED"] = "1"
    main()
