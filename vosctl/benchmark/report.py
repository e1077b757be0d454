"""The figures as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vosctl.benchmark.cases import BenchmarkSettings, Case, Measurement, Percentiles
from vosctl.benchmark.run import Benchmark

if TYPE_CHECKING:
    from rich.table import Table

Result = tuple[Case, Measurement]


def heading(benchmark: Benchmark) -> list[str]:
    """Return the lines that say what the figures belong to."""
    machine, settings = benchmark.machine, benchmark.settings
    memory = f", {machine.memory / 1000:.0f} GB" if machine.memory else ""
    crops = f", crops of {settings.window_size} pixels" if settings.window_size else ""
    gpus = ", ".join(f"{gpu.name} (driver {gpu.driver})" for gpu in machine.gpus) or "no NVIDIA GPU"
    return [
        f"{machine.cpu}, {machine.cores} cores{memory}; {gpus}; {machine.system}",
        ", ".join(f"{package} {version}" for package, version in benchmark.versions.items()),
        f"weights {settings.weights}{crops}; {settings.frames} frames counted after {settings.warmup} of warm-up; "
        "milliseconds, MB",
    ]


def tables(benchmark: Benchmark) -> list[Table]:
    """Return the tables of the network's step, of whole runs, and of the decoders where there are several."""
    steps = [result for result in benchmark.results if not result[0].output]
    runs = [result for result in benchmark.results if result[0].output]
    decoders = benchmark.settings.decoders
    compared = [_decoder_table(runs, benchmark.settings)] if len(decoders) > 1 else []
    return [_step_table(steps), _run_table(runs), *compared]


def as_json(benchmark: Benchmark) -> dict[str, Any]:
    """Everything, in plain types; times in milliseconds, memory in MB."""
    return {
        "machine": asdict(benchmark.machine),
        "versions": benchmark.versions,
        "settings": asdict(benchmark.settings),
        "results": [
            {
                "what": "end-to-end" if case.output else "step",
                "size": case.size or None,
                "objects": case.objects,
                "output": case.output or None,
                "decoder": case.decoder if case.output else None,
                **asdict(case.backend),
                **asdict(measured),
            }
            for case, measured in benchmark.results
        ],
        "failed": list(benchmark.failures),
    }


def _step_table(results: list[Result]) -> Table:
    table = _table("Network step", ("objects", "engine", "precision", "device"), ("p50", "p95", "p99", "times torch"))
    for case, measured in results:
        plain = _plain_step(case, results)
        ratio = f"{measured.frame.p50 / plain:.2f}" if plain else "-"
        table.add_row(str(case.objects), *_backend(case), *_times(measured.frame), ratio)
    return table


def _plain_step(case: Case, results: list[Result]) -> float | None:
    """Return the median step of torch in fp32 on the same device, for as many objects: the others' yardstick."""
    for other, measured in results:
        backend = other.backend
        if (backend.engine, backend.precision) == ("torch", "fp32") and (other.objects, backend.device) == (
            case.objects,
            case.backend.device,
        ):
            return measured.frame.p50
    return None


def _run_table(results: Iterable[Result]) -> Table:
    words = ("size", "decoder", "objects", "output", "engine", "precision", "device")
    table = _table("End to end", words, ("fps", "p50", "p95", "p99", "track p50", "peak RSS", "GPU"))
    for case, measured in results:
        table.add_row(
            case.size,
            case.decoder,
            str(case.objects),
            case.output,
            *_backend(case),
            f"{measured.rate:.1f}",
            *_times(measured.frame),
            f"{measured.track.p50:.1f}" if measured.track else "-",
            f"{measured.resident:.0f}" if measured.resident is not None else "-",
            str(measured.gpu) if measured.gpu is not None else "-",
        )
    return table


def _decoder_table(results: Iterable[Result], settings: BenchmarkSettings) -> Table:
    """Return which decoder is the faster one, in whole runs to the first output."""
    rates: dict[tuple[str, ...], dict[str, float]] = {}
    for case, measured in results:
        if case.output == settings.outputs[0]:
            rates.setdefault((case.size, str(case.objects), *_backend(case)), {})[case.decoder] = measured.rate
    words = ("size", "objects", "engine", "precision", "device", "faster")
    table = _table("Decoders, frames a second", words, settings.decoders)
    for name, by_decoder in rates.items():
        fastest = max(by_decoder, key=lambda decoder: by_decoder[decoder])
        table.add_row(*name, fastest, *(_rate(by_decoder.get(decoder)) for decoder in settings.decoders))
    return table


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1f}"


def _table(title: str, words: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for name in words:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _backend(case: Case) -> tuple[str, str, str]:
    return case.backend.engine, case.backend.precision, case.backend.device_name


def _times(percentiles: Percentiles) -> tuple[str, str, str]:
    return f"{percentiles.p50:.1f}", f"{percentiles.p95:.1f}", f"{percentiles.p99:.1f}"
