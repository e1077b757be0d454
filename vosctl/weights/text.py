"""Text from files that others wrote, made fit for a terminal."""

from __future__ import annotations

LONGEST = 120


def printable(text: object, longest: int = LONGEST) -> str:
    """Escape what a terminal would act on, such as colour codes and line ends, and cut what is too long."""
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(text))
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
