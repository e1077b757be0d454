"""Decoding and encoding on a GPU: chosen by the user, never by itself, refused in one line where it is not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Literal, get_args

import av
from av.codec.context import CodecContext
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.video.codeccontext import VideoCodecContext

from vosctl.engine.providers import has_nvidia_gpu
from vosctl.errors import UsageError, VosctlError
from vosctl.video.encodings import ENCODERS, EncoderWord, VideoEncoding

DecoderWord = Literal["auto", "cpu", "nvdec"]
DECODERS: tuple[DecoderWord, ...] = get_args(DecoderWord)
"""What `decoder` takes; "auto" is the CPU."""
_NVDEC = "cuda"  # FFmpeg's name of the device
_TRIED_SIZE = 256  # pixels; NVENC takes no picture below about 150


def hardware_decoder(
    word: DecoderWord,
    devices: Callable[[], Sequence[str]] = hwdevices_available,
    has_gpu: Callable[[], bool] = has_nvidia_gpu,
) -> HWAccel | None:
    """Return what decodes on a GPU; None for the CPU.

    Args:
        word: what was asked for.
        devices: lists what this FFmpeg can decode on.
        has_gpu: says whether there is an NVIDIA GPU.

    Raises:
        UsageError: a word that is not known.
        VosctlError: this FFmpeg or this machine does not have it; says why.
    """
    if word not in DECODERS:
        raise UsageError(f"`decoder={word!r}`: unknown; give {', '.join(DECODERS)}")
    if word != "nvdec":
        return None
    if (problem := why_no_nvdec(devices, has_gpu)) is not None:
        raise VosctlError(f"`decoder='nvdec'`: {problem}; use `decoder='cpu'`")
    return HWAccel(_NVDEC, allow_software_fallback=False)


def why_no_nvdec(
    devices: Callable[[], Sequence[str]] = hwdevices_available, has_gpu: Callable[[], bool] = has_nvidia_gpu
) -> str | None:
    """Say what NVDEC lacks here; None when nothing is known to be missing."""
    if _NVDEC not in devices():
        return "the FFmpeg in this PyAV was built without NVDEC"
    return None if has_gpu() else "there is no NVIDIA GPU here"


def check_encoder(word: EncoderWord, tried: Callable[[VideoEncoding], str | None] | None = None) -> None:
    """Make sure that an encoder opens.

    Args:
        word: what was asked for; "auto" and FFmpeg's own encoders are taken to be there.
        tried: opens it, and returns what went wrong.

    Raises:
        UsageError: a word that is not known.
        VosctlError: it does not open here; says why.
    """
    if word not in ENCODERS:
        raise UsageError(f"`encoder={word!r}`: unknown; give {', '.join(ENCODERS)}")
    encoding = ENCODERS[word]
    if not encoding.on_gpu:
        return
    if (problem := (tried or why_not_encode)(encoding)) is not None:
        raise VosctlError(f"`encoder={word!r}`: {problem}; use `encoder='libx264'`")


def why_not_encode(encoding: VideoEncoding, has_gpu: Callable[[], bool] = has_nvidia_gpu) -> str | None:
    """Open an encoder for nothing; say what went wrong, None when nothing did."""
    try:
        context = CodecContext.create(encoding.codec, "w")
    except ValueError:  # av.codec.codec.UnknownCodecError
        return f"the FFmpeg in this PyAV was built without {encoding.codec}"
    if encoding.on_gpu and not has_gpu():
        return "there is no NVIDIA GPU here"
    if not isinstance(context, VideoCodecContext):
        return f"{encoding.codec} encodes no video"
    context.width = context.height = _TRIED_SIZE
    context.pix_fmt = encoding.pixel_format
    context.time_base = Fraction(1, 25)
    context.options = dict(encoding.options)
    try:
        context.open()
    except av.FFmpegError as error:
        return f"it does not open ({(error.strerror or type(error).__name__).lower()})"
    return None
