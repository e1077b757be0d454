import csv
import os
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from vosctl.cli import cli
from vosctl.errors import UsageError, VosctlError
from vosctl.training.run import resume, start
from vosctl.training.run_folder import RunFolder
from vosctl.training.settings import TrainingSettings, settings_from_toml
from vosctl.video.masks import write_indexed_png
from vosctl.weights.networks import load_network, save_network
from vosctl.weights.registry import locate_weights


def run(*arguments: object) -> str:
    """Run `vosctl train` in this process; its output."""
    result = CliRunner().invoke(cli, ["train", *(str(a) for a in arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def rows(path: Path) -> list[dict[str, float]]:
    with path.open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """Settings of a tiny run."""
    path = tmp_path / "quick.toml"
    path.write_text(
        'batch = 2\nsize = 64\ntargets = 2\nworkers = 0\nlog_steps = 1\ndevice = "cpu"\nprecision = "fp32"\n'
        "checkpoint_minutes = 60\nlr = 1e-3\n"
    )
    return path


def test_stage_2_writes_logs_preview_and_weights(stills: Path, videos: Path, quick: Path, tmp_path: Path):
    folder = tmp_path / "run"
    output = run(
        "--settings", quick, "--stage", 2, "--videos", videos, "--images", stills, "--val", videos,
        "-o", folder, "--steps", 3,
    )  # fmt: skip
    log = rows(folder / "log.csv")
    assert [row["step"] for row in log] == [1, 2, 3]
    assert all(np.isfinite(list(row.values())).all() for row in log)
    validation = rows(folder / "validation.csv")
    assert [row["step"] for row in validation] == [0, 3]
    assert {"mean_j", "mean_f", "j_binary", "f_two"} <= validation[0].keys()
    best = max((row["mean_j"] + row["mean_f"]) / 2 for row in validation)
    assert RunFolder(folder).load_state()["position"]["best"] == pytest.approx(best, abs=1e-5)
    assert Image.open(folder / "preview.png").size == (4 * 192, 2 * 192)
    assert load_network(folder / "last.safetensors").name == "lite"
    assert load_network(folder / "best.safetensors").name == "lite"
    assert "mean J" in output
    assert (
        f"weights: {folder / 'last.safetensors'}\nbest weights in validation: {folder / 'best.safetensors'}\n" in output
    )
    assert not list(folder.glob("*.partial*"))


def test_lite_plus_starts_as_the_lite_that_is_given(videos: Path, quick: Path, tmp_path: Path):
    folder = tmp_path / "run"
    run(
        "--settings", quick, "--stage", 2, "--videos", videos, "--network", "lite-plus", "--init", "lite",
        "-o", folder, "--steps", 1, "--lr", 1e-9,
    )  # fmt: skip
    lite: Any
    found, lite = load_network(folder / "last.safetensors"), load_network("lite")
    assert found.name == "lite-plus"
    weights = found.state_dict()
    head = lite.decoder.head2.weight
    torch.testing.assert_close(weights["decoder.head2.weight"][:, : head.shape[1]], head, atol=1e-3, rtol=1e-3)
    # the second block of lite's third stage is that of lite-plus's, one added block later
    moved = lite.state_dict()["encoder.blocks.4.project.weight"]
    torch.testing.assert_close(weights["encoder.blocks.5.project.weight"], moved, atol=1e-3, rtol=1e-3)


def test_a_part_can_learn_alone(videos: Path, quick: Path, tmp_path: Path):
    folder = tmp_path / "run"
    run(
        "--settings", quick, "--stage", 2, "--videos", videos, "--init", "lite", "--only", "outline",
        "-o", folder, "--steps", 2,
    )  # fmt: skip
    before, after = load_network("lite").state_dict(), load_network(folder / "last.safetensors").state_dict()
    moved = {key for key in after if not torch.equal(before[key], after[key])}
    assert "outline.head.weight" in moved
    assert all(key.startswith("outline.") for key in moved)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"only": ("outline",)}, "give `init=WEIGHTS`"),
        ({"only": ("edges",), "init": "lite"}, "has no such part; give one of"),
    ],
)
def test_a_part_that_cannot_learn_alone_is_named(given, words, videos: Path, quick: Path, tmp_path: Path):
    with pytest.raises(UsageError, match=words):
        start(quick_settings(quick, videos, **given), tmp_path / "run", lambda: nullcontext(Script()))


