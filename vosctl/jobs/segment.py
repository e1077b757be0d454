"""The main job: follow objects through a video and write what is wanted of it; `vosctl.segment` makes and runs it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import numpy as np

from vosctl.engine.base import Engine
from vosctl.engine.settings import EngineSettings
from vosctl.errors import UsageError
from vosctl.events import Events, Started
from vosctl.interrupts import held
from vosctl.jobs.both_ways import Direction, begin_both_ways, goes_back
from vosctl.jobs.prompted import PromptedTracker
from vosctl.jobs.recording import header_of, said_of
from vosctl.jobs.references import tell_of_one_reference
from vosctl.jobs.running import (
    check_events,
    check_max_frames,
    check_settings,
    expected_frames,
    put_tracker,
    run_pipeline,
    tell_of_first_build,
    tell_of_small_crops,
    warn_of_idle_gpu,
)
from vosctl.prompts.choices import ChoiceAt, chosen, frames_asked
from vosctl.prompts.first_objects import FirstObjects
from vosctl.prompts.mask_file import StrPath
from vosctl.prompts.schedule import Schedule
from vosctl.prompts.timed import TimedPrompt, files_of
from vosctl.summary import Summary
from vosctl.time_line import Span
from vosctl.tracking import TrackedFrame, Tracker, TrackingSettings
from vosctl.tracks.header import TrackHeader
from vosctl.types import Labels
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.hardware import DecoderWord
from vosctl.video.sinks import OutputRequest
from vosctl.video.sinks.checks import check_outputs
from vosctl.video.sources import RangedSource, Source, open_source

MakeOutputs = Callable[[SourceInfo], OutputRequest]
"""Names the outputs once the source is known."""


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """What a run begins with: its frames, the first one's objects or the schedule of all, and how many they are."""

    frames: Iterable[Frame]
    labels: Labels
    objects: int
    schedule: Schedule | None = None
    follow: Callable[[Frame], TrackedFrame] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SegmentJob:
    """One video to be segmented. Can be run more than once.

    Attributes:
        source: a video file, a directory or glob of images, a network address, or "-" for standard input.
        objects: what to follow from the first frame on; may say nothing where `prompts` or `choices` do.
        outputs: what to write, or a function that says so once the source is known. The files that the job reads are
            added to `inputs`, so that no output replaces them.
        tracking: how objects are followed.
        engine: what runs the network: settings to make it from, or one that was made, which several jobs can share.
        frame_rate: images per second, where the source is images; None for the usual 24.
        max_frames: stop after so many frames; None for all.
        span: the part of the source that is wanted; the objects are those of its first frame.
        prompts: what is said of objects in later frames, or in the first one too.
        choices: frames in which somebody is asked; the source must be seekable.
        direction: "both" follows objects backwards too from what is said of them in later frames, where the source is
            seekable: the video is then read twice. "forward" follows them from there on only.
        events: hears of the run.
        decoder: what decodes the video: "cpu", or "nvdec" on an NVIDIA GPU; "auto" is the CPU.
    """

    source: StrPath
    objects: FirstObjects
    outputs: OutputRequest | MakeOutputs = field(default_factory=OutputRequest)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    engine: EngineSettings | Engine[Any] = field(default_factory=EngineSettings)
    frame_rate: Fraction | None = None
    max_frames: int | None = None
    span: Span = field(default_factory=Span)
    prompts: tuple[TimedPrompt, ...] = ()
    choices: tuple[ChoiceAt, ...] = ()
    direction: Direction = "both"
    events: Events = field(default_factory=Events)
    decoder: DecoderWord = "auto"

    def run(self) -> Summary:
        """Decode, track and write, side by side, to the end of the source.

        Raises:
            UsageError: the request cannot be served; nothing was written.
            VosctlError: the source, the engine or an output failed; outputs were given up, `events.kept` names what
                was whole of them.
            KeyboardInterrupt: interrupted; likewise.
        """
        check_events(self.events)
        check_settings(self.engine, self.tracking)
        self._check_objects()
        if self.direction not in get_args(Direction):
            raise UsageError(f"`direction={self.direction!r}`: is not known; give 'both' or 'forward'")
        if (self.prompts or self.choices) and self.tracking.paper_protocol:
            later = "prompts" if self.prompts else "choose_at"
            raise UsageError(f"`paper_protocol=True`: takes its objects from the first frame only; leave `{later}` out")
        check_max_frames(self.max_frames)
        with open_source(os.fspath(self.source), frame_rate=self.frame_rate, decoder=self.decoder) as opened:
            timed = not opened.is_seekable and any(
                one.at is not None and one.at.seconds is not None for one in self.prompts
            )
            source = RangedSource(opened, self.span, timed=timed) if timed or not self.span.is_whole else opened
            request = self._request(source.info)
            check_outputs(request)  # before somebody draws, as the next line
            source.check_sizes(self.max_frames)
            given = self._given(source)
            tell_of_first_build(self.events, self.engine)
            tracker = self.make_tracker()
            for line in tracker.preparations:
                self.events.note(line)
            tracker.resumable = request.track is not None
            expected = expected_frames(source.info, self.max_frames)
            self.events.started(Started(source.info, tracker.info, given.objects, expected))
            warn_of_idle_gpu(self.events, tracker.info, self.engine)
            tell_of_small_crops(self.tracking, self.events.note)
            given = self._prepared(given, source, tracker)
            with held():  # from here on there is something to keep
                summary = self._run(source, given, tracker, request)
                self.events.finished(summary)
        return summary

    def _check_objects(self) -> None:
        """Make sure that the objects are said."""
        masks = any(prompt.mask is not None for prompt in self.prompts)
        if self.objects.given or not (self.prompts or self.choices):
            replace(self.objects, fix_mask=self.objects.fix_mask and not masks).check()
        elif self.objects.fix_mask and not masks:
            raise UsageError("`fix_mask`: is for a `mask`; leave it out")

    def _given(self, source: Source) -> _Given:
        """Return what is said of the objects, found and checked as far as it can be before the frames are read."""
        note, warn = self.events.note, self.events.warning
        frames: Iterable[Frame] = source
        prompts = self.prompts
        said = [*([None] if self.objects.given else []), *(prompt.at for prompt in prompts)]
        asked = frames_asked(source, self.choices, said)
        if not (prompts or asked):
            labels, frames = self.objects.peek(source, note, warn)
            return _Given(frames, labels, int(np.count_nonzero(np.bincount(labels.ravel())[1:])))
        if self.objects.given:
            labels, frames = self.objects.peek(source, note, warn)
            prompts = (TimedPrompt(mask=labels), *prompts)
        fix, accept = self.objects.fix_mask, self.objects.accept_doubtful
        schedule = Schedule(source, prompts, fix_mask=fix, accept_doubtful=accept, note=note, warn=warn)
        if asked:
            nothing = np.zeros((source.info.height, source.info.width), np.uint8)
            schedule.add(chosen(source, asked, lambda number: nothing, schedule.ids))
            frames = source
        if schedule.look():
            frames = source  # it is at its first frame again
        return _Given(frames, np.zeros((0, 0), np.uint8), len(schedule.ids), schedule)

    def _prepared(self, given: _Given, source: Source, tracker: Tracker) -> _Given:
        """Return what is given with what follows it, after the way back, where there is one."""
        schedule = given.schedule
        if schedule is None:
            return given
        note = self.events.note
        tell_of_one_reference(tracker, schedule, note)
        if self.direction == "forward" or not goes_back(source, schedule, note):
            return replace(given, follow=PromptedTracker(tracker, schedule, note=note).follow)
        joining = begin_both_ways(tracker, source, schedule, note)
        return replace(given, frames=source, follow=PromptedTracker(tracker, schedule, joining, note).follow)

    def _run(self, source: Source, given: _Given, tracker: Tracker, request: OutputRequest) -> Summary:
        run = run_pipeline(
            source,
            tracker,
            request,
            self.events,
            frames=given.frames,
            first_mask=given.labels,
            follow=given.follow,
            header=self._header(source, tracker, request, given.schedule),
            max_frames=self.max_frames,
            finish_on_interrupt=source.info.live,
        )
        for line in (*tracker.notes, *([] if given.schedule is None else given.schedule.unreached())):
            self.events.warning(line)
        return replace(run, engine=tracker.info, crop_size=tracker.crop_size)

    def _header(
        self, source: Source, tracker: Tracker, request: OutputRequest, schedule: Schedule | None
    ) -> TrackHeader | None:
        if request.track is None:
            return None
        settings = self.engine if isinstance(self.engine, EngineSettings) else None
        direction = self.direction if source.is_seekable else "forward"
        return header_of(
            source,
            request.track,
            self.objects,
            self.tracking,
            settings,
            tracker.info,
            image_rate=self.frame_rate,
            span=self.span,
            prompts=self.prompts,
            max_frames=self.max_frames,
            said={} if schedule is None else said_of(schedule, direction, self.objects.accept_doubtful),
            direction=self.direction,
        )

    def _request(self, info: SourceInfo) -> OutputRequest:
        request = self.outputs(info) if callable(self.outputs) else self.outputs
        source = os.fspath(self.source)
        files = () if source == "-" or "://" in source else (source,)
        inputs = (*request.inputs, *map(Path, files), *map(Path, self.objects.files), *files_of(self.prompts))
        return replace(request, inputs=inputs)

    def make_tracker(self) -> Tracker:
        """Make the tracker of a run, from what `engine` and `tracking` say; override it for one of another kind.

        Raises:
            VosctlError: the weights, engine, device or precision cannot be had.
        """
        return put_tracker(self.engine, self.tracking)
