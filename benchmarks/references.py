"""What a second reference brings after a correction, and what it costs: J of annotated clips, and seconds of a step.

python benchmarks/references.py CLIPS [--weights lite] [--window-size 320] [--engine auto] [--wrong] [--cost]

CLIPS has JPEGImages/SEQUENCE and Annotations/SEQUENCE, one object each. An object is corrected by the annotation a
third and half of the way through a clip, and followed from there to its end; J is the mean over the frames after it.
The first reference is the annotation of the first frame or, with `--wrong`, something else marked there. It is
replaced, kept where the correction agrees with it, or always kept. With `--cost` steps of objects with one and with two
references are timed by turns instead.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import vosctl
from vosctl.engine import Engine, Step, create_engine
from vosctl.engine.references import joins_references
from vosctl.evaluation.absences import read_clips
from vosctl.tracking.crop import mask_box
from vosctl.tracking.references import reference_of
from vosctl.tracking.settings import References
from vosctl.types import Mask
from vosctl.video.planar import Picture

PARTS = (1 / 3, 1 / 2)
"""Of a clip, at which its object is corrected."""
TURNS = 60


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--weights", default="lite")
    parser.add_argument("--window-size", type=int, default=0)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--wrong", action="store_true")
    parser.add_argument("--cost", action="store_true")
    arguments = parser.parse_args()
    engine = create_engine(arguments.weights, engine=arguments.engine, precision="fp32")
    size = arguments.window_size or engine.crop_size
    clips = read_clips(arguments.clips)
    if arguments.cost:
        print_cost(engine, size, list(clips[0].frames), clips[0].masks)
        return
    kinds = list(WRONG) if arguments.wrong else ["annotation"]
    print("| clip | corrected in | first reference | kept | replaced | kept where they agree | always kept |")
    measured: dict[str, list[list[float]]] = {kind: [] for kind in kinds}
    for clip in clips:
        frames, truth = list(clip.frames), clip.masks
        for part in PARTS:
            place = int(len(frames) * part)
            replaced = follow(tracker_of(engine, size, 1), frames, truth, place)
            for kind in kinds:
                first = WRONG[kind](truth[0]) if kind in WRONG else truth[0]
                row = measure(engine, size, frames, truth, place, first, replaced)
                measured[kind].append(row)
                figures = " | ".join(f"{value:.1f}" for value in row[1:])
                kept = "yes" if row[0] else "no"
                print(f"| {clip.name} | {place} of {len(frames)} | {kind} | {kept} | {figures} |", flush=True)
    for kind, rows in measured.items():
        means = np.mean(rows, axis=0)
        figures = " | ".join(f"{value:.1f}" for value in means[1:])
        print(f"| mean | | {kind} | {sum(row[0] for row in rows):.0f} of {len(rows)} | {figures} |")


def tracker_of(engine: Engine[Any], size: int, references: References) -> vosctl.Tracker:
    """Return a tracker."""
    return vosctl.Tracker(engine, vosctl.TrackingSettings(window_size=size, references=references))


def measure(
    engine: Engine[Any],
    size: int,
    frames: Sequence[Picture],
    truth: Sequence[Mask],
    place: int,
    first: Mask,
    replaced: float,
) -> list[float]:
    """Return whether the first reference is kept, and J in percent: replaced, kept where they agree, always kept."""
    tracker = tracker_of(engine, size, 2)
    tracker.show(frames[0], first, 1)
    scored = follow(tracker, frames, truth, place)
    if tracker.references[1] == 2:
        return [1.0, replaced, scored, scored]
    always = AlwaysJoined(engine, _encoded(engine, size, frames[0], first))
    return [0.0, replaced, scored, follow(tracker_of(always, size, 1), frames, truth, place)]


def follow(tracker: vosctl.Tracker, frames: Sequence[Picture], truth: Sequence[Mask], place: int) -> float:
    """Return J in percent of what is followed from a frame to the last one."""
    tracker.start(frames[place], truth[place])
    scores = [
        jaccard(tracker.step(frame).labels > 0, true)
        for frame, true in zip(frames[place + 1 :], truth[place + 1 :], strict=True)
    ]
    return 100 * float(np.mean(scores))


class AlwaysJoined:
    """An engine that joins the first reference which it is given with one that is there already.

    Args:
        engine: runs the network.
        first: the state of the reference that is there.
    """

    def __init__(self, engine: Engine[Any], first: Any) -> None:
        self.info, self.stride, self.crop_size = engine.info, engine.stride, engine.crop_size
        self.takes_float = engine.takes_float
        self._engine, self._first = engine, first

    def encode_reference(self, image: Any, mask: Any) -> Any:
        """See `Engine.encode_reference`."""
        state = self._engine.encode_reference(image, mask)
        joining, first, self._first = joins_references(self._engine), self._first, None
        return state if joining is None or first is None else joining.join_references(first, state)

    def propagate(self, images: Any, masks: Any, states: Sequence[Any]) -> Step[Any]:
        """See `Engine.propagate`."""
        return self._engine.propagate(images, masks, states)


def print_cost(engine: Engine[Any], size: int, frames: Sequence[Picture], truth: Sequence[Mask]) -> None:
    """Print the median time of a step for one object and for two, by how many references they have, timed by turns."""
    joining = joins_references(engine)
    assert joining is not None
    one, other = (_encoded(engine, size, frames[number], truth[number]) for number in (0, -1))
    two = joining.join_references(one, other)
    cases = {
        "one": [one],
        "two": [two],
        "one and one": [one, one],
        "one and two": [one, two],
        "two and two": [two, two],
    }
    image, guidance = np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.float32)
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(TURNS):
        for name, states in cases.items():
            images, masks = (np.stack(len(states) * [what]) for what in (image, guidance))
            engine.propagate(images, masks, states)  # the batch of the states is made, once for many frames
            begun = time.perf_counter()
            engine.propagate(images, masks, states)
            seconds[name].append(time.perf_counter() - begun)
    print(f"{engine.info}, crop {size}, median of {TURNS} steps by turns")
    for name, taken in seconds.items():
        print(f"| {name} | {1000 * float(np.median(taken)):.1f} ms |")


def _encoded(engine: Engine[Any], size: int, frame: Picture, mask: Mask) -> Any:
    box = mask_box(mask)
    assert box is not None
    reference = reference_of(frame, mask, box, size)
    return engine.encode_reference(reference.image, reference.mask)


def _box(mask: Mask) -> Mask:
    """Mark the object's box."""
    marked = np.zeros_like(mask)
    x, y, width, height = mask_box(mask) or (0, 0, 1, 1)
    marked[y : y + height, x : x + width] = True
    return marked


