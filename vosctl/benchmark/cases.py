"""What is measured: the settings of a benchmark, its cases and their measurements."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vosctl.engine.backend import DeviceKind, Precision
from vosctl.engine.table import backends, device_kinds
from vosctl.errors import UsageError
from vosctl.tracking.settings import TrackingSettings
from vosctl.video.hardware import DECODERS, DecoderWord

SIZES = {"480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080), "4k": (3840, 2160)}
"""Width and height by name."""
OUTPUTS = {
    "none": "", "overlay": "overlay.mp4", "masks": "masks", "matte": "matte.mp4", "cutout": "cutout.mov",
    "rle": "objects.jsonl",
}  # fmt: skip
"""Kinds of output by name, with the file or folder each is written to; "none" decodes and tracks only."""
MOST_OBJECTS = 8


@dataclass(frozen=True, slots=True)
class BenchmarkSettings:
    """What to measure.

    Attributes:
        weights: registered name, checkpoint file or folder of exported graphs.
        engines: "all", or names of engines.
        devices: "all", or "cpu", "cuda", "mps".
        sizes: keys of `SIZES`.
        objects: numbers of objects, 1 to `MOST_OBJECTS`.
        outputs: keys of `OUTPUTS`; the first is written at every size, number of objects and engine, the others at
            every size with the first number of objects and the fastest engine, for they cost the same with any.
        frames: frames that count in each case.
        warmup: frames before them that do not.
        window_size: side in pixels of the tracker's crops, a multiple of 32; 0 takes the network's own.
        decoders: "cpu", "nvdec" or both: what decodes the clips, H.264, where the first output is written; the other
            outputs are written with the first of them.
    """

    weights: str = "lite"
    engines: tuple[str, ...] = ("all",)
    devices: tuple[str, ...] = ("all",)
    sizes: tuple[str, ...] = ("480p", "1080p", "4k")
    objects: tuple[int, ...] = (1, 3, 7)
    outputs: tuple[str, ...] = ("overlay", "none", "masks", "matte", "cutout", "rle")
    frames: int = 60
    warmup: int = 5
    window_size: int = 0
    decoders: tuple[DecoderWord, ...] = ("cpu",)

    def __post_init__(self) -> None:
        TrackingSettings(window_size=self.window_size)  # raises for a size that no crop can have
        _check_words("engines", self.engines, ("all", *backends()))
        _check_words("devices", self.devices, ("all", *device_kinds()))
        _check_words("sizes", self.sizes, tuple(SIZES))
        _check_words("outputs", self.outputs, tuple(OUTPUTS))
        _check_words("decoders", self.decoders, tuple(word for word in DECODERS if word != "auto"))
        if not self.objects or not all(1 <= count <= MOST_OBJECTS for count in self.objects):
            raise UsageError(f"`objects`: give numbers from 1 to {MOST_OBJECTS}, separated by commas")
        if self.frames < 1 or self.warmup < 1:
            name = "frames" if self.frames < 1 else "warmup"
            raise UsageError(f"`{name}={getattr(self, name)}`: must be 1 or more")


def _check_words(name: str, words: tuple[str, ...], known: tuple[str, ...]) -> None:
    wrong = next((word for word in words if word not in known), None)
    if wrong is not None or not words:
        raise UsageError(
            f"`{name}={words}`: {wrong or 'nothing'} is no choice; "
            f"give one or more of {', '.join(known)}, separated by commas"
        )


@dataclass(frozen=True, slots=True)
class Backend:
    """An engine that this machine has, as it was asked for and as it really is.

    Attributes:
        engine: "torch", "onnx" or "openvino".
        device: what to ask for, "cpu", "cuda" or "mps".
        precision: what it computes in.
        device_name: what was really chosen.
    """

    engine: str
    device: DeviceKind
    precision: Precision
    device_name: str


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement, made in a process of its own.

    Attributes:
        weights: as in `BenchmarkSettings`.
        backend: what runs the network.
        objects: how many are followed.
        frames: frames that count.
        warmup: frames before them.
        size: key of `SIZES`; empty for the network's step alone, which knows no size of frame.
        output: key of `OUTPUTS`; empty for the network's step alone.
        clip: the made video.
        mask: its first mask.
        window_size: as in `BenchmarkSettings`.
        decoder: what decodes the clip.
    """

    weights: str
    backend: Backend
    objects: int
    frames: int
    warmup: int
    size: str = ""
    output: str = ""
    clip: Path = Path()
    mask: Path = Path()
    window_size: int = 0
    decoder: DecoderWord = "cpu"


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of times, in milliseconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: list[float]) -> Percentiles:
        """Take the percentiles of times in seconds."""
        p50, p95, p99 = np.percentile(np.array(seconds) * 1e3, (50, 95, 99))
        return cls(float(p50), float(p95), float(p99))


@dataclass(frozen=True, slots=True)
class Measurement:
    """The measurements of a case.

    Attributes:
        frame: time for a frame: of the network's step, or from one tracked frame to the next with everything else
            going on beside it.
        rate: frames per second over all frames that count, outputs completed.
        track: time the tracker took for a frame; None for the network's step alone.
        resident: peak resident memory of the process, MB; None where the system does not tell.
        gpu: memory taken on the GPU, MB; None without one, or where the driver does not tell.
    """

    frame: Percentiles
    rate: float
    track: Percentiles | None = None
    resident: float | None = None
    gpu: int | None = None
