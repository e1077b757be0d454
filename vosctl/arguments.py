"""What a program gives to the library, checked where it comes in: a value of another type would fail far from there."""

from __future__ import annotations

import operator
import os

from vosctl.errors import UsageError


def whole_number(name: str, value: object) -> int:
    """Return a whole number, NumPy's too.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(value, bool):
        try:
            return operator.index(value)  # type: ignore[arg-type]  # it says so itself where it is none
        except TypeError:
            pass
    raise UsageError(f"`{name}={value!r}`: give a whole number")


def real_number(name: str, value: object) -> float:
    """Return a number, NumPy's too.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(value, bool | str | bytes):
        try:
            return float(value)  # type: ignore[arg-type]  # it says so itself where it is none
        except (TypeError, ValueError):
            pass
    raise UsageError(f"`{name}={value!r}`: give a number")


def file_name(name: str, value: object) -> str:
    """Return the name of a file, a folder or an address.

    Raises:
        UsageError: it is no text and no path, or empty: a path would take that for the current folder.
    """
    if not isinstance(value, str | os.PathLike):
        raise UsageError(f"`{name}={value!r}`: give a name or a path, not {type(value).__name__}")
    written = os.fspath(value)
    if not isinstance(written, str):
        raise UsageError(f"`{name}={value!r}`: give a name as text, not as bytes")
    if not written:
        raise UsageError(f"`{name}`: is empty; give a name")
    return written


def check_kind(name: str, value: object, kind: type, wanted: str) -> None:
    """Refuse what is no object of a class.

    Args:
        name: of the parameter.
        value: what was given.
        kind: the class.
        wanted: what to give, for the message.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(value, kind):
        given = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise UsageError(f"`{name}`: give {wanted}, not {given}")
