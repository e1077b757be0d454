"""A run on the terminal: a live panel where there is one to draw on, else a line now and then."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from vosctl.training.run_folder import Position
from vosctl.training.validation import Validation

SHOWN = {
    "loss": "loss",
    "iou_first": "IoU, first target",
    "iou_last": "IoU, last target",
    "gradient": "gradient",
    "lr": "learning rate",
    "samples_per_second": "samples/s",
    "waiting": "waiting for data",
}


class TerminalDisplay:
    """Shows a run on standard error. A context manager.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._values: dict[str, float | int] = {}
        self._validation = self._checkpoint = "none yet"
        self._bar = Progress(
            TextColumn("step {task.fields[step]}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._bar.add_task("", total=1.0, step=0)
        self._live = Live(self._panel(), console=console, refresh_per_second=2) if console.is_terminal else None

    def __enter__(self) -> TerminalDisplay:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def _panel(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for key, label in SHOWN.items():
            if key in self._values:
                table.add_row(label, f"{self._values[key]:.4g}")
        table.add_row("validation", Text(self._validation))
        table.add_row("checkpoint", Text(self._checkpoint))
        return Group(self._bar, table)

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(self._panel())

    def step(self, position: Position, progress: float) -> None:
        """Move the bar on."""
        self._bar.update(self._task, completed=progress, step=position.step)
        self._refresh()

    def logged(self, line: dict[str, float | int]) -> None:
        """Show the last line of the log."""
        self._values = line
        if self._live is None:
            shown = "  ".join(f"{label} {line[key]:.4g}" for key, label in SHOWN.items())
            self._say(f"step {line['step']}  {shown}")

    def validated(self, position: Position, result: Validation, better: bool) -> None:
        """Show how the tracker did."""
        best = ", the best so far" if better else ""
        self._validation = (
            f"mean J {result.mean_region:.4f}, F {result.mean_boundary:.4f} at step {position.step}{best}"
        )
        each = ", ".join(f"{name} {value:.3f}" for name, value in result.region.items())
        self._say(f"validation: {self._validation} ({each})")
        self._refresh()

    def saved(self, position: Position) -> None:
        """Show when the last checkpoint was written."""
        self._checkpoint = f"step {position.step}"
        self._refresh()

    def note(self, line: str) -> None:
        """Say something that stays on the terminal."""
        self._say(line)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
