"""From weights to a folder of ONNX graphs that has been checked."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from vosctl import __version__
from vosctl.engine.base import Engine
from vosctl.engine.devices import resolve_placement
from vosctl.engine.graph_files import REFERENCE, STEP
from vosctl.engine.graph_metadata import GraphMetadata
from vosctl.engine.onnx_engine import OnnxEngine
from vosctl.engine.onnx_sessions import open_folder
from vosctl.engine.providers import Provider
from vosctl.engine.torch_engine import TorchEngine
from vosctl.errors import UsageError, VosctlError
from vosctl.export.checking import check_masks, check_probabilities
from vosctl.export.clip import CheckClip
from vosctl.export.folder import check_replaceable, staged_folder, write_graphs
from vosctl.export.graphs import SUMMARIES, describe_tensors, describe_use, fold_exponentials, trace_graphs
from vosctl.export.quantization import calibration_samples, quantize_step, times_of
from vosctl.export.readme import readme
from vosctl.export.settings import ExportSettings, GraphShape
from vosctl.network.base import PropagationNetwork
from vosctl.network.folding import fold_batch_norms
from vosctl.weights.checkpoint import read_checkpoint
from vosctl.weights.networks import build_network
from vosctl.weights.registry import locate_weights, registered_weights

Tell = Callable[[str], None]
Trace = Callable[[PropagationNetwork, GraphShape, int], tuple[onnx.ModelProto, onnx.ModelProto]]
TimeSteps = Callable[[Sequence[Engine[Any]], tuple[NDArray[Any], NDArray[np.float32]]], list[float]]


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """Where a network's weights come from.

    Attributes:
        name: registered name or file name.
        sha256: hex digest of the file.
        licence: what the weights may be used for.
    """

    name: str
    sha256: str
    licence: str


def export_onnx(
    weights: str, folder: Path, settings: ExportSettings, *, overwrite: bool = False, tell: Tell = lambda line: None
) -> None:
    """Export weights as two graphs, compared with torch before they take their name.

    Args:
        weights: registered name or checkpoint file.
        folder: the folder to write.
        settings: what to export.
        overwrite: whether an export of that name may be replaced.
        tell: takes the measured figures, a line at a time.

    Raises:
        UsageError: the request cannot be served.
        VosctlError: the weights cannot be had, the folder cannot be written, or the graphs differ from torch.
    """
    check_replaceable(folder, overwrite=overwrite)
    path = locate_weights(weights)
    if path.is_dir():
        raise UsageError(f"`weights={weights!r}`: is exported already; give a registered name or a checkpoint")
    checkpoint = read_checkpoint(path)
    entry = registered_weights().get(weights)
    source = WeightsSource(
        name=weights if entry else path.name,
        sha256=checkpoint.sha256,
        licence=entry.licence if entry else checkpoint.metadata.get("licence", "that of the checkpoint"),
    )
    export_network(build_network(checkpoint), source, folder, settings, overwrite=overwrite, tell=tell)


def export_network(
    network: PropagationNetwork,
    source: WeightsSource,
    folder: Path,
    settings: ExportSettings,
    *,
    overwrite: bool = False,
    tell: Tell = lambda line: None,
    trace: Trace = trace_graphs,
    time_steps: TimeSteps = times_of,
) -> None:
    """Export a network in evaluation mode on the CPU; see `export_onnx`.

    Args:
        network: the network; it is copied.
        source: where its weights come from.
        folder: the folder to write.
        settings: what to export.
        overwrite: whether an export of that name may be replaced.
        tell: takes the measured figures, a line at a time.
        trace: makes the two graphs of a network.
        time_steps: measures the seconds of a step of each engine.
    """
    metadata = _metadata(network, source, settings)
    torch = TorchEngine(deepcopy(network), resolve_placement("cpu", "fp32"), source.name)
    traced = fold_batch_norms(deepcopy(network))
    if settings.precision == "fp16":
        traced = traced.half()
    graphs = dict(zip((REFERENCE, STEP), trace(traced, settings.shape, settings.opset), strict=True))
    if settings.precision == "fp16":
        for model in graphs.values():
            fold_exponentials(model)
    with tempfile.TemporaryDirectory() as scratch, staged_folder(folder, overwrite=overwrite) as partial:
        if settings.calibration:
            plain = _write(graphs, replace(metadata, precision="fp32"), Path(scratch))
            samples = calibration_samples(plain, metadata.state_names, settings.calibration, settings.shape.objects)
            graphs[STEP] = quantize_step(graphs[STEP], samples, network.description.float_layers)
        exported = _write(graphs, metadata, partial)
        (partial / "README.md").write_text(readme(metadata, settings.opset), encoding="utf-8")
        if settings.precision == "fp32":
            _check_exact(exported, torch, settings, tell)
        else:
            _check_reduced(exported, torch, settings, tell)
        if settings.calibration:
            _check_faster(exported, plain, tell, time_steps)
    size = sum(file.stat().st_size for file in folder.iterdir())
    tell(f"{folder}: {', '.join(sorted(file.name for file in folder.iterdir()))}; {size / 1e6:.1f} MB")


def _metadata(network: PropagationNetwork, source: WeightsSource, settings: ExportSettings) -> GraphMetadata:
    shape = settings.shape
    if shape.size and any(side <= 0 or side % network.stride for side in shape.size):
        height, width = shape.size
        raise UsageError(f"`size`: {height}x{width}: both must be multiples of {network.stride}")
    if settings.calibration and shape.size and shape.size[0] != shape.size[1]:
        raise UsageError("`calibration`: tracks in square crops; give a square `size`, or `size=None`")
    return GraphMetadata(
        network=network.name,
        stride=network.stride,
        crop_size=network.crop_size,
        state_names=network.state_names,
        precision=settings.precision,
        size=shape.size,
        objects=shape.objects,
        weights=source.name,
        sha256=source.sha256,
        licence=source.licence,
        version=__version__,
        tells_presence=network.presence is not None,
    )


def _write(graphs: dict[str, onnx.ModelProto], metadata: GraphMetadata, folder: Path) -> OnnxEngine:
    """Write copies of the graphs and open them."""
    copies = {name: onnx.ModelProto() for name in graphs}
    for name, copy in copies.items():
        copy.CopyFrom(graphs[name])
        onnx.helper.set_model_props(copy, metadata.to_properties() | describe_tensors(copy) | describe_use(metadata))
        copy.doc_string = SUMMARIES[name]
        copy.producer_name, copy.producer_version = "vosctl", __version__
    write_graphs(copies, folder)
    return OnnxEngine(open_folder(folder, Provider("cpu")), metadata.weights)


def _view_size(torch: Engine[Any], settings: ExportSettings) -> tuple[int, int]:
    return settings.shape.size or (torch.crop_size, torch.crop_size)


def _check_exact(exported: Engine[Any], torch: Engine[Any], settings: ExportSettings, tell: Tell) -> None:
    sizes = [_view_size(torch, settings)]
    if settings.shape.size is None:
        sizes.append((2 * torch.stride, 3 * torch.stride))
    worst = check_probabilities(exported, torch, sizes, settings.shape.objects or 3)
    tell(f"probabilities differ from torch's by {worst:.1e} at most")


def _check_reduced(exported: Engine[Any], torch: Engine[Any], settings: ExportSettings, tell: Tell) -> None:
    result = check_masks(exported, torch, _view_size(torch, settings), settings.precision, settings.least_agreement)
    tell(
        f"masks agree with torch's on {result.agreement:.2%} of the pixels of the worst frame of a made clip; "
        f"mean J {result.j:.3f}, torch's {result.j_torch:.3f}"
    )


def _check_faster(exported: Engine[Any], plain: Engine[Any], tell: Tell, time_steps: TimeSteps) -> None:
    """Keep int8 only where it is faster.

    Raises:
        VosctlError: it is not.
    """
    image, mask = next(CheckClip.made(1).views(1, (exported.crop_size, exported.crop_size)))
    quantized, floats = time_steps([exported, plain], (image, mask))
    measured = f"a step takes {quantized * 1e3:.1f} ms in int8 and {floats * 1e3:.1f} ms in fp32 on this machine"
    if quantized >= floats:
        raise VosctlError(
            f"`precision='int8'`: {measured}; nothing was written, export on the machine that will run it, or use fp32"
        )
    tell(measured)
