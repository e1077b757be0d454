"""Validation: the tracker on whole sequences, judged by J and F as `vosctl eval` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from vosctl.datasets import Objects, Sequence, check_annotated, check_trackable, find_sequences, read_annotation
from vosctl.engine.devices import Placement
from vosctl.engine.torch_engine import TorchEngine
from vosctl.evaluation.metrics import region_and_boundary
from vosctl.evaluation.scoring import scored_frames
from vosctl.network.table import create_network
from vosctl.tracking.tracker import Tracker
from vosctl.video.sources.pictures import read_image


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


def find_validation(folder: Path) -> list[Sequence]:
    """Return the sequences of a folder in the DAVIS layout.

    Raises:
        VosctlError: the folder is not in the DAVIS layout, or a sequence of it cannot be tracked and scored.
    """
    sequences = find_sequences(folder)
    for sequence in sequences:
        check_annotated(sequence)
        check_trackable(sequence)
        scored_frames(sequence)
    return sequences


def validate(
    network: str, weights: Mapping[str, Tensor], sequences: list[Sequence], placement: Placement
) -> Validation:
    """Track the objects of each sequence from its first frame and compare with the annotations.

    Args:
        network: name of the network.
        weights: its state dict, which is copied.
        sequences: what to track.
        placement: device and precision to track with.
    """
    copy = create_network(network)
    copy.load_state_dict({key: value.cpu() for key, value in weights.items()})
    tracker = Tracker(TorchEngine(copy, placement, "in training"))
    scores = {sequence.name: _score(tracker, sequence) for sequence in sequences}
    return Validation({name: s[0] for name, s in scores.items()}, {name: s[1] for name, s in scores.items()})


def _score(tracker: Tracker, sequence: Sequence) -> tuple[float, float]:
    """Return the mean J and F over the objects of the first frame and the frames that count."""
    first, *others = sequence.images.items()
    annotation = read_annotation(sequence.annotations[first[0]])
    objects = Objects.of(annotation, "multi", sequence.name)
    tracker.start(read_image(first[1]), objects.keep(annotation))
    counted = set(scored_frames(sequence))
    values = []
    for stem, path in others:
        labels = tracker.step(read_image(path)).labels
        if stem in counted:
            truth = objects.masks(read_annotation(sequence.annotations[stem]))
            found = objects.predicted_masks(labels)
            values += [region_and_boundary(f, t) for f, t in zip(found, truth, strict=True)]
    region, boundary = np.mean(values, axis=0)
    return float(region), float(boundary)
