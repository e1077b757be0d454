"""Validation: the tracker on whole sequences, judged by J."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np

from vosctl.engine.devices import Placement
from vosctl.engine.torch_engine import TorchEngine
from vosctl.network.base import PropagationNetwork
from vosctl.tracking.tracker import Tracker
from vosctl.training.sources import VOID, AnnotatedSequence, Reader, find_sequences


def find_validation(folder: Path) -> list[AnnotatedSequence]:
    """The sequences of a folder in the DAVIS layout.

    Raises:
        UsageError: the folder is not in the DAVIS layout.
    """
    sequences, _ = find_sequences([folder])
    return sequences


def region_similarity(
    network: PropagationNetwork, sequences: list[AnnotatedSequence], placement: Placement
) -> dict[str, float]:
    """Track the objects of each sequence from its first annotated frame and compare with the annotations.

    Args:
        network: the network; it is copied and stays as it is.
        placement: device and precision to track with.

    Returns:
        Mean J of each sequence by name, over its objects and all frames but the first and the last, as DAVIS counts.
    """
    engine = TorchEngine(copy.deepcopy(network).cpu().float(), placement, "in training")
    tracker = Tracker.from_engine(engine)
    return {sequence.name: _sequence_similarity(tracker, sequence) for sequence in sequences}


def _sequence_similarity(tracker: Tracker, sequence: AnnotatedSequence) -> float:
    reader = Reader(0)
    values: list[float] = []
    ids: list[int] = []
    for index, item in enumerate(sequence.frames):
        image, truth = reader.read(item)
        if index == 0:
            ids = [int(i) for i in np.unique(truth) if i not in (0, VOID)]
            tracker.start(image, np.where(truth == VOID, 0, truth))
            continue
        labels = tracker.step(image).labels
        if index < len(sequence.frames) - 1:
            values += [_jaccard(labels == i, truth == i, truth != VOID) for i in ids]
    return float(np.mean(values)) if values else float("nan")


def _jaccard(found: np.ndarray, true: np.ndarray, valid: np.ndarray) -> float:  # type: ignore[type-arg]
    union = np.count_nonzero((found | true) & valid)
    return 1.0 if union == 0 else np.count_nonzero(found & true) / union
