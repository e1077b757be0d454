"""Does the tracker say when the object is gone, find it again, and stay on it? Pans, cuts, black frames, passers-by.

    python benchmarks/presence.py ROOT [--weights lite] [--window-size 0] [--kinds pan,cut] [--all-pairs]

ROOT holds JPEGImages/<clip> and Annotations/<clip> (DAVIS layout; all ids are taken as one object). From every clip it
makes others in which the object leaves (`vosctl.evaluation.absences`), follows the object, and prints one line a clip
and one table of kinds:

- *false*: share of the frames without a pixel of the object in which it is said to be tracked.
- *back*: clips in which the object is followed again (mean J over the last 8 of the 16 frames afterwards above 0.5).
- *J after*, *plain*: mean J over these 16 frames, and over the same frames when nothing happens.
- *lost*: share of the frames with 64 or more pixels of the object, nothing happening, in which it is said to be lost.
- *on other*: share of the mask, over the 16 frames afterwards, that lies on what passed in front of the object
  (look-alike) or passed behind it and stopped beside it (bystander).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from vosctl.evaluation.absences import AFTER, KINDS, AbsenceClip, AnnotatedClip, make_absences, read_clips
from vosctl.tracking import TrackedFrame, Tracker, TrackingSettings
from vosctl.types import Mask, RGBImage

VISIBLE_PIXELS = 64  # from which on an object can be asked for
SETTLED = 8  # of the frames afterwards: the last ones decide whether it is back


@dataclass(frozen=True, slots=True)
class Row:
    """What one clip gave.

    Attributes:
        kind: of what happens in it, "plain" or "third" where nothing does.
        name: of the clip.
        absent: frames without a pixel of the object.
        false: those of them in which it is said to be tracked.
        visible: frames with `VISIBLE_PIXELS` or more of it.
        lost: those of them in which it is said to be lost.
        j: mean J over all frames with the object but the first.
        j_after: mean J over the frames afterwards.
        j_plain: mean J over the same frames of the original clip, NaN where there are none.
        j_settled: mean J over the last frames afterwards.
        on_other: mean share of the mask that lies on what passed, afterwards.
        seconds: a step took.
    """

    kind: str
    name: str
    absent: int
    false: int
    visible: int
    lost: int
    j: float
    j_after: float
    j_plain: float
    j_settled: float
    on_other: float
    seconds: float


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    settings = TrackingSettings(window_size=arguments.window_size)
    tracker = Tracker.load(
        arguments.weights,
        engine=arguments.engine,
        device=arguments.device,
        precision=arguments.precision,
        threads=arguments.threads,
        settings=settings,
    )
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    clips = read_clips(arguments.root)
    names = arguments.clips.split(",") if arguments.clips else [clip.name for clip in clips]
    for index, clip in enumerate(clips):
        if clip.name not in names:
            continue
        steps = range(1, len(clips)) if arguments.all_pairs else (1, 3)
        others = [clips[(index + step) % len(clips)] for step in steps]
        for row in _measure(tracker, clip, others, arguments.kinds.split(",")):
            rows.append(row)
            print(_line(row), flush=True)
    _table(rows)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([row.__getstate__() for row in rows]), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--weights", default="lite")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--window-size", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--clips", default="", help="names, separated by commas; all by default")
    parser.add_argument("--all-pairs", action="store_true", help="cut from every clip to every other, not to two")
    parser.add_argument("--json", type=Path, help="file for the figures of every clip")
    return parser.parse_args()


def _measure(tracker: Tracker, clip: AnnotatedClip, others: list[AnnotatedClip], kinds: list[str]) -> Iterator[Row]:
    plain = _follow(tracker, clip.frames, clip.masks)
    yield _row("plain", clip.name, plain, clip.masks, None, None)
    third = range(0, len(clip.frames), 3)
    masks = [clip.masks[index] for index in third]
    yield _row("third", clip.name, _follow(tracker, [clip.frames[i] for i in third], masks), masks, None, None)
    for made in make_absences(clip, others, kinds):  # type: ignore[arg-type]
        yield _row(made.kind, made.name, _follow(tracker, made.frames, made.masks), made.masks, made, plain)


@dataclass(frozen=True, slots=True)
class Followed:
    """What the tracker said of a clip.

    Attributes:
        results: one a frame, the first included.
        j: J in each frame, NaN where there is no object.
        seconds: median of a step.
    """

    results: list[TrackedFrame]
    j: np.ndarray
    seconds: float


def _follow(tracker: Tracker, frames: Sequence[RGBImage], masks: Sequence[Mask]) -> Followed:
    results, j, seconds = [tracker.start(frames[0], masks[0].astype(np.uint8))], [1.0], []
    for index in range(1, len(frames)):
        frame = frames[index]
        began = perf_counter()
        results.append(tracker.step(frame))
        seconds.append(perf_counter() - began)
        found, true = results[-1].labels > 0, masks[index]
        j.append((found & true).sum() / (found | true).sum() if true.any() else np.nan)
    return Followed(results, np.array(j), float(np.median(seconds)))


def _row(
    kind: str, name: str, run: Followed, masks: Sequence[Mask], made: AbsenceClip | None, plain: Followed | None
) -> Row:
    tracked = np.array([result.objects[0].status == "tracked" for result in run.results])
    pixels = np.array([int(mask.sum()) for mask in masks])
    absent, visible = pixels == 0, pixels >= VISIBLE_PIXELS
    after = range(made.back, min(made.back + AFTER, len(masks))) if made else range(1, len(masks))
    j_plain = float(np.nanmean(plain.j[[made.plain[i] for i in after]])) if made and plain and made.plain else np.nan
    on_other = 0.0
    if made:
        labels = [run.results[index].labels > 0 for index in after]
        shares = [(m & made.others[i]).sum() / max(m.sum(), 1) for m, i in zip(labels, after, strict=True)]
        on_other = float(np.mean(shares))
    return Row(
        kind,
        name,
        int(absent.sum()),
        int((absent & tracked).sum()),
        int(visible.sum()),
        int((visible & ~tracked).sum()),
        float(np.nanmean(run.j[1:-1])),
        float(np.nanmean(run.j[after])),
        j_plain,
        float(np.nanmean(run.j[after][-SETTLED:])),
        on_other,
        run.seconds,
    )


def _line(row: Row) -> str:
    return (
        f"{row.kind:10} {row.name:36} false {row.false:3}/{row.absent:3}  lost {row.lost:3}/{row.visible:3}  "
        f"J {100 * row.j:5.1f}  after {100 * row.j_after:5.1f} plain {100 * row.j_plain:5.1f} "
        f"settled {100 * row.j_settled:5.1f}  on other {100 * row.on_other:4.1f} %  {1e3 * row.seconds:.1f} ms"
    )


def _table(rows: list[Row]) -> None:
    by_kind: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row)
    print("\n| kind | clips | false | back | J after | plain | lost | J | on other |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind, some in by_kind.items():
        absent = sum(row.absent for row in some)
        false = f"{sum(row.false for row in some) / absent:.1%}" if absent else ""
        back = f"{sum(row.j_settled > 0.5 for row in some)} of {len(some)}"
        lost = sum(row.lost for row in some) / max(sum(row.visible for row in some), 1)
        figures = [100 * float(np.mean([getattr(row, name) for row in some])) for name in ("j_after", "j_plain", "j")]
        print(
            f"| {kind} | {len(some)} | {false} | {back} | {figures[0]:.1f} | {figures[1]:.1f} | {lost:.2%} | "
            f"{figures[2]:.1f} | {100 * np.mean([row.on_other for row in some]):.1f} % |"
        )
    steps = [1e3 * row.seconds for row in rows if row.kind == "plain"]
    print(f"\nmedian step {np.median(steps):.1f} ms")


if __name__ == "__main__":
    main()
