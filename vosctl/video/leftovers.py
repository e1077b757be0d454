"""What a killed run leaves, told from what a living one writes and from what was kept on purpose.

Beside each unfinished output lies a small hidden file that names it, locked as long as its run lives. A run that ends
by itself takes it away, whatever it keeps; so one that is there and not locked was left by a run that was killed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import shutil
import sys
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from vosctl.video.places import without_links

if sys.platform != "win32":
    import fcntl

_PREFIX = ".vosctl-"
_log = logging.getLogger("vosctl")


def is_claim(path: Path) -> bool:
    """Return whether a file is one of those that name unfinished outputs."""
    return path.name.startswith(_PREFIX)


class Claim:
    """The mark of a living run on an unfinished output. Goes with this object, and with the process at the latest.

    Args:
        final: where the output belongs.
        partial: where it is written meanwhile; the mark lies in the same folder.
    """

    def __init__(self, final: Path, partial: Path) -> None:
        self._end = _nothing
        path = partial.with_name(f"{_stem(final)}-{secrets.token_hex(4)}")
        # Without a mark nothing is wrong but that a killed run's leftovers stay.
        with suppress(OSError):
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
            self._end = weakref.finalize(self, _release, path, descriptor)
            if not _lock(descriptor):
                self.release()
                return
            os.write(descriptor, json.dumps({"partial": partial.name}).encode())

    def release(self) -> None:
        """Take the mark away: what is there is finished, or kept on purpose."""
        self._end()


def find(final: Path) -> dict[Path, Path]:
    """Find what killed runs left of an output, each with the mark that names it."""
    with suppress(OSError):
        final = without_links(final)
    return {partial: claim for claim in _claims(final) if (partial := _left_behind(final, claim)) is not None}


def clean(final: Path) -> list[Path]:
    """Remove what killed runs left of an output.

    Returns:
        What was removed.
    """
    removed = []
    for partial, claim in find(final).items():
        with suppress(OSError):
            if partial.is_dir():
                shutil.rmtree(partial)
                removed.append(partial)
            elif partial.exists():
                partial.unlink()
                removed.append(partial)
            claim.unlink(missing_ok=True)
    return removed


def clean_and_log(final: Path) -> None:
    """Remove what killed runs left of an output, and say so in Python's `logging`, logger "vosctl"."""
    for removed in clean(final):
        _log.warning("%s: left by a run that was killed, removed", removed)


def _claims(final: Path) -> Iterator[Path]:
    pattern = f"{_stem(final)}-*"
    with suppress(OSError):
        yield from sorted(final.parent.glob(pattern))
    with suppress(OSError):
        if final.is_dir():
            yield from sorted(final.glob(pattern))


def _left_behind(final: Path, claim: Path) -> Path | None:
    """Return the unfinished output that a claim names, if its run is gone."""
    try:
        descriptor = os.open(claim, os.O_RDWR)
    except OSError:
        return None
    try:
        if not _lock(descriptor) or not claim.exists():
            return None
        named = json.loads(os.read(descriptor, 4096))["partial"]
    except (OSError, ValueError, KeyError, TypeError):  # its run has only just begun, or it is none of ours
        return None
    finally:
        os.close(descriptor)
    # Nothing but a sibling whose name is one of those given to this output when unfinished.
    if not isinstance(named, str) or Path(named).name != named:
        return None
    stem, word, _ = named.rpartition(".partial")
    return claim.with_name(named) if stem and word and final.name.startswith(stem) else None


def _stem(final: Path) -> str:
    """Return the beginning of the names of an output's claims; short, however long the output's name is."""
    return _PREFIX + hashlib.sha256(os.fsencode(final.name)).hexdigest()[:16]


def _nothing() -> None:
    return


def _release(path: Path, descriptor: int) -> None:
    def unlink() -> None:
        with suppress(OSError):
            path.unlink(missing_ok=True)

    # While it is still locked, so that nobody takes it for a killed run's; Windows removes no open file.
    if sys.platform != "win32":
        unlink()
    with suppress(OSError):
        os.close(descriptor)
    if sys.platform == "win32":
        unlink()


def _lock(descriptor: int) -> bool:
    """Lock an open file; False when another process holds it, or where files cannot be locked."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
