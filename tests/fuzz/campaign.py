"""Many inputs in worker processes, which may crash or hang without harm."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

from tests.fuzz.kinds import KINDS
from tests.fuzz.worker import FINE, Outcome

CRASH, HANG = "crash", "hang"
_STACKS_TAKE = 3.0  # seconds
_STACK_LINES = 25


@dataclass(frozen=True, slots=True)
class Limits:
    """What one input may take.

    Attributes:
        cpu_seconds: of processor time.
        wall_seconds: of time, which is for what waits without working; one that works, or waits for its turn on a busy
            machine, goes on.
    """

    cpu_seconds: int = 60
    wall_seconds: float = 600.0


@dataclass(slots=True)
class Report:
    """The outcomes of a campaign."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count an outcome, and keep it when it is neither a result nor vosctl's own error."""
        self.counts.setdefault(outcome.kind, Counter())[outcome.outcome] += 1
        if outcome.outcome not in FINE:
            self.faults.append(outcome)

    def table(self) -> str:
        """The counts as Markdown: a row a kind, a column an outcome."""
        kinds = sorted(self.counts)
        seen = {outcome for counter in self.counts.values() for outcome in counter}
        outcomes = [*FINE, *sorted(seen.difference(FINE))]
        rows = [["kind", "inputs", *outcomes]]
        rows += [
            [kind, str(self.counts[kind].total()), *(str(self.counts[kind][o]) for o in outcomes)] for kind in kinds
        ]
        totals = [str(sum(counter[outcome] for counter in self.counts.values())) for outcome in outcomes]
        rows.append(["all", str(sum(counter.total() for counter in self.counts.values())), *totals])
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|---|" + "---:|" * (len(rows[0]) - 1))
        return "\n".join(lines)


def plan(inputs: int, kinds: Iterable[str] | None = None) -> Iterator[tuple[str, int]]:
    """Kinds and numbers of about so many inputs, each kind with its share, taking turns."""
    chosen = [KINDS[name] for name in (kinds or KINDS)]
    total = sum(kind.share for kind in chosen)
    items = [
        ((n + 0.5) / kind.share, kind.name, n) for kind in chosen for n in range(round(inputs * kind.share / total))
    ]
    return ((name, number) for _, name, number in sorted(items))


class Worker:
    """A worker process; started anew when it ends."""

    def __init__(self, seed: int, samples: Path, limits: Limits) -> None:
        self._command = [sys.executable, "-m", "tests.fuzz.worker", str(seed), str(samples), str(limits.cpu_seconds)]
        self._limits = limits
        self._process: subprocess.Popen[str] | None = None
        self._told = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the worker

    def use(self, kind: str, number: int) -> Outcome:
        """The outcome of one input, whatever becomes of the process."""
        process = self._running()
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a worker without pipes")
        try:
            process.stdin.write(json.dumps({"kind": kind, "number": number}) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            self._process = None
            return Outcome(kind, number, CRASH, f"ended with status {process.wait()}")
        ready = self._answers(process)
        line = process.stdout.readline() if ready else ""
        if line:
            return Outcome(**json.loads(line))
        if not ready:
            stands = self._where_it_stands(process)
            self.close()
            return Outcome(kind, number, HANG, f"no answer in {self._limits.wall_seconds:.0f} s: {stands}")
        status = process.wait()
        self._process = None
        if status == -signal.SIGXCPU:
            return Outcome(kind, number, HANG, f"over {self._limits.cpu_seconds} s of processor time")
        return Outcome(kind, number, CRASH, f"ended with status {status}")

    @property
    def process_id(self) -> int | None:
        """Of the process, None while there is none."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self, process: subprocess.Popen[str]) -> bool:
        """Wait for an answer; not for ever for a process that does nothing. One at work ends at its processor time."""
        while not _has_answer(process, self._limits.wall_seconds):
            if not _is_at_work(process.pid):
                return _has_answer(process, 0)  # it may have come while the process was looked at
        return True

    def _where_it_stands(self, process: subprocess.Popen[str]) -> str:
        """The stacks of all threads of a process that does not answer, and what the system says of it."""
        self._told.seek(0)
        self._told.truncate()
        process.send_signal(signal.SIGUSR1)
        time.sleep(_STACKS_TAKE)
        self._told.seek(0)
        stacks = self._told.read().strip()
        status = Path(f"/proc/{process.pid}/status")
        wanted = ("State", "VmSize", "Threads")
        facts = [line for line in status.read_text().splitlines() if line.startswith(wanted)] if status.exists() else []
        return "\n".join([*facts, *stacks.splitlines()[:_STACK_LINES]])

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            places = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
            environment = {
                **{key: value for key, value in os.environ.items() if not key.startswith("VOSCTL_")},
                "PYTHONPATH": os.pathsep.join(place for place in places if place),
                "OMP_NUM_THREADS": "1",
            }
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._told,
                text=True,
                env=environment,
            )
        return self._process


def _has_answer(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether there is something to read of a process, now or within some time."""
    return bool(select.select([process.stdout], [], [], seconds)[0])


def _is_at_work(process_id: int) -> bool:
    """Whether one of a process's threads runs, or would if the machine were less busy."""
    for _ in range(20):
        for status in Path(f"/proc/{process_id}/task").glob("*/stat"):
            with suppress(OSError):  # the thread is gone
                if status.read_text().rpartition(")")[2].split()[0] in ("R", "D"):
                    return True
        time.sleep(0.1)
    return False


def run_campaign(
    inputs: Iterable[tuple[str, int]],
    seed: int,
    samples: Path,
    workers: int = 1,
    limits: Limits = Limits(),
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> Report:
    """Use inputs in worker processes.

    Args:
        inputs: kinds and numbers; see `plan`.
        seed: each input is made from it, its kind and its number.
        samples: folder of valid samples.
        workers: processes.
        limits: of each input.
        tell: receives each outcome, one at a time.
    """
    waiting: Queue[tuple[str, int]] = Queue()
    for item in inputs:
        waiting.put(item)
    report, lock = Report(), threading.Lock()

    def serve() -> None:
        worker = Worker(seed, samples, limits)
        try:
            while True:
                try:
                    kind, number = waiting.get_nowait()
                except Empty:
                    return
                outcome = worker.use(kind, number)
                with lock:
                    report.add(outcome)
                    tell(outcome)
        finally:
            worker.close()

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return report
