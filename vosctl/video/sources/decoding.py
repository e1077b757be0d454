"""Decoding that loses no frame that can be had: damaged ones are given out, and errors take no others with them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import suppress
from heapq import heappop, heappush
from typing import Any

import av
from av.codec.context import CodecContext, Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vosctl.memory_limit import reached_limit

_ONE_FRAME_A_PACKET = frozenset({"av1", "ffv1", "h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "prores"})
"""Codecs of which each packet is a frame to be shown, unless the video is interlaced."""
_MOST_REMEMBERED = 1000
_LARGEST_BACKLOG = 64 << 20  # bytes


class _Number:
    """A packet's number in its stream; PyAV tells the objects that it hands on by their identity, so no plain int."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value


def _number_of(thing: Packet[VideoStream] | VideoFrame) -> int:
    """Return the number of a packet, or of the packet that a frame was made from; -1 when it is not known."""
    return thing.opaque.value if isinstance(thing.opaque, _Number) else -1


class Decoder:
    """Decodes the packets of one video stream.

    FFmpeg decodes several frames at once, and an error at the end of the stream makes PyAV forget those that are still
    under way. They are then decoded anew, one after the other, from the last key frame on.

    Args:
        stream: the stream; nothing of it has been decoded yet.
        live: whether a frame must be given out as soon as its packet is there.
        in_order: whether the packets' decoding times are all that is known of when a frame is shown, as in AVI: the
            frames get them in rising order.

    Attributes:
        lost: packets that could not be decoded.
        damaged: frames that were decoded with errors, and given out.
    """

    def __init__(self, stream: VideoStream, *, live: bool, in_order: bool) -> None:
        self.lost = self.damaged = 0
        self._stream = stream
        self._in_order = in_order
        # Threads over whole frames delay the picture by as many frames as there are threads: not for live video.
        stream.thread_type = "SLICE" if live else "AUTO"
        context: VideoCodecContext = stream.codec_context
        context.flags |= Flags.output_corrupt | Flags.copy_opaque
        self._backlog: list[Packet[VideoStream]] = []
        self._keys: list[int] = []
        self._size = 0
        self._sent = 0
        self._hidden = 0  # packets whose frames an edit list leaves out
        self._given = 0
        self._delivered: set[int] = set()
        self._interlaced = False
        self._times: list[int] = []
        self._keeps_order = not live
        self._awaited: list[int] = []  # when the packets are shown that no frame has come of yet
        self._passed_over = 0
        # FFmpeg's threads drop packets, and with them their numbers, which takes Python's lock; PyAV holds that lock
        # while it waits for those threads to end. So none may be at work when the context goes, whoever drops it.
        self._rest = weakref.finalize(self, context.flush_buffers)
        self._rest.atexit = False

    def close(self) -> None:
        """Stop what is under way, and forget it. Nothing can be decoded afterwards."""
        self._rest()

    def decode(self, packet: Packet[VideoStream]) -> Iterator[VideoFrame]:
        """Decode the frames that a packet completes."""
        packet.opaque = _Number(self._sent)
        self._sent += 1
        self._hidden += packet.is_discard
        self._remember(packet)
        if self._keeps_order and packet.pts is not None and not packet.is_discard:
            heappush(self._awaited, packet.pts)
        if self._in_order and packet.dts is not None:
            heappush(self._times, packet.dts)
        try:
            frames = self._stream.decode(packet)
        except av.FFmpegError as error:
            if isinstance(error, MemoryError) and reached_limit() is not None:  # else the packet asks for too much
                raise MemoryError(str(error)) from error
            self._drop(packet)
            return
        yield from self._deliver(frames)

    def flush(self) -> Iterator[VideoFrame]:
        """Decode the frames that are still under way, at the end of the stream."""
        frames: list[VideoFrame] = []
        with suppress(av.FFmpegError):
            frames = self._stream.decode(None)
        yield from self._deliver(frames)

    def recover(self) -> Iterator[VideoFrame]:
        """After `flush`, the frames that an error made it forget. They carry no metadata of the container's."""
        under_way = (packet for packet in self._backlog[-self._depth() :] if not packet.is_discard)
        pending = {_number_of(packet) for packet in under_way} - self._delivered
        if pending:
            yield from self._deliver(frame for frame in self._anew() if _number_of(frame) in pending)
        if self._stream.codec_context.name in _ONE_FRAME_A_PACKET and not self._interlaced:
            self.lost = max(self.lost, self._sent - self._hidden - self._given)

    def _deliver(self, frames: Any) -> Iterator[VideoFrame]:
        for frame in frames:
            self.damaged += frame.is_corrupt
            self._given += 1
            self._interlaced |= frame.interlaced_frame
            self._delivered.add(_number_of(frame))
            if self._times:
                while len(self._times) > self._depth():
                    heappop(self._times)  # of frames that were lost
                frame.pts = heappop(self._times)
            self._take_off(frame.pts)
            yield frame
        # An endless stream must not take ever more memory.
        if len(self._delivered) > 2 * _MOST_REMEMBERED:
            self._delivered = {number for number in self._delivered if number > self._sent - _MOST_REMEMBERED}

    @property
    def has_gaps(self) -> bool:
        """Whether frames came after others that did not; not known of live and of interlaced video."""
        return self._passed_over > 0 and not self._interlaced

    def _take_off(self, pts: int | None) -> None:
        """Note that a frame has come, and that those that were to be shown before it will not."""
        while pts is not None and self._awaited and self._awaited[0] <= pts:
            self._passed_over += heappop(self._awaited) < pts

    def _drop(self, packet: Packet[VideoStream]) -> None:
        self.lost += 1
        if self._in_order and packet.dts in self._times:
            self._times.remove(packet.dts)
            self._times.sort()

    def _depth(self) -> int:
        """Return how many packets may be under way in the decoder."""
        context: VideoCodecContext = self._stream.codec_context
        return context.thread_count + int(context.has_b_frames) + 2

    def _remember(self, packet: Packet[VideoStream]) -> None:
        """Keep the packets that `_anew` would need: from a key frame on, and no fewer than may be under way."""
        if packet.is_keyframe:
            while len(self._keys) > 1 and len(self._backlog) - self._keys[1] >= self._depth():
                start = self._keys[1]
                self._size -= sum(old.size for old in self._backlog[:start])
                del self._backlog[:start]
                self._keys = [key - start for key in self._keys[1:]]
            self._keys.append(len(self._backlog))
        if not self._keys:
            return  # nothing can be decoded before a key frame
        self._backlog.append(packet)
        self._size += packet.size
        if self._size > _LARGEST_BACKLOG or len(self._backlog) > _MOST_REMEMBERED:
            self._backlog, self._keys, self._size = [], [], 0

    def _anew(self) -> Iterator[VideoFrame]:
        original: VideoCodecContext = self._stream.codec_context
        context = CodecContext.create(original.name, "r")
        assert isinstance(context, VideoCodecContext)
        if original.extradata is not None:
            context.extradata = original.extradata
        context.width, context.height = original.width, original.height
        context.colorspace, context.color_range = original.colorspace, original.color_range
        context.color_primaries, context.color_trc = original.color_primaries, original.color_trc
        context.flags |= Flags.output_corrupt | Flags.copy_opaque
        context.thread_count = 1
        for packet in (*self._backlog, None):
            with suppress(av.FFmpegError):
                yield from context.decode(packet)
