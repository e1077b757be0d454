"""Jobs on a Ray cluster; what does without Ray is tried without it."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from vosctl import __version__
from vosctl.batching import BatchJob
from vosctl.batching.ray_cluster import RayCluster, RaySettings, on_ray, run_there
from vosctl.engine.settings import EngineSettings
from vosctl.errors import UsageError, VosctlError

from .conftest import FRAMES

ROOT = Path(__file__).parents[2]
ENGINE = EngineSettings(engine="onnx", device="cpu", threads=1)


def job(source="v/a.mp4", **changes):
    return BatchJob("a", source, **{"outputs": {"masks": "out/a"}, "first_mask": ("v/a.png",)} | changes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cpus": 0}, "`ray_cpus=0`: give a number of cores from 1 on"),
        ({"gpus": -0.5}, "`ray_gpus=-0.5`: give a share of a GPU"),
        ({"gpus": 1.5}, "`ray_gpus=1.5`: give a share of a GPU"),
        ({"gpus": float("nan")}, "`ray_gpus=nan`: give a share of a GPU"),
        ({"address": "head"}, "`ray=head`: give the cluster's address as HOST:PORT, or auto or local"),
        ({"address": "head:port"}, "`ray=head:port`: give"),
        ({"address": "head:99999"}, "`ray=head:99999`: give"),
        ({"address": "ray://head:10001"}, "`ray=ray://head:10001`: give"),
        ({"retries": -1}, "`retries=-1`"),
    ],
)
def test_settings_that_cannot_be(settings, message, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", sys)  # whether it is installed or not
    with pytest.raises(UsageError) as caught:
        on_ray(ENGINE, RaySettings(**settings))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("address", ["auto", "local", "10.0.0.5:6379", "[::1]:6379"])
def test_addresses(address):
    RaySettings(address, cpus=2, gpus=0.25).check()


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(VosctlError, match=r"^`ray`: needs ray, .*; run: python -m pip install .*\[ray\]"):
        on_ray(ENGINE)


def test_an_address_where_nobody_answers_is_said_at_once():
    with pytest.raises(VosctlError, match=r"^`ray=127.0.0.1:1`: cannot be reached: connection refused; check the addr"):
        RayCluster(RaySettings("127.0.0.1:1"), ENGINE)


def test_a_job_there_sees_paths_from_where_it_was_sent(clips, tmp_path, monkeypatch):
    clips("a")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = run_there(job(), ENGINE, str(tmp_path), __version__)
    assert (result.state, result.frames, result.outputs) == ("done", FRAMES, ("out/a",))
    assert len(list((tmp_path / "out" / "a").iterdir())) == FRAMES


def test_a_job_there_without_that_folder(clips, tmp_path):
    clips("a")
    result = run_there(job(), ENGINE, str(tmp_path / "none"), __version__)
    assert result.state == "failed"
    assert f"has no folder {tmp_path / 'none'}, from which v/a.mp4 is seen; use one that all" in result.error
    absolute = job(
        source=str(tmp_path / "v/a.mp4"),
        first_mask=(str(tmp_path / "v/a.png"),),
        outputs={"masks": str(tmp_path / "o")},
    )
    assert run_there(absolute, ENGINE, str(tmp_path / "none"), __version__).state == "done"


def test_a_process_that_was_born_in_the_background_can_be_told_to_end(clips, tmp_path):
    """Ray has a job end by SIGINT, which programs in the background ignore, and their children with them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run_there(job(problem="is not run"), ENGINE, str(tmp_path), __version__)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_version_there_ends_the_batch(clips):
    with pytest.raises(VosctlError, match=rf"has vosctl {__version__}, and the jobs come from 0.0.1; install the same"):
        run_there(job(), ENGINE, ".", "0.0.1")


def test_an_engine_that_cannot_be_had_there_ends_the_batch(clips):
    with pytest.raises(VosctlError, match="nowhere"):
        run_there(job(), replace(ENGINE, weights="nowhere"), ".", __version__)


@pytest.mark.slow
def test_no_job_is_lost_or_done_twice_when_a_node_is_killed():
    pytest.importorskip("ray")
    command = [sys.executable, str(ROOT / "benchmarks" / "ray_cluster.py"), "--videos", "6", "--frames", "6"]
    command += ["--nodes", "2", "--kill-after", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 done" in done.stdout
    assert "a node was killed after" in done.stdout
