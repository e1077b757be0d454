"""Run one job to its end, whatever that is."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np

from vosctl.batching.elsewhere import at_hand
from vosctl.batching.job import BatchJob
from vosctl.batching.result import JobResult
from vosctl.engine.base import Engine
from vosctl.errors import VosctlError
from vosctl.events import Events, Started
from vosctl.jobs.recording import direction_of, is_same_request
from vosctl.jobs.rendering import RenderJob
from vosctl.jobs.resuming import ResumeJob
from vosctl.jobs.segment import SegmentJob
from vosctl.prompts.first_objects import FirstObjects
from vosctl.remote import is_remote
from vosctl.summary import Summary
from vosctl.tracking import TrackedFrame
from vosctl.tracks import Track, TrackHeader
from vosctl.unforeseen import explained
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.leftovers import clean
from vosctl.video.sinks import OutputRequest
from vosctl.video.sinks.checks import requested

MOST_WARNINGS = 20

TellFrames = Callable[[int, int | None], None]
"""Takes how many frames are tracked, and how many there are, as far as that is known."""


def run_job(job: BatchJob, engine: Engine[Any], frames: TellFrames = lambda count, expected: None) -> JobResult:
    """Run a job; its own failure is a result.

    What is left of an output that did not become whole is removed, but for the track that the job can go on from.

    Args:
        job: what is to be done.
        engine: runs the network; can be used again afterwards, whatever came of the job.
        frames: called after each frame; may be called again from 1 on, when a track could not be gone on with.

    Returns:
        The result: "done", "failed", or "interrupted" after a signal, when no further job is to be begun.
    """
    begun = time.perf_counter()
    result = JobResult.of(job, "failed")
    heard = _Heard(frames)
    try:
        with at_hand(job) as here:
            heard.named = here.named
            summary = _Run(here.job, engine, heard).run()
            outputs = here.publish(summary)
    except KeyboardInterrupt:
        result = replace(result, state="interrupted", frames=heard.count, seconds=time.perf_counter() - begun)
    except Exception as error:
        result = replace(result, error=_said(error), frames=heard.count, seconds=time.perf_counter() - begun)
    else:
        result = replace(result.with_summary(summary, time.perf_counter() - begun), outputs=outputs)
    finally:
        gc.collect()  # a run's parts hold each other; their megabytes must not wait for the collector's own time
    return replace(result, warnings=tuple(heard.warnings))


class _Heard(Events):
    """Counts frames, keeps warnings, and knows what was left.

    Attributes:
        count: frames that are tracked.
        began: whether the first frame was about to be read.
        warnings: the first `MOST_WARNINGS` of them.
        left: what an unfinished run left.
        named: words a warning of files that are elsewhere.
    """

    def __init__(self, tell: TellFrames) -> None:
        self._tell = tell
        self._expected: int | None = None
        self.count = 0
        self.began = False
        self.warnings: list[str] = []
        self.left: list[Path] = []
        self.named: Callable[[str], str] = str

    def started(self, start: Started) -> None:
        self._expected, self.count, self.began = start.frames, 0, True

    def frame(self, frame: Frame, result: TrackedFrame) -> None:
        self.count += 1
        self._tell(self.count, self._expected)

    def note(self, line: str) -> None:
        pass

    def warning(self, line: str) -> None:
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(self.named(line))

    def kept(self, path: Path) -> None:
        self.left.append(path)


class _Run:
    """One run of a job, on from its track where there is one."""

    def __init__(self, job: BatchJob, engine: Engine[Any], heard: _Heard) -> None:
        self._job, self._engine, self._heard = job, engine, heard
        self._progress = None if job.progress is None else Path(job.progress)
        self._missing = missing_folders(job)

    def run(self) -> Summary:
        segment = self._job.segment_job(self._engine, self._heard)
        try:
            summary = self._on_from_track(segment) if self._job.resume else None
            if summary is None:
                summary = self._whole(segment)
        except BaseException:
            self._remove_left()
            raise
        if self._progress is None:
            return summary
        with suppress(OSError):
            self._progress.unlink(missing_ok=True)
        return replace(summary, outputs=tuple(path for path in summary.outputs if path != self._progress))

    def _whole(self, segment: SegmentJob) -> Summary:
        """Run the job from its first frame on."""
        wanted = self._job.request()
        progress = self._progress
        if progress is None or wanted.track is not None:
            return segment.run()
        with suppress(OSError):
            progress.unlink(missing_ok=True)

        def outputs(info: SourceInfo) -> OutputRequest:
            counts = [count for count in (info.frame_count, segment.max_frames) if count is not None]
            return wanted if min(counts, default=self._job.long) < self._job.long else replace(wanted, track=progress)

        return replace(segment, outputs=outputs).run()

    def _on_from_track(self, segment: SegmentJob) -> Summary | None:
        """Go on with what an earlier run left; None where there is nothing to go on from."""
        wanted = self._job.request()
        path = wanted.track or self._progress
        if path is None or not path.is_file():
            return None
        drawn = replace(wanted, track=None)
        try:
            with Track(path) as track:
                if not len(track) or not self._is_of(track.header, segment):
                    return None
                corrected = wanted.track is not None and track.header.said  # perhaps, by whoever asked for the track
                if not corrected and not _has_its_mask(track, segment.objects):
                    return None
                complete = track.complete
            if complete and not requested(drawn):
                return None
            if complete:
                summary = RenderJob(path, segment.source, drawn, events=self._heard, decoder=segment.decoder).run()
                return replace(summary, outputs=(*summary.outputs, path), engine=self._engine.info)
            frames, decoder = segment.max_frames, segment.decoder
            job = ResumeJob(path, segment.source, drawn, self._engine, {}, frames, self._heard, decoder=decoder)
            return job.run()
        except VosctlError as error:
            if self._heard.began:
                raise
            self._heard.warning(f"begun again from the first frame: {error}")
            return None

    def _is_of(self, header: TrackHeader, segment: SegmentJob) -> bool:
        """Return whether a track is of this very job."""
        if header.max_frames != segment.max_frames or (header.said and direction_of(header) != segment.direction):
            return False
        return is_same_request(
            header,
            segment.objects,
            segment.tracking,
            self._engine.info,
            image_rate=segment.frame_rate,
            span=segment.span,
            prompts=segment.prompts,
        )

    def _remove_left(self) -> None:
        """Remove what was kept of outputs that did not become whole; those that are, and the track, stay."""
        whole = {Path(path) for path in self._job.outputs.values()} | {self._progress}
        for path in self._heard.left:
            if path in whole:
                continue
            with suppress(OSError):
                if path.is_dir():
                    rmtree(path)
                else:
                    path.unlink()
        remove_empty(self._missing)


def _has_its_mask(track: Track, objects: FirstObjects) -> bool:
    """Return whether a track begins with the masks that a job has now: their files may have changed meanwhile.

    Raises:
        VosctlError: a mask cannot be read.
    """
    if not objects.files and not isinstance(objects.mask, np.ndarray):
        return True
    there = track[0].labels
    mask = objects.read_mask((there.shape[0], there.shape[1]), note=lambda line: None)
    others = ~np.isin(there, np.append(np.unique(mask), 0))  # said in the first frame too, and on top
    return bool(np.all((there == mask) | others))


def missing_folders(job: BatchJob) -> list[Path]:
    """Return the folders that are to be made for a job's outputs, the lowest first."""
    paths = [Path(path) for path in job.outputs.values() if not is_remote(path)]
    folders = {folder for path in paths for folder in path.parents if not folder.exists()}
    return sorted(folders, key=lambda folder: len(folder.parts), reverse=True)


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove the folders in which nothing is, those above them last."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def remove_left(job: BatchJob, missing: Iterable[Path] = ()) -> None:
    """Remove what a process that was killed left of a job's outputs, but for the track that it can go on from.

    Args:
        job: the job.
        missing: folders that were made for it, the lowest first; see `missing_folders`.
    """
    for path in job.outputs.values():
        clean(Path(path))
    remove_empty(missing)


def _said(error: Exception) -> str:
    """Return an error in one line."""
    if not isinstance(error, VosctlError):
        error = explained(error) or error
    if isinstance(error, VosctlError):
        return str(error)
    return f"unexpected {type(error).__name__}: {error}".splitlines()[0] + "; this is a bug in vosctl"
