"""What a step on the device asks of its network: torch's own, or one that another library runs on the same memory."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class StepNetwork(Protocol):
    """A `vosctl.network.base.PropagationNetwork`, or what answers as it does. Waits for nothing.

    What is returned may be in memory that the next call on the same states fills anew.
    """

    @property
    def presence(self) -> object | None:
        """None where it does not tell presence."""
        ...

    def propagate(self, image: Tensor, mask: Tensor, *state: Tensor) -> Tensor:
        """See `PropagationNetwork.propagate`."""
        ...

    def propagate_with_presence(self, image: Tensor, mask: Tensor, *state: Tensor) -> tuple[Tensor, Tensor]:
        """See `PropagationNetwork.propagate_with_presence`."""
        ...
