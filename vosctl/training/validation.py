"""Validation: the tracker on whole sequences, judged by J and F as `vosctl eval` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from vosctl.datasets import Sequence, find_sequences
from vosctl.engine.devices import Placement
from vosctl.engine.torch_engine import TorchEngine
from vosctl.evaluation.grid import QUICK, Grid, check_clip, measure
from vosctl.network.table import create_network
from vosctl.tracking.settings import TrackingSettings
from vosctl.tracking.tracker import Tracker


@dataclass(frozen=True, slots=True)
class Validation:
    """How well the sequences were tracked.

    Attributes:
        region: mean J of each sequence by name, 0..1.
        boundary: mean F of each sequence by name, 0..1.
    """

    region: dict[str, float]
    boundary: dict[str, float]

    @property
    def mean_region(self) -> float:
        """Mean J over the sequences."""
        return float(np.mean(list(self.region.values())))

    @property
    def mean_boundary(self) -> float:
        """Mean F over the sequences."""
        return float(np.mean(list(self.boundary.values())))

    @property
    def mean(self) -> float:
        """Mean J&F, by which weights are kept."""
        return (self.mean_region + self.mean_boundary) / 2


def find_validation(folder: Path) -> list[Sequence]:
    """Return the sequences of a folder in the DAVIS layout.

    Raises:
        VosctlError: the folder is not in the DAVIS layout, or a sequence of it cannot be tracked and scored.
    """
    sequences = find_sequences(folder)
    for sequence in sequences:
        check_clip(sequence)
    return sequences


def validate(
    network: str,
    weights: Mapping[str, Tensor],
    sequences: list[Sequence],
    placement: Placement,
    grid: Grid = QUICK,
) -> Validation:
    """Track the objects of each sequence from its first frame and compare with the annotations.

    Args:
        network: name of the network.
        weights: its state dict, which is copied.
        sequences: what to track.
        placement: device and precision to track with.
        grid: the crops and speeds that the means are taken over.
    """
    copy = create_network(network)
    copy.load_state_dict({key: value.cpu() for key, value in weights.items()})
    engine = TorchEngine(copy, placement, "in training")
    measured = measure(lambda size: Tracker(engine, TrackingSettings(window_size=size)), sequences, grid)
    figures = {name: measured.figure(sequence=name) for name in measured.values("sequence")}
    return Validation(
        {name: one.region for name, one in figures.items()}, {name: one.boundary for name, one in figures.items()}
    )
