"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    OK = "ok"
    """As it should be, or a fact worth knowing."""
    WARNING = "warning"
    """Something cannot be used, or is slower than it need be; the rest works."""
    ERROR = "error"
    """Stops work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        subject: what was looked at: "torch", "libx264", "self-test", ...
        severity: how bad it is.
        message: what was found, one line.
        cure: what to do about it, one line; empty when there is nothing to do.
    """

    subject: str
    severity: Severity
    message: str
    cure: str = ""


def ok(subject: str, message: str) -> Finding:
    """Make a finding that all is well."""
    return Finding(subject, Severity.OK, message)


def warning(subject: str, message: str, cure: str) -> Finding:
    """Make a finding of something that limits what can be done."""
    return Finding(subject, Severity.WARNING, message, cure)


def error(subject: str, message: str, cure: str) -> Finding:
    """Make a finding of something that must be repaired."""
    return Finding(subject, Severity.ERROR, message, cure)


def reason(problem: BaseException) -> str:
    """Return an exception in one line."""
    text = str(problem).strip()
    return text.splitlines()[0] if text else type(problem).__name__
