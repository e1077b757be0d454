"""From what the user asked for to an engine."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from vosctl.engine.backend import EngineRequest, PrecisionWord, ProviderWord
from vosctl.engine.base import Engine
from vosctl.engine.memory import memory_errors
from vosctl.engine.prompt_engine import PromptEngine
from vosctl.engine.providers import PROVIDERS, resolve_provider
from vosctl.engine.table import AUTO, choose, engine_words, precision_words
from vosctl.errors import UsageError
from vosctl.extras import require
from vosctl.processor import core_count, library_threads
from vosctl.weights.registry import locate_weights

THREADS_PER_CORE = 4
LEAST_LIMIT = 16
"""Threads that may be asked for anywhere, so that a script runs on small machines and in small containers too."""


def create_engine(
    weights: str | os.PathLike[str],
    *,
    engine: str = "auto",
    device: str = "auto",
    precision: PrecisionWord = "auto",
    provider: ProviderWord = "auto",
    threads: int = 0,
    compiled: bool = False,
) -> Engine[Any]:
    """Load weights into the engine asked for.

    Args:
        weights: registered name, checkpoint file, or folder of exported graphs.
        engine: "auto" or a name of the table of backends; "auto" takes torch on a GPU, and on a CPU ONNX Runtime, or
            OpenVINO in fp32 where `vosctl doctor` found it faster; for "bf16" on a CPU OpenVINO where it is installed,
            else torch.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "fp32", "bf16", "fp16" or "int8"; "auto" takes the fastest that is exact enough there.
        provider: ONNX Runtime's execution provider, "auto" or a key of `vosctl.engine.providers.PROVIDERS`.
        threads: CPU threads of the network; 0 takes one for each core that this process may use.
        compiled: have torch compile the network first, which takes a while at the start; what it makes is kept in the
            user's cache folder.

    Raises:
        UsageError: a word that is not known, or requests that do not go together.
        VosctlError: weights, device, precision or provider cannot be had, or memory does not suffice.
    """
    if not isinstance(weights, (str, os.PathLike)):
        raise UsageError(f"`weights`: give a registered name, a file or a folder, not {type(weights).__name__}")
    name = os.fspath(weights)
    _check_word("engine", engine, engine_words())
    _check_word("precision", precision, precision_words())
    _check_word("provider", provider, ("auto", *PROVIDERS))
    if not isinstance(device, str):
        raise UsageError(f"`device`: give auto, cpu, cuda, cuda:N or mps, not {type(device).__name__}")
    threads = library_threads(check_threads(threads))
    request = EngineRequest(name, locate_weights(name), device, precision, provider, threads, compiled)
    with memory_errors(f"loading {name}"):
        backend = choose(engine, request)
        if engine == AUTO and backend.name == "openvino" and precision == "auto":
            request = replace(request, precision="fp32")  # whoever names no engine gets the same masks from each
        return backend.create(request)


def create_prompt_engine(
    weights: str, *, engine: str = "auto", device: str = "auto", provider: ProviderWord = "auto", threads: int = 0
) -> PromptEngine[Any]:
    """Load the weights of the network that finds objects into the engine asked for.

    Args:
        weights: registered name or checkpoint file.
        engine: "auto", "onnx" or "torch"; "auto" takes ONNX Runtime on the CPU, which is quick enough for a click.
        device: see `create_engine`; for torch.
        provider: see `create_engine`; for ONNX Runtime.
        threads: CPU threads of the network; 0 takes one for each core that this process may use.

    Raises:
        UsageError: a word that is not known, or weights of a network that does something else.
        VosctlError: weights, device or provider cannot be had.
    """
    if engine == "torch":
        require("torch", "`engine='torch'`")
        from vosctl.engine.devices import resolve_placement
        from vosctl.engine.prompt_torch import TorchPromptEngine
        from vosctl.weights.networks import load_prompt_network

        return TorchPromptEngine(load_prompt_network(weights), resolve_placement(device, "fp32"), weights)
    if engine not in ("auto", "onnx"):
        raise UsageError(f"`engine={engine!r}`: does not find objects; give auto, onnx or torch")
    from vosctl.engine.prompt_onnx import OnnxPromptEngine
    from vosctl.weights.checkpoint import load_checkpoint

    chosen = resolve_provider("cpu" if provider == device == "auto" else provider, device)
    return OnnxPromptEngine(load_checkpoint(weights, task="find"), chosen, weights, library_threads(threads))


def most_threads() -> int:
    """Return the most threads that may be asked for: more only take memory and time from each other."""
    return max(LEAST_LIMIT, THREADS_PER_CORE * core_count())


def _check_word(parameter: str, word: object, known: tuple[str, ...]) -> None:
    if word not in known:
        raise UsageError(f"`{parameter}={word!r}`: unknown; give {', '.join(known)}")


def check_threads(threads: object) -> int:
    """Return a number of threads, 0 for one for each core that this process may use.

    Raises:
        UsageError: it is none, or above `most_threads`.
    """
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 0:
        raise UsageError(f"`threads={threads!r}`: give a whole number from 1 on, or 0 for one for each core")
    if threads > most_threads():
        raise UsageError(
            f"`threads={threads}`: {most_threads()} are the most here (cores that may be used: {core_count()}); give 0 "
            "for one for each of them"
        )
    return threads
