"""One case, measured in this process."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vosctl.benchmark.cases import OUTPUTS, Case, Measurement, Percentiles
from vosctl.demo.scene import CUP_ID, Scene
from vosctl.diagnosis.machine import Gpu, nvidia_gpus
from vosctl.engine import Engine, create_engine
from vosctl.events import Events
from vosctl.jobs.segment import SegmentJob
from vosctl.prompts.first_objects import FirstObjects
from vosctl.summary import Summary
from vosctl.tracking import GivenMask, TrackedFrame, Tracker, TrackingSettings
from vosctl.video.frames import Frame
from vosctl.video.planar import Picture
from vosctl.video.sinks import OutputRequest

Clock = Callable[[], float]


def measure(
    case: Case,
    *,
    folder: Path | None = None,
    clock: Clock = time.perf_counter,
    gpus: Callable[[], Sequence[Gpu]] = nvidia_gpus,
) -> Measurement:
    """Measure a case.

    Args:
        case: what to measure.
        folder: where its output is written and left; None takes a temporary one.
        clock: gives the time, in seconds.
        gpus: lists the NVIDIA GPUs and the memory that is used on them.

    Raises:
        VosctlError: the engine cannot be had, or the run failed.
    """
    before = _used(gpus()) if case.backend.device == "cuda" else None
    backend = case.backend
    engine = create_engine(case.weights, engine=backend.engine, device=backend.device, precision=backend.precision)
    measured = _measure_run(case, engine, folder, clock) if case.output else _measure_step(case, engine, clock)
    after = None if before is None else _used(gpus())
    gpu = None if before is None or after is None else after - before
    return Measurement(**{**measured, "resident": peak_resident(), "gpu": gpu})


def _used(gpus: Sequence[Gpu]) -> int | None:
    """Return the MB used on the first one, by anybody: the only count that knows of every engine."""
    return gpus[0].used if gpus else None


def _measure_step(case: Case, engine: Engine[Any], clock: Clock) -> dict[str, Any]:
    """Time the network's two calls on what it is shown of a moving object, in the shape it was trained for."""
    scene = Scene(480, 270)
    size = case.window_size or engine.crop_size
    views = [[cv2.resize(part, (size, size)) for part in scene.frame(index)] for index in range(8)]
    images = [np.stack([np.asarray(image, np.uint8)] * case.objects) for image, _ in views]
    mask = (np.asarray(views[0][1]) == CUP_ID).astype(np.float32)
    states: Sequence[Any] = [engine.encode_reference(images[0][0], mask) for _ in range(case.objects)]
    masks = np.stack([mask] * case.objects)
    times = []
    for index in range(case.warmup + case.frames):
        begin = clock()
        states = engine.propagate(images[index % len(images)], masks, states).states
        times.append(clock() - begin)
    counted = times[case.warmup :]
    return {"frame": Percentiles.of(counted), "rate": len(counted) / sum(counted)}


class _TimedTracker(Tracker):
    """A tracker that keeps the time of every step."""

    def __init__(self, engine: Engine[Any], window_size: int, clock: Clock) -> None:
        super().__init__(engine, TrackingSettings(window_size=window_size))
        self.times: list[float] = []
        self._clock = clock

    def step(self, frame: Picture, mask: GivenMask | None = None, objects: Sequence[int] | None = None) -> TrackedFrame:
        begin = self._clock()
        result = super().step(frame, mask, objects)
        self.times.append(self._clock() - begin)
        return result


class _Moments(Events):
    """The moment at which each frame was done, and the one at which everything was."""

    def __init__(self, clock: Clock) -> None:
        self.frames: list[float] = []
        self.done = 0.0
        self._clock = clock

    def frame(self, frame: Frame, result: TrackedFrame) -> None:
        self.frames.append(self._clock())

    def finished(self, summary: Summary) -> None:
        self.done = self._clock()


@dataclass(frozen=True, slots=True, eq=False)
class _TimedJob(SegmentJob):
    """A job with a tracker that was made, and keeps the time of every step."""

    tracker: Tracker | None = None

    def make_tracker(self) -> Tracker:
        return super(_TimedJob, self).make_tracker() if self.tracker is None else self.tracker


def _measure_run(case: Case, engine: Engine[Any], folder: Path | None, clock: Clock) -> dict[str, Any]:
    """Decode, track and write, as `vosctl segment` does it."""
    tracker = _TimedTracker(engine, case.window_size, clock)
    moments = _Moments(clock)
    with nullcontext(folder) if folder else tempfile.TemporaryDirectory() as place:
        wanted: dict[str, Any] = {}
        if OUTPUTS[case.output]:
            wanted[case.output] = Path(place) / OUTPUTS[case.output]
        _TimedJob(
            source=case.clip,
            objects=FirstObjects(mask=case.mask),
            outputs=OutputRequest(**wanted),
            max_frames=case.warmup + case.frames,
            events=moments,
            decoder=case.decoder,
            tracker=tracker,
        ).run()
    started = case.warmup - 1  # the moment the last frame that does not count was done
    return {
        "frame": Percentiles.of(np.diff(moments.frames[started:]).tolist()),
        "rate": case.frames / (moments.done - moments.frames[started]),
        "track": Percentiles.of(tracker.times[started:]),
    }


def peak_resident() -> float | None:
    """Return the most memory this process has had resident, in MB; None where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():  # `getrusage` counts the parent's memory too, from before the program was replaced
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    if platform.system() != "Darwin":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes there
