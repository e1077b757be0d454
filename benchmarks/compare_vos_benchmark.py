"""Hold `vosctl eval`'s J and F against vos-benchmark (pip install vos-benchmark) on the same masks.

    python benchmarks/compare_vos_benchmark.py ANNOTATIONS PREDICTIONS

Both folders hold one folder of PNG masks a sequence, with the same ids. Prints the largest difference of any object in
any frame, and what each took; exits 1 when they differ by more than 1e-4.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

import numpy as np
from vos_benchmark.evaluator import Evaluator

from vosctl.datasets import Sequence
from vosctl.evaluation.scoring import SequenceScore, score_sequence
from vosctl.video.masks import read_indexed_png

TOLERANCE = 1e-4


def reference(sequence: Sequence, predictions: Path, score: SequenceScore) -> tuple[np.ndarray, np.ndarray]:
    """vos-benchmark's J and F, (O, N) each, of the frames and objects that vosctl scored."""
    evaluator = Evaluator(name=sequence.name)
    for stem in score.frames:
        evaluator.feed_frame(
            read_indexed_png(predictions / sequence.name / f"{stem}.png"), read_indexed_png(sequence.annotations[stem])
        )
    region = np.array([evaluator.object_iou[value] for value in score.object_ids])
    boundary = np.array([evaluator.boundary_f[value] for value in score.object_ids])
    return region, boundary


def main(annotations: Path, predictions: Path) -> int:
    """Compare every sequence; returns the exit status."""
    ours = theirs = largest = 0.0
    for folder in sorted(path for path in annotations.iterdir() if path.is_dir()):
        masks = {path.stem: path for path in sorted(folder.glob("*.png"))}
        sequence = Sequence(folder.name, {}, masks)
        began = perf_counter()
        score = score_sequence(sequence, predictions, "multi")
        between = perf_counter()
        region, boundary = reference(sequence, predictions, score)
        ours, theirs = ours + between - began, theirs + perf_counter() - between
        difference = max(np.abs(region - score.region).max(), np.abs(boundary - score.boundary).max())
        largest = max(largest, float(difference))
        print(
            f"{folder.name:24} {len(score.object_ids)} objects {len(score.frames):4} frames "
            f"J {100 * score.region.mean():.2f} F {100 * score.boundary.mean():.2f} largest difference {difference:.1e}"
        )
    print(f"largest difference {largest:.1e}; vosctl {ours:.1f} s, vos-benchmark {theirs:.1f} s (one process)")
    return int(largest > TOLERANCE)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
