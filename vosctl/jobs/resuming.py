"""Go on with a run that was stopped, from its track, and say more of the objects of a track that is there.

What the track holds is not tracked again: the outputs are drawn from it up to the last state that was kept, where the
tracker takes over, with its references encoded anew. The result is that of a run that was never stopped. Where more is
said of the objects, the frames that it changes are followed anew first (`vosctl.jobs.correcting`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from vosctl.engine.base import Engine, EngineInfo
from vosctl.engine.settings import EngineSettings
from vosctl.engine.table import backends
from vosctl.errors import UsageError, VosctlError
from vosctl.events import Events, Started
from vosctl.interrupts import held
from vosctl.jobs.both_ways import begin_both_ways, every_of, goes_back
from vosctl.jobs.correcting import correction
from vosctl.jobs.recording import direction_of, scheduled
from vosctl.jobs.rendering import RenderJob, opened_track
from vosctl.jobs.resumed import ResumedTracker
from vosctl.jobs.running import (
    check_engine,
    check_events,
    check_max_frames,
    expected_frames,
    put_tracker,
    run_pipeline,
    warn_of_idle_gpu,
)
from vosctl.pipeline import LatencyHistogram
from vosctl.prompts.choices import ChoiceAt
from vosctl.prompts.mask_file import StrPath
from vosctl.prompts.prompt_file import prompts_of
from vosctl.prompts.timed import TimedPrompt, files_of
from vosctl.summary import LossRecord, Summary
from vosctl.tracking import Tracker, TrackingSettings
from vosctl.tracking.results import TrackedFrame
from vosctl.tracks import Track, TrackHeader
from vosctl.tracks.changing import change_header, check_changeable
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.hardware import DecoderWord
from vosctl.video.sinks import OutputRequest
from vosctl.video.sinks.checks import check_outputs, requested
from vosctl.video.sources import Source


@dataclass(frozen=True, slots=True, eq=False)
class ResumeJob:
    """A track to be gone on with, or to be corrected. Objects and settings are the track's.

    Attributes:
        track: of a run that was stopped, or with `prompts` or `choices` of any.
        source: the video that it is of; None takes it from where it lay, as seen from the track.
        outputs: what to write beside the track, whole, with the frames that are tracked already; or a function that
            says so once the source is known.
        engine: what runs the network; None takes what the track names, changed as `changes` say.
        changes: what of the track's engine is to be another, by the names of `EngineSettings`.
        max_frames: stop after so many frames, counted from the first; None for as many as the track was to have.
        events: hears of the run.
        prompts: what more is said of objects, old or new. Only the frames that it changes are tracked anew; the track
            is then changed as a whole. Points alone correct the masks that it has.
        choices: frames in which somebody is asked what more is to be said, and shown the masks that the track has.
        fix_mask: whether mask files may be repaired.
        accept_doubtful: whether to go on with doubtful masks from boxes and points.
        decoder: what decodes the video, see `SegmentJob`; it may be another than the track was made with.
    """

    track: StrPath
    source: StrPath | None = None
    outputs: OutputRequest | Callable[[SourceInfo], OutputRequest] = field(default_factory=OutputRequest)
    engine: EngineSettings | Engine[Any] | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    max_frames: int | None = None
    events: Events = field(default_factory=Events)
    prompts: tuple[TimedPrompt, ...] = ()
    choices: tuple[ChoiceAt, ...] = ()
    fix_mask: bool = False
    accept_doubtful: bool = False
    decoder: DecoderWord = "auto"

    def run(self) -> Summary:
        """Decode, draw, track on and write, to the end of the source.

        Raises:
            UsageError: the track is complete, or the request cannot be served; nothing was written.
            VosctlError: the track is of another source, or something failed; the track keeps what it holds.
            KeyboardInterrupt: interrupted; likewise.
        """
        check_max_frames(self.max_frames)
        check_events(self.events)
        if self.engine is not None:
            check_engine(self.engine)
        path = Path(self.track)
        if self.prompts or self.choices:
            corrected = self._correct(path)
            if corrected is not None:
                return corrected
        with opened_track(path, self.source, decoder=self.decoder) as (track, source):
            _check_frames(track)
            if track.complete:
                raise UsageError(
                    f"{path}: is complete, there is nothing to go on with; `vosctl render` draws from it, a `mask`, "
                    "`box` or `point` corrects it"
                )
            last = self._last(track, source)
            request = self._request(source, path)
            tracker = self._tracker(path, track.header)
            resumed = self._resumed(track, source, tracker)
            self.events.note(f"{path}: {resumed.known} frames are tracked; goes on {_beginning(track, resumed.after)}")
            expected = expected_frames(source.info, last)
            self.events.started(Started(source.info, tracker.info, len(resumed.schedule.ids), expected))
            with held():
                if last != track.header.max_frames:  # so that it is known when this run is stopped too
                    change_header(path, replace(track.header, max_frames=last))
                summary = self._run(source, resumed, tracker, request, last)
                self.events.finished(summary)
        return summary

    def _last(self, track: Track, source: Source) -> int | None:
        """Return after how many frames to stop: the track cannot get shorter, and till then all have one size."""
        last = track.header.max_frames if self.max_frames is None else self.max_frames
        if last is not None and last < (known := len(track)):
            raise UsageError(
                f"`max_frames={last}`: {known} frames are tracked already; give as many or more, or draw fewer of them "
                "with `vosctl render`"
            )
        source.check_sizes(last)
        return last

    def _resumed(self, track: Track, source: Source, tracker: Tracker) -> ResumedTracker:
        note, warn = self.events.note, self.events.warning
        schedule = scheduled(track, source, note, warn)
        schedule.look()
        joining = None
        if direction_of(track.header) == "both" and goes_back(source, schedule, note):
            known = (schedule.first or 0) + len(track) * every_of(source)
            joining = begin_both_ways(tracker, source, schedule, note, down_to=known)
        return ResumedTracker(tracker, track, schedule, joining, warn)

    def _correct(self, path: Path) -> Summary | None:
        """Take in what more is said; the summary where nothing is left to be done then."""
        with opened_track(path, self.source, decoder=self.decoder) as (track, source):
            _check_frames(track)
            if track.header.tracking.get("paper_protocol"):
                raise UsageError(f"{path}: is of the paper's protocol, whose objects are those of the first frame only")
            if not track.complete:
                self._last(track, source)  # what cannot be gone on with is said before the work
            request = self._request(source, path)
            tracker = self._tracker(path, track.header)
            if "references" not in track.header.tracking:
                self.events.note(
                    f"{path}: is of a release that knew an object by one reference; a correction takes its place"
                )
            found = correction(
                track,
                source,
                tracker,
                self.prompts,
                choices=self.choices,
                fix_mask=self.fix_mask,
                accept_doubtful=self.accept_doubtful,
                note=self.events.note,
                warn=self.events.warning,
            )
            self.events.started(Started(source.info, tracker.info, found.objects, found.frames))
            run = _Watched(self.events)
            change, complete = found.run(run.hear), track.complete
        with held():
            change.write(path)
        summary = run.summary(path, tracker, len(change.results))
        self.events.note(f"{path}: corrected, {len(change.results)} of its {change.frames} frames are tracked anew")
        if not complete:
            return None
        drawn = replace(request, track=None, append=False)
        if requested(drawn):
            return RenderJob(path, self.source, drawn, self.max_frames, self.events, self.decoder).run_as(
                lambda seen: replace(
                    seen,
                    outputs=(*seen.outputs, path),
                    p50=summary.p50,
                    p95=summary.p95,
                    engine=summary.engine,
                    crop_size=summary.crop_size,
                )
            )
        self.events.finished(summary)
        return summary

    def _request(self, source: Source, path: Path) -> OutputRequest:
        request = self.outputs(source.info) if callable(self.outputs) else self.outputs
        if request.track is not None:
            raise UsageError("`track`: the track that is gone on with is written itself; leave it out")
        request = replace(request, inputs=(*request.inputs, *source.files, *files_of(self.prompts)))
        request = replace(request, track=path, append=True)
        check_outputs(request)
        check_changeable(path)
        return request

    def _tracker(self, path: Path, header: TrackHeader) -> Tracker:
        try:
            # releases that do not say it read one reference, and did not smooth
            tracking = {"references": 1, "temporal_smoothing": False, **header.tracking}
            settings = TrackingSettings(**tracking | {"scales": tuple(tracking["scales"])})  # type: ignore[arg-type]
            used = EngineInfo(**header.engine["used"])  # type: ignore[arg-type]
            asked = header.engine["asked"] or _asked_for(used)
            engine = self.engine or (None if asked is None else EngineSettings(**asked | self.changes))  # type: ignore
        except (KeyError, TypeError) as error:
            raise VosctlError(f"{path}: the track's settings are damaged ({error}); track the video again") from error
        if engine is None:
            raise UsageError(f"{path}: was made with an engine of a program's own, {used.weights}; give it as `engine`")
        tracker = put_tracker(engine, settings)
        tracker.resumable = True
        warn_of_idle_gpu(self.events, tracker.info, engine)
        if tracker.info != used:
            self.events.warning(
                f"{path}: was made with {_named(used)} and goes on with {_named(tracker.info)}; "
                "the masks may differ a little from those of one run"
            )
        return tracker

    def _run(
        self, source: Source, resumed: ResumedTracker, tracker: Tracker, request: OutputRequest, last: int | None
    ) -> Summary:
        run = run_pipeline(source, tracker, request, self.events, follow=resumed.follow, max_frames=last)
        for line in resumed.schedule.unreached():
            self.events.warning(line)
        p50, p95 = (resumed.latency.percentile(percent) for percent in (50, 95))
        drawn = min(resumed.known, run.frames)
        return replace(run, p50=p50, p95=p95, engine=tracker.info, crop_size=tracker.crop_size, drawn=drawn)


class _Watched:
    """What is heard of a correction, and what it came to."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._latency = LatencyHistogram()
        self._begun = self._last = time.perf_counter()

    def hear(self, frame: Frame, result: TrackedFrame) -> None:
        """Hear that a frame was tracked."""
        self._latency.add(time.perf_counter() - self._last)
        self._events.frame(frame, result)
        self._last = time.perf_counter()

    def summary(self, track: Path, tracker: Tracker, frames: int) -> Summary:
        """Return what it came to, now that the track is written: so many `frames` of it are others than before."""
        seconds = time.perf_counter() - self._begun
        p50, p95 = (self._latency.percentile(percent) for percent in (50, 95))
        record = LossRecord()
        with Track(track) as written:
            for index, statuses in written.statuses():
                record.see_statuses(statuses, index)
        info, crop_size = tracker.info, tracker.crop_size
        return Summary(frames, seconds, p50, p95, (track,), info, crop_size, record.losses)


