"""`vosctl demo`: the main job on the clip that comes with vosctl."""

from __future__ import annotations

from pathlib import Path

import click

from vosctl.cli.command import VosctlCommand
from vosctl.cli.options import EngineRequest, ReportingRequest, engine_options, reporting_options
from vosctl.cli.paths import GivenPath


@click.command(short_help="Segment the clip that comes with vosctl.", cls=VosctlCommand)
@click.option(
    "-o",
    "--output",
    type=GivenPath(path_type=Path, file_okay=False),
    metavar="DIR",
    default=Path("vosctl-demo"),
    show_default=True,
    help="Folder for the clip, its first mask and the results.",
)
@engine_options
@reporting_options
def demo(output: Path, engine: EngineRequest, reporting: ReportingRequest) -> None:
    """Segment the clip that comes with vosctl and write an overlay to open.

    The clip (with sound) and the mask of its first frame are put beside the results, so that `vosctl segment` can be
    tried on them. Files of an earlier demo in the same folder are replaced.
    """
    import shutil

    from vosctl.demo import demo_clip
    from vosctl.errors import VosctlError
    from vosctl.jobs.segment import SegmentJob
    from vosctl.prompts.first_objects import FirstObjects
    from vosctl.video.sinks import OutputRequest

    clip, mask = demo_clip()
    try:
        output.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clip, output / "clip.mp4")
        shutil.copyfile(mask, output / "first-mask.png")
    except OSError as error:
        raise VosctlError(f"{output}: cannot be written ({error.strerror}); choose another folder with -o") from error
    with reporting.reporter() as reporter:
        SegmentJob(
            source=output / "clip.mp4",
            objects=FirstObjects(mask=output / "first-mask.png"),
            outputs=OutputRequest(overlay=output / "overlay.mp4", masks=output / "masks", overwrite=True),
            engine=engine.settings(),
            events=reporter,
        ).run()
