"""`vosctl bench`: how fast it is here, and what memory it takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import click

from vosctl.cli.command import VosctlCommand
from vosctl.cli.completion import complete_weights
from vosctl.cli.groups import grouped
from vosctl.cli.wording import Wording
from vosctl.errors import UsageError, VosctlError
from vosctl.weights.registry import retirement

if TYPE_CHECKING:
    from vosctl.benchmark.cases import BenchmarkSettings
    from vosctl.benchmark.run import Benchmark
    from vosctl.video.hardware import DecoderWord

PIPE_WIDTH = 200
"""Columns of the tables when standard output is no terminal: nothing is cut."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What the user asked to be measured."""

    sizes: str
    objects: str
    engines: str
    devices: str
    outputs: str
    window_size: int
    weights: str
    frames: int
    warmup: int
    decoders: str

    def settings(self) -> BenchmarkSettings:
        """Return what is to be measured.

        Raises:
            UsageError: an unknown word, or a number that cannot be.
        """
        from vosctl.benchmark.cases import BenchmarkSettings

        return BenchmarkSettings(
            weights=self.weights,
            engines=_words(self.engines),
            devices=_words(self.devices),
            sizes=_words(self.sizes),
            objects=_numbers(self.objects),
            outputs=_words(self.outputs),
            frames=self.frames,
            warmup=self.warmup,
            window_size=self.window_size,
            decoders=cast("tuple[DecoderWord, ...]", _words(self.decoders)),  # the settings check the words
        )


bench_options = grouped(
    "options",
    BenchOptions,
    click.option(
        "--sizes",
        default="480p,1080p,4k",
        show_default=True,
        metavar="S[,S...]",
        help="Video sizes: 480p, 720p, 1080p, 4k.",
    ),
    click.option(
        "--objects", default="1,3,7", show_default=True, metavar="N[,N...]", help="Numbers of objects to follow."
    ),
    click.option(
        "--engine",
        "engines",
        default="all",
        show_default=True,
        metavar="all|NAME[,NAME...]",
        help="Library that runs the network.",
    ),
    click.option(
        "--device", "devices", default="all", show_default=True, metavar="all|cpu|cuda|mps", help="Where it runs."
    ),
    click.option(
        "--outputs",
        default="overlay,none,masks,matte,cutout,rle",
        show_default=True,
        metavar="KIND[,KIND...]",
        help="The first is written in every case, the others once per size; none only decodes and tracks.",
    ),
    click.option(
        "--window-size",
        type=int,
        default=0,
        metavar="PIXELS",
        help="Side of the crops  [default: the network's own]",
    ),
    click.option(
        "--weights",
        default="lite",
        show_default=True,
        metavar="NAME|FILE",
        shell_complete=complete_weights,
        help="Weights of the network that is measured.",
    ),
    click.option(
        "--frames", type=int, metavar="N", default=60, show_default=True, help="Frames measured in each case."
    ),
    click.option(
        "--warmup", type=int, metavar="N", default=5, show_default=True, help="Frames before those, not measured."
    ),
    click.option(
        "--decoder",
        "decoders",
        default="cpu",
        show_default=True,
        metavar="cpu|nvdec|cpu,nvdec",
        help="What decodes the clips; with both, which is the faster one here at each size.",
    ),
)


@click.command(
    short_help="Measure speed and memory here.",
    cls=VosctlCommand,
    spelled={name: f"--{name}" for name in ("decoder", "device", "engine")},
)
@bench_options
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.pass_context
def bench(context: click.Context, /, options: BenchOptions, quiet: bool, as_json: bool) -> None:
    """Measure speed and memory on this machine, on made clips.

    Every engine, device and precision that is available here is measured: the network's step alone, then decoding,
    tracking and writing together, as `vosctl segment` does it. Each case runs in a process of its own, so that its peak
    memory is its own.

    \b
    Examples:
      vosctl bench --sizes 1080p --objects 1 --frames 30
      vosctl bench --json > here.json
      vosctl bench --decoder cpu,nvdec --objects 1 --outputs masks
    """
    from vosctl.benchmark import report
    from vosctl.benchmark.run import Worker, run_benchmark

    settings = options.settings()
    if not quiet and (retired := retirement(options.weights)) is not None:
        click.echo(retired, err=True)
    with _progress(quiet) as on_case:
        benchmark = run_benchmark(settings, on_case, context.find_object(Worker))
    if as_json:
        click.echo(json.dumps(report.as_json(benchmark), indent=2))
    else:
        _show(benchmark)
    _end_with_failures(benchmark)


def _show(benchmark: Benchmark) -> None:
    from rich.console import Console

    from vosctl.benchmark import report

    for line in report.heading(benchmark):
        click.echo(line)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    for table in report.tables(benchmark):
        console.print(table)


def _end_with_failures(benchmark: Benchmark) -> None:
    """Name the cases that were not measured. Raises VosctlError when there are any."""
    if not benchmark.failures:
        return
    wording = Wording.current()
    for line in benchmark.failures:
        click.echo(f"Failed: {wording(line)}", err=True)
    total = len(benchmark.failures) + len(benchmark.results)
    raise VosctlError(f"{len(benchmark.failures)} of {total} cases failed and are not in the figures above")


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(int(word) for word in text.split(",")))
    except ValueError:
        raise UsageError(f"--objects {text}: give numbers separated by commas, such as 1,3") from None


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Show the case that is running, on standard error while it is a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda done, total, what: None
        return
    with console.status("Looking for engines") as status:
        yield lambda done, total, what: status.update(f"{done + 1} of {total}: {what}")
