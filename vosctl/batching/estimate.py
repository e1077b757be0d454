"""How long jobs will take: their frames counted, and the speed measured, by an earlier run or on a few frames."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from vosctl.batching.executor import BatchEvents, Executor
from vosctl.batching.job import BatchJob
from vosctl.batching.result import JobResult
from vosctl.errors import VosctlError
from vosctl.prompts.prompt_file import prompts_of
from vosctl.remote import is_remote
from vosctl.video.sources import RangedSource, open_source

SAMPLE_FRAMES = 30
_MOST_ATTEMPTS = 3
"""How often other jobs are tried where none of the first ones runs: each may take long before it fails."""
MOST_COUNTED = 200
"""Videos whose frames are counted; of more of them, every so many-th one is."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long jobs will take.

    Attributes:
        frames: of all jobs.
        counted: videos whose frames were counted; the others are taken to have as many on average.
        seconds: of the whole run; None where nothing could be measured.
        speed: frames a second of one process.
        basis: what the speed was measured on, in words.
    """

    frames: int
    counted: int
    seconds: float | None
    speed: float
    basis: str


def estimate(
    jobs: Sequence[BatchJob], executor: Executor, earlier: Mapping[str, JobResult], events: BatchEvents
) -> Estimate:
    """Estimate how long jobs will take.

    Args:
        jobs: to be run.
        executor: runs the first frames of the first jobs, into a folder that is removed, where no earlier run has
            been measured.
        earlier: results of earlier runs.
        events: hears of the trial.

    Raises:
        VosctlError: no job can be run.
    """
    sound = [job for job in jobs if job.problem is None]
    step = max(1, -(-len(sound) // MOST_COUNTED))
    counts = [count for job in sound[::step] if (count := frames_of(job)) is not None]
    frames = round(sum(counts) / len(counts) * len(sound)) if counts else 0
    done = [one for one in earlier.values() if one.state == "done" and one.frames and one.seconds and not one.drawn]
    basis = f"measured by an earlier run on {_counted(len(done), 'job')}"
    if not done:
        done = _try(sound, executor, events)
        basis = f"measured on {sum(one.frames for one in done)} frames of {_counted(len(done), 'job')}"
    total = sum(one.seconds for one in done)
    speed = sum(one.frames for one in done) / total if total else 0.0
    seconds = frames / speed / max(1, min(executor.count, len(jobs))) if speed and frames else None
    return Estimate(frames, len(counts), seconds, speed, basis)


def frames_of(job: BatchJob) -> int | None:
    """Return how many frames a job has, as its source says; None where it does not, 0 where it cannot be opened."""
    options = job.options
    try:
        with open_source(job.source, frame_rate=options.frame_rate) as opened:
            source = opened if options.span.is_whole else RangedSource(opened, options.span)
            count = source.info.frame_count
    except VosctlError:
        return 0
    return count if count is None or options.max_frames is None else min(count, options.max_frames)


def _try(jobs: Sequence[BatchJob], executor: Executor, events: BatchEvents) -> list[JobResult]:
    """Run the first frames of some jobs that can be opened, side by side as they will be."""
    sound = (job for job in jobs if frames_of(job) != 0)
    with tempfile.TemporaryDirectory(prefix="vosctl-") as folder:
        for attempt in range(_MOST_ATTEMPTS):
            if not (first := list(islice(sound, executor.count))):
                break
            trials = [
                _trial(_of_one_frame(job), Path(folder) / f"{attempt}-{number}") for number, job in enumerate(first)
            ]
            if done := [one for one in executor.run(trials, events) if one.state == "done"]:
                return done
    return []


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _of_one_frame(job: BatchJob) -> BatchJob:
    """Return a job with what is said in its first frame alone: from later ones it would be followed back for long."""
    if not job.prompts or (isinstance(job.prompts, str) and is_remote(job.prompts)):
        return job
    if job.objects or isinstance(job.first_mask, np.ndarray) or job.first_mask:
        return replace(job, prompts=())
    try:
        prompts = prompts_of(job.prompts)
        at, span = prompts[0].at, job.options.span
        options = replace(job.options, span=span if at is None else replace(span, start=at))
    except VosctlError:
        return job  # its run will say so
    return replace(job, prompts=tuple(one for one in prompts if one.at == at), options=options)


def _trial(job: BatchJob, folder: Path) -> BatchJob:
    most = min(SAMPLE_FRAMES, job.options.max_frames or SAMPLE_FRAMES)
    outputs = {name: str(folder / name / Path(path).name) for name, path in job.outputs.items()}
    return replace(job, outputs=outputs, options=replace(job.options, max_frames=most), resume=False, progress=None)
