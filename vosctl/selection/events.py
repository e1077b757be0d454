"""What the user does in a window, in words that no window system knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MouseAction = Literal["press", "move", "release"]


@dataclass(frozen=True, slots=True)
class Mouse:
    """The left button or a movement, in pixels of the picture shown."""

    action: MouseAction
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key: its character in lower case, or "enter", "escape", "backspace", "delete", "tab" or "space"."""

    name: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The window was closed."""


Event = Mouse | Key | Closed
