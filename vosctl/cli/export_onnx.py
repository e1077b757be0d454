"""`vosctl export-onnx`: a network as ONNX graphs that run without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosctl.cli.command import VosctlCommand
from vosctl.cli.completion import complete_weights
from vosctl.cli.groups import grouped
from vosctl.cli.paths import GivenPath
from vosctl.errors import UsageError
from vosctl.extras import require
from vosctl.weights.registry import retirement

if TYPE_CHECKING:
    from vosctl.export.settings import ExportPrecision, ExportSettings

DYNAMIC = "dynamic"


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """What the user asked of the graphs."""

    size: str
    objects: str
    precision: ExportPrecision
    opset: int
    calibrate: str | None
    calibrate_mask: Path | None

    def settings(self) -> ExportSettings:
        """Return what to export.

        Raises:
            UsageError: options that do not go together, or a size that cannot be.
        """
        if (self.calibrate is None) != (self.calibrate_mask is None):
            raise UsageError(
                "--calibrate and --calibrate-mask: give both, the video and the objects of its first frame"
            )
        require("export", "exporting")
        from vosctl.export.settings import Calibration, ExportSettings, GraphShape

        calibration = None
        if self.calibrate is not None and self.calibrate_mask is not None:
            calibration = Calibration(self.calibrate, self.calibrate_mask)
        return ExportSettings(
            shape=GraphShape(_size(self.size), _objects(self.objects)),
            precision=self.precision,
            opset=self.opset,
            calibration=calibration,
        )


graph_options = grouped(
    "graphs",
    GraphOptions,
    click.option(
        "--size",
        default=DYNAMIC,
        show_default=True,
        metavar="N|HxW|dynamic",
        help="Height and width the graphs are fixed to; TensorRT and CUDA graphs want them fixed.",
    ),
    click.option(
        "--objects", default=DYNAMIC, show_default=True, metavar="N|dynamic", help="Objects propagated at once."
    ),
    click.option(
        "--precision",
        type=click.Choice(["fp32", "fp16", "int8"]),
        default="fp32",
        show_default=True,
        help="Precision of the graphs.",
    ),
    click.option(
        "--opset", type=int, metavar="N", default=17, show_default=True, help="Version of the ONNX operators."
    ),
    click.option("--calibrate", metavar="VIDEO", help="For int8: a video to take the value ranges from."),
    click.option(
        "--calibrate-mask",
        type=GivenPath(path_type=Path),
        metavar="FILE",
        help="For int8: the objects in the first frame of --calibrate.",
    ),
)


@click.command(
    "export-onnx",
    short_help="Export a network as ONNX graphs.",
    cls=VosctlCommand,
    spelled={
        "folder": "-o",
        "size=None": "--size dynamic",
        "objects=None": "--objects dynamic",
        "calibration": "--calibrate",
        "calibration=Calibration(VIDEO, MASK)": "--calibrate VIDEO --calibrate-mask MASK",
    },
)
@click.option(
    "--weights",
    default="lite",
    show_default=True,
    metavar="NAME|FILE",
    shell_complete=complete_weights,
    help="Registered weights, a .safetensors file or an official RGMP weights.pth.",
)
@click.option(
    "-o",
    "--output",
    type=GivenPath(path_type=Path),
    metavar="DIR",
    help="Folder to write  [default: the weights' name + -onnx].",
)
@graph_options
@click.option("--overwrite", is_flag=True, help="Replace an export that exists.")
@click.option("-q", "--quiet", is_flag=True, help="Print only errors on standard error.")
def export_onnx(
    weights: str,
    output: Path | None,
    graphs: GraphOptions,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Export a network as two ONNX graphs, reference.onnx and step.onnx, with a README that runs them.

    The graphs take plain image bytes. They are compared with PyTorch before they are kept: in fp32 every
    probability, in fp16 and int8 the masks. int8 is kept only where it is faster on this machine.

    \b
    Examples:
      vosctl export-onnx
      vosctl export-onnx --size 256 --objects 1 --precision fp16 -o lite-fp16
      vosctl export-onnx --precision int8 --calibrate clip.mp4 --calibrate-mask mask.png
    """
    settings = graphs.settings()
    from vosctl.export.exporter import export_onnx as export

    def tell(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    if (retired := retirement(weights)) is not None:
        tell(retired)
    export(weights, output or Path(f"{Path(weights).stem}-onnx"), settings, overwrite=overwrite, tell=tell)


def _size(text: str) -> tuple[int, int] | None:
    """Height and width of "320", "480x864" or "dynamic"."""
    if text == DYNAMIC:
        return None
    height, by, width = text.partition("x")
    try:
        return int(height), int(width if by else height)
    except ValueError:
        raise UsageError(f"--size {text}: give one side, HxW such as 480x864, or {DYNAMIC}") from None


def _objects(text: str) -> int | None:
    if text == DYNAMIC:
        return None
    if not text.isdecimal():
        raise UsageError(f"--objects {text}: give a number, or {DYNAMIC}")
    return int(text)
