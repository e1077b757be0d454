"""Where the graphs of a network lie: in the package, without weights, or in a folder that was exported, with them."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import VosctlError
from vosctl.weights.checkpoint import Checkpoint

GRAPHS_FOLDER = Path(__file__).parent / "graphs"
GRAPHS_INDEX = GRAPHS_FOLDER / "index.json"

REFERENCE = "reference"
STEP = "step"
ENCODE = "encode"
SEGMENT = "segment"


@lru_cache
def graphs_index() -> dict[str, dict[str, list[str]]]:
    """Return the keys of the weights that the graphs in the package take, by network and graph."""
    index: dict[str, dict[str, list[str]]] = json.loads(GRAPHS_INDEX.read_text(encoding="utf-8"))
    return index


def package_graph(network: str, kind: str) -> Path:
    """Return the package's graph of a network, `REFERENCE`, `STEP`, `ENCODE` or `SEGMENT`, which lacks its weights."""
    return GRAPHS_FOLDER / f"{network}.{kind}.onnx"


def package_weights(checkpoint: Checkpoint) -> dict[str, NDArray[np.float32]]:
    """Return the weights that the package's graphs take, by key.

    The graphs have the head for presence whether the checkpoint has one or not; where it has none its weights are
    zero, and what it says is not asked for.
    """
    arrays = checkpoint.floats()
    shapes = checkpoint.description.shapes
    keys = {key for graph in graphs_index()[checkpoint.network].values() for key in graph}
    return {key: arrays[key] if key in arrays else np.zeros(shapes[key], np.float32) for key in keys}


def folder_graphs(folder: Path) -> tuple[Path, Path]:
    """Return the reference and the step graph of a folder written by `vosctl export-onnx`.

    Raises:
        VosctlError: one is missing.
    """
    reference, step = (folder / f"{kind}.onnx" for kind in (REFERENCE, STEP))
    for file in (reference, step):
        if not file.is_file():
            raise VosctlError(f"{file}: missing; give `weights` a folder written by `vosctl export-onnx`")
    return reference, step
