import csv
from pathlib import Path

from vosctl.training.reporting import Reporter
from vosctl.training.run_folder import Position, RunFolder


class SilentDisplay:
    """Keeps the lines of the log."""

    def __init__(self):
        self.lines = []

    def step(self, position, progress):
        pass

    def logged(self, line):
        self.lines.append(line)

    def validated(self, position, result, better):
        pass

    def saved(self, position):
        pass


def log_of(folder: Path) -> list[tuple[int, float]]:
    with (folder / "log.csv").open() as file:
        return [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(file)]


def train(folder: Path, steps: int, every: int) -> SilentDisplay:
    display = SilentDisplay()
    reporter = Reporter(RunFolder(folder), every, display)
    position = Position()
    for step in range(1, steps + 1):
        position.step = step
        reporter.step(position, step / steps, {"loss": float(step)})
    reporter.ended(position)
    return display


def test_a_run_shorter_than_a_line_of_the_log_is_logged(tmp_path: Path):
    display = train(tmp_path, steps=3, every=20)
    assert log_of(tmp_path) == [(3, 2.0)]
    assert [line["step"] for line in display.lines] == [3]


def test_the_last_steps_are_logged_once(tmp_path: Path):
    train(tmp_path, steps=5, every=2)
    assert log_of(tmp_path) == [(2, 1.5), (4, 3.5), (5, 5.0)]


def test_other_processes_write_nothing(tmp_path: Path):
    reporter = Reporter(RunFolder(tmp_path), 1, None)
    reporter.step(Position(), 0.0, {"loss": 1.0})
    reporter.ended(Position())
    assert not list(tmp_path.iterdir())


def test_a_log_of_other_columns_is_another_file(tmp_path: Path):
    folder = RunFolder(tmp_path)
    for clips in (("a", "b"), ("a", "b"), ("c",), ("d", "e", "f"), ("d", "e", "f")):
        folder.log("validation", {"step": 1, **dict.fromkeys(clips, 0.5)})
    lines = {path.name: path.read_text().splitlines() for path in tmp_path.iterdir()}
    assert lines == {
        "validation-1.csv": ["step,a,b", "1,0.5,0.5", "1,0.5,0.5"],
        "validation-2.csv": ["step,c", "1,0.5"],
        "validation.csv": ["step,d,e,f", "1,0.5,0.5,0.5", "1,0.5,0.5,0.5"],
    }
