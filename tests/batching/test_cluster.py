"""Jobs on a cluster, whatever makes one up: none is lost, none ends twice, and only lost ones are run again."""

import os
import signal
from collections import Counter
from dataclasses import replace

import pytest

from vosctl.batching import BatchEvents, BatchJob, JobOptions, JobResult, run_job
from vosctl.batching.cluster import OnCluster, WorkerLostError
from vosctl.batching.run import BatchRun
from vosctl.errors import UsageError, VosctlError
from vosctl.interrupts import held


class FakeCluster:
    """Runs jobs one at a time when it is asked for their ends, in this process; loses those that it is told to.

    Args:
        run: runs a job.
        lost: how often each job is lost after it was done, by its name.
        places: how many jobs it takes.
    """

    def __init__(self, run, lost=None, places=2):
        self.run, self.lost, self.places = run, Counter(lost or {}), places
        self.begun, self.most, self.closed, self.cancelled = [], 0, 0, []
        self.tickets = {}

    def describe(self):
        return "a cluster"

    def room(self):
        return self.places

    def begin(self, job):
        self.begun.append(job)
        ticket = len(self.begun)
        self.tickets[ticket] = job
        self.most = max(self.most, len(self.tickets))
        return ticket

    def ended(self, tickets, seconds):
        tickets = list(tickets)
        return tickets[-1:]  # any order

    def result(self, ticket):
        job = self.tickets.pop(ticket)
        if ticket in self.cancelled:
            raise WorkerLostError("it was cancelled")
        result = self.run(job)
        if self.lost[job.name]:
            self.lost[job.name] -= 1
            raise WorkerLostError("the machine that ran it was lost")
        return result

    def cancel(self, ticket):
        self.cancelled.append(ticket)

    def close(self):
        self.closed += 1


class Heard(BatchEvents):
    def __init__(self):
        self.names, self.notes, self.warnings = [], [], []

    def started(self, job):
        self.names.append(job.name)

    def note(self, line):
        self.notes.append(line)

    def warning(self, line):
        self.warnings.append(line)


def done(job):
    return JobResult(job.name, job.source, "done", digest=job.digest)


def jobs(*names):
    return [BatchJob(name, f"{name}.mp4", {"masks": f"out/{name}"}) for name in names]


def run(cluster, wanted, retries=3):
    heard = Heard()
    results = list(OnCluster(lambda: cluster, retries).run(wanted, heard))
    return {result.name: result for result in results}, heard, len(results)


def test_every_job_ends_once():
    cluster = FakeCluster(done)
    names = [str(number) for number in range(20)]
    results, heard, count = run(cluster, jobs(*names))
    assert count == 20
    assert {result.state for result in results.values()} == {"done"}
    assert sorted(heard.names) == sorted(results) == sorted(names)
    assert cluster.most == 2, "no more are there than there is room for"
    assert heard.notes == ["a cluster"]
    assert cluster.closed == 1


def test_a_lost_job_is_run_again_and_may_replace_what_the_lost_one_wrote():
    cluster = FakeCluster(done, {"b": 2})
    results, heard, count = run(cluster, jobs("a", "b", "c"))
    assert count == 3
    assert results["b"].state == "done"
    assert [job.resume for job in cluster.begun if job.name == "b"] == [False, True, True]
    assert heard.warnings == [
        "b: the machine that ran it was lost; run again (1 of 3)",
        "b: the machine that ran it was lost; run again (2 of 3)",
    ]
    assert sorted(heard.names) == ["a", "b", "c"], "each begins once"


@pytest.mark.parametrize(("retries", "error"), [(2, ", the last of 3 times"), (0, "")])
def test_a_job_that_is_lost_each_time_fails_alone(retries, error):
    cluster = FakeCluster(done, {"b": 100})
    results, _, count = run(cluster, jobs("a", "b", "c"), retries)
    assert count == 3
    assert (results["b"].state, results["b"].error) == ("failed", f"the machine that ran it was lost{error}")
    assert {results["a"].state, results["c"].state} == {"done"}
    assert len(cluster.begun) == 2 + retries + 1


def test_a_job_that_fails_is_not_run_again():
    def fails(job):
        return replace(done(job), state="failed", error="no mask")

    cluster = FakeCluster(fails)
    results, heard, _ = run(cluster, jobs("a"))
    assert (results["a"].state, results["a"].error) == ("failed", "no mask")
    assert len(cluster.begun) == 1
    assert heard.warnings == []


def test_a_worker_that_was_told_to_end_is_one_that_is_lost():
    ends = ["interrupted", "done"]
    cluster = FakeCluster(lambda job: replace(done(job), state=ends.pop(0)))
    results, heard, count = run(cluster, jobs("a"))
    assert (count, results["a"].state) == (1, "done")
    assert heard.warnings == ["a: its worker was told to end; run again (1 of 3)"]


def test_what_keeps_all_jobs_from_running_ends_the_batch():
    def unable(job):
        raise VosctlError("no such weights")

    cluster = FakeCluster(unable)
    with pytest.raises(VosctlError, match="no such weights"):
        run(cluster, jobs("a", "b"))
    assert cluster.closed == 1


def test_nothing_is_reached_for_where_there_are_no_jobs():
    def unreachable():
        raise AssertionError("was asked for")

    assert list(OnCluster(unreachable).run([], BatchEvents())) == []


def test_jobs_that_come_later():
    a, b = jobs("a", "b")
    results, _, count = run(FakeCluster(done), iter([a, None, b]))
    assert (count, sorted(results)) == (2, ["a", "b"])


def test_an_interrupt_tells_every_job_to_end():
    def interrupts(job):
        os.kill(os.getpid(), signal.SIGINT)
        return done(job)

    cluster = FakeCluster(interrupts, places=3)
    states = []

    def run_them():
        with held():
            for result in OnCluster(lambda: cluster).run(jobs("a", "b", "c", "d"), BatchEvents()):
                states.append(result.state)

    with pytest.raises(KeyboardInterrupt):
        run_them()
    assert sorted(states) == ["done", "interrupted", "interrupted"]
    assert len(cluster.cancelled) == 2
    assert cluster.closed == 1


def test_too_many_retries():
    with pytest.raises(UsageError, match="`retries=101`"):
        OnCluster(lambda: FakeCluster(done), 101)


def test_real_jobs_of_which_some_are_lost_after_they_wrote(clips, bright_engine, tmp_path):
    """Their outputs are there when they are run again; that is not in their way, and there is one result of each."""
    clips("a", "b", "c")
    wanted = [
        BatchJob(name, f"v/{name}.mp4", {"masks": f"out/{name}"}, first_mask=(f"v/{name}.png",)) for name in "abc"
    ]
    wanted[2] = replace(wanted[2], options=JobOptions(max_frames=0))  # fails
    cluster = FakeCluster(lambda job: run_job(job, bright_engine), {"a": 1, "c": 1})
    summary = BatchRun(wanted, OnCluster(lambda: cluster), tmp_path / "out" / "results.jsonl").run()
    lines = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    states = {result.name: result.state for result in map(JobResult.from_line, lines)}
    assert len(lines) == 3
    assert states == {"a": "done", "b": "done", "c": "failed"}
    assert [result.name for result in summary.failed] == ["c"]
    assert [len(list((tmp_path / "out" / name).iterdir())) for name in "ab"] == [8, 8]
