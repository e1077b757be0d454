from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from vosctl.errors import UsageError, VosctlError
from vosctl.evaluation.evaluate import EvaluationRequest, evaluate
from vosctl.tracking.results import TrackedFrame


class StayingTracker:
    """Answers every frame with the first mask."""

    def start(self, frame: np.ndarray, mask: np.ndarray) -> TrackedFrame:
        self.mask = mask
        return self.step(frame)

    def step(self, frame: np.ndarray) -> TrackedFrame:
        return TrackedFrame(self.mask, np.zeros_like(self.mask), ())


def make_tracker():
    return StayingTracker(), {"weights": "none"}


def no_tracker():
    raise AssertionError("the tracker was made though the request cannot be served")


@contextmanager
def no_progress(what: str, total: int):
    yield lambda: None


def test_tracked_masks_score_the_same_when_kept(make_sequence, moving, root, tmp_path: Path) -> None:
    make_sequence("bear", moving)
    make_sequence("boat", moving[::-1])
    request = EvaluationRequest(root, "all", "multi", masks=tmp_path / "masks", report=tmp_path / "report.json")
    tracked = evaluate(request, make_tracker, no_progress)
    assert set(tracked.speeds) == {"bear", "boat"}
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["tracker"] == {"weights": "none"}
    assert report["overall"]["J"]["mean"] == pytest.approx(np.mean([(20 - s) / (20 + s) for s in (4, 8, 12, 16)]))

    again = evaluate(EvaluationRequest(root, "all", "multi", tmp_path / "masks"), no_tracker, no_progress)
    assert not again.speeds
    for first, second in zip(tracked.scores, again.scores, strict=True):
        assert np.array_equal(first.region, second.region)
        assert np.array_equal(first.boundary, second.boundary)


def test_progress_counts_every_frame(make_sequence, moving, root) -> None:
    make_sequence("bear", moving)
    told: dict[str, list[int]] = {}

    @contextmanager
    def progress(what: str, total: int):
        told[what] = [total, 0]

        def advance() -> None:
            told[what][1] += 1

        yield advance

    evaluate(EvaluationRequest(root, "all", "multi"), make_tracker, progress)
    assert told == {"tracking": [6, 6], "scoring": [4, 4]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subset": "2016/val.txt"}, "no set '2016/val.txt'"),
        ({"predictions": Path("p"), "masks": Path("m")}, "`masks` keeps .* leave one of them out"),
        ({"report": Path(__file__) / "report.json"}, r"`report`: .*test_evaluate\.py is a file, not a folder"),
        ({"report": Path(os.devnull), "overwrite": True}, "`report`: .* is a device or pipe; name a file"),
        ({"report": Path("-")}, "`report`: is not written to standard output; name a file"),
        ({"report": Path("r.html"), "plot": Path("a/../r.html")}, "`report` and `plot` would be written to the same"),
        ({"plot": Path("plot.pdf")}, r"`plot='plot\.pdf'`: the name must end in"),
    ],
)
def test_wrong_requests_are_refused_before_tracking(make_sequence, moving, root, changes, message) -> None:
    pytest.importorskip("matplotlib")
    make_sequence("bear", moving)
    request = EvaluationRequest(**{"root": root, "subset": "all", "task": "multi", **changes})
    with pytest.raises(UsageError, match=message):
        evaluate(request, no_tracker, no_progress)


def test_incomplete_last_sequence_is_found_before_tracking(make_sequence, moving, root) -> None:
    make_sequence("bear", moving)
    make_sequence("zebra", moving).annotations["00000"].unlink()
    with pytest.raises(VosctlError, match="'zebra' lacks its first annotation"):
        evaluate(EvaluationRequest(root, "all", "multi"), no_tracker, no_progress)


def test_a_damaged_image_fails_its_sequence_alone(make_sequence, moving, root, tmp_path: Path) -> None:
    make_sequence("bear", moving)
    make_sequence("cat", moving).images["00003"].write_bytes(b"damaged")
    make_sequence("deer", moving)
    request = EvaluationRequest(root, "all", "multi", masks=tmp_path / "masks", report=tmp_path / "report.json")
    evaluation = evaluate(request, make_tracker, no_progress)
    assert [score.name for score in evaluation.scores] == ["bear", "deer"]
    assert list(evaluation.failures) == ["cat"]
    assert "00003.png: cannot be read" in evaluation.failures["cat"]
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["bear", "deer"]
    assert json.loads((tmp_path / "report.json").read_text())["failed"][0]["name"] == "cat"


def test_when_every_sequence_fails_nothing_is_written(make_sequence, moving, root, tmp_path: Path) -> None:
    for name in ("bear", "cat"):
        make_sequence(name, moving).images["00003"].write_bytes(b"damaged")
    request = EvaluationRequest(root, "all", "multi", report=tmp_path / "report.json")
    with pytest.raises(VosctlError, match=r"nothing was measured: sequence 'bear' fails \(as do 1 more\): .*00003"):
        evaluate(request, make_tracker, no_progress)
    assert not (tmp_path / "report.json").exists()


def test_folders_that_are_missing_are_made_for_what_is_written(make_sequence, moving, root, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    make_sequence("bear", moving)
    report, plot = tmp_path / "made" / "a" / "report.json", tmp_path / "made" / "b" / "plot.html"
    evaluate(EvaluationRequest(root, "all", "multi", report=report, plot=plot), make_tracker, no_progress)
    assert json.loads(report.read_text())["set"] == "all"
    assert plot.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("name", ["report", "plot"])
def test_what_is_read_is_not_replaced(make_sequence, moving, root, tmp_path: Path, name) -> None:
    pytest.importorskip("matplotlib")
    bear = make_sequence("bear", moving)
    predictions = tmp_path / "mine/bear/00000.png"
    predictions.parent.mkdir(parents=True)
    for mask in bear.annotations.values():
        (predictions.parent / mask.name).write_bytes(mask.read_bytes())
    for path in (*bear.images.values(), *bear.annotations.values(), predictions):
        before = path.read_bytes()
        kind = Path(path.parent / f"{path.stem}.png")
        request = EvaluationRequest(root, "all", "multi", predictions=tmp_path / "mine", overwrite=True, **{name: kind})
        with pytest.raises(UsageError, match=f"`{name}`: .* would lie among what is read"):
            evaluate(request, no_tracker, no_progress)
        assert path.read_bytes() == before


def test_report_is_not_replaced_unasked(make_sequence, moving, root, tmp_path: Path) -> None:
    make_sequence("bear", moving)
    report = tmp_path / "report.json"
    report.write_text("mine")
    with pytest.raises(UsageError, match=r"report\.json exists; pass `overwrite=True`"):
        evaluate(EvaluationRequest(root, "all", "multi", report=report), no_tracker, no_progress)
    assert report.read_text() == "mine"
    evaluate(EvaluationRequest(root, "all", "multi", report=report, overwrite=True), make_tracker, no_progress)
    assert json.loads(report.read_text())["set"] == "all"
