"""`vosctl segment`: the main job."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vosctl.cli.command import VosctlCommand
from vosctl.cli.first_objects import FirstMaskRequest, PointMark, first_mask_options
from vosctl.cli.options import (
    EngineRequest,
    engine_options,
    frame_rate,
    output_options,
    reporting_options,
    tracking_options,
    tracking_settings,
)
from vosctl.errors import UsageError

if TYPE_CHECKING:
    from vosctl.types import Box


@click.command(short_help="Follow objects through a video.", cls=VosctlCommand)
@click.argument("source", metavar="INPUT")
@first_mask_options
@click.option("--select", is_flag=True, help="Draw the objects on the first frame, in a window.")
@output_options
@click.option(
    "--fps",
    "frame_rate",
    callback=frame_rate,
    metavar="RATE",
    help="Images per second, where INPUT is images  [default: 24]",
)
@click.option("--max-frames", type=click.IntRange(min=1), metavar="N", help="Stop after so many frames.")
@tracking_options
@engine_options
@reporting_options
def segment(**options: Any) -> None:
    """Follow the objects of the first frame through INPUT.

    One of --first-mask, --box, --point and --select says what the objects are.

    INPUT is a video file, a directory or glob of images, an rtsp:// or http:// address, or - for a video on standard
    input (y4m, Matroska). Any number of outputs is written in one pass; with none given, INPUT's name + _overlay.mp4 in
    the current directory. Timestamps and sound are the source's own.

    \b
    Examples:
      vosctl segment dance.mp4 --first-mask dancer.png
      vosctl segment dance.mp4 --first-mask dancer.png --cutout dancer.mov --masks masks/
      vosctl segment dance.mp4 --box 220,60,180,400
      vosctl segment frames/ --first-mask 00000.png --rle - | jq .box
    """
    run_segment(**options)


def run_segment(
    source: str,
    first_mask: tuple[Path, ...],
    fix_mask: bool,
    max_frames: int | None,
    window: str | None,
    window_size: int,
    scales: str | None,
    paper_protocol: bool,
    engine: EngineRequest,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    overwrite: bool,
    no_audio: bool,
    box: tuple[Box, ...] = (),
    point: tuple[PointMark, ...] = (),
    select: bool = False,
    frame_rate: Fraction | None = None,
    **outputs: Path | None,
) -> None:
    """Run one video from source to outputs; the parameters are the options of `segment`."""
    import numpy as np

    from vosctl.cli.reporting import Reporter
    from vosctl.interrupts import held
    from vosctl.pipeline import Pipeline
    from vosctl.video.sinks import OutputRequest, open_sinks
    from vosctl.video.sinks.checks import check_outputs
    from vosctl.video.sources import open_source

    first = FirstMaskRequest(first_mask, fix_mask, box, point, select)
    first.check()
    settings = tracking_settings(window, window_size, scales, paper_protocol)
    if as_json and str(outputs.get("rle")) == "-":
        raise UsageError("--json and --rle -: both write to standard output; give --rle a file")
    with Reporter(quiet, verbose, as_json) as reporter, open_source(source, frame_rate=frame_rate) as frames:
        labels, pictures = first.peek(frames, reporter.note)
        if not any(outputs.values()):
            outputs["overlay"] = Path(f"{frames.info.name}_overlay.mp4")
        files = () if source == "-" or "://" in source else (Path(source),)
        inputs = (*files, *first_mask)
        request = OutputRequest(**outputs, overwrite=overwrite, audio=not no_audio, inputs=inputs)
        check_outputs(request)
        tracker = engine.tracker(settings)
        objects = int(np.count_nonzero(np.bincount(labels.ravel())[1:]))
        reporter.start(frames.info, tracker.info, objects)
        with held():  # from here on there is something to keep
            sinks = open_sinks(request, frames.info, reporter.warn)
            pipeline = Pipeline(pictures, tracker, labels, sinks, reporter.frame, stop_reading=frames.interrupt)
            try:
                summary = pipeline.run(max_frames, finish_on_interrupt=frames.info.live)
            finally:
                reporter.kept(pipeline.kept)
                for warning in frames.warnings:
                    reporter.warn(warning)
            reporter.summary(summary, tracker.info)
