"""What every job does alike, once it is known what gives the results: `segment`, `render` and `resume`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np

from vosctl.arguments import check_kind, whole_number
from vosctl.engine.base import Engine, EngineInfo
from vosctl.engine.cache import compiled_by_torch
from vosctl.engine.idle_gpu import idle_gpu
from vosctl.engine.providers import Lack, Provider, why_unusable
from vosctl.engine.settings import EngineSettings
from vosctl.errors import UsageError
from vosctl.events import Events, tell_frame
from vosctl.extras import is_present
from vosctl.pipeline import Following, Pipeline
from vosctl.summary import LossRecord, Summary
from vosctl.tracking import TrackedFrame, Tracker, TrackingSettings
from vosctl.tracking.settings import SMALL_CROP
from vosctl.tracks.header import TrackHeader
from vosctl.types import Labels
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.sinks import OutputRequest, open_sinks
from vosctl.video.sources import Source


def check_max_frames(max_frames: int | None) -> None:
    """Make sure that a run has a frame to stop after.

    Raises:
        UsageError: it is no whole number, or below 1.
    """
    if max_frames is not None and whole_number("max_frames", max_frames) < 1:
        raise UsageError(f"`max_frames={max_frames}`: must be 1 or more")


def check_events(events: Events) -> None:
    """Make sure that a run has somebody to hear of it. Raises UsageError when it is something else."""
    check_kind("events", events, Events, "an object of a class that extends vosctl.Events")


def check_engine(engine: EngineSettings | Engine[Any]) -> None:
    """Make sure that it is an engine, or settings of one. Raises UsageError when it is something else."""
    if not hasattr(engine, "propagate"):
        check_kind("engine", engine, EngineSettings, "EngineSettings(engine='onnx'), or what its create() made")


def check_settings(engine: EngineSettings | Engine[Any], tracking: TrackingSettings) -> None:
    """Make sure that a run is given what computes and how objects are followed, before anything is opened.

    Raises:
        UsageError: one is something else.
    """
    check_engine(engine)
    check_kind("tracking", tracking, TrackingSettings, "TrackingSettings(...), such as of `window_size=192`")


def expected_frames(info: SourceInfo, max_frames: int | None) -> int | None:
    """Return how many frames a run will have; None where nobody knows."""
    return min((count for count in (info.frame_count, max_frames) if count is not None), default=None)


def put_tracker(engine: EngineSettings | Engine[Any], tracking: TrackingSettings) -> Tracker:
    """Put a tracker on an engine that was made, or on one that is made from settings.

    Raises:
        VosctlError: the weights, engine, device or precision cannot be had.
    """
    if isinstance(engine, EngineSettings):
        return Tracker.load(**asdict(engine), settings=tracking)
    return Tracker(engine, tracking)


def tell_of_first_build(
    events: Events,
    asked: EngineSettings | Engine[Any],
    problem_of: Callable[[Provider], Lack | None] = why_unusable,
) -> None:
    """Say, before an engine is made, that its first use takes minutes, where it does.

    Args:
        events: hears of it.
        asked: the engine.
        problem_of: says what keeps a provider from being used: then nothing is built.
    """
    if isinstance(asked, EngineSettings):
        provider = Provider(asked.provider)
        if (line := provider.first_build()) is not None and problem_of(provider) is None:
            events.note(line)
        if asked.compiled and asked.engine in ("auto", "torch") and is_present("torch"):
            events.note(f"torch compiles the network first, which takes a while; it is kept in {compiled_by_torch()}")


def tell_of_small_crops(tracking: TrackingSettings, note: Callable[[str], None]) -> None:
    """Say what is lost in crops that were chosen smaller than what is seen well in."""
    if tracking.window and 0 < tracking.window_size < SMALL_CROP:
        note(
            f"`window_size={tracking.window_size}`: in crops below {SMALL_CROP} pixels thin parts are lost, and whole "
            "objects now and then"
        )


def warn_of_idle_gpu(events: Events, info: EngineInfo, asked: EngineSettings | Engine[Any]) -> None:
    """Say that the machine has a GPU that is not used, where that was nobody's choice."""
    if isinstance(asked, EngineSettings) and (idle := idle_gpu(info, asked.device)) is not None:
        events.warning(idle)


def run_pipeline(
    source: Source,
    following: Following,
    request: OutputRequest,
    events: Events,
    *,
    frames: Iterable[Frame] | None = None,
    first_mask: Labels | None = None,
    follow: Callable[[Frame], TrackedFrame] | None = None,
    header: TrackHeader | None = None,
    max_frames: int | None = None,
    finish_on_interrupt: bool = False,
) -> Summary:
    """Decode, follow and write, side by side, and tell `events` of it.

    Args:
        source: the video.
        following: gives the results.
        request: the outputs, checked.
        events: hears of frames, warnings, and of what is kept of a run that fails.
        frames: the source's, where the first was looked at already.
        first_mask: (H, W) ids in the first frame; None where `following` or `follow` knows them.
        follow: see `Pipeline`.
        header: of the track that is written.
        max_frames: stop after so many frames.
        finish_on_interrupt: see `Pipeline.run`.

    Returns:
        Frames, speed, outputs and losses; not what ran the network.

    Raises:
        VosctlError: the source, the engine or an output failed.
        KeyboardInterrupt: interrupted.
    """
    record = LossRecord()
    sinks = open_sinks(request, source.info, events.warning, header)
    mask = np.zeros((source.info.height, source.info.width), np.uint8) if first_mask is None else first_mask
    pipeline = Pipeline(
        source if frames is None else frames,
        following,
        mask,
        sinks,
        partial(tell_frame, events, record),
        follow=follow,
        stop_reading=source.interrupt,
    )
    try:
        run = pipeline.run(max_frames, finish_on_interrupt=finish_on_interrupt)
    finally:
        for path in pipeline.kept:
            events.kept(path)
        for warning in source.warnings:
            events.warning(warning)
    for object_id in sorted(request.object_names.by_id.keys() - record.objects):
        events.warning(f"`object_names`: there is no object {object_id}; its name was not used")
    return replace(run, losses=record.losses)
