"""`vosctl batch`: many videos in one run."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosctl.cli.command import VosctlCommand
from vosctl.cli.groups import borrowed, grouped
from vosctl.cli.options import (
    EngineRequest,
    ReportingRequest,
    TrackingRequest,
    correcting_options,
    engine_options,
    reporting_options,
)
from vosctl.cli.paths import GivenPath
from vosctl.cli.places import RangeRequest, range_options
from vosctl.cli.ray import RayRequest, ray_options
from vosctl.cli.segment import segment
from vosctl.errors import UsageError

if TYPE_CHECKING:
    from vosctl.batching.executor import Executor
    from vosctl.batching.job import BatchJob, JobOptions
    from vosctl.batching.layouts import LayoutName
    from vosctl.cli.batch_reporting import BatchReporter
    from vosctl.jobs.both_ways import Direction
    from vosctl.video.hardware import DecoderWord
    from vosctl.video.sinks.base import AnnotationFormat

SHARD_RESULTS = "results-{}-of-{}.jsonl"
"""The file of results of one of several machines."""
LAYOUTS = ("folders", "flat", "kinds", "davis")
"""As `vosctl.batching.layouts.LAYOUTS`, which needs numpy."""
OUTPUTS = ("overlay", "masks", "matte", "cutout", "rle", "composite", "annotations", "track")
"""As `vosctl.video.sinks.checks.OUTPUTS`, likewise."""
_SPELLED = {
    "workers": "--jobs",
    "subset": "--set",
    **{mention: f"--outputs {name}" for name in OUTPUTS for mention in (name, f"{name}=FILE")},
}


@dataclass(frozen=True, slots=True)
class LookRequest:
    """How each video is read and its outputs are drawn: options of `vosctl segment`."""

    fix_mask: bool
    accept_doubtful: bool
    frame_rate: Fraction | None
    max_frames: int | None
    direction: Direction
    colors: str | None
    background: str | None
    grow: int
    feather: float
    clean_edges: bool
    annotation_format: AnnotationFormat
    object_names: tuple[str, ...]
    no_audio: bool
    overwrite: bool
    decoder: DecoderWord

    def options(self, part: RangeRequest, tracking: TrackingRequest) -> JobOptions:
        """Return how each video is followed and drawn, where a list says nothing else."""
        from vosctl.batching.job import JobOptions
        from vosctl.video.names import ObjectNames

        return JobOptions(
            fix_mask=self.fix_mask,
            accept_doubtful=self.accept_doubtful,
            frame_rate=self.frame_rate,
            max_frames=self.max_frames,
            span=part.span(),
            direction=self.direction,
            tracking=tracking.settings(),
            colors=self.colors or "",
            background=self.background or "",
            annotation_format=self.annotation_format,
            object_names=ObjectNames.parse(self.object_names).by_id,
            grow=self.grow,
            feather=self.feather,
            clean_edges=self.clean_edges,
            audio=not self.no_audio,
            overwrite=self.overwrite,
            decoder=self.decoder,
        )


look_options = grouped("look", LookRequest, borrowed(segment, *(field.name for field in fields(LookRequest))))
"""As a `LookRequest` named `look`."""


@dataclass(frozen=True, slots=True)
class WorkRequest:
    """What is to be done of the jobs, and by how many processes."""

    workers: int
    timeout: float | None
    resume: bool
    watch: bool
    shard: tuple[int, int] | None
    dry_run: bool
    strict: bool

    def check(self, cluster: RayRequest) -> None:
        """Make sure that the options go together.

        Raises:
            UsageError: they do not.
        """
        if self.watch and (self.dry_run or self.shard):
            raise UsageError("--watch: does not go with --dry-run and --shard, which need to know all videos")
        if cluster.ray is not None and (self.workers or self.dry_run or self.timeout is not None):
            raise UsageError("--ray: does not go with --jobs, --timeout and --dry-run, which are of this machine alone")
        if cluster.ray is None:
            cluster.check_unused()

    def executor(self, engine: EngineRequest, cluster: RayRequest) -> Executor:
        """Return what runs the jobs."""
        if cluster.ray is not None:
            return cluster.executor(engine)
        from vosctl.batching.processes import Processes

        return Processes(engine.settings(), self.workers, self.timeout)


def _shard(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", value, re.ASCII)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard {value}: give this machine's number and that of all, such as 2/4")
    return int(match[1]), int(match[2])


work_options = grouped(
    "work",
    WorkRequest,
    click.option(
        "-j",
        "--jobs",
        "workers",
        type=click.IntRange(min=0, max=1024),
        default=0,
        metavar="N",
        help="Videos at a time, each in a process with its share of the cores  [default: one for two cores]",
    ),
    click.option(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help="End a video that takes longer; it has failed, and the others go on.  [default: none]",
    ),
    click.option("--resume", is_flag=True, help="Leave out what is whole, and go on with what was begun."),
    click.option("--watch", is_flag=True, help="Take new videos as they are complete, until it is interrupted."),
    click.option(
        "--shard", callback=_shard, metavar="I/N", help="Do the I-th of N parts of the jobs: one for each machine."
    ),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and about how long it takes; write nothing."),
    click.option("--strict", is_flag=True, help="Refuse a list with a line that cannot be read."),
)
"""As a `WorkRequest` named `work`."""


@click.command(
    short_help="Follow objects through many videos.",
    cls=VosctlCommand,
    spelled=_SPELLED,
)
@click.argument("source", metavar="SOURCE", type=GivenPath(readable=False))
@click.option(
    "-o",
    "--output",
    required=True,
    type=GivenPath(file_okay=False),
    metavar="DIR",
    help="Folder of all outputs, and of results.jsonl; or an address, such as s3://bucket/out, with --results.",
)
@click.option(
    "--results",
    type=GivenPath(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File of the results.  [default: DIR/results.jsonl]",
)
@click.option(
    "--outputs",
    metavar="NAME[.EXT][,...]",
    help="What to write of each video: overlay, masks, matte, cutout, rle, composite, annotations, track, as in "
    "segment; overlay.webm, or cutout.png for a folder of pictures.  [default: overlay; masks of a data set]",
)
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    help="folders: NAME/masks; flat: NAME_masks; kinds: masks/NAME; davis: Annotations/NAME.  "
    "[default: folders; davis of a data set]",
)
@click.option("--set", "subset", metavar="LIST", help="Sequences of a data set's ImageSets/LIST, such as 2017/val.txt.")
@work_options
@ray_options
@look_options
@range_options
@correcting_options
@engine_options
@reporting_options
def batch(
    source: str,
    output: str,
    results: Path | None,
    outputs: str | None,
    layout: LayoutName | None,
    subset: str | None,
    work: WorkRequest,
    cluster: RayRequest,
    look: LookRequest,
    part: RangeRequest,
    tracking: TrackingRequest,
    engine: EngineRequest,
    reporting: ReportingRequest,
) -> None:
    """Follow objects through many videos.

    SOURCE is a folder or a quoted glob of videos with masks or prompts beside them (a.mp4 with a.png, with a.1.png and
    a.2.png for one object each, or with a.prompts.json); a data set with JPEGImages and Annotations, of which the first
    ones are enough; or a list of jobs, .csv or .jsonl, with source, first_mask, box, prompts and options for each.
    Folders, globs, the sources of a list and DIR can be addresses: s3://bucket/videos.

    DIR/results.jsonl gets a line for each job: its state, seconds, frames, lost objects, outputs and error. A job that
    fails does not stop the others; the exit status is 3 then.

    \b
    Examples:
      vosctl batch videos/ -o out --outputs masks,overlay
      vosctl batch 'day*/*.mp4' -o out --jobs 4 --layout flat
      vosctl batch DAVIS -o results --set 2017/val.txt
      vosctl batch jobs.csv -o out --dry-run
      vosctl batch videos/ -o out --resume
      vosctl batch incoming/ -o out --watch
      vosctl batch jobs.csv -o /shared/out --ray=10.0.0.5:6379
    """
    from vosctl.batching.finding import JobsRequest
    from vosctl.batching.layouts import parse_outputs
    from vosctl.batching.plan import shard_of
    from vosctl.batching.run import RESULTS, BatchRun
    from vosctl.batching.watching import check_watchable, watch
    from vosctl.cli.batch_reporting import BatchReporter
    from vosctl.video.hardware import hardware_decoder
    from vosctl.weights.registry import retirement

    work.check(cluster)
    if cluster.ray is None:
        hardware_decoder(look.decoder)  # is missed here once, not in job after job
    wanted = None if outputs is None else parse_outputs(outputs)
    request = JobsRequest(source, output, wanted, layout, look.options(part, tracking), subset, strict=work.strict)
    results = results or _results_in(output, RESULTS if work.shard is None else SHARD_RESULTS.format(*work.shard))
    with BatchReporter(reporting, retirement(engine.weights)) as reporter:
        executor = work.executor(engine, cluster)
        if work.watch:
            check_watchable(source)
            BatchRun(watch(request.find), executor, results, resume=True, events=reporter).run()
            return
        jobs = request.find(reporter.warning)
        if work.shard is not None:
            jobs = shard_of(jobs, *work.shard)
        if work.dry_run:
            _say_what_would_be(jobs, executor, results, work.resume, reporter)
            return
        BatchRun(jobs, executor, results, work.resume, reporter).run()
    reporter.end_with_failures()


def _results_in(output: str, name: str) -> Path:
    from vosctl.remote import is_address

    if is_address(output):
        raise UsageError(f"-o {output}: is an address; name a file of this machine for the results with --results")
    return Path(output) / name


def _say_what_would_be(
    jobs: list[BatchJob], executor: Executor, results: Path, resume: bool, reporter: BatchReporter
) -> None:
    from vosctl.batching.estimate import estimate
    from vosctl.batching.plan import make_plan, with_what_is_missing
    from vosctl.batching.results import read_results

    earlier = read_results(results)
    plan = make_plan(map(with_what_is_missing, jobs), resume=resume, results=earlier)
    reporter.would_be(plan, estimate(plan.jobs, executor, earlier, reporter) if plan.jobs else None)
