"""How the pictures of a video file are compressed, and which containers there are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, get_args

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""File extensions of videos that can be written, with FFmpeg's name of the muxer."""
ANIMATIONS = {".webp": "webp", ".gif": "gif"}
"""The same of animated pictures: they hold no sound, and run in a loop."""

PipeFormat = Literal["matroska", "y4m"]
"""The form of a video on standard output, in a pipe or a device."""
PIPE_FORMATS: tuple[PipeFormat, ...] = get_args(PipeFormat)
PIPE_MUXERS: dict[PipeFormat, str] = {"matroska": "matroska", "y4m": "yuv4mpegpipe"}
"""The same with FFmpeg's name of the muxer."""


@dataclass(frozen=True)
class VideoEncoding:
    """How pictures are compressed.

    Attributes:
        codec: FFmpeg's name of the encoder.
        pixel_format: FFmpeg's name of the format it is given.
        options: the encoder's own options.
        even_size: whether width and height must be even; odd ones are padded by repeating the last column or row.
        largest: the most pixels a side may have; 0 when nothing sets a limit that matters.
        called: the format in words, as what sets its limits.
        on_gpu: whether an NVIDIA GPU encodes.
        tag: FFmpeg's name of the codec in MP4 and QuickTime; empty for the usual one.
        matrix: the one colour matrix that every reader takes, "bt601"; empty where the file says which it is.
        square: whether no file of the format can say that its pixels are not square.
        tick: seconds per unit of the format's own clock; 0 where it takes the source's.
        least_ticks: units of it that a picture is shown at least; what comes sooner is left out.
    """

    codec: str
    pixel_format: str
    options: dict[str, str] = field(default_factory=dict)
    even_size: bool = False
    largest: int = 0
    called: str = "H.264"
    on_gpu: bool = False
    tag: str = ""
    matrix: str = ""
    square: bool = False
    tick: Fraction = Fraction(0)
    least_ticks: int = 0

    @property
    def most_a_second(self) -> int:
        """How many pictures a second there may be, of a format that shows each so long at least."""
        return int(1 / (self.tick * self.least_ticks))


# Measured at 1080p on one core: `ultrafast` takes 9 ms a frame, and with CABAC and deblocking 10.5 ms for 29 % fewer
# bits at a better PSNR; `superfast` and `veryfast` take 32 and 38 ms. Without B frames every duration is kept exactly.
H264 = VideoEncoding(
    "libx264",
    "yuv420p",
    {"preset": "ultrafast", "crf": "20", "bf": "0", "x264-params": "cabac=1:deblock=0,0"},
    even_size=True,
    largest=16384,
)
# Constant quality, at about the size that `H264` gives; without B frames, as there. Not measured on a GPU yet.
_NVENC_OPTIONS = {"preset": "p4", "rc": "vbr", "cq": "23", "bf": "0"}
H264_NVENC = VideoEncoding(
    "h264_nvenc",
    "yuv420p",
    _NVENC_OPTIONS,
    even_size=True,
    largest=4096,
    called="NVENC's H.264",
    on_gpu=True,
)
HEVC_NVENC = VideoEncoding(
    "hevc_nvenc",
    "yuv420p",
    _NVENC_OPTIONS,
    even_size=True,
    largest=8192,
    called="NVENC's HEVC",
    on_gpu=True,
    tag="hvc1",  # the only one that Apple's players take
)
EncoderWord = Literal["auto", "libx264", "h264_nvenc", "hevc_nvenc"]
ENCODERS: dict[EncoderWord, VideoEncoding] = {
    "auto": H264,
    "libx264": H264,
    "h264_nvenc": H264_NVENC,
    "hevc_nvenc": HEVC_NVENC,
}
"""How .mp4, .mov and .mkv are compressed, by what `encoder` takes."""
_VP9_OPTIONS = {"crf": "24", "deadline": "realtime", "cpu-used": "8", "row-mt": "1", "lag-in-frames": "0"}
VP9 = VideoEncoding("libvpx-vp9", "yuv420p", _VP9_OPTIONS, called="VP9", square=True)
VP9_ALPHA = replace(VP9, pixel_format="yuva420p", options={**_VP9_OPTIONS, "auto-alt-ref": "0"})
# Browsers show a picture that has 10 ms or less for 100 ms; a GIF counts hundredths of a second.
WEBP = VideoEncoding(
    "libwebp_anim",
    "yuv420p",
    {"quality": "80"},
    called="WebP",
    matrix="bt601",
    square=True,
    tick=Fraction(1, 1000),
    least_ticks=11,
)
WEBP_ALPHA = replace(WEBP, pixel_format="yuva420p")
GIF = VideoEncoding("gif", "pal8", called="GIF", square=True, tick=Fraction(1, 100), least_ticks=2)
# FFmpeg's other ProRes encoder, prores_ks, takes 400 ms a frame at 1080p where this one takes 60, for the same size and
# error.
PRORES_4444 = VideoEncoding("prores_aw", "yuva444p10le", even_size=True)
# FFV1 takes 100 ms a frame at 1080p where these take 4: the reader is another program, and compresses as it likes.
RAW = VideoEncoding("rawvideo", "yuv420p")
RAW_ALPHA = VideoEncoding("rawvideo", "rgba")