def _check_frames(track: Track) -> None:
    if not len(track):
        raise UsageError(f"{track.path}: holds no frame to go on from; track the video again")
    if track.header.live:
        raise UsageError(f"{track.path}: is of a live run, which cannot be gone on with; `vosctl render` draws from it")


def _beginning(track: Track, after: int) -> str:
    """Return where a run goes on, of which the state after a frame was kept, by its number in the track."""
    kept = next(islice(track.frames(), after, None), None) if after >= 0 else None
    return "from the first one" if kept is None else f"after frame {kept.index}"


def _asked_for(used: EngineInfo) -> dict[str, str] | None:
    """Return what gives an engine like one that a program, or a batch, made and shared; None for one of its own."""
    if used.engine not in backends():
        return None
    return {"weights": used.weights, "engine": used.engine, "precision": used.precision}


def _named(info: EngineInfo) -> str:
    return f"{info.weights} on {info.engine}, {info.device}, {info.precision}"


def resume(
    track: StrPath,
    source: StrPath | None = None,
    *,
    prompts: StrPath | Sequence[TimedPrompt] = (),
    fix_mask: bool = False,
    accept_doubtful: bool = False,
    outputs: OutputRequest | None = None,
    engine: EngineSettings | Engine[Any] | None = None,
    max_frames: int | None = None,
    events: Events | None = None,
    decoder: DecoderWord = "auto",
) -> Summary:
    """Go on with a run that was stopped, or say more of the objects of a track; see `ResumeJob`.

    Args:
        track: what `track` of `segment` wrote.
        source: the video that it was made from; by default from where it lay, as seen from the track.
        prompts: what more is said of objects, see `TimedPrompt`; or a file of it. Only the frames that it changes are
            tracked anew.
        fix_mask: repair mask files of another size or with soft edges.
        accept_doubtful: go on with a doubtful mask from a box or clicks.
        outputs: what to write beside the track.
        engine: what runs the network; by default as the track was made.
        max_frames: stop after so many frames, counted from the first.
        events: hears of the run.
        decoder: what decodes the video; it may be another than the track was made with.

    Returns:
        What a run that was never stopped would have said, with the speeds of this part; of a track that was whole, and
        of which nothing is drawn, the frames are those that are tracked anew.

    Raises:
        UsageError: the track is complete and nothing more is said, or the request cannot be served; nothing was
            written.
        VosctlError: the track is of another source, or something failed; the track keeps what it holds.
        KeyboardInterrupt: interrupted; likewise.
    """
    return ResumeJob(
        track,
        source,
        outputs or OutputRequest(),
        engine,
        {},
        max_frames,
        events or Events(),
        prompts=prompts_of(prompts),
        fix_mask=fix_mask,
        accept_doubtful=accept_doubtful,
        decoder=decoder,
    ).run()
