"""`vosctl eval`: J and F of the tracker, or of masks that exist already, on annotated clips."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from vosctl.cli.command import VosctlCommand
from vosctl.cli.groups import grouped
from vosctl.cli.options import EngineRequest, TrackingRequest, engine_options, tracking_options
from vosctl.cli.paths import GivenPath
from vosctl.cli.wording import Wording
from vosctl.errors import UsageError, VosctlError
from vosctl.weights.registry import retirement

if TYPE_CHECKING:
    from vosctl.evaluation.evaluate import EvaluationRequest
    from vosctl.evaluation.report import Evaluation
    from vosctl.tracking import Tracker

PIPE_WIDTH = 200
"""Columns of the table when standard output is no terminal: no name is cut."""


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """What the user asked to be measured, and where the results go."""

    subset: str
    task: Literal["single", "multi"] | None
    predictions: Path | None
    output: Path | None
    masks: Path | None
    plot: Path | None
    overwrite: bool

    def request(self, root: Path) -> EvaluationRequest:
        """Return the evaluation of the data set in `root`."""
        from vosctl.evaluation.evaluate import EvaluationRequest

        return EvaluationRequest(
            root=root,
            subset=self.subset,
            task=self.task or ("single" if self.subset.startswith("2016/") else "multi"),
            predictions=self.predictions,
            masks=self.masks,
            report=self.output,
            plot=self.plot,
            overwrite=self.overwrite,
        )


evaluation_options = grouped(
    "options",
    EvaluationOptions,
    click.option(
        "--set",
        "subset",
        default="all",
        show_default=True,
        metavar="LIST",
        help="Sequences of ROOT/ImageSets/LIST, such as 2016/val.txt.",
    ),
    click.option(
        "--task",
        type=click.Choice(["single", "multi"]),
        help="Score all ids as one object, or each separately.  [default: single for a 2016 set, else multi]",
    ),
    click.option(
        "--predictions",
        type=GivenPath(path_type=Path),
        metavar="DIR",
        help="Track nothing: score the masks DIR/<sequence>/<frame>.png.",
    ),
    click.option("-o", "--output", type=GivenPath(path_type=Path), metavar="FILE", help="Write the report as JSON."),
    click.option("--masks", type=GivenPath(path_type=Path), metavar="DIR", help="Save the tracker's masks."),
    click.option(
        "--plot",
        type=GivenPath(path_type=Path),
        metavar="FILE",
        help="Plot J over time, and the worst frames beside the annotations, as .png or .html.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace outputs that exist."),
)


@click.command(
    "eval", short_help="Measure J and F on annotated clips.", cls=VosctlCommand, spelled={"report": "--output"}
)
@click.argument("root", type=GivenPath(path_type=Path))
@evaluation_options
@tracking_options
@engine_options
@click.option("-q", "--quiet", is_flag=True, help="Print only errors on standard error.")
@click.option("--json", "as_json", is_flag=True, help="Print the report instead of the table.")
@click.pass_context
def eval_command(
    context: click.Context,
    /,
    root: Path,
    options: EvaluationOptions,
    tracking: TrackingRequest,
    engine: EngineRequest,
    quiet: bool,
    as_json: bool,
) -> None:
    """Measure J and F on annotated clips, as the DAVIS benchmark does.

    ROOT holds Annotations/<sequence>/*.png and JPEGImages/<sequence>/*.jpg, both below a folder 480p or neither.
    The objects of the first annotation are followed; the first and the last frame are not scored. The frames per
    second are the tracker's alone, without reading and writing.

    \b
    Examples:
      vosctl eval DAVIS --set 2016/val.txt -o report.json --plot report.html
      vosctl eval DAVIS --set 2017/val.txt --predictions results/
    """
    from vosctl.evaluation.evaluate import evaluate

    if options.predictions is not None:
        _refuse_tracker_options(
            context, [field.name for kind in (TrackingRequest, EngineRequest) for field in fields(kind)]
        )
    make_tracker = partial(_make_tracker, quiet, tracking, engine)
    evaluation = evaluate(options.request(root), make_tracker, partial(_progress, quiet))
    _show(evaluation, as_json=as_json)
    if not quiet:
        _tell_left_out(evaluation)
    _end_with_failures(evaluation)


def _refuse_tracker_options(context: click.Context, names: Iterable[str]) -> None:
    """Refuse options that would have no effect; those from the environment are ignored."""
    for name in names:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(
                f"`{name}`: has no meaning with --predictions, which tracks nothing; leave one of them out"
            )


def _make_tracker(quiet: bool, tracking: TrackingRequest, engine: EngineRequest) -> tuple[Tracker, dict[str, Any]]:
    """Return the tracker and what the report says of it."""
    settings = tracking.settings()
    tracker = engine.tracker(settings)
    info = tracker.info
    if not quiet:
        click.echo(f"{info.weights} on {info.engine}, {info.device}, {info.precision}", err=True)
        if (retired := retirement(info.weights)) is not None:
            click.echo(retired, err=True)
    return tracker, {**asdict(info), **asdict(settings)}


def _tell_left_out(evaluation: Evaluation) -> None:
    """Say which objects do not count because they are not in the first annotation."""
    for score in evaluation.scores:
        if score.left_out:
            noun, verb = ("object", "appears") if len(score.left_out) == 1 else ("objects", "appear")
            ids = ", ".join(map(str, score.left_out))
            click.echo(
                f"{score.name}: {noun} {ids} {verb} after the first frame and cannot be followed from it: left out",
                err=True,
            )


def _end_with_failures(evaluation: Evaluation) -> None:
    """Name the sequences that were not measured. Raises VosctlError when there are any."""
    if not evaluation.failures:
        return
    wording = Wording.current()
    for name, reason in evaluation.failures.items():
        click.echo(f"Failed: {name}: {wording(reason)}", err=True)
    total = len(evaluation.failures) + len(evaluation.scores)
    raise VosctlError(f"{len(evaluation.failures)} of {total} sequences failed and are not in the figures above")


def _show(evaluation: Evaluation, *, as_json: bool) -> None:
    from rich.console import Console

    from vosctl.evaluation import report

    if as_json:
        click.echo(json.dumps(report.as_json(evaluation), indent=2))
        return
    terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, width=None if terminal else PIPE_WIDTH)
    console.print(report.table(evaluation, plain=not terminal))


@contextmanager
def _progress(quiet: bool, what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar on standard error while it is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        job = bar.add_task(what, total=total)
        yield lambda: bar.advance(job)
