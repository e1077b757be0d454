"""What the user does in a window, in words that no window system knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MouseAction = Literal["press", "move", "release"]


@dataclass(frozen=True, slots=True)
class Mouse:
    """A button or a movement, in pixels of the picture shown.

    Attributes:
        action: what was done.
        x: place, in pixels from the left.
        y: place, in pixels from the top.
        away: whether it means what is not part of the object: the right button, or Alt with the left one.
    """

    action: MouseAction
    x: float
    y: float
    away: bool = False


@dataclass(frozen=True, slots=True)
class Wheel:
    """The wheel, turned at a place: `up`, away from the user, is closer to the picture."""

    x: float
    y: float
    up: bool


@dataclass(frozen=True, slots=True)
class Key:
    """A key: its character in lower case, or its name.

    The names are "enter", "escape", "backspace", "delete", "tab", "space", "undo" and "redo".
    """

    name: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The window was closed."""


Event = Mouse | Wheel | Key | Closed
