"""What is kept of a run's course: CSV files, the preview, TensorBoard; and what is shown of it while it goes on."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from PIL import Image
from torch import Tensor

from vosctl.training.preview import draw_preview
from vosctl.training.run_folder import Position, RunFolder
from vosctl.training.samples import Batch
from vosctl.training.validation import Validation


class Display(Protocol):
    """Shows a run to a person."""

    def step(self, position: Position, progress: float) -> None:
        """Hear that a step was done; `progress` is the share of the run before it, 0..1."""
        ...

    def logged(self, line: dict[str, float | int]) -> None:
        """Hear a line of the log: means of the last steps."""
        ...

    def validated(self, position: Position, result: Validation, better: bool) -> None:
        """Hear that the tracker was tried; `better` than ever before or not."""
        ...

    def saved(self, position: Position) -> None:
        """Hear that a checkpoint was written."""
        ...


class Reporter:
    """Writes log.csv, validation.csv, preview.png and, where it is installed, TensorBoard's files; tells the display.

    Args:
        folder: the run's folder.
        every: steps between two lines of the log, which holds the means over them.
        display: shows the run; None in all processes but the first, which then write nothing either.
    """

    def __init__(self, folder: RunFolder, every: int, display: Display | None) -> None:
        self._folder, self._every, self._display = folder, every, display
        self._recent: list[dict[str, float]] = []
        self._board: Any = None
        if display is not None and find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder.path))

    def step(self, position: Position, progress: float, values: dict[str, float]) -> None:
        """Take the values of a step."""
        if self._display is None:
            return
        self._display.step(position, progress)
        self._recent.append(values)
        if position.step % self._every == 0:
            self._log(position)

    def _log(self, position: Position) -> None:
        """Write a line of the log: means of the steps since the line before."""
        means = {key: float(np.mean([step[key] for step in self._recent])) for key in self._recent[0]}
        self._recent.clear()
        line = {"step": position.step, "seconds": round(position.seconds), "resumed": position.resumed, **means}
        self._folder.log("log", line)
        self._to_board(means, position.step)
        if self._display is not None:
            self._display.logged(line)

    def saved(self, position: Position) -> None:
        """Take note of a checkpoint."""
        if self._display is not None:
            self._display.saved(position)

    def ended(self, position: Position) -> None:
        """Log the last steps, which are fewer than a line's, and take note of the end of the run or of its pause."""
        if self._recent:
            self._log(position)

    def validated(self, position: Position, result: Validation, better: bool) -> None:
        """Take the result of a validation."""
        means = {"mean_j": result.mean_region, "mean_f": result.mean_boundary}
        named = {f"j_{name}": value for name, value in result.region.items()}
        named |= {f"f_{name}": value for name, value in result.boundary.items()}
        self._folder.log("validation", {"step": position.step, "seconds": round(position.seconds), **means, **named})
        self._to_board({f"validation/{key}": value for key, value in means.items()}, position.step)
        if self._display is not None:
            self._display.validated(position, result, better)

    def _to_board(self, values: dict[str, float], step: int) -> None:
        if self._board is not None:
            for key, value in values.items():
                self._board.add_scalar(key, value, step)
            self._board.flush()

    def preview(self, batch: Batch, probabilities: Tensor) -> None:
        """Write preview.png: what the network was just shown, and what it made of it."""
        if self._display is None:
            return
        path = self._folder.path / "preview.png"
        partial = path.with_name("preview.partial.png")
        Image.fromarray(draw_preview(batch, probabilities)).save(partial)
        partial.replace(path)
