"""What an engine is: the network's two calls on one backend, arrays in and arrays out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vosctl.engine.backend import Precision


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What was really chosen, to be shown to the user.

    Attributes:
        engine: "torch", "onnx" or "openvino".
        weights: registered name or file of the weights.
        network: name of the network.
        device: "cpu", "cuda:0 (NVIDIA H100)", "mps", or an execution provider's name.
        precision: "fp32", "bf16", "fp16" or "int8".
    """

    engine: str
    weights: str
    network: str
    device: str
    precision: Precision


State = TypeVar("State")
"""What an engine keeps of one object: opaque to everybody else, of a fixed size, kept where the engine computes."""
Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True)
class Step(Generic[State]):
    """The answer of `Engine.propagate` for N objects.

    Attributes:
        probabilities: (N, H, W) float32 in [0, 1], each object's probability.
        states: the N states for the next frame: the very ones that were given where the network keeps nothing but
            the reference, new ones where it has a memory. States that were given stay valid and unchanged.
        presence: (N,) float32 in [0, 1], the probability that the object is in the image at all; None where the
            network has no such head.
    """

    probabilities: NDArray[np.float32]
    states: Sequence[State]
    presence: NDArray[np.float32] | None = None


class Engine(Protocol[State]):
    """One network on one backend. Several threads may use it at once.

    Attributes:
        info: what was really chosen.
        stride: what image height and width must be multiples of.
        crop_size: side in pixels of the square crop it sees, unless another is asked for.
        takes_float: whether images may also be float32 in [0, 1] (the exported graphs take bytes only).
    """

    info: EngineInfo
    stride: int
    crop_size: int
    takes_float: bool

    def encode_reference(self, image: NDArray[Any], mask: NDArray[np.float32]) -> State:
        """Encode one object's reference, once.

        Args:
            image: (H, W, 3) uint8 RGB; H and W multiples of `stride`.
            mask: (H, W) float32 in [0, 1].

        Returns:
            The object's state before the next frame.
        """
        ...

    def propagate(self, images: NDArray[Any], masks: NDArray[np.float32], states: Sequence[State]) -> Step[State]:
        """Propagate N objects in one batch.

        Args:
            images: (N, H, W, 3) uint8 RGB, of the size that the states were made from.
            masks: (N, H, W) float32 in [0, 1], the guidance masks.
            states: N states, from `encode_reference` or the `Step` before.

        Returns:
            Probabilities, the states for the next frame, and the objects' presence where the network knows it.
        """
        ...


class StateBatches(Generic[State, Batch]):
    """The states of the objects followed now, in batches made once and kept until they are others.

    Safe from several threads.

    Args:
        concatenate: makes one batch of some states.
    """

    def __init__(self, concatenate: Callable[[Sequence[State]], Batch]) -> None:
        self._concatenate = concatenate
        self._last: tuple[tuple[State, ...], tuple[slice, ...], list[Batch]] | None = None

    def get(self, states: Sequence[State], parts: Sequence[slice]) -> list[Batch]:
        """Return one batch of the states of each part, made only when they are others than last time."""
        split = tuple(parts)
        if self._last is not None:
            members, before, batches = self._last
            same = len(states) == len(members) and all(a is b for a, b in zip(states, members, strict=True))
            if same and split == before:
                return batches
        members = tuple(states)
        batches = [self._concatenate(members[part]) for part in split]
        self._last = members, split, batches
        return batches
