"""Tracks of sound and subtitles as an output takes them: whether it does, and what it is told of them."""

from __future__ import annotations

import io

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

from vosctl.video.sources.containers import tags_of

_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""FFmpeg's names of the layouts that numbers of channels usually have."""

_QUICKTIME_LANGUAGES = {
    **{"cze": "ces", "deu": "ger", "ell": "gre", "fre": "fra", "isl": "ice", "nld": "dut"},
    **{"rum": "ron", "slo": "slk", "sqi": "alb", "swe": "sve", "zho": "chi"},
}
"""Languages that have two codes, of which FFmpeg knows the other one in .mov; with this one they are lost there."""


def can_hold(container_format: str, stream: AudioStream | SubtitleStream) -> bool:
    """Return whether a container takes the stream as it is, found by writing a header for it alone.

    FFmpeg's own table of codecs per container promises more than the muxers keep (Opus in QuickTime), hence the trial.

    Args:
        container_format: FFmpeg's name of the muxer, "mp4", "mov", "matroska" or "webm".
        stream: the stream to be copied.
    """
    try:
        with av.open(io.BytesIO(), "w", format=container_format) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (ValueError, av.FFmpegError):
        return False
    return True


def add_copy(output: OutputContainer, stream: AudioStream | SubtitleStream) -> Stream:
    """Add a stream to an output as it is, with its language, title and whether it is the default; return it."""
    target = output.add_stream_from_template(stream)
    if isinstance(target, AudioStream) and target.codec_context.layout.name.endswith("channels"):
        # Only their number is known, of which MP4 makes nothing.
        usual = _LAYOUTS.get(target.codec_context.layout.nb_channels)
        if usual is not None:
            target.codec_context.layout = usual
    tags = {key.lower(): value for key, value in tags_of(stream.metadata).items()}
    if (title := tags.get("title", tags.get("name"))) is not None:  # MP4 has the one for the other
        target.metadata["title"] = title
    if "language" in tags:
        written = _QUICKTIME_LANGUAGES if output.format.name == "mov" else {}
        target.metadata["language"] = written.get(tags["language"], tags["language"])
    target.disposition = stream.disposition
    return target
