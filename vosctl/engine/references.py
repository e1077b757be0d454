"""Two references of an object in one state: what of them lies side by side, and objects with one and two in one batch.

A network that reads its reference by attention reads two as it reads one: their places lie side by side, and each place
of the target takes what fits. Of what is compared place by place there is the mean. A single reference that is put in
twice reads as it does alone, up to rounding, so that objects with one and with two go through the network together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

from vosctl.engine.base import Engine, State
from vosctl.network.table import networks

PLACES = 2
"""The axis along which the tensors of a reference state, (N, C, H, W), are put side by side."""

Tensor = TypeVar("Tensor", bound=Any)
"""NumPy's array or torch's."""


class JoinsReferences(Protocol[State]):
    """An engine that may be able to read two references of an object at once.

    Attributes:
        one_reference: why it reads one only, as half a sentence; empty where it reads two.
    """

    one_reference: str

    def join_references(self, first: State, second: State) -> State:
        """Return one state of two, each from `encode_reference`; both are left as they were."""
        ...


def joins_references(engine: Engine[State]) -> JoinsReferences[State] | None:
    """Return the same engine where it reads two references of an object at once; None where it reads one."""
    return None if why_one_reference(engine) else cast(JoinsReferences[State], engine)


def why_one_reference(engine: Engine[Any]) -> str:
    """Return why an engine reads one reference of an object only; empty where it reads two."""
    reason: str = getattr(engine, "one_reference", f"the {engine.info.engine} engine reads one reference of an object")
    return reason


def side_by_side(network: str) -> tuple[str, ...]:
    """Return what the table of networks says of a network of this name, see `NetworkDescription.side_by_side`."""
    known = networks().get(network)
    return () if known is None else known.side_by_side


def one_of_network(network: str, beside: Sequence[str]) -> str:
    """Return why a network reads one reference of an object only; empty where it reads two.

    Args:
        network: its name.
        beside: see `NetworkDescription.side_by_side`.
    """
    return "" if beside else f"the {network} network reads one reference of an object"


class ReferenceStates(Generic[Tensor]):
    """Joins the reference states of a network, and makes batches of them.

    Args:
        names: of the tensors of its state, in order.
        beside: see `NetworkDescription.side_by_side`.
        concatenate: joins tensors along an axis.
    """

    def __init__(
        self, names: Sequence[str], beside: Sequence[str], concatenate: Callable[[Sequence[Tensor], int], Tensor]
    ) -> None:
        self._beside = tuple(name in beside for name in names)
        self._concatenate = concatenate

    def join(self, first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the state of two references."""
        return tuple(
            self._concatenate((one, other), PLACES) if beside else (one + other) / 2
            for one, other, beside in zip(first, second, self._beside, strict=True)
        )

    def even(self, states: Sequence[tuple[Tensor, ...]]) -> list[tuple[Tensor, ...]]:
        """Return states of one shape: where some have two references, those with one have it twice."""
        lengths = self._lengths(states)
        longest = max(lengths, default=0)
        return [
            state if length == longest else self.join(state, state)
            for state, length in zip(states, lengths, strict=True)
        ]

    def batch(self, states: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """Return one batch of states, see `even`."""
        return tuple(self._concatenate(tensors, 0) for tensors in zip(*self.even(states), strict=True))

    def _lengths(self, states: Sequence[tuple[Tensor, ...]]) -> list[int]:
        """Return how many rows of places each state has; 0 where nothing lies side by side."""
        if not any(self._beside):
            return [0] * len(states)
        which = self._beside.index(True)
        return [int(state[which].shape[PLACES]) for state in states]
