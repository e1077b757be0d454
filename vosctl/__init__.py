"""vosctl: follow any object through a video, given its mask in the first frame.

From a file to files, with everything `vosctl segment` does:

>>> import vosctl
>>> summary = vosctl.segment("in.mp4", first_mask="mask.png", overlay="out.mp4")

Frame by frame:

>>> tracker = vosctl.Tracker.load("lite")
>>> first = tracker.start(frame, mask)  # (H, W, 3) uint8 RGB, (H, W) integer object ids
>>> result = tracker.step(next_frame)
>>> result.labels  # (H, W) uint8, the ids of the first mask
"""

from __future__ import annotations

from vosctl.lazy import lazily
from vosctl.privacy import turn_off_telemetry

# To type checkers it is True; `typing` would take longer to import than all that is here.
TYPE_CHECKING = False
__version__ = "0.2.0"

if TYPE_CHECKING:
    from vosctl.batching import BatchEvents, BatchJob, BatchSummary, JobOptions, JobResult
    from vosctl.batching.run import batch
    from vosctl.engine.base import Engine, EngineInfo
    from vosctl.engine.settings import EngineSettings
    from vosctl.errors import UsageError, VosctlError
    from vosctl.events import Events, Started
    from vosctl.jobs.calling import segment
    from vosctl.jobs.rendering import RenderJob, render
    from vosctl.jobs.resuming import ResumeJob, resume
    from vosctl.jobs.segment import SegmentJob
    from vosctl.prompts import MaskPrediction, Prompt, Stroke, mask_from, predict_mask
    from vosctl.prompts.first_objects import FirstObjects
    from vosctl.prompts.timed import TimedPrompt
    from vosctl.summary import Losses, Summary
    from vosctl.time_line import Span
    from vosctl.tracking import TrackedFrame, TrackedObject, Tracker, TrackingSettings
    from vosctl.tracking.keeping import TrackerState
    from vosctl.tracks import Track, TrackHeader
    from vosctl.video.edges import Edges
    from vosctl.video.frames import Frame, SourceInfo
    from vosctl.video.sinks import OutputRequest

_HOMES = {
    "BatchEvents": "vosctl.batching",
    "BatchJob": "vosctl.batching",
    "BatchSummary": "vosctl.batching",
    "Edges": "vosctl.video.edges",
    "Engine": "vosctl.engine.base",
    "EngineInfo": "vosctl.engine.base",
    "EngineSettings": "vosctl.engine.settings",
    "Events": "vosctl.events",
    "FirstObjects": "vosctl.prompts.first_objects",
    "Frame": "vosctl.video.frames",
    "JobOptions": "vosctl.batching",
    "JobResult": "vosctl.batching",
    "Losses": "vosctl.summary",
    "MaskPrediction": "vosctl.prompts",
    "OutputRequest": "vosctl.video.sinks",
    "Prompt": "vosctl.prompts",
    "RenderJob": "vosctl.jobs.rendering",
    "ResumeJob": "vosctl.jobs.resuming",
    "SegmentJob": "vosctl.jobs.segment",
    "SourceInfo": "vosctl.video.frames",
    "Span": "vosctl.time_line",
    "Started": "vosctl.events",
    "Stroke": "vosctl.prompts",
    "Summary": "vosctl.summary",
    "TimedPrompt": "vosctl.prompts.timed",
    "Track": "vosctl.tracks",
    "TrackHeader": "vosctl.tracks",
    "TrackedFrame": "vosctl.tracking",
    "TrackedObject": "vosctl.tracking",
    "Tracker": "vosctl.tracking",
    "TrackerState": "vosctl.tracking.keeping",
    "TrackingSettings": "vosctl.tracking",
    "UsageError": "vosctl.errors",
    "VosctlError": "vosctl.errors",
    "batch": "vosctl.batching.run",
    "mask_from": "vosctl.prompts",
    "predict_mask": "vosctl.prompts",
    "render": "vosctl.jobs.rendering",
    "resume": "vosctl.jobs.resuming",
    "segment": "vosctl.jobs.calling",
}
"""The public names and their modules, imported on first use: `vosctl --help` loads no network runtime."""

__all__ = [
    "BatchEvents",
    "BatchJob",
    "BatchSummary",
    "Edges",
    "Engine",
    "EngineInfo",
    "EngineSettings",
    "Events",
    "FirstObjects",
    "Frame",
    "JobOptions",
    "JobResult",
    "Losses",
    "MaskPrediction",
    "OutputRequest",
    "Prompt",
    "RenderJob",
    "ResumeJob",
    "SegmentJob",
    "SourceInfo",
    "Span",
    "Started",
    "Stroke",
    "Summary",
    "TimedPrompt",
    "Track",
    "TrackHeader",
    "TrackedFrame",
    "TrackedObject",
    "Tracker",
    "TrackerState",
    "TrackingSettings",
    "UsageError",
    "VosctlError",
    "__version__",
    "batch",
    "mask_from",
    "predict_mask",
    "render",
    "resume",
    "segment",
]


turn_off_telemetry()


if not TYPE_CHECKING:  # or a type checker would take every misspelt name for one of them
    __getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
