"""A short run of the fuzzer: mutated inputs end as a result or as vosctl's own error, in one line."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import vosctl
from tests.fuzz import files, pictures, tracks  # noqa: F401 - they register their kinds
from tests.fuzz.campaign import CRASH, HANG, Limits, Report, Worker, plan, run_campaign
from tests.fuzz.kinds import KINDS, Kind
from tests.fuzz.mutations import damage, damage_json, damage_png, damage_text
from tests.fuzz.samples import HEIGHT, WIDTH, tiny_network, write_samples
from tests.fuzz.worker import MEMORY, MESSAGE, REFUSED, RESULT, UNEXPECTED, Outcome, message_fault, use_input
from tests.helpers.networks import register_network
from vosctl.engine import create_engine
from vosctl.errors import VosctlError
from vosctl.jobs.resuming import resume
from vosctl.prompts.mask_file import read_first_mask
from vosctl.tracks import Track

FAST = (
    "first masks",
    "annotations",
    "prompts",
    "images",
    "y4m",
    "registry",
    "settings",
    "safetensors",
    "pth",
    "tracks",
)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


def test_mutated_inputs_end_well(samples):
    faults = []
    for kind, number in plan(200, FAST):
        outcome = use_input(kind, number, 7, samples)
        if outcome.outcome not in (RESULT, REFUSED):
            faults.append(outcome)
    assert faults == []


@pytest.mark.slow
def test_mutated_inputs_end_well_in_worker_processes(samples):
    report = run_campaign(plan(400), 8, samples)
    assert report.faults == []
    assert set(report.counts) == set(KINDS)


def test_valid_samples_are_results(samples):
    """What is fuzzed is valid to begin with, so that mutations get past the first check."""
    for folder in ("masks", "annotations"):
        for path in sorted((samples / folder).iterdir()):
            if path.name != "colours.ico":  # has another size
                assert read_first_mask(path, (HEIGHT, WIDTH), fix=True).labels.any()
    for path in sorted((samples / "images").iterdir()):
        KINDS["images"].run(np.random.default_rng(0), path)


def test_sample_tracks_are_drawn_and_gone_on_with(samples, tmp_path, bright_engine):
    with Track(samples / "tracks" / "stopped.vostrack") as track:
        assert not track.complete
        assert track.state() is not None
    for name in ("clip.mp4", "whole.vostrack", "stopped.vostrack"):
        shutil.copy(samples / "tracks" / name, tmp_path)
    assert vosctl.render(tmp_path / "whole.vostrack", masks=tmp_path / "masks").frames == 40
    assert resume(tmp_path / "stopped.vostrack", engine=bright_engine).frames == 40


@pytest.mark.parametrize("name", ["safetensors/small.safetensors", "pth/zip.pth", "pth/old.pth"])
def test_sample_checkpoints_load(samples, name):
    with register_network(tiny_network()):
        assert create_engine(str(samples / name), engine="torch", device="cpu").info.network == "lite"


@pytest.fixture
def ending(monkeypatch):
    """Returns a function that has a kind end in a certain way."""

    def register(run):
        monkeypatch.setitem(KINDS, "made", Kind("made", 1, lambda rng, samples, folder: folder, run))

    return register


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (VosctlError("a: is wrong; mend it"), REFUSED),
        (VosctlError("two\nlines"), MESSAGE),
        (VosctlError("colour \x1b[31m"), MESSAGE),
        (VosctlError(""), MESSAGE),
        (ValueError("no"), UNEXPECTED),
        (SystemExit(3), UNEXPECTED),
        (MemoryError(), MEMORY),
    ],
)
def test_every_kind_of_end_is_told_apart(ending, tmp_path, error, outcome):
    def fail(rng, path):
        raise error

    ending(fail)
    assert use_input("made", 0, 1, tmp_path).outcome == outcome


def test_what_is_said_beside_a_result_counts_too(ending, tmp_path):
    ending(lambda rng, path: ["fine", "not\rfine"])
    assert use_input("made", 0, 1, tmp_path).outcome == MESSAGE
    assert message_fault("a" * 3000)


def test_the_same_seed_makes_the_same_input(samples, tmp_path):
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        use_input("first masks", 3, 9, samples, keep=tmp_path / name)
        made.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert made[0] == made[1]
    (tmp_path / "c").mkdir()
    use_input("first masks", 4, 9, samples, keep=tmp_path / "c")
    assert made[0] != {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()}


def test_mutations_damage():
    rng = np.random.default_rng(0)
    assert sum(damage(rng, b"0123456789" * 20) != b"0123456789" * 20 for _ in range(50)) > 40
    assert sum(damage_text(rng, "a = 1\nb = 2") != b"a = 1\nb = 2" for _ in range(50)) > 40
    assert sum(damage_json(rng, {"a": [1, 2]}) != {"a": [1, 2]} for _ in range(50)) > 40
    assert damage_png(rng, Path(__file__).read_bytes()[:8]) == Path(__file__).read_bytes()[:8]


def test_a_plan_gives_every_kind_its_share():
    counts = {}
    for kind, _ in plan(1000):
        counts[kind] = counts.get(kind, 0) + 1
    assert set(counts) == set(KINDS)
    assert abs(sum(counts.values()) - 1000) < len(KINDS)
    assert counts["first masks"] > counts["onnx"]


def test_the_table():
    report = Report()
    for kind, outcome in (("a", RESULT), ("a", REFUSED), ("b", CRASH)):
        report.add(Outcome(kind, 0, outcome))
    assert report.table().splitlines() == [
        "| kind | inputs | result | refused | crash |",
        "|---|---:|---:|---:|---:|",
        "| a | 2 | 1 | 1 | 0 |",
        "| b | 1 | 0 | 0 | 1 |",
        "| all | 3 | 1 | 1 | 1 |",
    ]
    assert [fault.outcome for fault in report.faults] == [CRASH]


@pytest.mark.slow
def test_a_worker_that_is_killed_is_a_crash_and_the_next_input_gets_a_new_one(samples):
    worker = Worker(1, samples, Limits())
    try:
        assert worker.use("annotations", 0).outcome in (RESULT, REFUSED)
        os.kill(worker.process_id, signal.SIGKILL)
        time.sleep(0.5)
        assert worker.use("annotations", 1).outcome == CRASH
        assert worker.use("annotations", 1).outcome in (RESULT, REFUSED)
    finally:
        worker.close()


@pytest.mark.slow
def test_an_answer_that_comes_while_the_worker_is_looked_at_counts(samples):
    worker = Worker(1, samples, Limits(wall_seconds=0.001))
    try:
        assert worker.use("annotations", 0).outcome in (RESULT, REFUSED)
        os.kill(worker.process_id, signal.SIGSTOP)
        threading.Timer(0.5, os.kill, [worker.process_id, signal.SIGCONT]).start()
        assert worker.use("annotations", 1).outcome in (RESULT, REFUSED)
    finally:
        worker.close()


@pytest.mark.slow
def test_an_input_that_waits_for_ever_is_a_hang_and_one_at_work_is_not(samples):
    worker = Worker(1, samples, Limits(wall_seconds=0.001))
    try:
        assert worker.use("annotations", 0).outcome in (RESULT, REFUSED)  # it is at work all the time, if only at last
        os.kill(worker.process_id, signal.SIGSTOP)
        stopped = worker.use("annotations", 1)
        assert stopped.outcome == HANG
        assert "stopped" in stopped.detail
    finally:
        worker.close()
