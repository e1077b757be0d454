"""Take checked values out of JSON that somebody else's program wrote."""

from __future__ import annotations

import json
import math
from pathlib import Path

from vosctl.errors import UsageError, VosctlError

MOST_BYTES = 512 * 1024 * 1024


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        UsageError: there is none, or it is no text.
        VosctlError: it cannot be read.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path}: is over {MOST_BYTES // 2**20} MB; keep the annotations of one frame")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file; check the path") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not text; give JSON") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise VosctlError(f"{path}: cannot be read: {reason}") from error


def parse(path: Path, text: str) -> object:
    """Parse JSON, whatever is wrong with it being one line.

    Raises:
        UsageError: it is not JSON, is nested too deeply, or has numbers of thousands of digits.
    """
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: is not JSON: {error}") from error
    except (RecursionError, ValueError) as error:
        raise UsageError(f"{path}: is not JSON that annotation tools write: {type(error).__name__}") from error
    return value


class Checked:
    """Values of one JSON file, with errors that name it.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, what: str) -> UsageError:
        """Return the error that says `what` is wrong in the file."""
        return UsageError(f"{self.path}: {what}")

    def entries(self, value: object, what: str) -> list[object]:
        """Return `value` as a list."""
        if not isinstance(value, list):
            raise self.fail(f"{what} is not a list")
        return value

    def record(self, value: object, what: str) -> dict[str, object]:
        """Return `value` as an object with names."""
        if not isinstance(value, dict):
            raise self.fail(f"{what} is not an object")
        return value

    def integer(self, value: object, what: str, lowest: int, highest: int) -> int:
        """Return `value` as a whole number in a range."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise self.fail(f"{what} is not a whole number from {lowest} to {highest}")
        return value

    def number(self, value: object, what: str) -> float:
        """Return `value` as a finite number."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fail(f"{what} is not a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.fail(f"{what} is not a finite number")
        return number

    def text(self, value: object, default: str) -> str:
        """Return `value` as a printable name, `default` where it is none."""
        shown = value if isinstance(value, str) else str(value) if isinstance(value, int) else default
        return "".join(character if character.isprintable() else "?" for character in shown[:80])
