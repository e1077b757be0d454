"""The tools that carry training data to another machine, and a run back."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tools.bring_back import bring, join, slimmed
from tools.pack_data import files_of
from tools.train_packed import data_arguments, resumable
from tools.train_packed import main as train_packed
from vosctl.datasets.packs import unpack, write_parts
from vosctl.training.sources import find_sequences, find_stills

WITHOUT_PYAV = """
import sys
sys.modules["av"] = None
import vosctl.cli.train, vosctl.training.run, vosctl.training.display
import tools.train_packed, tools.bring_back
"""


def test_packed_data_is_found_as_the_folders_were(stills, videos, tmp_path):
    (stills / "masks" / "1.png").unlink()
    write_parts(files_of([stills], [videos], videos), tmp_path / "packs", 1 << 20)
    data = tmp_path / "data"
    unpack(tmp_path / "packs", data)
    assert data_arguments(data) == [
        *("--images", str(data / "stills" / "stills")),
        *("--videos", str(data / "videos" / "videos")),
        *("--val", str(data / "val")),
    ]
    found, problems = find_stills([data / "stills" / "stills"])
    assert [(one.image.name, one.ids, one.group) for one in found] == [(f"{n}.jpg", (3,), "stills") for n in (0, 2)]
    assert problems == []
    ours, theirs = (find_sequences([root])[0] for root in (data / "videos" / "videos", videos))
    assert [(one.name, one.ids, len(one.frames)) for one in ours] == [(s.name, s.ids, len(s.frames)) for s in theirs]


def test_a_resumed_run_takes_some_options_only():
    given = ["--stage", "2", "--hours", "0.5", "--lr=1e-4", "--batch", "32"]
    assert resumable(given) == ["--hours", "0.5", "--lr=1e-4"]


@pytest.mark.parametrize(
    "wrong", [("--no-such-option",), ("--stage", "1", "--steps", "1", "--init", "no-such-weights")]
)
def test_what_is_wrong_with_the_options_is_told_in_the_exit_status(wrong, stills, tmp_path, monkeypatch, capsys):
    write_parts(files_of([stills], [], None), tmp_path / "packs", 1 << 20)
    folders = [str(tmp_path / name) for name in ("packs", "data", "run")]
    monkeypatch.setattr(sys, "argv", ["train_packed.py", *folders, *wrong])
    with pytest.raises(SystemExit) as ended:
        train_packed()
    assert ended.value.code == 2
    assert wrong[-1] in capsys.readouterr().err


def test_training_on_packs_needs_no_pyav():
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", WITHOUT_PYAV], check=True, cwd=root)


@pytest.fixture
def run(tmp_path):
    """A run of a network of one layer that made a step."""
    layer = torch.nn.Linear(40, 40)
    optimiser = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 40)).sum().backward()
    optimiser.step()
    folder = tmp_path / "run"
    folder.mkdir()
    average = {key: value.clone() for key, value in layer.state_dict().items()}
    state = {"network": layer.state_dict(), "average": average, "optimiser": optimiser.state_dict()}
    torch.save(state, folder / "state.pt")
    for name in ("last.safetensors", "best.safetensors", "log.csv", "settings.toml"):
        (folder / name).write_bytes(name.encode() * 200)
    return folder


def test_weights_and_logs_come_back_in_small_files(run, tmp_path):
    (tmp_path / "out").mkdir()
    made = bring(run, tmp_path / "out", 2000, with_state=False)
    assert [path.name for path in made] == [
        *("logs.zip", "last.safetensors.00", "last.safetensors.01", "best.safetensors.00", "best.safetensors.01")
    ]
    assert all(path.stat().st_size <= 2000 for path in made)
    (tmp_path / "again").mkdir()
    join(tmp_path / "out", tmp_path / "again")
    names = {path.name for path in run.iterdir()} - {"state.pt"}
    assert {path.name for path in (tmp_path / "again").iterdir()} == names
    assert all((tmp_path / "again" / name).read_bytes() == (run / name).read_bytes() for name in names)


def test_a_piece_that_was_not_carried_is_missed(run, tmp_path):
    (tmp_path / "out").mkdir()
    bring(run, tmp_path / "out", 1200, with_state=False)
    (tmp_path / "out" / "last.safetensors.01").unlink()
    (tmp_path / "again").mkdir()
    with pytest.raises(SystemExit, match=r"the piece of last\.safetensors before last\.safetensors\.02 is not there"):
        join(tmp_path / "out", tmp_path / "again")


def test_the_state_comes_back_smaller_and_goes_on(run, tmp_path):
    (tmp_path / "out").mkdir()
    made = bring(run, tmp_path / "out", 8000, with_state=True)
    assert {path.name.partition(".pt")[0] for path in made[1:]} == {"state"}
    (tmp_path / "again").mkdir()
    join(tmp_path / "out", tmp_path / "again")
    before, after = (torch.load(folder / "state.pt") for folder in (run, tmp_path / "again"))
    assert torch.equal(before["network"]["weight"], after["network"]["weight"])
    optimiser = torch.optim.AdamW(torch.nn.Linear(40, 40).parameters())
    optimiser.load_state_dict(after["optimiser"])
    moments, wanted = optimiser.state_dict()["state"][0], before["optimiser"]["state"][0]
    assert moments["exp_avg"].dtype == torch.float32
    torch.testing.assert_close(moments["exp_avg"], wanted["exp_avg"], rtol=1e-2, atol=1e-6)
    torch.testing.assert_close(after["average"]["weight"].float(), before["average"]["weight"], rtol=1e-3, atol=1e-4)


def test_only_what_is_large_is_made_smaller(run):
    state = slimmed(torch.load(run / "state.pt"))
    assert state["average"]["weight"].dtype == torch.float16
    assert state["average"]["bias"].dtype == torch.float32
    assert state["optimiser"]["state"][0]["exp_avg"].dtype == torch.bfloat16
    assert state["network"]["weight"].dtype == torch.float32
