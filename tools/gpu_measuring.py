"""What the parts of `tools/gpu_check.py` have in common: telling results, frames to follow, and the rate they go at."""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vosctl.benchmark.cases import SIZES
from vosctl.benchmark.clip import MadeClips
from vosctl.demo import demo_clip
from vosctl.errors import VosctlError
from vosctl.tracking import TrackedFrame, Tracker
from vosctl.types import Labels, RGBImage
from vosctl.video.masks import read_indexed_png
from vosctl.video.planar import Coding, Picture, PlanarPicture, rgb_of_planes
from vosctl.video.sources import open_source

WARMUP = 8
SHOWN = 24  # frames that are drawn; they are shown forwards and backwards


def told(name: str, result: object) -> None:
    """Print a result."""
    print(json.dumps({name: result}), flush=True)


def tried(name: str, measure: Callable[..., object], *arguments: Any) -> None:
    """Print what a measurement gives, or why it gives nothing."""
    try:
        told(name, measure(*arguments))
    except (VosctlError, RuntimeError, ImportError, OSError, ValueError) as error:
        told(name, f"not had: {str(error).strip().partition(chr(10))[0][:300]}")


def pictures(size: str, objects: int, count: int = SHOWN) -> tuple[list[Picture], Labels]:
    """Return frames of the demo scene as the planes of a video, and the first one's labels."""
    width, height = SIZES[size]
    made = MadeClips(Path())
    drawn = [np.asarray(cv2.resize(one, (width, height)), np.uint8) for one in made.pictures(objects, count)]
    labels = cv2.resize(made.first_labels(objects), (width, height), interpolation=cv2.INTER_NEAREST)
    return [planes_of(one) for one in drawn], np.asarray(labels, np.uint8)


def planes_of(image: RGBImage) -> PlanarPicture:
    """Return a picture's planes, as a decoder gives them; its size is even."""
    height, width = image.shape[:2]
    flat = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420), np.uint8)
    cb, cr = flat[height:].reshape(2, height // 2, width // 2)
    planes, coding = (flat[:height], cb, cr), Coding("bt601", full_range=False)
    return PlanarPicture(planes, coding, lambda: rgb_of_planes(planes, coding))


def flower(count: int) -> tuple[list[Picture], Labels]:
    """Return frames of the packaged clip of a flower, and the first one's labels."""
    video, mask = demo_clip()
    with open_source(str(video)) as source:
        return [frame.picture for _, frame in zip(range(count), source, strict=False)], read_indexed_png(mask)


def precisions(device: str) -> list[Any]:
    """Return the precisions of a device that are compared with fp32."""
    return ["bf16"] if device == "cpu" else ["bf16", "fp16"]


def rate(trackers: Sequence[Tracker], shown: Sequence[Picture], masks: Sequence[Labels], frames: int) -> float:
    """Return at how many frames a second trackers follow, one after the other; labels are taken one frame later."""
    for tracker, mask in zip(trackers, masks, strict=True):
        tracker.start(shown[0], mask)
    there_and_back = itertools.cycle([*shown[1:], *shown[-2::-1]])
    before: list[TrackedFrame] = []
    warmup = min(WARMUP, frames)
    begin = time.perf_counter()
    for index in range(warmup + frames):
        if index == warmup:
            begin = time.perf_counter()
        picture = next(there_and_back)
        results = [tracker.step(picture) for tracker in trackers]
        labels_of(before)
        before = results
    labels_of(before)
    return frames / (time.perf_counter() - begin)


def labels_of(results: Sequence[TrackedFrame]) -> list[Labels]:
    """Wait for the labels of results, and return them."""
    return [result.labels for result in results]


def said(*command: str, limit: float | None = None) -> str:
    """Return what a command says; what it has said so far where it is ended after some seconds."""
    with tempfile.TemporaryFile("w+") as output:
        try:
            run = subprocess.run(command, stdout=output, stderr=output, timeout=limit, check=False)
            ended = f"status {run.returncode}"
        except subprocess.TimeoutExpired:
            ended = f"ended after {limit:.0f} seconds"
        output.seek(0)
        return f"{output.read()}\n{ended}"