def test_other_networks_cannot_be_started_from_lite(videos: Path, quick: Path, tmp_path: Path):
    settings = quick_settings(quick, videos, init="lite", network="rgmp")
    with pytest.raises(UsageError, match="is a lite network; add `network='lite'`"):
        start(settings, tmp_path / "run", lambda: nullcontext(Script()))


def test_stage_1_learns_a_disc(stills: Path, quick: Path, tmp_path: Path):
    folder = tmp_path / "run"
    run("--settings", quick, "--stage", 1, "--images", stills, "-o", folder, "--steps", 20, "--lr", 3e-3)
    losses = [row["loss"] for row in rows(folder / "log.csv")]
    assert np.mean(losses[-4:]) < 0.85 * np.mean(losses[:4])


class Script:
    """A display that interrupts the run after a step."""

    def __init__(self, interrupt_at: int = 0) -> None:
        self.interrupt_at = interrupt_at
        self.lines: list[str] = []

    def step(self, position, progress):
        if position.step == self.interrupt_at:
            signal.raise_signal(signal.SIGINT)

    def logged(self, line): ...

    def validated(self, position, result, better): ...

    def saved(self, position): ...

    def note(self, line):
        self.lines.append(line)


def quick_settings(quick: Path, videos: Path, **changes) -> TrainingSettings:
    return TrainingSettings(
        **{**settings_from_toml(quick), "stage": 2, "videos": (str(videos),), "steps": 4, **changes}
    )


