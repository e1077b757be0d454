"""`vosctl render`: outputs drawn again, without tracking again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosctl.cli.command import VosctlCommand
from vosctl.cli.options import ReportingRequest, decoder_option, reporting_options
from vosctl.cli.output_options import OutputOptions, drawn_output_options
from vosctl.cli.paths import GivenPath

if TYPE_CHECKING:
    from vosctl.video.hardware import DecoderWord


@click.command(
    short_help="Draw outputs from a track.",
    cls=VosctlCommand,
    spelled={"resume": "`vosctl segment --resume`", "track=FILE": "--track FILE", "track": "TRACK"},
)
@click.argument("recorded", metavar="TRACK", type=GivenPath(path_type=Path, dir_okay=False))
@click.argument("source", required=False, type=click.Path(readable=False))
@drawn_output_options
@click.option("--max-frames", type=click.IntRange(min=1), metavar="N", help="Stop after so many frames.")
@decoder_option
@reporting_options
def render(
    recorded: Path,
    source: str | None,
    outputs: OutputOptions,
    max_frames: int | None,
    decoder: DecoderWord,
    reporting: ReportingRequest,
) -> None:
    """Draw outputs from TRACK, which --track of vosctl segment wrote, and from SOURCE, the video that it was made from.

    They are what vosctl segment would have written; no network is loaded. SOURCE is taken from where it lay, as seen
    from TRACK, unless it is given. With no output given, its name + _overlay.mp4 in the current directory.

    \b
    Examples:
      vosctl segment dance.mp4 --first-mask dancer.png --track dance.vostrack
      vosctl render dance.vostrack --cutout dancer.mov --matte matte.mp4
      vosctl render dance.vostrack --overlay red.mp4 --colors red
    """
    from vosctl.jobs.rendering import RenderJob

    outputs.check(reporting)
    with reporting.reporter() as reporter:
        RenderJob(recorded, source, outputs.request, max_frames, reporter, decoder).run()
