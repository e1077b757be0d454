"""What an engine is: the network's two calls on one backend, arrays in and arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What was really chosen, to be told to the user.

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
    precision: str


class Engine(Protocol):
    """One network on one backend.

    Attributes:
        info: what was really chosen.
        stride: what image height and width must be multiples of.
        window: side in pixels of the square working window, unless another is asked for.
        takes_float: whether images may also be float32 in [0, 1] (the exported graphs take bytes only).
    """

    info: EngineInfo
    stride: int
    window: int
    takes_float: bool

    def encode_reference(self, image: NDArray[Any], mask: NDArray[np.float32]) -> Any:
        """Encode one object's reference, once.

        Args:
            image: (H, W, 3) uint8 RGB; H and W multiples of `stride`.
            mask: (H, W) float32 in [0, 1].

        Returns:
            The reference state, opaque, of a fixed size, kept where the engine computes.
        """
        ...

    def propagate(
        self, images: NDArray[Any], masks: NDArray[np.float32], references: Sequence[Any]
    ) -> NDArray[np.float32]:
        """Propagate N objects in one batch.

        Args:
            images: (N, H, W, 3) uint8 RGB, of the references' size.
            masks: (N, H, W) float32 in [0, 1], the guidance masks.
            references: N reference states.

        Returns:
            (N, H, W) float32 in [0, 1], each object's probability.
        """
        ...


class ReferenceBatch:
    """The references of the objects followed now, batched once and kept until the objects change."""

    def __init__(self) -> None:
        self._members: tuple[Any, ...] = ()
        self._batch: Any = None

    def get(self, references: Sequence[Any], concatenate: Any) -> Any:
        """The batch of these references: `concatenate(references)`, called only when they are others than last time."""
        same = len(references) == len(self._members) and all(
            a is b for a, b in zip(references, self._members, strict=True)
        )
        if not same:
            self._members = tuple(references)
            self._batch = concatenate(self._members)
        return self._batch
