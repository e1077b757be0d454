"""What a source is known again by: not its name, which may change, but its size and the bytes at its ends."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vosctl.errors import VosctlError

_DIGESTED = 1 << 20
"""Bytes at the beginning of a file, and at its end, that the digest is of."""


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """What tells one source from another.

    Attributes:
        files: how many files it is read from; 0 for a stream, which cannot be known again.
        size: bytes of all of them.
        digest: SHA-256, in hexadecimal, of the names of several images, and of the first and the last mebibyte of the
            first and the last file; "" for a stream.
    """

    files: int
    size: int
    digest: str

    @classmethod
    def of(cls, files: Sequence[Path]) -> SourceIdentity:
        """Return the identity of a source that is read from these files, in their order; none for a stream.

        Raises:
            VosctlError: one of them cannot be read.
        """
        if not files:
            return cls(0, 0, "")
        digest = hashlib.sha256()
        try:
            size = sum(path.stat().st_size for path in files)
            if len(files) > 1:
                digest.update("\n".join(path.name for path in files).encode(errors="surrogateescape"))
            for path in dict.fromkeys((files[0], files[-1])):
                with path.open("rb") as file:
                    digest.update(file.read(_DIGESTED))
                    file.seek(max(path.stat().st_size - _DIGESTED, 0), os.SEEK_SET)
                    digest.update(file.read(_DIGESTED))
        except OSError as error:
            raise VosctlError(f"{error.filename or files[0]}: cannot be read: {error.strerror}") from error
        return cls(len(files), size, digest.hexdigest())

    def matches(self, other: SourceIdentity) -> bool:
        """Whether both may be the same source: a stream may be any."""
        return not self.files or not other.files or self == other
