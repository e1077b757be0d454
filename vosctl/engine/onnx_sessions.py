"""Opening a pair of graphs: those in the package with the weights of a checkpoint, or those of an exported folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as _state

from vosctl.engine.graph_files import REFERENCE, STEP, folder_graphs, graphs_index, package_graph, package_weights
from vosctl.engine.graph_metadata import GraphMetadata, check_tensors, pair_metadata
from vosctl.engine.memory import is_memory_error
from vosctl.engine.providers import Provider, check_loaded, tensorrt_cache
from vosctl.errors import VosctlError
from vosctl.weights.checkpoint import Checkpoint
from vosctl.weights.text import printable

FAILURES: tuple[type[Exception], ...] = tuple(
    one for one in vars(_state).values() if isinstance(one, type) and issubclass(one, Exception)
)
"""What ONNX Runtime raises for a graph that it cannot load or run."""
SILENT = 4  # ONNX Runtime's severity "fatal": what fails is told by the error raised


@dataclass(frozen=True, slots=True)
class GraphPair:
    """Two open sessions.

    Attributes:
        reference: session of the reference graph.
        step: session of the step graph.
        metadata: what both say of themselves.
        provider: where they run.
        open_step: opens the step graph once more, to compute on the CUDA stream of an address.
        initializers: the weights given to them, which must live as long as they do.
    """

    reference: onnxruntime.InferenceSession
    step: onnxruntime.InferenceSession
    metadata: GraphMetadata
    provider: Provider
    open_step: Callable[[int], onnxruntime.InferenceSession]
    initializers: dict[str, onnxruntime.OrtValue] = field(default_factory=dict)


def open_checkpoint(checkpoint: Checkpoint, provider: Provider, threads: int = 0) -> GraphPair:
    """Open the package's graphs with the weights of a checkpoint: every checkpoint of a network runs in its graphs.

    Args:
        checkpoint: the weights.
        provider: where to run.
        threads: CPU threads; 0 takes one for each core.

    Raises:
        VosctlError: the provider cannot be used.
    """
    (reference, step), values = open_package_graphs(checkpoint, (REFERENCE, STEP), provider, threads)
    metadata = replace(_metadata(reference, step, checkpoint.path), tells_presence=checkpoint.has_presence)

    def open_step(stream: int) -> onnxruntime.InferenceSession:
        return _open_package_graph(checkpoint.network, STEP, values, replace(provider, stream=stream), threads)

    return GraphPair(reference, step, metadata, provider, open_step, values)


def open_package_graphs(
    checkpoint: Checkpoint, kinds: tuple[str, str], provider: Provider, threads: int = 0
) -> tuple[tuple[onnxruntime.InferenceSession, onnxruntime.InferenceSession], dict[str, onnxruntime.OrtValue]]:
    """Open two of the package's graphs with the weights of a checkpoint.

    Returns:
        The sessions, and the weights given to them, which must live as long as they do.

    Raises:
        VosctlError: the provider cannot be used.
    """
    weights = package_weights(checkpoint)
    values = {key: onnxruntime.OrtValue.ortvalue_from_numpy(array) for key, array in weights.items()}
    first, second = (_open_package_graph(checkpoint.network, kind, values, provider, threads) for kind in kinds)
    return (first, second), values


def _open_package_graph(
    network: str, kind: str, values: Mapping[str, onnxruntime.OrtValue], provider: Provider, threads: int
) -> onnxruntime.InferenceSession:
    options = _options(threads)
    keys = graphs_index()[network][kind]
    options.add_external_initializers(keys, [values[key] for key in keys])
    return _open(package_graph(network, kind), options, provider)


def open_folder(folder: Path, provider: Provider, threads: int = 0) -> GraphPair:
    """Open the graphs of a folder written by `vosctl export-onnx`.

    Args:
        folder: the folder.
        provider: where to run.
        threads: CPU threads; 0 takes one for each core.

    Raises:
        VosctlError: a graph is missing, damaged or of another export, or the provider cannot be used.
    """
    files = folder_graphs(folder)
    reference, step = (_open(file, _options(threads), provider) for file in files)

    def open_step(stream: int) -> onnxruntime.InferenceSession:
        return _open(files[1], _options(threads), replace(provider, stream=stream))

    return GraphPair(reference, step, _metadata(reference, step, folder), provider, open_step)


@contextmanager
def run_failures(weights: str) -> Iterator[None]:
    """Word what a graph that loads but does not run says of itself.

    Args:
        weights: name of its weights.

    Raises:
        VosctlError: it does not run.
    """
    try:
        yield
    except FAILURES as error:
        if is_memory_error(error):
            raise
        raise VosctlError(f"{weights}: ONNX Runtime cannot run it ({reason(error)}); export it again") from error


def reason(error: Exception) -> str:
    """Return what one of `FAILURES` says, in one line."""
    text = str(error)
    return printable((text.partition(":")[2] or text).strip().partition("\n")[0], 300)


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = SILENT
    # waiting threads must not keep the cores from decoding and encoding
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _open(file: Path, options: onnxruntime.SessionOptions, provider: Provider) -> onnxruntime.InferenceSession:
    if provider.word == "tensorrt":
        tensorrt_cache().mkdir(parents=True, exist_ok=True)
    try:
        session = onnxruntime.InferenceSession(
            str(file),
            options,
            providers=provider.session_providers(),
            enable_fallback=0,  # it would say so on standard output, and hide what failed
        )
    except FAILURES as error:
        if is_memory_error(error):
            raise MemoryError(str(error)) from error
        if provider.word != "cpu":
            raise VosctlError(
                f"`provider={provider.word!r}`: ONNX Runtime cannot run {file.name} there ({reason(error)}); "
                f"{provider.cure}"
            ) from error
        raise VosctlError(f"{file}: ONNX Runtime cannot load it ({reason(error)}); export it again") from error
    except UnicodeDecodeError as error:  # what it says repeats a damaged name
        raise VosctlError(f"{file}: ONNX Runtime cannot load it (a name in it is no text); export it again") from error
    check_loaded(provider, session.get_providers())
    return session


def _metadata(
    reference: onnxruntime.InferenceSession, step: onnxruntime.InferenceSession, source: Path
) -> GraphMetadata:
    try:
        of_reference, of_step = (session.get_modelmeta().custom_metadata_map for session in (reference, step))
    except UnicodeDecodeError as error:
        raise VosctlError(f"{source}: a graph's metadata are damaged; export it again") from error
    metadata = pair_metadata(of_reference, of_step, source)
    check_tensors(metadata, _names(reference), _names(step), source)
    return metadata


def _names(session: onnxruntime.InferenceSession) -> tuple[list[str], list[str]]:
    return [value.name for value in session.get_inputs()], [value.name for value in session.get_outputs()]
