"""A whole benchmark: which cases, each measured in a fresh process, so that no peak or warm cache is another's."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from vosctl.benchmark.cases import Backend, BenchmarkSettings, Case, Measurement, Percentiles
from vosctl.benchmark.clip import MadeClips
from vosctl.diagnosis.machine import Machine, describe_machine, package_versions
from vosctl.errors import VosctlError
from vosctl.video.hardware import DecoderWord
from vosctl.weights.registry import locate_weights


@dataclass(frozen=True, slots=True)
class Benchmark:
    """All figures of one run.

    Attributes:
        settings: what was asked for.
        machine: where it ran.
        versions: of Python and the packages.
        results: each case and its measurements, in the order they ran.
        failures: of each case that could not be measured, which it is, and why.
    """

    settings: BenchmarkSettings
    machine: Machine
    versions: dict[str, str]
    results: tuple[tuple[Case, Measurement], ...]
    failures: tuple[str, ...] = ()


class Worker:
    """Answers requests, each in a fresh process."""

    def ask(self, request: dict[str, Any], what: str) -> Any:
        """Have a fresh process answer a request of `vosctl.benchmark.worker`.

        Args:
            request: in plain types, and paths.
            what: the request in words, for messages.

        Raises:
            VosctlError: it failed.
        """
        done = subprocess.run(
            [sys.executable, "-m", "vosctl.benchmark.worker"],
            input=json.dumps(request, default=str), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise VosctlError(f"{what}: {said[-1] if said else f'the process ended with status {done.returncode}'}")
        return json.loads(done.stdout.splitlines()[-1])


def run_benchmark(
    settings: BenchmarkSettings, on_case: Callable[[int, int, str], None], worker: Worker | None = None
) -> Benchmark:
    """Measure everything; a case that fails is left out and named, the others are measured all the same.

    Args:
        settings: what to measure.
        on_case: called before each case with how many are done, how many there are, and the next one in words.
        worker: measures; None for processes of this package.

    Raises:
        UsageError: there are no weights of that name.
        VosctlError: no engine, or not the decoder, can be had, or every case failed; the message is the first one's.
    """
    locate_weights(settings.weights)  # a wrong name is the user's, not a process's
    worker = worker or Worker()
    backends = [Backend(**one) for one in worker.ask({"probe": asdict(settings)}, "looking for engines and decoders")]
    results: list[tuple[Case, Measurement]] = []
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="vosctl-bench-") as folder:
        clips = MadeClips(Path(folder))
        cases = plan(settings, backends)
        for number, planned in enumerate(cases):
            on_case(number, len(cases), describe(planned))
            try:
                case = _with_clip(planned, clips)
                results.append((case, measurement(worker.ask({"case": asdict(case)}, describe(case)))))
            except VosctlError as error:
                failures.append(str(error))
    if not results:
        raise VosctlError(failures[0])
    return Benchmark(settings, describe_machine(), package_versions(), tuple(results), tuple(failures))


def plan(settings: BenchmarkSettings, backends: list[Backend]) -> list[Case]:
    """Return the cases, in order: the network's step, then end to end with each engine, then the other outputs."""

    def case(
        backend: Backend, objects: int, size: str = "", output: str = "", decoder: DecoderWord = settings.decoders[0]
    ) -> Case:
        made = Case(settings.weights, backend, objects, settings.frames, settings.warmup, size, output)
        return replace(made, window_size=settings.window_size, decoder=decoder)

    first, *others = settings.outputs
    steps = [case(backend, objects) for objects, backend in product(settings.objects, backends)]
    whole = [
        case(backend, objects, size, first, decoder)
        for size, objects, backend, decoder in product(settings.sizes, settings.objects, backends, settings.decoders)
    ]
    written = [case(backends[0], settings.objects[0], size, output) for size, output in product(settings.sizes, others)]
    return steps + whole + written


def describe(case: Case) -> str:
    """Return the case in words."""
    backend = f"{case.backend.engine} {case.backend.precision} on {case.backend.device_name}"
    decoded = "" if case.decoder == "cpu" else f" decoded by {case.decoder}"
    what = f"{case.size}{decoded}, to {case.output}" if case.output else "network step"
    return f"{backend}, {case.objects} object{'s' if case.objects > 1 else ''}, {what}"


def _with_clip(case: Case, clips: MadeClips) -> Case:
    if not case.output:
        return case
    clip, mask = clips.write(case.size, case.objects, case.warmup + case.frames)
    return replace(case, clip=clip, mask=mask)


def measurement(fields: dict[str, Any]) -> Measurement:
    """Read the answer of a worker."""
    track = fields["track"]
    times = {"frame": Percentiles(**fields["frame"]), "track": Percentiles(**track) if track else None}
    return Measurement(**{**fields, **times})
