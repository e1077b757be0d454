"""One process that uses inputs, told which on standard input, its outcomes on standard output."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tests.fuzz import files, pictures, tracks  # noqa: F401 - they register their kinds
from tests.fuzz.kinds import KINDS
from vosctl.errors import VosctlError

RESULT, REFUSED, UNEXPECTED, MESSAGE, MEMORY = "result", "refused", "unexpected", "message", "memory"
FINE = (RESULT, REFUSED)
_EXTRA_MEMORY = 4 * 2**30
_LONGEST_MESSAGE = 2000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one input ended.

    Attributes:
        kind: of the input.
        number: of the input within its kind.
        outcome: "result" or "refused"; else "unexpected" (an exception that is not vosctl's), "message" (one that a
            terminal cannot show as one line), "memory", or what the campaign saw from outside: "crash", "hang".
        detail: the error's line, and where it was raised.
    """

    kind: str
    number: int
    outcome: str
    detail: str = ""


def use_input(kind: str, number: int, seed: int, samples: Path, keep: Path | None = None) -> Outcome:
    """Make one input and use it.

    Args:
        kind: name of its kind.
        number: within its kind.
        seed: of the campaign.
        samples: folder of valid samples.
        keep: where to leave the input instead of a folder that is removed.
    """
    folder = keep or Path(tempfile.mkdtemp(prefix="vosctl-fuzz-"))
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode()), number])
    try:
        path = KINDS[kind].make(rng, samples, folder)
        return Outcome(kind, number, *_use(kind, rng, path))
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _use(kind: str, rng: np.random.Generator, path: Path) -> tuple[str, str]:
    try:
        lines = list(KINDS[kind].run(rng, path) or ())
    except VosctlError as error:
        fault = message_fault(str(error))
        return (MESSAGE, f"{fault}: {error!r}") if fault else (REFUSED, str(error))
    except MemoryError:
        return MEMORY, traceback.format_exc(limit=-3)
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/vosctl/" in frame.filename]
        last = ours[-1] if ours else place
        return UNEXPECTED, f"{type(error).__name__}: {str(error)[:300]} at {Path(last.filename).name}:{last.lineno}"
    faults = [(fault, line) for line in lines if (fault := message_fault(line))]
    return (MESSAGE, f"{faults[0][0]}: {faults[0][1]!r}") if faults else (RESULT, "")


def message_fault(message: str) -> str | None:
    """What keeps a message from being one line on a terminal."""
    if not message.strip():
        return "empty"
    if len(message) > _LONGEST_MESSAGE:
        return f"{len(message)} characters"
    if "\n" in message or "\r" in message:
        return "several lines"
    if any(ord(character) < 32 or ord(character) == 127 for character in message):
        return "control characters"
    return None


def main() -> None:
    """Serve: a line `{"kind", "number"}` in, an outcome as a line out."""
    seed, samples, cpu_seconds = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    faulthandler.register(signal.SIGUSR1, os.fdopen(os.dup(2), "w"))  # where it stands, when it does not answer
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    warnings.simplefilter("ignore")
    import torch

    import vosctl.engine  # noqa: F401

    torch.set_num_threads(1)
    base = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (base + _EXTRA_MEMORY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        request = json.loads(line)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(usage.ru_utime + usage.ru_stime) + cpu_seconds
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        outcome = use_input(request["kind"], request["number"], seed, samples)
        answers.write(json.dumps(asdict(outcome)) + "\n")


if __name__ == "__main__":
    main()