def _beside(mask: Mask) -> Mask:
    """Mark the object's box, moved by a part of its width."""
    x, y, width, height = mask_box(mask) or (0, 0, 1, 1)
    marked = np.zeros_like(mask)
    left = min(x + int(0.4 * width), mask.shape[1] - 8)
    marked[y : y + height, left : left + width] = True
    return marked


def _upper_half(mask: Mask) -> Mask:
    marked = mask.copy()
    marked[int(np.median(np.nonzero(mask)[0])) :] = False
    return marked


def _resized(mask: Mask, share: float) -> Mask:
    """Grow an object, or shrink it, by a share of its box's shorter side."""
    _, _, width, height = mask_box(mask) or (0, 0, 1, 1)
    around = 2 * max(3, int(abs(share) * min(width, height))) + 1
    change = cv2.dilate if share > 0 else cv2.erode
    changed = np.asarray(change(mask.astype(np.uint8), np.ones((around, around), np.uint8)) > 0)
    return changed if changed.any() else mask


def _elsewhere(mask: Mask) -> Mask:
    """Mark something of the object's shape in the other half of the frame."""
    return np.asarray(np.roll(mask, mask.shape[1] // 2, axis=1) & ~mask)


WRONG: Mapping[str, Callable[[Mask], Mask]] = {
    "its box": _box,
    "its box, moved": _beside,
    "its upper half": _upper_half,
    "too small": lambda mask: _resized(mask, -0.06),
    "too large": lambda mask: _resized(mask, 0.1),
    "something else": _elsewhere,
}
"""What may be marked in the place of an object."""


def jaccard(found: Mask, true: Mask) -> float:
    """Return the intersection over the union of two masks; 1 where both are empty."""
    union = np.count_nonzero(found | true)
    return np.count_nonzero(found & true) / union if union else 1.0


if __name__ == "__main__":
    main()
