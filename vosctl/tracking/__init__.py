"""From frames to labelled frames: objects, crops, merging, lost objects. NumPy in, NumPy out."""

from vosctl.tracking.results import ObjectStatus, TrackedFrame, TrackedObject
from vosctl.tracking.settings import PAPER_SCALES, TrackingSettings
from vosctl.tracking.tracker import GivenMask, Tracker

__all__ = ["PAPER_SCALES", "GivenMask", "ObjectStatus", "TrackedFrame", "TrackedObject", "Tracker", "TrackingSettings"]
