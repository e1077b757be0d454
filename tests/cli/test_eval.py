from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from tests.helpers.engines import BrightObjectEngine, register_engine
from vosctl.cli import cli
from vosctl.engine import Step


class StayingEngine(BrightObjectEngine):
    """Answers every frame with the first mask."""

    def encode_reference(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return mask

    def propagate(self, images: np.ndarray, masks: np.ndarray, states: Sequence[np.ndarray]) -> Step[np.ndarray]:
        return Step(np.stack(states), tuple(states))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set in DAVIS' layout: a moving square (id 1) and one that stays (id 2), and a list of 2016."""
    for index in range(5):
        labels = np.zeros((60, 80), np.uint8)
        labels[20:40, 10 + 4 * index : 30 + 4 * index] = 1
        labels[45:55, 5:15] = 2
        for kind, suffix, picture in (("Annotations", "png", labels), ("JPEGImages", "jpg", labels * 100)):
            folder = tmp_path / "data" / kind / "480p" / "squares"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / f"{index:05d}.{suffix}")
    (tmp_path / "data" / "ImageSets" / "2016").mkdir(parents=True)
    (tmp_path / "data" / "ImageSets" / "2016" / "val.txt").write_text("squares\n")
    return tmp_path / "data"


@pytest.fixture(name="annotations")
def annotations_folder(data: Path) -> str:
    return str(data / "Annotations" / "480p")


def run(*args: object) -> Result:
    return CliRunner().invoke(cli, ["eval", *map(str, args)])


def test_table_of_perfect_predictions(data: Path, annotations: str) -> None:
    result = run(data, "--predictions", annotations)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[1] == ["squares", "2", "3", "100.0", "100.0", "0.0", "100.0", "100.0", "0.0", "100.0"]
    assert lines[2][0] == "overall"
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("args", "task", "objects"),
    [([], "multi", 2), (["--task", "single"], "single", 1), (["--set", "2016/val"], "single", 1)],
)
def test_task(data: Path, annotations: str, args: list[str], task: str, objects: int) -> None:
    report = json.loads(run(data, "--predictions", annotations, "--json", *args).stdout)
    assert (report["task"], report["overall"]["objects"]) == (task, objects)
    assert report["overall"]["J&F"] == 1.0


def test_tracking(data: Path, tmp_path: Path) -> None:
    output, masks = tmp_path / "report.json", tmp_path / "masks"
    with register_engine(StayingEngine()):
        result = run(data, "-o", output, "--masks", masks, "--window", "off", "--scales", "0.5,1")
    assert result.exit_code == 0, result.output
    assert result.stderr == "bright on fake, cpu, fp32\n"
    assert result.stdout.splitlines()[0].split()[-1] == "fps"
    report = json.loads(output.read_text())
    assert report["tracker"]["scales"] == [0.5, 1.0]
    moved, stayed = report["sequences"][0]["objects"]
    assert stayed["J"]["mean"] == 1.0
    assert moved["J_per_frame"] == pytest.approx([(20 - step) / (20 + step) for step in (4, 8, 12)], abs=1e-6)
    assert len(list((masks / "squares").glob("*.png"))) == 5


@pytest.mark.parametrize("suffix", ["png", "html"])
def test_plot(data: Path, annotations: str, tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    result = run(data, "--predictions", annotations, "--plot", tmp_path / f"plot.{suffix}")
    assert result.exit_code == 0, result.output
    assert (tmp_path / f"plot.{suffix}").stat().st_size > 1000


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["{tmp}/nothing"], 2, "no Annotations folder in {tmp}/nothing"),
        (["{data}", "--set", "2017/val"], 2, "no set '2017/val' in {data}/ImageSets; it has 2016/val.txt"),
        (["{data}", "--predictions", "{tmp}/none"], 1, "no predictions of sequence 'squares'"),
        (["{data}", "--predictions", "{tmp}", "--device", "cpu"], 2, "--device: has no meaning with --predictions"),
        (["{data}", "--predictions", "{tmp}", "--compile"], 2, "--compile: has no meaning with --predictions"),
        (["{data}", "--window", "off", "--window-size", "64"], 2, "--window-size: has no meaning with --window off"),
        (["{data}", "--predictions", "{tmp}", "--masks", "{tmp}/m"], 2, "--masks keeps the tracker's masks"),
        (["{data}", "--task", "both"], 2, "'both' is not one of"),
    ],
)
def test_errors_are_one_line(data: Path, tmp_path: Path, args: list[str], code: int, message: str) -> None:
    names = {"data": data, "tmp": tmp_path}
    result = run(*(arg.format(**names) for arg in args))
    assert result.exit_code == code
    assert message.format(**names) in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in result.output


def test_a_sequence_that_fails_is_named_and_the_others_are_measured(data: Path, annotations: str) -> None:
    for kind in ("Annotations", "JPEGImages"):
        shutil.copytree(data / kind / "480p" / "squares", data / kind / "480p" / "zebra")
    (data / "Annotations" / "480p" / "zebra" / "00002.png").write_bytes(b"damaged")
    result = run(data, "--predictions", annotations)
    assert result.exit_code == 1
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == ["squares", "overall"]
    failed, error = result.stderr.splitlines()
    assert failed.startswith("Failed: zebra: ")
    assert "00002.png: cannot be read" in failed
    assert error == "Error: 1 of 2 sequences failed and are not in the figures above"
    report = json.loads(run(data, "--predictions", annotations, "--json").stdout)
    assert [entry["name"] for entry in report["failed"]] == ["zebra"]


def test_objects_that_appear_later_are_said_to_be_left_out(data: Path, annotations: str) -> None:
    for index in (2, 3):
        path = data / "Annotations" / "480p" / "squares" / f"{index:05d}.png"
        labels = np.array(Image.open(path))
        labels[:8, 60:70], labels[50:, 70:] = 5, 255
        Image.fromarray(labels).save(path)
    result = run(data, "--predictions", annotations)
    assert result.exit_code == 0
    assert result.stderr == "squares: object 5 appears after the first frame and cannot be followed from it: left out\n"
    assert run(data, "--predictions", annotations, "-q").stderr == ""
    report = json.loads(run(data, "--predictions", annotations, "--json").stdout)
    assert report["sequences"][0]["left_out"] == [5]


def test_missing_prediction_is_named(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "predictions" / "squares"
    folder.mkdir(parents=True)
    for index in (1, 3):
        Image.fromarray(np.zeros((60, 80), np.uint8)).save(folder / f"{index:05d}.png")
    result = run(data, "--predictions", tmp_path / "predictions")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"prediction missing: {folder / '00002.png'}" in result.stderr
