"""Jobs in processes of their own: what becomes of them when those end badly."""

import atexit
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

import vosctl
from tests.batching.test_running import LONG, job
from tests.helpers.engines import BrightObjectEngine
from vosctl.batching import BatchEvents
from vosctl.batching.processes import Processes, Worker
from vosctl.interrupts import check
from vosctl.processor import core_count
from vosctl.prompts.segmenter import prompt_threads

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


class KilledAt(BrightObjectEngine):
    """Ends its process by a signal at a step of a job whose video is named so, which cannot be seen here: by a file."""

    def propagate(self, images, masks, states):
        fatal = Path("fatal")
        if fatal.exists() and len(self.batches) >= 3:
            number = int(fatal.read_text())
            fatal.unlink()
            os.kill(os.getpid(), number)
        return super().propagate(images, masks, states)


def unable():
    raise vosctl.UsageError("`weights='none'`: there are none")


def dead():
    os.kill(os.getpid(), signal.SIGKILL)


class Heard(BatchEvents):
    def __init__(self):
        self.said = []

    def started(self, job):
        self.said.append(("started", job.name))

    def note(self, line):
        self.said.append(("note", line))


def results(executor, jobs, events=None):
    return {one.name: one for one in executor.run(jobs, events or BatchEvents())}


def test_every_job_ends_once(clips):
    names = [f"c{number}" for number in range(5)]
    clips(*names)
    heard = Heard()
    got = list(Processes(BrightObjectEngine, 2).run([job(name) for name in names] + [job("none")], heard))
    assert sorted(one.name for one in got) == [*names, "none"]
    assert {one.name: one.state for one in got} == dict.fromkeys(names, "done") | {"none": "failed"}
    assert [one for one in heard.said if one[0] == "started"] == [("started", name) for name in [*names, "none"]]
    assert "2 processes" in heard.said[0][1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_dies_fails_its_job_alone(clips, number):
    clips("a", "b", "c")
    Path("fatal").write_text(str(int(number)))
    got = results(Processes(KilledAt, 1), [job(name) for name in "abc"])
    assert {name: one.state for name, one in got.items()} == {"a": "failed", "b": "done", "c": "done"}
    assert ("SIGKILL" if number == signal.SIGKILL else "told to end") in got["a"].error
    assert sorted(path.name for path in Path("out").iterdir()) == ["b", "c"], "what it left is removed"


@pytest.mark.parametrize(
    ("make", "kind", "message"), [(unable, vosctl.UsageError, "weights"), (dead, vosctl.VosctlError, "SIGKILL")]
)
def test_an_engine_that_cannot_be_made_ends_the_batch(clips, make, kind, message):
    clips("a")
    with pytest.raises(kind, match=message):
        results(Processes(make, 1), [job("a")])


def end_slowly():
    Path("ends").touch()
    time.sleep(5)


def unable_and_slow_to_end():
    atexit.register(end_slowly)
    unable()


def test_a_process_that_is_ended_while_it_ends_prints_nothing(tmp_path, monkeypatch, capfd):
    """As torch, which takes a while to be cleared away: an interrupt in it was told with its traceback."""
    monkeypatch.chdir(tmp_path)
    worker = Worker(unable_and_slow_to_end, 1)
    while not Path("ends").exists():
        assert worker.process.is_alive()
        time.sleep(0.01)
    worker.leave()
    worker.end(5)
    assert capfd.readouterr().err == ""


def test_threads_that_cannot_be_are_told_before_a_process_is_started():
    with pytest.raises(vosctl.UsageError, match="`threads=9999`: "):
        Processes(vosctl.EngineSettings(threads=9999), 1)


def test_jobs_may_come_later(clips):
    clips("a", "b")
    got = results(Processes(BrightObjectEngine, 2), iter([None, job("a"), None, job("b")]))
    assert {one.state for one in got.values()} == {"done"}


def test_nothing_to_do_starts_nothing():
    executor = Processes(partial(pytest.fail, "was made"), 2)
    assert results(executor, []) == {}


@pytest.mark.parametrize("workers", [-1, 5000])
def test_numbers_of_processes_that_cannot_be(workers):
    with pytest.raises(vosctl.UsageError, match="`workers="):
        Processes(BrightObjectEngine, workers)


def test_what_is_under_way_when_a_batch_cannot_go_on_is_ended_in_order(clips):
    clips("a", frames=4000)
    clips("b")
    executor = Processes(BrightObjectEngine, 2)
    running = executor.run([job("a"), job("b")], BatchEvents())
    assert next(running).name == "b"
    while not list(Path("out/a").glob("masks.partial/*")):
        time.sleep(0.01)
    executor.close()
    assert [path.name for path in Path("out").rglob("*") if "partial" in path.name] == []


class SaysThreads(BrightObjectEngine):
    """Fails with the number of threads that the network for boxes and clicks may use."""

    def propagate(self, images, masks, states):
        raise vosctl.VosctlError(f"threads: {prompt_threads()}")


def test_the_network_for_boxes_and_clicks_takes_its_share_of_the_cores(clips):
    clips("a")
    count = core_count() + 1
    assert results(Processes(SaysThreads, count), [job("a")])["a"].error == "threads: 1"


class Hangs(BrightObjectEngine):
    """Never comes back from a step of a long video; unlike one that is only slow, it may not hear that it is to end."""

    deaf = False

    def propagate(self, images, masks, states):
        if len(self.batches) == LONG - 2:
            if self.deaf:
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            while True:
                time.sleep(0.01)
                if not self.deaf:
                    check()
        return super().propagate(images, masks, states)


class HangsDeaf(Hangs):
    deaf = True


@pytest.mark.parametrize("make", [Hangs, pytest.param(HangsDeaf, marks=pytest.mark.slow)])
def test_a_job_that_hangs_is_ended_and_the_others_go_on(clips, make):
    clips("a", "c")
    clips("b", frames=LONG)
    got = results(Processes(make, 1, timeout=3), [job(name) for name in "abc"])
    assert {name: one.state for name, one in got.items()} == {"a": "done", "b": "failed", "c": "done"}
    assert got["b"].error == "took longer than 3 s and was ended; give it more time with `timeout`"
    assert sorted(path.name for path in Path("out").iterdir()) == ["a", "c"]
    assert [path for path in Path("out").rglob("*") if "partial" in path.name] == []


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
def test_times_that_cannot_be(timeout):
    with pytest.raises(vosctl.UsageError, match="`timeout="):
        Processes(BrightObjectEngine, 1, timeout)
