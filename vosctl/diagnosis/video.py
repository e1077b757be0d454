"""Codecs that really open, OpenCV's windows, cameras."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from vosctl.diagnosis.findings import Finding, error, ok, reason, warning
from vosctl.diagnosis.probe import Probe

if TYPE_CHECKING:
    from vosctl.video.encodings import VideoEncoding

    Uses = Sequence[tuple[str, VideoEncoding, str]]  # file name, encoding, what it is for

DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "prores", "rawvideo")
"""What videos usually come in, by FFmpeg's names."""
_PYAV_CURE = "python -m pip install --force-reinstall --no-cache-dir av (its wheels bring every codec)"
_PROBED_CAMERAS = 3
_CAMERA = re.compile(r"/dev/video(\d+)")


def check_encoders(probe: Probe) -> list[Finding]:
    """Write a two-frame video with every encoding the outputs use, through the code that writes them."""
    from vosctl.video import encodings

    return try_encoders(
        (
            ("overlay.mp4", encodings.H264, "overlays and mattes in .mp4, .mov and .mkv"),
            ("overlay.webm", encodings.VP9, "overlays and mattes in .webm"),
            ("cutout.webm", encodings.VP9_ALPHA, "cut-outs in .webm"),
            ("cutout.mov", encodings.PRORES_4444, "cut-outs in .mov"),
        )
    )


def try_encoders(uses: Uses) -> list[Finding]:
    """Write a two-frame video with each of these encodings; only a missing first one stops work."""
    return [_check_encoder(*use, stops_work=index == 0) for index, use in enumerate(uses)]


def _check_encoder(name: str, encoding: VideoEncoding, use: str, stops_work: bool) -> Finding:
    import numpy as np

    from vosctl.errors import VosctlError
    from vosctl.video.encoder import VideoWriter
    from vosctl.video.frames import Frame, SourceInfo

    rate = Fraction(25)
    picture = np.full((64, 96, 4), 128, np.uint8)
    try:
        with tempfile.TemporaryDirectory() as folder:
            info = SourceInfo(name, 96, 64, rate, 1 / rate)
            path = Path(folder) / name
            writer = VideoWriter(path, info, encoding, overwrite=False, audio=False, warn=lambda line: None)
            for index in range(2):
                writer.write(picture, "rgba", Frame(index, picture[..., :3], index, 1 / rate, 1))
            writer.finish()
    except (VosctlError, OSError) as problem:
        found = error if stops_work else warning
        return found(encoding.codec, f"does not open: {reason(problem)}; no {use}", _PYAV_CURE)
    return ok(encoding.codec, f"opens as {encoding.pixel_format}: {use}")


def check_decoders(probe: Probe) -> list[Finding]:
    """Say which of the usual codecs can be decoded, and whether the packaged clip can be, with its sound."""
    from vosctl.demo import made_clip

    return [*find_decoders(DECODERS), *check_clip(made_clip()[0])]


def find_decoders(names: Sequence[str]) -> list[Finding]:
    """Look for FFmpeg's decoders of these names."""
    missing = [name for name in names if not _has_decoder(name)]
    if missing:
        return [warning("decoders", f"no decoder for {', '.join(missing)}: such videos cannot be read", _PYAV_CURE)]
    return [ok("decoders", ", ".join(names))]


def check_clip(clip: Path) -> list[Finding]:
    """Decode a frame of a clip, and see whether its sound can be copied."""
    import av

    from vosctl.video.copied_tracks import can_hold

    try:
        with av.open(str(clip)) as container:
            next(container.decode(video=0))
            sound = container.streams.audio[0]
            codec = sound.codec_context.name
            if can_hold("mp4", sound):
                return [ok("sound", f"{codec} is copied into .mp4")]
            return [warning("sound", f"{codec} cannot be copied into .mp4", _PYAV_CURE)]
    except (av.FFmpegError, OSError, StopIteration, IndexError) as problem:
        return [error("demo clip", f"{clip}: cannot be decoded: {reason(problem)}", _PYAV_CURE)]


def _has_decoder(name: str) -> bool:
    import av

    try:
        av.codec.Codec(name, "r")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def check_nvidia_video(probe: Probe) -> list[Finding]:
    """Decode the packaged clip and open the encoders on an NVIDIA GPU, where there is one; neither is needed."""
    from vosctl.demo import made_clip
    from vosctl.engine.providers import has_nvidia_gpu

    if not has_nvidia_gpu():
        return [ok("NVDEC, NVENC", "not tried: there is no NVIDIA GPU")]
    return [try_nvdec(made_clip()[0]), *try_nvenc()]


def try_nvdec(clip: Path) -> Finding:
    """Decode a frame of a clip on the GPU."""
    from vosctl.errors import VosctlError
    from vosctl.video.sources import open_source

    try:
        with open_source(str(clip), decoder="nvdec") as source:
            next(iter(source))
    except VosctlError as problem:
        return ok("NVDEC", f"cannot be used, videos are decoded on the CPU: {reason(problem)}")
    return ok("NVDEC", "decodes, with `decoder='nvdec'`")


def try_nvenc() -> list[Finding]:
    """Open the GPU's encoders."""
    from vosctl.video.encodings import ENCODERS
    from vosctl.video.hardware import why_not_encode

    findings = []
    for word, encoding in ENCODERS.items():
        if encoding.on_gpu:
            problem = why_not_encode(encoding)
            told = f"opens, with `encoder={word!r}`" if problem is None else f"cannot be used: {problem}"
            findings.append(ok(word, told))
    return findings


def check_opencv(probe: Probe) -> list[Finding]:
    """Check whether OpenCV can show windows."""
    found = re.search(r"GUI:\s*(\S+)", probe.load("cv2").getBuildInformation())
    gui = found.group(1) if found else "NONE"
    if gui == "NONE":
        return [ok("OpenCV", "headless: it cannot show windows")]
    shown = probe.system != "linux" or os.environ.get("DISPLAY")  # as `require_display` asks for
    return [ok("OpenCV", f"windows with {gui}" + ("" if shown else ", but no display is set (DISPLAY)"))]


def check_cameras(probe: Probe) -> list[Finding]:
    """List the cameras that can be opened by number; none is no fault."""
    numbers, findings = _linux_cameras(probe) if probe.system == "linux" else (_probed_cameras(probe), [])
    if not findings and not numbers:
        return [ok("cameras", "none")]
    if numbers:
        findings.append(ok("cameras", ", ".join(str(number) for number in numbers)))
    return findings


def _linux_cameras(probe: Probe) -> tuple[list[int], list[Finding]]:
    # Others, such as /dev/video-dec0, are codecs of the machine's own.
    numbered = {int(found[1]): found[0] for device in probe.video_devices() if (found := _CAMERA.fullmatch(device))}
    open_ones = [number for number, device in sorted(numbered.items()) if probe.may_open(device)]
    shut = [device for number, device in sorted(numbered.items()) if number not in open_ones]
    if not shut:
        return open_ones, []
    cure = "sudo usermod -aG video $USER, then log in again (in a container: pass the device in)"
    return open_ones, [warning("cameras", f"{', '.join(shut)}: no permission to open", cure)]


def _probed_cameras(probe: Probe) -> list[int]:
    cv2 = probe.load("cv2")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    numbers = []
    for number in range(_PROBED_CAMERAS):
        camera = cv2.VideoCapture(number)
        if camera.isOpened():
            numbers.append(number)
        camera.release()
    return numbers
