"""A camera, through OpenCV."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from vosctl.errors import UsageError, VosctlError
from vosctl.live.feeds import CAPTURE_TIME_BASE, CaptureClock, Captured, Feed
from vosctl.video.frames import Frame, SourceInfo

CameraBackend = Literal["auto", "v4l2", "gstreamer", "dshow", "msmf", "avfoundation"]
BACKENDS: dict[CameraBackend, int] = {
    "auto": cv2.CAP_ANY,
    "v4l2": cv2.CAP_V4L2,
    "gstreamer": cv2.CAP_GSTREAMER,
    "dshow": cv2.CAP_DSHOW,
    "msmf": cv2.CAP_MSMF,
    "avfoundation": cv2.CAP_AVFOUNDATION,
}
"""OpenCV's ways to a camera, by the name that `backend` takes."""


OpenCapture = Callable[[int | str, int], cv2.VideoCapture]
"""Opens a camera, a number or a device file, with a backend of OpenCV."""


def _open_capture(target: int | str, backend: int) -> cv2.VideoCapture:
    return cv2.VideoCapture(target, backend)


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """What is asked of a camera; it may give something else.

    Attributes:
        size: width and height in pixels; None leaves the camera's own.
        fps: frames per second; None leaves the camera's own.
        backend: a name in `BACKENDS`.
    """

    size: tuple[int, int] | None = None
    fps: float | None = None
    backend: CameraBackend = "auto"


class CameraFeed(Feed):
    """A camera's frames.

    Args:
        device: "0", "1", ... or a device file such as "/dev/video0".
        settings: what is asked of it.
        open_capture: opens the device with a backend; OpenCV by default.

    Attributes:
        notes: what the camera gives instead of what was asked, one line each.

    Raises:
        UsageError: the backend is not in this OpenCV.
        VosctlError: the camera is missing, busy or gives no picture.
    """

    def __init__(
        self,
        device: str,
        settings: CameraSettings,
        open_capture: OpenCapture = _open_capture,
    ) -> None:
        super().__init__()
        self._label = f"camera {device}"
        backend = _checked_backend(settings.backend)
        _quieten()
        if device.startswith("/dev/") and not Path(device).exists():  # OpenCV would look for a video file of that name
            raise VosctlError(f"{self._label}: {_why_not_opened(device)}")
        target = int(device) if device.isdigit() else device
        self._capture = open_capture(target, backend)
        if not self._capture.isOpened():
            raise VosctlError(f"{self._label}: {_why_not_opened(device)}")
        self._configure(settings)
        read, first = self._capture.read()
        if not read:
            self._capture.release()
            raise VosctlError(f"{self._label}: opens but gives no picture; another program may be using it, close that")
        height, width = first.shape[:2]
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        name = f"camera{device}" if device.isdigit() else Path(device).name
        rate = Fraction(fps).limit_denominator(1001) if 1 <= fps <= 1000 else None
        self.info = SourceInfo(name, width, height, rate, CAPTURE_TIME_BASE, live=True)
        self.notes = self._differences(settings)

    def _configure(self, settings: CameraSettings) -> None:
        if settings.size:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.size[0])
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.size[1])
        if settings.fps:
            self._capture.set(cv2.CAP_PROP_FPS, settings.fps)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # where the driver allows it: a queue would be latency

    def _differences(self, settings: CameraSettings) -> list[str]:
        notes = []
        if settings.size and settings.size != (self.info.width, self.info.height):
            asked = "x".join(map(str, settings.size))
            notes.append(f"{self._label}: gives {self.info.width}x{self.info.height}, not the {asked} asked for")
        if settings.fps and self.info.frame_rate and abs(float(self.info.frame_rate) - settings.fps) > 0.5:
            notes.append(
                f"{self._label}: gives {float(self.info.frame_rate):.5g} fps, not the {settings.fps:g} asked for"
            )
        return notes

    def __iter__(self) -> Iterator[Captured]:
        clock = CaptureClock()
        try:
            while not self._stopped.is_set():
                grabbed = self._capture.grab()
                at = time.perf_counter()
                image = self._capture.retrieve()[1] if grabbed else None
                if image is None:
                    raise VosctlError(f"{self._label}: stopped giving pictures; check that it is still plugged in")
                if image.shape[:2] != (self.info.height, self.info.width):
                    raise VosctlError(f"{self._label}: changed its picture size; start again")
                index, pts = clock.next(at)
                rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
                yield Captured(Frame(index, rgb, pts, CAPTURE_TIME_BASE), at)
        finally:
            self._capture.release()

    def close(self) -> None:
        """Release the camera."""
        self._capture.release()


def _checked_backend(name: CameraBackend) -> int:
    if name not in BACKENDS:
        raise UsageError(f"`backend={name!r}`: unknown; give {', '.join(BACKENDS)}")
    backend = BACKENDS[name]
    present = {int(number) for number in cv2.videoio_registry.getCameraBackends()}
    if backend != cv2.CAP_ANY and backend not in present:
        usable = ", ".join(["auto", *(one for one, number in BACKENDS.items() if number in present)])
        raise UsageError(f"`backend={name!r}`: is not in this OpenCV; use one of {usable}")
    return backend


def _quieten() -> None:
    """Silence OpenCV's warnings of a camera it cannot open, which is said in one line of our own."""
    logging = getattr(getattr(cv2, "utils", None), "logging", None)
    if logging is not None:
        logging.setLogLevel(logging.LOG_LEVEL_SILENT)


def _why_not_opened(device: str) -> str:
    if sys.platform.startswith("linux"):
        path = Path(f"/dev/video{device}") if device.isdigit() else Path(device)
        if not path.exists():
            present = ", ".join(sorted(str(one) for one in Path("/dev").glob("video*"))) or "none"
            return f"there is no {path} (cameras here: {present}); plug one in, or name a file or an address"
        if not os.access(path, os.R_OK | os.W_OK):
            return f"{path} may not be opened by this user; add the user to the group video"
    return "cannot be opened; check that it is plugged in and that no other program is using it"
