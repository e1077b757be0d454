"""What a run writes into its track of how it came about."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from vosctl.engine.base import EngineInfo
from vosctl.engine.settings import EngineSettings
from vosctl.errors import UsageError
from vosctl.jobs.both_ways import Direction
from vosctl.live.feeds import Feed
from vosctl.prompts.first_objects import FirstObjects, Tell
from vosctl.prompts.prompt_file import entries_of, prompts_from
from vosctl.prompts.schedule import Schedule
from vosctl.prompts.timed import TimedPrompt
from vosctl.time_line import Span
from vosctl.tracking import TrackingSettings
from vosctl.tracks.header import JSON, TrackHeader
from vosctl.tracks.identity import SourceIdentity
from vosctl.tracks.reader import Track
from vosctl.video.sources import RangedSource, Source


def header_of(
    source: Source | Feed,
    track: Path,
    objects: FirstObjects,
    tracking: TrackingSettings,
    settings: EngineSettings | None,
    engine: EngineInfo,
    *,
    image_rate: Fraction | None = None,
    span: Span | None = None,
    prompts: Sequence[TimedPrompt] = (),
    max_frames: int | None = None,
    live: bool = False,
    said: dict[str, JSON] | None = None,
    direction: Direction = "both",
) -> TrackHeader:
    """Describe a run that is about to begin.

    Args:
        source: the video.
        track: where the track will be.
        objects: what is followed.
        tracking: how.
        settings: what was asked of the engine; None where the caller made it.
        engine: what is really used.
        image_rate: what was asked for.
        span: the part of the source that is tracked.
        prompts: what is said of objects in later frames.
        max_frames: after how many frames it stops.
        live: whether frames are left out that come too fast.
        said: see `said_of`; nothing where all is said in the first frame.
        direction: which ways objects are followed from what is said of them later, when the track is corrected.

    Raises:
        VosctlError: the source's files cannot be read.
    """
    header = TrackHeader.of(source.info, SourceIdentity.of(source.files), _path_from(track, source.files))
    used: dict[str, JSON] = {"asked": None if settings is None else asdict(settings), "used": asdict(engine)}
    return replace(
        header,
        image_rate=image_rate,
        prompts=_prompts(objects) | _timed(prompts),
        span=_span(span),
        tracking=_tracking(tracking),
        engine=used,
        max_frames=max_frames,
        live=live,
        said=said or {},
        direction=direction,
    )


def said_of(schedule: Schedule, direction: Direction, accept_doubtful: bool) -> dict[str, JSON]:
    """Describe what is said when, so that a run can be gone on with: places as frames, objects as masks if known."""
    entries: list[JSON] = [entry for prompt in schedule.prompts for entry in entries_of(prompt)]
    return {"prompts": entries, "direction": direction, "accept_doubtful": accept_doubtful}


def scheduled(track: Track, source: Source, note: Tell, warn: Tell) -> Schedule:
    """Return what is said when, as a track has it.

    Args:
        track: with at least one frame.
        source: the part of the video that it is of, not read yet.
        note: see `Schedule`.
        warn: see `Schedule`.

    Raises:
        UsageError: the track was written by a vosctl that did not keep all of it.
        VosctlError: the track is damaged.
    """
    header = track.header
    if not header.said:
        if header.prompts.get("timed"):
            raise UsageError(
                f"{track.path}: is of a run with prompts in later frames, of a vosctl that could not go on with those; "
                "track the video again"
            )
        return Schedule(source, [TimedPrompt(mask=track[0].labels)], note=note, warn=warn)
    prompts = prompts_from(track.path, header.said.get("prompts"))
    accept = header.said.get("accept_doubtful") is True
    return Schedule(source, prompts, accept_doubtful=accept, note=note, warn=warn)


def direction_of(header: TrackHeader) -> Direction:
    """Return which ways a track's objects are followed from what is said of them."""
    return "forward" if header.said.get("direction", header.direction) == "forward" else "both"


def is_same_request(
    header: TrackHeader,
    objects: FirstObjects,
    tracking: TrackingSettings,
    engine: EngineInfo,
    *,
    image_rate: Fraction | None = None,
    span: Span | None = None,
    prompts: Sequence[TimedPrompt] = (),
) -> bool:
    """Return whether a track's run was asked for the same, and used the same engine; of its source nothing is said.

    Of a mask that was an array it is not known which.
    """
    how = {"temporal_smoothing": False, **header.tracking}  # releases that do not say it did not smooth
    if not prompts and "references" not in how:  # of an earlier release, and without corrections
        how = {**how, "references": tracking.references}
    there = (header.image_rate, header.prompts, header.span, how, header.engine.get("used"))
    return there == (
        image_rate,
        _prompts(objects) | _timed(prompts),
        _span(span),
        _tracking(tracking),
        asdict(engine),
    )


def source_of(header: TrackHeader, source: Source) -> Source:
    """Narrow a track's source to the part that the track is of.

    Raises:
        UsageError: the source has no such part, or the track does not say it clearly.
    """
    start, end, every = (header.span.get(name) for name in ("start", "end", "every"))
    span = Span.of(
        start if isinstance(start, str) else None,
        end if isinstance(end, str) else None,
        every if isinstance(every, int) else 1,
    )
    return source if span.is_whole else RangedSource(source, span)


def _tracking(tracking: TrackingSettings) -> dict[str, JSON]:
    return asdict(tracking) | {"scales": list(tracking.scales), "temporal_smoothing": tracking.smooths}


def _span(span: Span | None) -> dict[str, JSON]:
    if span is None or span.is_whole:
        return {}
    start, end = (None if place is None else str(place) for place in (span.start, span.end))
    return {"start": start, "end": end, "every": span.every}


def _timed(prompts: Sequence[TimedPrompt]) -> dict[str, JSON]:
    if not prompts:
        return {}
    return {"timed": [entry for prompt in prompts for entry in entries_of(prompt)]}


def _path_from(track: Path, files: tuple[Path, ...]) -> str:
    """Where the source lies, seen from the track, so that both can be moved together; its folder for several images."""
    if not files:
        return ""
    place = files[0] if len(files) == 1 else files[0].parent
    try:
        return os.path.relpath(place.absolute(), track.absolute().parent)
    except ValueError:  # another drive
        return str(place.absolute())


def _prompts(objects: FirstObjects) -> dict[str, JSON]:
    given: dict[str, JSON] = {}
    if isinstance(objects.mask, np.ndarray):
        given["first_mask"] = "array"
    elif objects.files:
        given["first_mask"] = list(objects.files)
    elif objects.choose is not None:
        given["choose"] = True
    for object_id, prompt in objects.prompts.items():
        box: JSON = None if prompt.box is None else [float(side) for side in prompt.box]
        points: JSON = [[float(x), float(y), bool(on_object)] for x, y, on_object in prompt.points]
        given[str(object_id)] = {"box": box, "points": points}
    return given
