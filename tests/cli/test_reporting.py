"""What a run tells its user while it goes on."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from vosctl.cli.reporting import Reporter
from vosctl.events import Started
from vosctl.tracking.edits import nothing_tracked
from vosctl.video.frames import Frame, SourceInfo


def test_the_speed_on_a_terminal_is_that_of_the_frames(monkeypatch, capsys):
    """A hundred seconds go by before the first one comes, as where objects are followed backwards first."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes what it writes to for a terminal
    monkeypatch.setenv("COLUMNS", "100")
    times = iter(100 + number / 2 for number in range(10))
    with Reporter(quiet=False, verbose=False, as_json=False, clock=lambda: next(times)) as reporter:
        reporter.started(Started(SourceInfo("clip", 8, 8, Fraction(25), Fraction(1, 25), 4), None, 1, 4))
        for number in range(4):
            frame = Frame(number, np.zeros((8, 8, 3), np.uint8), number, Fraction(1, 25))
            reporter.frame(frame, nothing_tracked(8, 8))
    shown = capsys.readouterr().err
    assert "4/4" in shown
    assert "2.0 fps" in shown