@pytest.mark.slow
def test_an_interrupted_run_goes_on_as_if_it_was_not(videos: Path, quick: Path, tmp_path: Path):
    settings = quick_settings(quick, videos, init="lite")
    start(settings, tmp_path / "whole", lambda: nullcontext(Script()))
    with pytest.raises(KeyboardInterrupt):
        start(settings, tmp_path / "parts", lambda: nullcontext(Script(interrupt_at=2)))
    assert RunFolder(tmp_path / "parts").load_state()["position"]["step"] == 2
    resume(tmp_path / "parts", {"workers": 1}, lambda: nullcontext(Script()))
    whole, parts = (RunFolder(tmp_path / name).load_state() for name in ("whole", "parts"))
    assert parts["position"]["step"] == 4
    assert parts["position"]["resumed"] == 1
    for key, value in whole["average"].items():
        np.testing.assert_allclose(parts["average"][key].numpy(), value.numpy(), rtol=1e-5, atol=1e-6, err_msg=key)
    losses = [[row["loss"] for row in rows(tmp_path / name / "log.csv")] for name in ("whole", "parts")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_run_goes_on_when_the_weights_that_it_began_with_are_gone(videos: Path, quick: Path, tmp_path: Path):
    first = tmp_path / "first.safetensors"
    first.write_bytes(locate_weights("lite").read_bytes())
    start(
        quick_settings(quick, videos, init=str(first), only=("decoder",), steps=1),
        tmp_path / "run",
        lambda: nullcontext(Script()),
    )
    first.unlink()
    resume(tmp_path / "run", {"steps": 2}, lambda: nullcontext(Script()))
    assert [row["step"] for row in rows(tmp_path / "run" / "log.csv")] == [1, 2]


def test_a_state_of_another_network_is_one_line(videos: Path, quick: Path, tmp_path: Path):
    start(quick_settings(quick, videos, steps=1), tmp_path / "run", lambda: nullcontext(Script()))
    state = RunFolder(tmp_path / "run").load_state()
    del state["network"]["encoder.stem.weight"]
    RunFolder(tmp_path / "run").save_state(state)
    with pytest.raises(VosctlError, match=r"state\.pt is not of the lite network as it is now; start a new run"):
        resume(tmp_path / "run", {"steps": 2}, lambda: nullcontext(Script()))


@pytest.mark.slow
def test_the_state_knows_what_was_best_in_the_last_validation(videos: Path, quick: Path, tmp_path: Path):
    folder = tmp_path / "run"
    settings = quick_settings(quick, videos, val=str(videos), steps=1)
    start(settings, folder, lambda: nullcontext(Script()))

    def best_after(changes: dict[str, Any], best: float) -> tuple[float, float]:
        """What is known to be best after a run that begins with this, and what its last validation gave."""
        state = RunFolder(folder).load_state()
        RunFolder(folder).save_state({**state, "position": {**state["position"], "best": best}})
        resume(folder, changes, lambda: nullcontext(Script()))
        last = rows(folder / "validation.csv")[-1]
        return RunFolder(folder).load_state()["position"]["best"], (last["mean_j"] + last["mean_f"]) / 2

    best, last = best_after({}, -1.0)
    assert best == pytest.approx(last, abs=1e-5)
    assert best_after({}, 2.0)[0] == 2.0

    other = tmp_path / "other"
    shutil.copytree(videos, other)
    for part in ("JPEGImages", "Annotations"):
        shutil.rmtree(other / part / "two")
    best, last = best_after({"val": str(other)}, 2.0)  # which was that of other clips
    assert best == pytest.approx(last, abs=1e-5)
    columns = ["step", "seconds", "mean_j", "mean_f", "j_binary", "f_binary"]
    assert list(rows(folder / "validation.csv")[0]) == columns
    assert [row["step"] for row in rows(folder / "validation-1.csv")] == [0, 1, 1, 1]


@pytest.mark.slow
def test_a_signal_to_all_processes_of_a_run_loses_nothing(videos: Path, quick: Path, tmp_path: Path):
    """As from torchrun, whose workers are not to end before the step is done and the state is saved."""
    command = [sys.executable, "-m", "vosctl", "train", "--settings", quick, "--stage", "2", "--videos", videos]
    command += ["--init", "lite", "--workers", "1", "--steps", "100000", "-o", tmp_path / "run"]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    said = ""
    while "step 2 " not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    os.killpg(process.pid, signal.SIGTERM)
    said += process.stderr.read()
    assert process.wait() == 143, said
    assert "bug" not in said
    assert RunFolder(tmp_path / "run").load_state()["position"]["step"] >= 2


def in_two_processes(script: Path, *arguments: object) -> None:
    """Run `vosctl train` as torchrun does, in two processes."""
    script.write_text("from vosctl.cli.train import train; train()")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*torchrun, str(script), *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.flaky(reruns=2, only_rerun="terminate called")  # PyTorch may abort a process that leaves its group
@pytest.mark.slow
def test_two_processes_are_one_with_the_doubled_batch_also_when_resumed(videos: Path, quick: Path, tmp_path: Path):
    one, two, script = tmp_path / "one", tmp_path / "two", tmp_path / "train.py"
    start(quick_settings(quick, videos, init="lite", steps=2), one, lambda: nullcontext(Script()))
    resume(one, {"steps": 4}, lambda: nullcontext(Script()))
    data = ("--settings", quick, "--stage", 2, "--videos", videos, "--init", "lite", "--batch", 1)
    in_two_processes(script, *data, "--steps", 2, "-o", two)
    in_two_processes(script, "--resume", two, "--steps", 4)
    losses = [[row["loss"] for row in rows(folder / "log.csv")] for folder in (one, two)]
    assert len(losses[0]) == 4
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_bad_data_is_told_and_left_out_or_refused(stills: Path, quick: Path, tmp_path: Path):
    (stills / "masks" / "0.png").unlink()
    settings = TrainingSettings(**{**settings_from_toml(quick), "stage": 1, "images": (str(stills),), "steps": 1})
    told = Script()
    start(settings, tmp_path / "run", lambda: nullcontext(told))
    assert any("0.jpg: has no mask" in line for line in told.lines)
    with pytest.raises(VosctlError, match=r"`strict=True`: 1 files.*0\.jpg"):
        start(replace(settings, strict=True), tmp_path / "strict", lambda: nullcontext(Script()))
    assert not (tmp_path / "strict").exists()


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_data_that_nothing_can_be_learned_from_is_one_line(stills: Path, quick: Path, tmp_path: Path, workers: int):
    for path in (stills / "masks").iterdir():
        labels = np.zeros((96, 128), np.uint8)
        labels[50, 20:90] = 1
        write_indexed_png(path, labels)
    settings = TrainingSettings(
        **{**settings_from_toml(quick), "stage": 1, "images": (str(stills),), "steps": 1, "workers": workers}
    )
    with pytest.raises(VosctlError, match=r"^no usable sample in 50 draws: the objects are hidden or tiny [^\n]*$"):
        start(settings, tmp_path / "run", lambda: nullcontext(Script()))


def test_a_run_is_not_overwritten(stills: Path, quick: Path, tmp_path: Path):
    settings = TrainingSettings(**{**settings_from_toml(quick), "stage": 1, "images": (str(stills),), "steps": 1})
    start(settings, tmp_path / "run", lambda: nullcontext(Script()))
    with pytest.raises(UsageError, match="holds a run already"):
        start(settings, tmp_path / "run", lambda: nullcontext(Script()))
    with pytest.raises(UsageError, match="`seed` cannot change"):
        resume(tmp_path / "run", {"seed": 3}, lambda: nullcontext(Script()))
    (tmp_path / "run" / "state.pt").unlink()  # as weights are that were carried here from another machine
    kept = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    with pytest.raises(UsageError, match=r"holds last\.safetensors of a run that cannot be resumed"):
        start(settings, tmp_path / "run", lambda: nullcontext(Script()))
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()} == kept


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stage", "1"], "-o RUN"),
        (["-o", "r", "--steps", "1"], "--stage 1"),
        (["-o", "r", "--stage", "2", "--steps", "1"], "--videos DIR"),
        (["-o", "r", "--stage", "1", "--images", "x"], "--hours or as --steps"),
        (["-o", "r", "--stage", "1", "--images", "nowhere", "--steps", "1"], "no folder nowhere/images"),
        (["-o", "r", "--stage", "1", "--images", "x", "--steps", "1", "--size", "100"], "--size 100"),
        (["-o", "r", "--stage", "1", "--images", "x", "--steps", "1", "--init", ""], "--init '': names no weights"),
        (["-o", "r", "--stage", "1", "--images", "x", "--hours", "-1"], "--hours -1: give a value above 0"),
        (["--resume", "nowhere"], "--resume nowhere"),
        (["--resume", "r", "-o", "s"], "leave --output"),
    ],
)
def test_wrong_usage_is_named(arguments, words):
    result = CliRunner().invoke(cli, ["train", *arguments])
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.slow
def test_a_run_that_diverges_stops_and_keeps_the_last_good_weights(stills: Path, quick: Path, tmp_path: Path):
    folder = tmp_path / "run"
    run("--settings", quick, "--stage", 1, "--images", stills, "-o", folder, "--steps", 1)
    kept = {name: (folder / name).read_bytes() for name in ("last.safetensors", "state.pt")}
    result = CliRunner().invoke(cli, ["train", "--resume", str(folder), "--steps", "20", "--lr", "1e30"])
    assert result.exit_code == 1
    assert "training diverged at step" in result.output
    assert str(folder / "last.safetensors") in result.output.replace("\n", "")
    assert "smaller --lr" in result.output
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    assert load_network(folder / "last.safetensors").name == "lite"


def test_weights_that_are_not_finite_are_never_saved(tiny_lite, tmp_path: Path):
    tiny_lite.decoder.head2.bias.data.fill_(1e6)  # infinite in half precision
    (tmp_path / "last.safetensors").write_text("good")
    with pytest.raises(VosctlError, match=r"not written, decoder\.head2\.bias holds values that are not finite"):
        save_network(tiny_lite, tmp_path / "last.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["last.safetensors"]
    assert (tmp_path / "last.safetensors").read_text() == "good"
