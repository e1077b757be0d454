from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from vosctl.evaluation.report import Evaluation, as_json, table, write_json
from vosctl.evaluation.runner import Speed
from vosctl.evaluation.scoring import SequenceScore


@pytest.fixture
def evaluation() -> Evaluation:
    frames = tuple(f"{index:05d}" for index in range(1, 5))
    scores = [
        SequenceScore("bear", (1,), frames, np.full((1, 4), 0.8), np.full((1, 4), 0.6)),
        SequenceScore("pair", (1, 7), frames, np.array([[0.5] * 4, [0.2] * 4]), np.array([[0.9] * 4, [0.1] * 4])),
    ]
    speeds = {"bear": Speed(10, 1.0), "pair": Speed(10, 3.0)}
    return Evaluation(Path("data"), "all", "multi", None, scores, {"weights": "lite"}, speeds)


def shown(evaluation: Evaluation, *, plain: bool) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=120).print(table(evaluation, plain=plain))
    return out.getvalue().splitlines()


def test_json(evaluation: Evaluation, tmp_path: Path) -> None:
    write_json(evaluation, tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report == json.loads(json.dumps(as_json(evaluation)))
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    overall = report["overall"]
    assert overall["J"] == {"mean": 0.5, "recall": pytest.approx(1 / 3, abs=1e-6), "decay": 0.0}
    assert overall["F"]["mean"] == pytest.approx(1.6 / 3, abs=1e-6)
    assert overall["J&F"] == pytest.approx((0.5 + 1.6 / 3) / 2, abs=1e-6)
    assert (overall["sequences"], overall["objects"], overall["frames"]) == (2, 3, 8)
    assert overall["frames_per_second"] == 5.0
    pair = report["sequences"][1]
    assert pair["J"]["mean"] == pytest.approx(0.35)
    assert [entry["id"] for entry in pair["objects"]] == [1, 7]
    assert pair["objects"][1]["J_per_frame"] == [0.2] * 4


def test_table_is_in_percent_with_a_row_for_all(evaluation: Evaluation) -> None:
    lines = shown(evaluation, plain=True)
    assert lines[0].split()[-2:] == ["J&F", "fps"]
    assert lines[1].split() == ["bear", "1", "4", "80.0", "100.0", "0.0", "60.0", "100.0", "0.0", "70.0", "10.0"]
    assert lines[-1].split() == ["overall", "3", "8", "50.0", "33.3", "0.0", "53.3", "66.7", "0.0", "51.7", "5.0"]
    assert len(lines) == 4


def test_table_without_speed_has_no_fps(evaluation: Evaluation) -> None:
    scored = Evaluation(evaluation.root, "all", "multi", Path("predictions"), evaluation.scores)
    assert "fps" not in shown(scored, plain=False)[1]
    assert as_json(scored)["overall"]["frames_per_second"] is None


def test_a_name_is_no_markup(evaluation: Evaluation) -> None:
    scores = [replace(evaluation.scores[0], name="clip [/x] [red]"), evaluation.scores[1]]
    assert any("clip [/x] [red]" in line for line in shown(replace(evaluation, scores=scores, speeds={}), plain=True))
