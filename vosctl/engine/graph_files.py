"""Where the graphs of a network lie: in the package, without weights, or in a folder that was exported, with them."""

from __future__ import annotations

from pathlib import Path

from vosctl.engine.weights import GRAPHS_FOLDER
from vosctl.errors import VosctlError

REFERENCE = "reference"
STEP = "step"


def package_graph(network: str, kind: str) -> Path:
    """The package's graph of a network, `REFERENCE` or `STEP`, which lacks its weights."""
    return GRAPHS_FOLDER / f"{network}.{kind}.onnx"


def folder_graphs(folder: Path) -> tuple[Path, Path]:
    """The reference and the step graph of a folder written by `vosctl export-onnx`.

    Raises:
        VosctlError: one is missing.
    """
    reference, step = (folder / f"{kind}.onnx" for kind in (REFERENCE, STEP))
    for file in (reference, step):
        if not file.is_file():
            raise VosctlError(f"{file}: missing; give --weights a folder written by `vosctl export-onnx`")
    return reference, step
