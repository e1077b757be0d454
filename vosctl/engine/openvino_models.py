"""Compiling a pair of graphs with OpenVINO: those in the package with the weights of a checkpoint, or a folder's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import openvino
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from vosctl.engine.backend import Precision, PrecisionWord
from vosctl.engine.cache import compiled_folder, keep, kept_in
from vosctl.engine.graph_files import REFERENCE, STEP, folder_graphs, package_graph, package_weights
from vosctl.engine.graph_metadata import GraphMetadata, check_tensors, pair_metadata
from vosctl.engine.memory import is_memory_error
from vosctl.errors import UsageError, VosctlError
from vosctl.weights.checkpoint import Checkpoint

HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""OpenVINO's inference precision by ours; what is not quantised in an int8 graph runs in fp32."""


@dataclass(frozen=True, slots=True)
class ModelPair:
    """Two compiled models.

    Attributes:
        reference: of the reference graph.
        step: of the step graph.
        metadata: what both graphs say of themselves.
        precision: what they compute in: "fp32", "bf16" or "int8".
        notes: what of the models that were kept could not be used, one line each.
    """

    reference: openvino.CompiledModel
    step: openvino.CompiledModel
    metadata: GraphMetadata
    precision: Precision
    notes: tuple[str, ...] = ()


def compile_checkpoint(checkpoint: Checkpoint, precision: PrecisionWord, threads: int = 0) -> ModelPair:
    """Compile the package's graphs with the weights of a checkpoint.

    Args:
        checkpoint: the weights.
        precision: "auto", "fp32" or "bf16".
        threads: CPU threads; 0 takes one for each core.

    Raises:
        VosctlError: the precision cannot be used.
    """
    arrays = package_weights(checkpoint)
    graphs = [_load(package_graph(checkpoint.network, kind), arrays) for kind in (REFERENCE, STEP)]
    models = _compile(graphs, checkpoint.path, precision, threads)
    return replace(models, metadata=replace(models.metadata, tells_presence=checkpoint.has_presence))


def compile_folder(folder: Path, precision: PrecisionWord, threads: int = 0) -> ModelPair:
    """Compile the graphs of a folder written by `vosctl export-onnx`.

    Args:
        folder: the folder.
        precision: "auto", "fp32" or "bf16"; "auto" or "int8" for a folder of graphs in 8 bits.
        threads: CPU threads; 0 takes one for each core.

    Raises:
        VosctlError: a graph is missing, damaged or of another export, or the precision cannot be used.
    """
    return _compile([_load(file) for file in folder_graphs(folder)], folder, precision, threads)


@lru_cache
def shared_core() -> openvino.Core:
    """Return the process's one OpenVINO core, which is never ended.

    The CPU plugin gives the thread that loads it another stack for signals, and takes it away when the last core or
    model is gone: on another thread it leaves the first one with a stack that is no more, and the next Ctrl-C crashes.
    """
    return openvino.Core()


@lru_cache
def has_fast_bf16() -> bool:
    """Return whether this CPU has bf16 instructions."""
    return "BF16" in shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _load(file: Path, weights: Mapping[str, NDArray[np.float32]] | None = None) -> onnx.ModelProto:
    """Read a graph; the weights, by name, go into one that lacks them."""
    try:
        graph = onnx.load(file, load_external_data=weights is None)
    except (DecodeError, OSError, onnx.checker.ValidationError) as error:
        raise VosctlError(f"{file}: damaged or not an ONNX graph ({error}); export it again") from error
    for tensor in graph.graph.initializer:
        if weights is not None and tensor.name in weights:
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
            tensor.raw_data = weights[tensor.name].tobytes()
    return graph


def _compile(graphs: list[onnx.ModelProto], source: Path, precision: PrecisionWord, threads: int) -> ModelPair:
    of_reference, of_step = ({entry.key: entry.value for entry in graph.metadata_props} for graph in graphs)
    metadata = pair_metadata(of_reference, of_step, source)
    names = [([value.name for value in one.graph.input], [value.name for value in one.graph.output]) for one in graphs]
    check_tensors(metadata, names[0], names[1], source)
    chosen = resolve_precision(precision, metadata.precision)
    settings: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": HINTS[chosen]}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    folder, notes = compiled_folder(), list[str]()
    try:
        reference, step = (_compile_one(graph.SerializeToString(), settings, folder, notes) for graph in graphs)
    except RuntimeError as error:
        if is_memory_error(error):
            raise
        raise VosctlError(
            f"{source}: OpenVINO cannot compile it ({str(error).strip().splitlines()[-1]}); use `engine='onnx'`"
        ) from error
    return ModelPair(reference, step, metadata, chosen, tuple(dict.fromkeys(notes)))


def _compile_one(
    graph: bytes, settings: Mapping[str, str | int], folder: Path | None, notes: list[str]
) -> openvino.CompiledModel:
    """Compile a graph, or take what was compiled of it before from the folder, where there is one.

    OpenVINO keeps compiled models by itself (CACHE_DIR), but takes one whose weights are damaged for whole.
    """
    core = shared_core()
    file = None if folder is None else folder / f"{_key(graph, settings)}.blob"
    if file is not None:
        try:
            kept = kept_in(file)
            if kept is not None:
                return core.import_model(BytesIO(kept), "CPU", settings)
        except (ValueError, RuntimeError):
            notes.append(f"{folder}: what OpenVINO had compiled is damaged there; the network is compiled anew")
    compiled = core.compile_model(core.read_model(graph), "CPU", settings)
    if file is not None:
        keep(file, compiled.export_model().getvalue())
    return compiled


def _key(graph: bytes, settings: Mapping[str, str | int]) -> str:
    """Return what tells one compiled model from another; a cache folder may be shared by several machines."""
    core = shared_core()
    machine = [core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    made_by = repr((openvino.get_version(), machine, sorted(settings.items())))
    return hashlib.sha256(made_by.encode() + graph).hexdigest()


def resolve_precision(
    precision: PrecisionWord, exported: Precision, has_bf16: Callable[[], bool] = has_fast_bf16
) -> Precision:
    """Choose what to compute in.

    Args:
        precision: what was asked for, "auto" for the fastest that is exact enough.
        exported: what the graphs were exported in.
        has_bf16: says whether the CPU has bf16 instructions.

    Raises:
        UsageError: a precision that the engine or the graphs do not have.
        VosctlError: bf16 on a CPU without it.
    """
    if exported == "int8":
        if precision not in {"auto", "int8"}:
            raise UsageError(f"`precision={precision!r}`: the graphs were exported in int8; leave `precision` out")
        return "int8"
    if precision == "auto":
        return "bf16" if has_bf16() else "fp32"
    if precision not in {"fp32", "bf16"}:
        raise UsageError(
            f"`precision={precision!r}`: the openvino engine runs a checkpoint in fp32 or bf16; "
            "for int8 run `vosctl export-onnx --precision int8` and give its folder as `weights`"
        )
    if precision == "bf16" and not has_bf16():
        raise VosctlError("`precision='bf16'`: this CPU has no bf16 instructions; use auto or fp32")
    return precision
