"""Go on with a run that was stopped, from its track.

What the track holds is not tracked again: the outputs are drawn from it up to the last state that was kept, where the
tracker takes over, with its references encoded anew. The result is that of a run that was never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vosctl.engine.base import Engine, EngineInfo
from vosctl.engine.settings import EngineSettings
from vosctl.errors import UsageError, VosctlError
from vosctl.events import Events, Started
from vosctl.interrupts import held
from vosctl.planar import Picture
from vosctl.prompts.mask_file import StrPath
from vosctl.rendering import opened_track
from vosctl.running import check_max_frames, expected_frames, put_tracker, run_pipeline, warn_of_idle_gpu
from vosctl.summary import Summary
from vosctl.tracking import Tracker, TrackingSettings
from vosctl.tracking.results import TrackedFrame
from vosctl.tracks import Track, TrackHeader
from vosctl.types import Labels
from vosctl.video.frames import SourceInfo
from vosctl.video.sinks import OutputRequest
from vosctl.video.sinks.checks import check_outputs
from vosctl.video.sources import Source


@dataclass(frozen=True, slots=True, eq=False)
class ResumeJob:
    """A track to be gone on with. Objects and settings are the track's.

    Attributes:
        track: of a run that was stopped.
        source: the video that it is of; None takes it from where it lay, as seen from the track.
        outputs: what to write beside the track, whole, with the frames that are tracked already; or a function that
            says so once the source is known.
        engine: what runs the network; None takes what the track names, changed as `changes` say.
        changes: what of the track's engine is to be another, by the names of `EngineSettings`.
        max_frames: stop after so many frames, counted from the first; None for as many as the track was to have.
        events: hears of the run.
    """

    track: StrPath
    source: StrPath | None = None
    outputs: OutputRequest | Callable[[SourceInfo], OutputRequest] = field(default_factory=OutputRequest)
    engine: EngineSettings | Engine[Any] | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    max_frames: int | None = None
    events: Events = field(default_factory=Events)

    def run(self) -> Summary:
        """Decode, draw, track on and write, to the end of the source.

        Raises:
            UsageError: the track is complete, or the request cannot be served; nothing was written.
            VosctlError: the track is of another source, or something failed; the track keeps what it holds.
            KeyboardInterrupt: interrupted; likewise.
        """
        check_max_frames(self.max_frames)
        path = Path(self.track)
        with opened_track(path, self.source) as (track, source):
            if track.complete:
                raise UsageError(f"{path}: is complete, there is nothing to go on with; `vosctl render` draws from it")
            if not len(track):
                raise UsageError(f"{path}: holds no frame to go on from; track the video again")
            if track.header.live:
                raise UsageError(
                    f"{path}: is of a live run, which cannot be gone on with; `vosctl render` draws from it"
                )
            if track.header.prompts.get("timed"):
                raise UsageError(
                    f"{path}: is of a run with prompts in later frames, which cannot be gone on with; "
                    "track the video again"
                )
            request = self._request(source, path)
            tracker = self._tracker(path, track.header)
            resumed = ResumedTracker(tracker, track, self.events.warning)
            self.events.note(f"{path}: {resumed.known} frames are tracked; goes on after frame {max(resumed.after, 0)}")
            last = track.header.max_frames if self.max_frames is None else self.max_frames
            expected = expected_frames(source.info, last)
            self.events.started(Started(source.info, tracker.info, len(track[0].objects), expected))
            with held():
                summary = self._run(source, resumed, tracker, request, last)
                self.events.finished(summary)
        return summary

    def _request(self, source: Source, path: Path) -> OutputRequest:
        request = self.outputs(source.info) if callable(self.outputs) else self.outputs
        if request.track is not None:
            raise UsageError("`track`: the track that is gone on with is written itself; leave it out")
        request = replace(request, inputs=(*request.inputs, *source.files), track=path, append=True)
        check_outputs(request)
        return request

    def _tracker(self, path: Path, header: TrackHeader) -> Tracker:
        try:
            tracking = dict(header.tracking)
            settings = TrackingSettings(**tracking | {"scales": tuple(tracking["scales"])})  # type: ignore[arg-type]
            used = EngineInfo(**header.engine["used"])  # type: ignore[arg-type]
            asked = header.engine["asked"]
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
        run = run_pipeline(source, resumed, request, self.events, max_frames=last)
        return replace(run, engine=tracker.info, crop_size=tracker.crop_size)


class ResumedTracker:
    """Takes a tracker's place: gives the frames that a track holds, and has the tracker go on where they end.

    The tracker takes over after the last frame whose state was kept. From there to the end of the track it tracks
    again, to get into the state it was in, and what the track says of these frames is given. A track without a state (a
    network with a memory, the paper's protocol, one stopped early) has its tracker start at the first frame.

    Args:
        tracker: not started yet.
        track: closed when its last frame was given.
        warn: told when a state that was kept cannot be used.

    Attributes:
        known: frames that the track holds.
        after: the frame after which the tracker takes over; -1 where it starts at the first.
    """

    def __init__(self, tracker: Tracker, track: Track, warn: Callable[[str], None]) -> None:
        self._tracker, self._track = tracker, track
        self.known = len(track)
        self.after = -1
        self._count = 0
        header = track.header
        try:
            kept = track.state()
            if kept is not None:
                tracker.restore(kept[1], header.height, header.width)
                self.after = kept[0]
        except ValueError as error:
            warn(f"{track.path}: {error}; the frames are tracked again from the first on")

    def start(self, frame: Picture, mask: Labels) -> TrackedFrame:
        """Give the first frame's result; the mask is the track's own."""
        result = self._track[0]
        if self.after < 0:
            self._tracker.start(frame, result.labels)
        self._count = 1
        return result

    def step(self, frame: Picture) -> TrackedFrame:
        """Give the next frame's result."""
        number, self._count = self._count, self._count + 1
        tracked = self._tracker.step(frame) if number > self.after else None
        if number < self.known:
            return self._track[number]
        if tracked is None:  # a state of a frame that is not there
            raise VosctlError(f"{self._track.path}: frame {number} is missing; track the video again")
        self._track.close()
        return tracked


def _named(info: EngineInfo) -> str:
    return f"{info.weights} on {info.engine}, {info.device}, {info.precision}"


def resume(
    track: StrPath,
    source: StrPath | None = None,
    *,
    outputs: OutputRequest | None = None,
    engine: EngineSettings | Engine[Any] | None = None,
    max_frames: int | None = None,
    events: Events | None = None,
) -> Summary:
    """Go on with a run that was stopped; see `ResumeJob`.

    Returns:
        What a run that was never stopped would have said; speeds are those of this part.

    Raises:
        UsageError: the track is complete, or the request cannot be served; nothing was written.
        VosctlError: the track is of another source, or something failed; the track keeps what it holds.
        KeyboardInterrupt: interrupted; likewise.
    """
    wanted = outputs or OutputRequest()
    return ResumeJob(track, source, wanted, engine, {}, max_frames, events or Events()).run()
