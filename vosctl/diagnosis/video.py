"""Codecs that really open, OpenCV's windows, cameras."""

from __future__ import annotations

import glob
import os
import re
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from vosctl.diagnosis.findings import Finding, error, ok, reason, warning

if TYPE_CHECKING:
    from vosctl.video.encoder import VideoEncoding

DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "prores", "rawvideo")
"""What videos usually come in, by FFmpeg's names."""
_PYAV_CURE = "python -m pip install --force-reinstall --no-cache-dir av (its wheels bring every codec)"
_PROBED_CAMERAS = 3


def check_encoders() -> list[Finding]:
    """Write a two-frame video with every encoding the outputs use, through the code that writes them."""
    from vosctl.video import encoder

    encodings = (
        ("overlay.mp4", encoder.H264, "overlays and mattes in .mp4, .mov and .mkv"),
        ("overlay.webm", encoder.VP9, "overlays and mattes in .webm"),
        ("cutout.webm", encoder.VP9_ALPHA, "cut-outs in .webm"),
        ("cutout.mov", encoder.PRORES_4444, "cut-outs in .mov"),
    )
    return [_check_encoder(name, encoding, use) for name, encoding, use in encodings]


def _check_encoder(name: str, encoding: VideoEncoding, use: str) -> Finding:
    import numpy as np

    from vosctl.errors import VosctlError
    from vosctl.video.encoder import H264, VideoWriter
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
        found = error if encoding is H264 else warning
        return found(encoding.codec, f"does not open: {reason(problem)}; no {use}", _PYAV_CURE)
    return ok(encoding.codec, f"opens as {encoding.pixel_format}: {use}")


def check_decoders() -> list[Finding]:
    """Which of the usual codecs can be decoded, and whether the packaged clip can be, with its sound."""
    import av

    missing = [name for name in DECODERS if not _has_decoder(name)]
    findings = [ok("decoders", ", ".join(name for name in DECODERS if name not in missing))]
    if missing:
        findings = [warning("decoders", f"no decoder for {', '.join(missing)}: such videos cannot be read", _PYAV_CURE)]
    from vosctl.demo import demo_clip
    from vosctl.video.audio import can_hold

    clip, _ = demo_clip()
    try:
        with av.open(str(clip)) as container:
            next(container.decode(video=0))
            sound = container.streams.audio[0]
            if not can_hold("mp4", sound):
                findings.append(warning("sound", f"{sound.codec_context.name} cannot be copied into .mp4", _PYAV_CURE))
            else:
                findings.append(ok("sound", f"{sound.codec_context.name} is copied into .mp4"))
    except (av.FFmpegError, OSError, StopIteration, IndexError) as problem:
        findings.append(error("demo clip", f"{clip}: cannot be decoded: {reason(problem)}", _PYAV_CURE))
    return findings


def _has_decoder(name: str) -> bool:
    import av

    try:
        av.codec.Codec(name, "r")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def check_opencv() -> list[Finding]:
    """Whether OpenCV can show windows."""
    import cv2

    found = re.search(r"GUI:\s*(\S+)", cv2.getBuildInformation())
    gui = found.group(1) if found else "NONE"
    if gui == "NONE":
        return [ok("OpenCV", "headless: it cannot show windows")]
    shown = sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return [ok("OpenCV", f"windows with {gui}" + ("" if shown else ", but no display is set (DISPLAY)"))]


def check_cameras() -> list[Finding]:
    """The cameras that can be opened by number; none is no fault."""
    numbers, findings = _linux_cameras() if sys.platform == "linux" else (_probed_cameras(), [])
    if not findings and not numbers:
        return [ok("cameras", "none")]
    if numbers:
        findings.append(ok("cameras", ", ".join(str(number) for number in numbers)))
    return findings


def _linux_cameras() -> tuple[list[int], list[Finding]]:
    devices = sorted(glob.glob("/dev/video*"))  # noqa: PTH207 - tests replace it
    shut = [device for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    open_ones = [int(device.removeprefix("/dev/video")) for device in devices if device not in shut]
    if not shut:
        return open_ones, []
    cure = "sudo usermod -aG video $USER, then log in again (in a container: pass the device in)"
    return open_ones, [warning("cameras", f"{', '.join(shut)}: no permission to open", cure)]


def _probed_cameras() -> list[int]:
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    numbers = []
    for number in range(_PROBED_CAMERAS):
        camera = cv2.VideoCapture(number)
        if camera.isOpened():
            numbers.append(number)
        camera.release()
    return numbers
