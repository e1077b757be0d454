"""What more masks and the way back bring, and how two runs are best put together: J of annotated clips.

python benchmarks/both_ways.py CLIPS [--weights lite] [--window-size 320] [--references 1] [--rules]

CLIPS has JPEGImages/SEQUENCE and Annotations/SEQUENCE, one object each. The masks are those of the annotation. Without
`--rules`, in the first, the middle or the last frame, forwards and both ways; J is the mean over the frames in which no
mask is given in any of the cases, so that all are measured on the same. With it, a run forwards and one backwards are
kept apart, with 2, 3 and 5 masks, and J is that of several rules of which frame is taken from which.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import vosctl
from vosctl.evaluation.absences import read_clips
from vosctl.jobs.blending import Part, put_together, share_ahead
from vosctl.types import Mask, RGBImage
from vosctl.video.masks import read_indexed_png

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

MASKS = (2, 3, 5)
"""How many masks the rules are compared with, evenly over the clip."""


def main() -> None:
    """Measure every clip and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--weights", default="lite")
    parser.add_argument("--window-size", type=int, default=0)
    parser.add_argument("--rules", action="store_true")
    parser.add_argument("--references", type=int, default=2)
    arguments = parser.parse_args()
    tracking = vosctl.TrackingSettings(
        window_size=arguments.window_size, references=1 if arguments.references == 1 else 2
    )
    columns = [f"{rule}, {count}" for count in MASKS for rule in RULES] if arguments.rules else list(CASES)
    print("| clip | frames | " + " | ".join(columns) + " |")
    means = []
    for clip in read_clips(arguments.clips):
        truth = list(clip.masks)
        if arguments.rules:
            row = measure_rules(list(clip.frames), truth, vosctl.Tracker.load(arguments.weights, settings=tracking))
        else:
            images = arguments.clips / "JPEGImages" / clip.name
            row = [measure(images, truth, case, arguments.weights, tracking) for case in CASES]
        means.append(row)
        print(f"| {clip.name} | {len(truth)} | " + " | ".join(f"{value:.1f}" for value in row) + " |", flush=True)
    print("| mean | | " + " | ".join(f"{value:.1f}" for value in np.mean(means, axis=0)) + " |")


def measure(images: Path, truth: list[Mask], case: str, weights: str, tracking: vosctl.TrackingSettings) -> float:
    """Return J in percent of one clip in one case."""
    places, direction = CASES[case]
    marked = (0, len(truth) // 2, len(truth) - 1)
    prompts = [vosctl.TimedPrompt.of(marked[place], 1, mask=truth[marked[place]]) for place in places]
    with tempfile.TemporaryDirectory() as folder:
        vosctl.segment(
            images,
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


def measure_rules(frames: list[RGBImage], truth: list[Mask], tracker: vosctl.Tracker) -> list[float]:
    """Return J in percent of one clip, for each count of masks and each rule."""
    row = []
    for count in MASKS:
        places = [min(part * len(truth) // (count - 1), len(truth) - 1) for part in range(count)]
        ways = []
        for numbers in (range(len(truth)), range(len(truth) - 1, -1, -1)):
            results: dict[int, vosctl.TrackedFrame] = {}
            for number in numbers:
                mask = truth[number] if number in places else None
                if results or mask is None:
                    results[number] = tracker.step(frames[number], mask)
                else:
                    results[number] = tracker.start(frames[number], mask)
            ways.append(results)
        for rule in RULES.values():
            taken = ((number, mask) for gap in pairwise(places) for number, mask in rule(*ways, *gap))
            row.append(100 * float(np.mean([jaccard(mask, truth[number]) for number, mask in taken])))
    return row


Results = dict[int, "vosctl.TrackedFrame"]
Rule = Callable[[Results, Results, int, int], Iterator[tuple[int, NDArray[np.bool_]]]]
"""Gives the masks of the frames between two places, of the results forwards and backwards."""


def forwards(ahead: Results, back: Results, first: int, last: int) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Take the run forwards alone."""
    return ((number, ahead[number].labels > 0) for number in range(first + 1, last))


def backwards(ahead: Results, back: Results, first: int, last: int) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Take the run backwards alone."""
    return ((number, back[number].labels > 0) for number in range(first + 1, last))


def nearer(ahead: Results, back: Results, first: int, last: int) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Take the run that is nearer to its place, or that has not lost the object."""
    return _switched(ahead, back, first, last, (first + last) / 2)


def agreement(ahead: Results, back: Results, first: int, last: int) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Go over from one run to the other where they agree best."""
    agree = {number: jaccard(ahead[number].labels > 0, back[number].labels > 0) for number in range(first + 1, last)}
    return _switched(ahead, back, first, last, max(agree, key=lambda number: agree[number]))


def surer(ahead: Results, back: Results, first: int, last: int) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Take the run whose score is higher: the probability within the mask times the presence."""
    for number in range(first + 1, last):
        one, other = ahead[number], back[number]
        yield number, (one if one.objects[0].score >= other.objects[0].score else other).labels > 0


def blended(ahead: Results, back: Results, first: int, last: int) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Do what the library does."""
    for number in range(first + 1, last):
        one, other = ahead[number], back[number]
        share = share_ahead([first, last], number, one.objects[0], other.objects[0])
        assert share is not None
        yield number, put_together({one.objects[0].id: Part(one, other, share)}).labels > 0


def _switched(
    ahead: Results, back: Results, first: int, last: int, place: float
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    for number in range(first + 1, last):
        lost, other_lost = (ways[number].objects[0].status == "lost" for ways in (ahead, back))
        takes_back = lost if lost != other_lost else number > place
        yield number, (back if takes_back else ahead)[number].labels > 0


RULES: dict[str, Rule] = {
    "forwards": forwards,
    "backwards": backwards,
    "nearer": nearer,
    "best agreement": agreement,
    "surer": surer,
    "blended": blended,
}


def jaccard(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Return the intersection over the union of two masks; 1 where both are empty."""
    union = np.count_nonzero(found | true)
    return np.count_nonzero(found & true) / union if union else 1.0


if __name__ == "__main__":
    main()
