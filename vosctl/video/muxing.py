"""What the containers want: muxer options, and clocks in which the source's times are whole numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from vosctl.errors import UsageError
from vosctl.video.frames import SourceInfo

_ANIMATIONS = ("webp", "gif")
Y4M = "yuv4mpegpipe"
MUXERS_WITHOUT_SOUND = (*_ANIMATIONS, Y4M)

_LARGEST_TIMESCALE = 2**31 - 1


def muxer_options(muxer: str, time_base: Fraction, sample_rates: Sequence[int], *, piped: bool) -> dict[str, str]:
    """Return the options of a muxer.

    Args:
        muxer: FFmpeg's name of it.
        time_base: of the frames, in seconds.
        sample_rates: of the sounds that are copied.
        piped: whether somebody reads while it is written.
    """
    if muxer in ("mp4", "mov"):
        return _quicktime_options(time_base, sample_rates)
    if muxer == Y4M:
        return {}
    if muxer in _ANIMATIONS:
        return {"loop": "0"}  # without an end
    # Sound may begin a few milliseconds before the first frame; the muxer would move everything for it.
    options = {"avoid_negative_ts": "disabled"}
    if piped:
        options["cluster_time_limit"] = "0"  # each frame leaves at once
        options["allow_raw_vfw"] = "1"  # or there is no transparency
    return options


def at_even_times(info: SourceInfo) -> SourceInfo:
    """Return what is known of a source with a clock that counts its frames, as y4m has no other.

    Raises:
        UsageError: the source says no frame rate.
    """
    if info.frame_rate is None:
        raise UsageError(
            f"`pipe_format=y4m`: holds one frame rate only, and {info.name} says none; leave it out, Matroska holds "
            "any times"
        )
    return replace(info, time_base=1 / info.frame_rate)


def _quicktime_options(time_base: Fraction, sample_rates: Sequence[int]) -> dict[str, str]:
    """Muxer options for MP4 and QuickTime: index first, and clocks in which every timestamp is a whole number.

    Without them the muxer rescales the frames' clock and rounds the start of each stream to a millisecond.
    """
    movie_timescale = math.lcm(time_base.denominator, *sample_rates)
    if movie_timescale > _LARGEST_TIMESCALE:
        movie_timescale = time_base.denominator
    return {
        "movflags": "+faststart",
        "video_track_timescale": str(time_base.denominator),
        "movie_timescale": str(movie_timescale),
    }
