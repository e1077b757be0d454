"""The one place that calls OpenCV's window system."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.errors import VosctlError
from vosctl.selection.events import Closed, Event, Key, Mouse, MouseAction, Wheel
from vosctl.selection.viewport import LARGEST_HEIGHT, LARGEST_WIDTH, Viewport

_PROBE = "import cv2; cv2.namedWindow('vosctl', cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)"
_PROBE_SECONDS = 60
_KEYS = {
    13: "enter",
    10: "enter",
    27: "escape",
    8: "backspace",
    9: "tab",
    32: "space",
    26: "undo",  # Ctrl-Z
    25: "redo",  # Ctrl-Y
    127: "delete",
    65535: "delete",  # X11
    65288: "backspace",
    65293: "enter",
    65421: "enter",  # the keypad's
    3014656: "delete",  # Windows
}
_CODE = 0xFFFF
"""The bits of a key's code that name the key; some window systems add Shift, NumLock and others above them."""
_ACTIONS: dict[int, tuple[MouseAction, bool]] = {  # and whether it is the right button's
    cv2.EVENT_LBUTTONDOWN: ("press", False),
    cv2.EVENT_LBUTTONDBLCLK: ("press", False),  # the second press of two quick ones
    cv2.EVENT_MOUSEMOVE: ("move", False),
    cv2.EVENT_LBUTTONUP: ("release", False),
    cv2.EVENT_RBUTTONDOWN: ("press", True),
    cv2.EVENT_RBUTTONDBLCLK: ("press", True),
    cv2.EVENT_RBUTTONUP: ("release", True),
}


def _probe_display() -> subprocess.CompletedProcess[bytes]:
    """Open a window in another process."""
    return subprocess.run(
        [sys.executable, "-c", _PROBE], capture_output=True, timeout=_PROBE_SECONDS, stdin=subprocess.DEVNULL
    )


def require_display(
    instead: str, probe: Callable[[], subprocess.CompletedProcess[bytes]] = _probe_display, platform: str = sys.platform
) -> None:
    """Make sure that a window can be opened.

    OpenCV's window system ends the whole process where it finds no display, so another process tries it first.

    Args:
        instead: what the user can do without a window, for the message.
        probe: opens a window in another process.
        platform: as `sys.platform` names it.

    Raises:
        VosctlError: no window can be opened here.
    """
    if platform.startswith("linux") and not os.environ.get("DISPLAY"):
        raise VosctlError(f"no display to open a window on (DISPLAY is not set); {instead}")
    try:
        tried = probe()
    except subprocess.TimeoutExpired:
        raise VosctlError(f"no window opens on the display within {_PROBE_SECONDS} s; {instead}") from None
    if tried.returncode == 0:
        return
    if b"not implemented" in tried.stderr:
        raise VosctlError(f"this OpenCV has no windows (opencv-python-headless?); install opencv-python, or {instead}")
    where = f" {os.environ['DISPLAY']}" if os.environ.get("DISPLAY") else ""
    raise VosctlError(f"no window can be opened on the display{where}; {instead}")


def key_name(code: int) -> str | None:
    """Return the name of a key by the code OpenCV gives it; None for one without a meaning here."""
    for one in () if code < 0 else (code, code & _CODE):
        if one in _KEYS:
            return _KEYS[one]
        if 33 <= one < 127:
            return chr(one).lower()
    return None


class Window:
    """A window that shows pictures and collects what the user does. A context manager; for the main thread only.

    Args:
        title: the window's name, unique in this process.
        width: of the video, in pixels; what is shown has the size of its `Viewport`.
        height: of the video, in pixels.
    """

    def __init__(self, title: str, width: int, height: int) -> None:
        self._title = title
        self._events: deque[Event] = deque()
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        wide, high = Viewport.whole(width, height).shown
        scale = min(1.0, LARGEST_WIDTH / wide, LARGEST_HEIGHT / high)
        cv2.resizeWindow(title, max(1, round(wide * scale)), max(1, round(high * scale)))
        cv2.setMouseCallback(title, self._on_mouse)

    def show(self, image: NDArray[np.uint8], wait: float = 0.001) -> list[Event]:
        """Show a picture, (H, W, 3) uint8 RGB, and return what happened up to `wait` seconds later."""
        cv2.imshow(self._title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        return self.poll(wait)

    def poll(self, wait: float) -> list[Event]:
        """Return what happened since, waiting `wait` seconds for a key."""
        code = cv2.waitKeyEx(max(1, round(wait * 1000)))
        while code != -1:  # one call gives one key
            name = key_name(code)
            if name is not None:
                self._events.append(Key(name))
            code = cv2.waitKeyEx(1)
        if cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            self._events.append(Closed())
        events = list(self._events)
        self._events.clear()
        return events

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1:
            cv2.destroyWindow(self._title)
        cv2.waitKey(1)  # lets the window system do it

    def _on_mouse(self, event: int, x: int, y: int, flags: int, extra: object) -> None:
        if event == cv2.EVENT_MOUSEWHEEL:  # the flags' sign is the direction
            self._events.append(Wheel(x, y, flags > 0))
        elif event in _ACTIONS:
            action, right = _ACTIONS[event]
            self._events.append(Mouse(action, x, y, right or bool(flags & cv2.EVENT_FLAG_ALTKEY)))
