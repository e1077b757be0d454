"""Outputs: what is written of a tracked video, any number of them in one pass."""

from vosctl.errors import OutputClosedError
from vosctl.video.sinks.base import OutputRequest, Sink
from vosctl.video.sinks.factory import open_sinks

__all__ = ["OutputClosedError", "OutputRequest", "Sink", "open_sinks"]
