"""Track files: what a run found, kept frame by frame, so that outputs are drawn without tracking again."""

from vosctl.tracks.header import TRACK_SUFFIX, TrackHeader
from vosctl.tracks.identity import SourceIdentity
from vosctl.tracks.reader import Track
from vosctl.tracks.writer import TrackWriter

__all__ = ["TRACK_SUFFIX", "SourceIdentity", "Track", "TrackHeader", "TrackWriter"]
