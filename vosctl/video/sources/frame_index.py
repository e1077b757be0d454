"""Where each frame of a video file is: its time, and the key frames from which decoding can begin.

Found by looking at the packets, which takes no decoding. Where they do not tell (codecs with hidden frames, clocks that
had to be corrected, files without timestamps of their own) the file is decoded once, and each later reading begins at
its first frame: slower, and as exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, dropwhile
from pathlib import Path

import av
import numpy as np
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vosctl.video.sources.completeness import missing
from vosctl.video.sources.containers import ContinuousPackets, best_video, open_container
from vosctl.video.sources.decoding import Decoder
from vosctl.video.sources.times import FrameTimes

_ONE_FRAME_A_PACKET = frozenset(
    {"av1", "dnxhd", "ffv1", "h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "prores", "rawvideo", "vp9"}
)
"""Codecs of which each packet is a frame to be shown."""


class _AstrayError(Exception):
    """What is read after a seek is not what the index says.

    Where packets have no times of their own, FFmpeg counts them on from the last one that has, and errs after a seek.
    """


@dataclass(frozen=True, slots=True, eq=False)
class FrameIndex:
    """The frames of a file.

    Attributes:
        times: when each is shown.
        keys: (K, 2) int64, rising: when each key frame is shown, and when it is decoded, in the unit of the times;
            empty where decoding has to begin at the first frame.
        sizes: (N,) int64, bytes of each frame's packet: what tells after a seek that a packet has another frame's time.
        lacking: what the file lacks of what its header claims, see `completeness.missing`.
        troubles: damage that shows in the packets.
    """

    times: FrameTimes
    keys: NDArray[np.int64]
    sizes: NDArray[np.int64]
    lacking: tuple[Fraction, Fraction] | None = None
    troubles: tuple[str, ...] = ()


def index_by_packets(path: Path, time_base: Fraction) -> FrameIndex | None:
    """Look through the packets of a file.

    Args:
        path: a video file.
        time_base: of the frames' times.

    Returns:
        The index; None where the packets do not tell.
    """
    shown: list[tuple[int, int]] = []
    keys: list[tuple[int, int]] = []
    last = (0, 0)
    with open_container(f"file:{path}") as container:
        stream = best_video(container)
        if stream is None or stream.codec_context is None or stream.codec_context.name not in _ONE_FRAME_A_PACKET:
            return None
        packets = ContinuousPackets(container)
        with suppress(av.FFmpegError):  # what comes before is what can be read
            for packet in packets:
                if packet.stream_index != stream.index:
                    continue
                if packet.pts is None or packet.time_base != time_base or packet.is_corrupt:
                    return None
                if packet.is_keyframe:
                    decoded = packet.dts if packet.dts is not None else packet.pts
                    keys.append((packet.pts, min(decoded, packet.pts)))
                if not packet.is_discard:
                    shown.append((packet.pts, packet.size))
                    last = max(last, (packet.pts, packet.duration or 0))
        shown.sort()
        pts, sizes = np.array(shown, np.int64).reshape(-1, 2).T
        if container.format.name == "avi" and len(keys) != len(shown):
            return None  # its packets say when they are decoded
        corrected = packets.continuity.steps or packets.continuity.corrected.get(stream.index, 0)
        if corrected or not keys or not shown or not np.all(np.diff(pts)) or min(keys)[0] > pts[0]:
            return None
        step = Fraction(int(np.median(np.diff(pts))) if len(pts) > 1 else 1) * time_base
        lacking = missing(container, packets.ends, step)
        times = FrameTimes.of(pts, time_base, last[1])
        return FrameIndex(times, np.array(sorted(keys), np.int64), sizes, lacking, tuple(packets.troubles()))


def index_of_times(times: FrameTimes) -> FrameIndex:
    """Return the index of a file that has to be decoded from its first frame on."""
    return FrameIndex(times, np.empty((0, 2), np.int64), np.empty(0, np.int64))


def number_of(pts: int | None, times: FrameTimes, due: int) -> int | None:
    """Return the number of the frame that is shown at `pts`; None for one that is not known, or is before `due`."""
    number = len(times) if pts is None else int(np.searchsorted(times.pts, pts))
    # In a damaged file a frame may come once more, or too late.
    return number if due <= number < len(times) and times.pts[number] == pts else None


def frames_from(
    path: Path, index: FrameIndex, begin: int, hardware: HWAccel | None = None
) -> Iterator[tuple[int, VideoFrame]]:
    """Decode a file from the key frame before a frame on, and give the frames from there on, with their numbers.

    Args:
        path: the file.
        index: its index, with key frames.
        begin: the first frame wanted.
        hardware: what decodes it; None for the CPU.

    Raises:
        av.FFmpegError: the file cannot be opened any more.
    """
    due, back = begin, 1
    number = int(np.searchsorted(index.keys[:, 0], index.times.pts[begin], side="right")) - 1
    while True:
        frames = _decoded(path, index, number, due, hardware)
        with suppress(_AstrayError):
            head = next(frames, None)
            # Where pictures are refreshed bit by bit, one key frame more is needed for a whole one.
            if number == 0 or (head is not None and head[0] == due and not head[1].is_corrupt):
                for found, frame in chain([] if head is None else [head], frames):
                    due = found + 1
                    yield found, frame
                return
        number, back = max(0, number - back), 2 * back


def _decoded(
    path: Path, index: FrameIndex, key: int, begin: int, hardware: HWAccel | None
) -> Iterator[tuple[int, VideoFrame]]:
    settings = {} if hardware is None else {"hwaccel": hardware}
    with open_container(f"file:{path}", **settings) as container:
        stream = best_video(container)
        if stream is None:
            return
        decoder = Decoder(stream, live=False, in_order=False)
        due = begin
        try:
            for frame in _from_key(container, stream, decoder, index, key):
                if (number := number_of(frame.pts, index.times, due)) is not None:
                    due = number + 1
                    yield number, frame
        finally:  # also where the reading ends in the middle, with the decoder's threads at work
            decoder.close()


def _from_key(
    container: InputContainer, stream: VideoStream, decoder: Decoder, index: FrameIndex, key: int
) -> Iterator[VideoFrame]:
    """Yield the frames from a key frame on. Those before it that come after it in the file need an earlier one."""
    wanted = int(index.keys[key][0])
    packets = _packets_from(container, stream, index, key)
    with suppress(av.FFmpegError):
        for packet in packets:
            yield from (frame for frame in decoder.decode(packet) if frame.pts is not None and frame.pts >= wanted)
    yield from decoder.flush()
    yield from decoder.recover()


def _packets_from(
    container: InputContainer, stream: VideoStream, index: FrameIndex, key: int
) -> Iterator[Packet[VideoStream]]:
    """Yield the packets from a key frame, or from one before it, on; some containers find their places roughly.

    Raises:
        _AstrayError: they are not those of the index; never from the first key frame on, which takes no seek.
    """
    wanted = int(index.keys[key][0])
    for earlier in range(key, 0, -1):
        try:
            container.seek(int(index.keys[earlier][1]), stream=stream, backward=True)
        except av.FFmpegError as error:
            raise _AstrayError from error
        packets = container.demux(stream)
        landed = next((packet for packet in packets if packet.size and packet.is_keyframe), None)
        if landed is not None and landed.pts is not None and landed.pts <= wanted:
            for packet in chain((landed,), packets):
                if packet.size and not _is_as_known(packet, index):
                    raise _AstrayError
                yield packet
            return
    if key:
        raise _AstrayError
    packets = (packet for packet in container.demux(stream) if packet.size)
    yield from dropwhile(lambda packet: not packet.is_keyframe, packets)


def _is_as_known(packet: Packet[VideoStream], index: FrameIndex) -> bool:
    """Whether the packet of a time is the one that the index was made of, as far as it knows that time."""
    number = number_of(packet.pts, index.times, 0)
    return number is None or packet.is_discard or packet.size == index.sizes[number]
