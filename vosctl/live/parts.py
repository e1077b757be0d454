"""What a live run is put together from, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosctl.live.recorder import Recorder
from vosctl.live.session import Session
from vosctl.live.virtual_camera import VirtualCamera
from vosctl.pipeline import LatencyHistogram
from vosctl.selection.window import Window
from vosctl.tracking import TrackedFrame, Tracker
from vosctl.video.frames import Frame, SourceInfo


@dataclass(slots=True)
class LiveSummary:
    """The result of a live run.

    Attributes:
        frames: frames followed.
        captured: frames the feed gave.
        dropped: of these, frames a newer one replaced.
        seconds: from the first frame to the end.
        latency: seconds from capture to display (to the result where there is no window).
        tracking: seconds to track a frame.
        outputs: what was written.
        crop_size: side in pixels of the square that the network saw; None before anything was followed.
    """

    frames: int = 0
    captured: int = 0
    dropped: int = 0
    seconds: float = 0.0
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)
    tracking: LatencyHistogram = field(default_factory=LatencyHistogram)
    outputs: list[Path] = field(default_factory=list)
    crop_size: int | None = None


@dataclass(frozen=True, slots=True)
class LiveParts:
    """What a live run is put together from.

    Attributes:
        info: of the feed.
        new_tracker: makes the tracker, once it is known how many objects it begins with.
        session: what the user sees and does.
        first_objects: gives the labels, (H, W) uint8, of the first frame; None when it begins without objects.
        outputs: written from the first frame to the last.
        recording: begun with the run, to be stopped by the user; None when it is not asked for.
        window: None without one.
        camera: a virtual camera to show the view on.
        on_frame: receives each followed frame.
        warn: receives a line for what went wrong without ending the run.
    """

    info: SourceInfo
    new_tracker: Callable[[int], Tracker]
    session: Session
    first_objects: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None
    outputs: Recorder
    recording: Recorder | None
    window: Window | None
    camera: VirtualCamera | None
    on_frame: Callable[[Frame, TrackedFrame], None]
    warn: Callable[[str], None]
