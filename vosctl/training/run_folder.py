"""The folder of a run: settings, state to resume from, weights, and the logs."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vosctl.errors import UsageError, VosctlError

SETTINGS = "settings.toml"
STATE = "state.pt"
LAST, BEST = "last.safetensors", "best.safetensors"
"""The averaged weights of the last checkpoint, and those that tracked best."""


@dataclass(slots=True)
class Position:
    """Where a run stands.

    Attributes:
        step: steps done.
        seconds: time spent training, over all resumptions.
        best: the highest mean J&F so far, -1 before the first validation.
        resumed: how many times the run was resumed.
    """

    step: int = 0
    seconds: float = 0.0
    best: float = -1.0
    resumed: int = 0


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Files of a run. Everything but the logs is written beside and renamed when whole.

    Attributes:
        path: the folder.
    """

    path: Path

    @classmethod
    def create(cls, path: Path, settings: str) -> RunFolder:
        """Make the folder of a new run.

        Raises:
            UsageError: a run is there already, or weights of one.
        """
        if (path / STATE).exists():
            raise UsageError(
                f"`output={str(path)!r}`: holds a run already; "
                f"go on with it by `resume={str(path)!r}`, or name another folder"
            )
        if (path / LAST).exists():
            raise UsageError(
                f"`output={str(path)!r}`: holds {LAST} of a run that cannot be resumed; name another folder"
            )
        path.mkdir(parents=True, exist_ok=True)
        folder = cls(path)
        folder.save_settings(settings)
        return folder

    @classmethod
    def existing(cls, path: Path) -> RunFolder:
        """Return the folder of a run to resume.

        Raises:
            UsageError: there is no run.
        """
        for name in (SETTINGS, STATE):
            if not (path / name).is_file():
                raise UsageError(
                    f"`resume={str(path)!r}`: is not the folder of a run with a checkpoint ({name} is missing)"
                )
        return cls(path)

    def save_settings(self, settings: str) -> None:
        """Write the run's settings, TOML."""
        partial = self.path / f"{SETTINGS}.partial"
        partial.write_text(settings, "utf-8")
        partial.replace(self.path / SETTINGS)

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Write the state to resume from, which takes the place of the last one."""
        partial = self.path / f"{STATE}.partial"
        torch.save(dict(state), partial)
        partial.replace(self.path / STATE)

    def load_state(self) -> dict[str, Any]:
        """Read the state to resume from, on the CPU.

        Raises:
            VosctlError: the file is damaged.
        """
        try:
            state: dict[str, Any] = torch.load(self.path / STATE, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
            raise VosctlError(
                f"`resume={str(self.path)!r}`: {STATE} is damaged; start a new run with `init`"
            ) from error
        return state

    def log(self, name: str, values: Mapping[str, float | int]) -> None:
        """Append a line to `name`.csv; its first line names the columns.

        A file of other columns, as of a validation on other clips, becomes `name`-1.csv, and a new one is begun.
        """
        path = self.path / f"{name}.csv"
        columns = _columns(path)
        if columns and columns != list(values):
            path.rename(next(one for n in count(1) if not (one := path.with_name(f"{name}-{n}.csv")).exists()))
            columns = []
        new = not columns
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(values)
            writer.writerow(f"{v:.6g}" if isinstance(v, float) else v for v in values.values())


def _columns(path: Path) -> list[str]:
    """Return the columns that a file's first line names; none where there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file), [])


def averaged(average: dict[str, Tensor], current: Mapping[str, Tensor], decay: float) -> None:
    """Move averaged weights towards the current ones, in place; tensors that are not floating point are copied."""
    for key, value in current.items():
        if value.is_floating_point():
            average[key].lerp_(value.detach(), 1 - decay)
        else:
            average[key].copy_(value)
