"""What every training does with a loss: AdamW by groups, a schedule, clipped gradients, averaged weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from math import cos, pi
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from vosctl.errors import VosctlError
from vosctl.training.run_folder import averaged

FINAL_LR = 0.01
"""The learning rate at the end, in units of the largest."""


class OptimisationSettings(Protocol):
    """What decides how a network learns.

    Attributes:
        lr: largest learning rate.
        encoder_lr: the encoder's, in units of `lr`.
        weight_decay: AdamW's.
        warm_up: share of the run in which the learning rate rises.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights, a step.
    """

    @property
    def lr(self) -> float: ...  # noqa: D102 - said above

    @property
    def encoder_lr(self) -> float: ...  # noqa: D102

    @property
    def weight_decay(self) -> float: ...  # noqa: D102

    @property
    def warm_up(self) -> float: ...  # noqa: D102

    @property
    def clip(self) -> float: ...  # noqa: D102

    @property
    def ema(self) -> float: ...  # noqa: D102


class Optimisation:
    """The optimiser of a network and the average of its weights.

    Args:
        network: what learns, where it learns.
        settings: how.
        is_slow: whether a parameter, by its name, learns at the encoder's rate.

    Attributes:
        average: the averaged weights, by key.
    """

    def __init__(self, network: nn.Module, settings: OptimisationSettings, is_slow: Callable[[str], bool]) -> None:
        self._network, self._settings = network, settings
        self._optimiser = torch.optim.AdamW(self._groups(is_slow), weight_decay=settings.weight_decay)
        self.average: dict[str, Tensor] = {key: value.detach().clone() for key, value in network.state_dict().items()}

    def _groups(self, is_slow: Callable[[str], bool]) -> list[dict[str, Any]]:
        """Group the parameters that learn: the encoder does so more slowly; biases and norms are not decayed."""
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = defaultdict(list)
        for name, parameter in self._network.named_parameters():
            if parameter.requires_grad:
                groups[is_slow(name), parameter.ndim > 1].append(parameter)
        return [
            {
                "params": parameters,
                "lr": 0.0,
                "scale": self._settings.encoder_lr if slow else 1.0,
                "weight_decay": self._settings.weight_decay if decayed else 0.0,
            }
            for (slow, decayed), parameters in groups.items()
        ]

    def begin(self, progress: float) -> float:
        """Begin a step: set the learning rate and forget the last gradients.

        Args:
            progress: share of the run that is done, 0..1.

        Returns:
            The learning rate.
        """
        rate = self._settings.lr * schedule(progress, self._settings.warm_up)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        self._optimiser.zero_grad(set_to_none=True)
        return rate

    def end(self, number: int, diverged: Callable[[], str]) -> float:
        """End step `number`, counted from 1: clip the gradients, move the weights and their average.

        Args:
            number: of the step.
            diverged: says what to tell the user when the gradients are not finite.

        Returns:
            The gradients' norm before it was clipped.

        Raises:
            VosctlError: the gradients are not finite; the weights are left as they were.
        """
        norm = nn.utils.clip_grad_norm_(self._network.parameters(), self._settings.clip)
        if not torch.isfinite(norm):  # the same in every process, as gradients are averaged over them
            raise VosctlError(diverged())
        self._optimiser.step()
        # the average starts as the mean of what there is: an early one would hold on to the start
        averaged(self.average, self._network.state_dict(), min(self._settings.ema, number / (number + 10)))
        return float(norm)

    def state(self) -> dict[str, Any]:
        """Return what `load` needs to go on."""
        return {
            "network": self._network.state_dict(),
            "average": self.average,
            "optimiser": self._optimiser.state_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._network.load_state_dict(state["network"])
        for key, value in state["average"].items():
            self.average[key].copy_(value)
        self._optimiser.load_state_dict(state["optimiser"])


def schedule(progress: float, warm_up: float) -> float:
    """Learning rate in units of the largest: a linear rise, then a cosine down to `FINAL_LR`.

    Args:
        progress: share of the run that is done, 0..1.
        warm_up: share of the run in which it rises.
    """
    if progress < warm_up:
        return max(progress / warm_up, FINAL_LR)
    falling = (min(progress, 1.0) - warm_up) / (1 - warm_up)
    return FINAL_LR + (1 - FINAL_LR) * 0.5 * (1 + cos(pi * falling))
