"""`vosctl segment`: the main job."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from vosctl.cli.command import VosctlCommand
from vosctl.cli.first_objects import FirstMaskRequest, first_mask_options, timed_mask_options, window_options
from vosctl.cli.options import (
    EngineRequest,
    ReportingRequest,
    TrackingRequest,
    correcting_options,
    decoder_option,
    engine_options,
    frame_rate,
    reporting_options,
)
from vosctl.cli.output_options import OutputOptions, output_options
from vosctl.cli.paths import GivenPath
from vosctl.cli.places import RangeRequest, range_options
from vosctl.errors import UsageError

if TYPE_CHECKING:
    from vosctl.video.hardware import DecoderWord


def _fields(request: type[Any]) -> set[str]:
    return {field.name for field in fields(request)}


@click.command(
    short_help="Follow objects through a video.",
    cls=VosctlCommand,
    spelled={"choose": "--select", "choose_at": "--select-at"},
)
@click.argument("source", metavar="[INPUT]", required=False, type=click.Path(readable=False))
@first_mask_options(
    *window_options,
    *timed_mask_options,
    timed=True,
)
@output_options
@click.option(
    "--fps",
    "frame_rate",
    callback=frame_rate,
    metavar="RATE",
    help="Images per second, where the source is images  [default: 24]",
)
@click.option(
    "--resume",
    type=GivenPath(path_type=Path, dir_okay=False),
    metavar="TRACK",
    help="Go on with a run that was stopped, from its track (--track); objects and settings are the track's, INPUT may "
    "be left out. With --mask, --box, --point, --prompts or --select-at a track, whole or not, is corrected: only the "
    "frames that they change are tracked anew.",
)
@click.option("--max-frames", type=click.IntRange(min=1), metavar="N", help="Stop after so many frames.")
@click.option(
    "--direction",
    type=click.Choice(["both", "forward"]),
    default="both",
    show_default=True,
    help="Follow objects backwards too from what is said of them in later frames, or forwards only.",
)
@decoder_option
@range_options
@correcting_options
@engine_options
@reporting_options
def segment(
    source: str | None,
    first: FirstMaskRequest,
    outputs: OutputOptions,
    frame_rate: Fraction | None,
    resume: Path | None,
    max_frames: int | None,
    direction: Literal["both", "forward"],
    decoder: DecoderWord,
    part: RangeRequest,
    tracking: TrackingRequest,
    engine: EngineRequest,
    reporting: ReportingRequest,
) -> None:
    """Follow the objects of the first frame through INPUT.

    --first-mask, --select, or --box and --point say what the objects are; --mask, --box, --point, --prompts and
    --select-at also in later frames.

    INPUT is a video file, a directory or glob of images, an rtsp:// or http:// address, or - for a video on standard
    input (y4m, Matroska). Any number of outputs is written in one pass; with none given, INPUT's name + _overlay.mp4 in
    the current directory. Timestamps and sound are the source's own.

    \b
    Examples:
      vosctl segment dance.mp4 --first-mask dancer.png
      vosctl segment dance.mp4 --first-mask dancer.png --cutout dancer.mov --masks masks/
      vosctl segment dance.mp4 --box 220,60,180,400
      vosctl segment duet.mp4 --box 1=220,60,180,400 --point 1=300,90:- --point 2=640,240
      vosctl segment dance.mp4 --mask dancer.png --mask 120@better.png --point 0:07.5@1=300,90:-
      vosctl segment dance.mp4 --start 1:05 --end 1:12.5 --first-mask dancer.png
      vosctl segment dance.mp4 --first-mask dancer.png --track dance.vostrack
      vosctl segment --resume dance.vostrack
      vosctl segment --resume dance.vostrack --mask 120@better.png --point 0:07.5@1=300,90:-
      vosctl segment --resume dance.vostrack --select-at 0:07.5
      vosctl segment frames/ --first-mask 00000.png --rle - | jq .bbox
    """
    from vosctl.jobs.segment import SegmentJob
    from vosctl.prompts.segmenter import limit_prompt_threads

    outputs.check(reporting)
    limit_prompt_threads(engine.threads)
    if resume is not None:
        _go_on(resume, source, first, outputs, max_frames, decoder, reporting)
        return
    if source is None:
        raise UsageError("INPUT: give the video to segment, or a track to go on with (--resume)")
    drawn = first.drawn(outputs.overwrite, outputs.paths().values())
    objects, prompts, choices = first.objects(drawn), first.timed(), first.choices(drawn)
    if not (prompts or choices):
        objects.check()
    with reporting.reporter() as reporter:
        SegmentJob(
            source=source,
            objects=objects,
            outputs=outputs.request,
            tracking=tracking.settings(),
            engine=engine.settings(),
            frame_rate=frame_rate,
            max_frames=max_frames,
            span=part.span(),
            prompts=prompts,
            choices=choices,
            direction=direction,
            events=reporter,
            decoder=decoder,
        ).run()


_GOES_WITH_RESUME = {
    *("source", "resume", "max_frames", "decoder", "save_prompts"), *_fields(OutputOptions), *_fields(ReportingRequest)
} - {"track"}  # fmt: skip
_CORRECTS = {"mask", "box", "point", "prompts", "select_at"}
_GOES_WITH_CORRECTIONS = _CORRECTS | {"fix_mask", "accept_doubtful"}
_CHANGEABLE = _fields(EngineRequest) - {"weights"}
"""What of the engine may be another when a run is gone on with: the masks stay those of the same network."""


def _go_on(
    track: Path,
    source: str | None,
    first: FirstMaskRequest,
    outputs: OutputOptions,
    max_frames: int | None,
    decoder: DecoderWord,
    reporting: ReportingRequest,
) -> None:
    from vosctl.jobs.resuming import ResumeJob

    context = click.get_current_context()
    typed = {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    goes_with = _GOES_WITH_RESUME | _CHANGEABLE | (_GOES_WITH_CORRECTIONS if typed & _CORRECTS else set())
    if "select" in typed:
        raise UsageError("--select: is for the first frame of a new run; with --resume, give --select-at and the frame")
    for parameter in context.command.params:
        if parameter.name in typed - goes_with:
            raise UsageError(f"{max(parameter.opts, key=len)}: is the track's own with --resume; leave it out")
    changes = {name: context.params[name] for name in sorted(typed & _CHANGEABLE)}
    drawn = first.drawn(outputs.overwrite, (track, *outputs.paths().values()))
    with reporting.reporter() as reporter:
        ResumeJob(
            track,
            source,
            outputs.more_than_a_track,
            None,
            changes,
            max_frames,
            reporter,
            prompts=first.all_timed() if typed & _CORRECTS else (),
            choices=first.choices(drawn) if typed & _CORRECTS else (),
            fix_mask=first.fix_mask,
            accept_doubtful=first.accept_doubtful,
            decoder=decoder,
        ).run()
