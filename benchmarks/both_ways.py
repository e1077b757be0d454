"""What more masks and the way back bring: J of annotated clips with one, two and three masks, forwards and both ways.

python benchmarks/both_ways.py CLIPS [--weights lite] [--window-size 320]

CLIPS has JPEGImages/SEQUENCE and Annotations/SEQUENCE, one object each. The masks are those of the annotation, in the
first, the middle or the last frame. J is the mean over the frames in which no mask is given in any of the cases, so
that all are measured on the same.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import vosctl
from vosctl.video.masks import read_indexed_png


def main() -> None:
    """Measure every clip in every case and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--weights", default="lite")
    parser.add_argument("--window-size", type=int, default=0)
    arguments = parser.parse_args()
    tracking = vosctl.TrackingSettings(window_size=arguments.window_size)
    print("| clip | frames | " + " | ".join(CASES) + " |")
    means = []
    for clip in sorted((arguments.clips / "JPEGImages").iterdir()):
        truth = [read_indexed_png(path) > 0 for path in sorted((arguments.clips / "Annotations" / clip.name).iterdir())]
        row = [measure(clip, truth, case, arguments.weights, tracking) for case in CASES]
        means.append(row)
        print(f"| {clip.name} | {len(truth)} | " + " | ".join(f"{value:.1f}" for value in row) + " |", flush=True)
    print("| mean | | " + " | ".join(f"{value:.1f}" for value in np.mean(means, axis=0)) + " |")


CASES = {
    "first": ((0,), "forward"),
    "last, backwards": ((2,), "both"),
    "middle, both ways": ((1,), "both"),
    "first, last; forwards": ((0, 2), "forward"),
    "first, last; both ways": ((0, 2), "both"),
    "first, middle, last; forwards": ((0, 1, 2), "forward"),
    "first, middle, last; both ways": ((0, 1, 2), "both"),
}
"""Which of the first, middle and last frame have masks, and which ways the object is followed."""


def measure(clip: Path, truth: list[np.ndarray], case: str, weights: str, tracking: vosctl.TrackingSettings) -> float:
    """Return J in percent of one clip in one case."""
    places, direction = CASES[case]
    marked = (0, len(truth) // 2, len(truth) - 1)
    prompts = [vosctl.TimedPrompt.of(marked[place], 1, mask=truth[marked[place]]) for place in places]
    with tempfile.TemporaryDirectory() as folder:
        vosctl.segment(
            clip,
            prompts=prompts,
            direction="both" if direction == "both" else "forward",
            masks=Path(folder) / "masks",
            tracking=tracking,
            engine=vosctl.EngineSettings(weights=weights),
        )
        found = [read_indexed_png(path) > 0 for path in sorted((Path(folder) / "masks").iterdir())]
    scores = [
        jaccard(mask, true)
        for number, (mask, true) in enumerate(zip(found, truth, strict=True))
        if number not in marked
    ]
    return 100 * float(np.mean(scores))


def jaccard(found: np.ndarray, true: np.ndarray) -> float:
    """Return the intersection over the union of two masks; 1 where both are empty."""
    union = np.count_nonzero(found | true)
    return np.count_nonzero(found & true) / union if union else 1.0


if __name__ == "__main__":
    main()
