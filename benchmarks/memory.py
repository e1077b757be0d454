"""Watch the memory of a long run: source -> tracker -> every output, thousands of frames through the real pipeline.

    python benchmarks/memory.py [--frames 20000] [--window-size 160] [--weights lite] [--size 432x240]

The frames are the demo scene, over and over, piped in as y4m, so that decoding is part of it; the outputs go to a
temporary folder. Every thousand frames it prints the resident memory and how much of the heap is in use, which Python's
objects are part of here; what is resident and not in use are gaps that the allocator keeps. The index of an .mp4 or
.mov file is kept by its muxer until the file is closed and is counted apart: exits 1 when the rest of what is in use
rises by more than 50 bytes a frame over the second half. Needs psutil and glibc (Linux).
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray

from vosctl.demo.scene import PERIOD, Scene
from vosctl.pipeline import Pipeline
from vosctl.tracking import TrackedFrame, Tracker, TrackingSettings
from vosctl.video.frames import Frame
from vosctl.video.sinks import OutputRequest, open_sinks
from vosctl.video.sources import open_source

STEP = 1000
"""Frames between two readings."""
LEAST_FRAMES = 20 * STEP  # around ten thousand file names Python enlarges its table of interned strings, once
INDEX_SLOPE = 0.072
"""MB per thousand frames that FFmpeg's index of an .mp4 or .mov file takes; measured writing nothing else."""
INDEXED_OUTPUTS = 2  # overlay.mp4 and cutout.mov; Matroska's index has an entry for key frames only
ALLOWED_SLOPE = 0.05
"""MB per thousand frames that everything else may rise by: noise."""


HEAP_FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"


class HeapUse(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in HEAP_FIELDS.split())


def megabytes_in_use() -> float:
    """Return what is allocated and not freed, in all arenas and in mappings of its own, MB."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = HeapUse
    heap = mallinfo2()
    return float(heap.uordblks + heap.hblkhd) / 1e6


def y4m_pictures(width: int, height: int) -> tuple[list[bytes], NDArray[np.uint8]]:
    """Return one period of the scene as y4m frames, and the first frame's labels."""
    scene = Scene(width, height)
    pictures: list[bytes] = []
    for index in range(PERIOD):
        image, labels = scene.frame(index)
        if index == 0:
            first = labels
        pictures.append(b"FRAME\n" + cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).tobytes())
    return pictures, first


def feed(pipe: int, pictures: list[bytes], width: int, height: int, frames: int) -> None:
    """Write the video into the pipe; ends early when its reader went away."""
    try:
        with os.fdopen(pipe, "wb") as stream:
            stream.write(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420jpeg\n".encode())
            for index in range(frames):
                stream.write(pictures[index % len(pictures)])
    except BrokenPipeError:
        return


class Readings:
    """Memory as the run goes on."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._started = time.perf_counter()
        self.frames: list[int] = []
        self.resident: list[float] = []
        self.in_use: list[float] = []

    def __call__(self, frame: Frame, result: TrackedFrame) -> None:
        """Note what is held after every `STEP` frames."""
        done = frame.index + 1
        if done % STEP:
            return
        self.frames.append(done)
        self.resident.append(self._process.memory_info().rss / 1e6)
        self.in_use.append(megabytes_in_use())
        lost = sum(one.status == "lost" for one in result.objects)
        rate = done / (time.perf_counter() - self._started)
        memory = f"{self.resident[-1]:7.1f} MB resident  {self.in_use[-1]:7.2f} in use"
        print(f"{done:6} frames  {memory}  {rate:5.1f} fps  {lost} lost", flush=True)

    def slope(self, megabytes: list[float]) -> float:
        """MB per thousand frames over the second half, where caches are full and pools have settled."""
        half = len(self.frames) // 2
        return float(np.polyfit(self.frames[half:], megabytes[half:], 1)[0]) * 1000


def outputs(folder: Path) -> OutputRequest:
    """Ask for every kind of output, in a folder."""
    return OutputRequest(
        overlay=folder / "overlay.mp4",
        masks=folder / "masks",
        matte=folder / "matte.mkv",
        cutout=folder / "cutout.mov",
        rle=folder / "objects.jsonl",
    )


def run(frames: int, window_size: int, weights: str, width: int, height: int) -> Readings:
    """Run once with every output, read from a pipe."""
    pictures, first = y4m_pictures(width, height)
    reading, writing = os.pipe()
    feeder = threading.Thread(target=feed, args=(writing, pictures, width, height, frames), daemon=True)
    feeder.start()
    readings = Readings()
    with (
        tempfile.TemporaryDirectory() as folder,
        os.fdopen(reading, "rb") as stdin,
        open_source("-", stdin=stdin) as source,
    ):
        tracker = Tracker.load(weights, settings=TrackingSettings(window_size=window_size))
        sinks = open_sinks(outputs(Path(folder)), source.info, print)
        summary = Pipeline(source, tracker, first, sinks, readings).run()
        print(f"{summary.frames} frames in {summary.seconds:.0f} s, {len(summary.outputs)} outputs, {tracker.info}")
    return readings


def arguments() -> tuple[int, int, str, int, int]:
    """Return frames, window size, weights, width and height."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--window-size", type=int, default=160, help="0: the network's own")
    parser.add_argument("--weights", default="lite")
    parser.add_argument("--size", default="432x240", help="width x height, even")
    chosen = parser.parse_args()
    if chosen.frames < LEAST_FRAMES:
        parser.error(f"--frames: at least {LEAST_FRAMES}; before that memory still settles")
    width, _, height = chosen.size.partition("x")
    return chosen.frames, chosen.window_size, chosen.weights, int(width), int(height)


def main() -> int:
    """Run and judge; returns the exit status."""
    if os.environ.get("PYTHONMALLOC") != "malloc":  # else Python's own pools are not seen
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONMALLOC": "malloc"})
    readings = run(*arguments())
    resident, in_use = readings.slope(readings.resident), readings.slope(readings.in_use)
    index = INDEXED_OUTPUTS * INDEX_SLOPE
    rest = in_use - index
    verdict = "constant" if rest <= ALLOWED_SLOPE else "it grows"
    print(f"second half, MB per 1000 frames: resident {resident:+.3f}; in use {in_use:+.3f}, of which the index is")
    print(f"{index:.3f}; the rest {rest:+.3f}: {verdict}")
    return int(rest > ALLOWED_SLOPE)


if __name__ == "__main__":
    sys.exit(main())
