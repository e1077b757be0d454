"""The kinds of input: how one is made from the valid samples, and what vosctl is asked to do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.mutations import Rng

Make = Callable[[Rng, Path, Path], Path]
"""From a generator, the folder of valid samples and an empty folder to the input in that folder."""

Run = Callable[[Rng, Path], Iterable[str] | None]
"""Uses an input; returns the warnings and notes that a user would see."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of input.

    Attributes:
        name: as `--kinds` takes it.
        share: of all inputs.
        make: see `Make`.
        run: see `Run`.
    """

    name: str
    share: float
    make: Make
    run: Run


KINDS: dict[str, Kind] = {}


def kind(name: str, share: float, make: Make) -> Callable[[Run], Run]:
    """Register a kind that is made by `make` and used by the decorated function."""

    def register(run: Run) -> Run:
        KINDS[name] = Kind(name, share, make, run)
        return run

    return register
