"""How good is the mask that a box or some clicks give? On stills, on first frames, and for what is followed from there.

    python benchmarks/first_masks.py --stills ecssd --videos val [--every 1] [--sheet masks.png]

`--stills` holds images/ and masks/ (all of a mask is one object), `--videos` JPEGImages/ and Annotations/ in the DAVIS
layout (every tenth frame, so that there are enough of them; all ids are one object). For each picture:

- *box*: IoU of the mask from a box whose sides are 5 % longer than the true one's, and from one that is cut and moved,
  each edge anywhere within 15 % of it (*loose box*).
- *clicks*: IoU after 1, 3 and 5 clicks, each in the deepest point of the largest error of the mask so far, the first in
  the deepest point of the object. *worse*: share of the further clicks that lower the IoU by more than 0.05.
- *features*, *click*: seconds for the first look at a 1920x1080 picture with a click, and for one more click.
- *followed*: J of the next 19 frames from the 5 % larger box's mask, and from the true mask (lite).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

import cv2
import numpy as np

from vosctl import Tracker, VosctlError, prompts
from vosctl.engine.factory import create_prompt_engine
from vosctl.evaluation.metrics import region_and_boundary
from vosctl.prompts import Finder, MaskPrediction, Prompt
from vosctl.prompts.maps import deepest
from vosctl.prompts.mirrored import MirroredEngine
from vosctl.prompts.segmenter import registered_prompt_engine
from vosctl.types import Mask, RealBox, RGBImage
from vosctl.video.sources.images import read_image

CLICKS = 5
WORSE = 0.05
LOOSE = 0.15
FOLLOWED = 19
EVERY_FRAME = 10
"""Of the frames of a clip, one in so many is a picture to find the object in."""


def finder_for(image: RGBImage) -> Finder:
    """Return what answers prompts on a picture; a refusal counts as an empty mask."""
    find_or_refuse = prompts.finder_for(image)

    def find(prompt: Prompt) -> MaskPrediction:
        try:
            return find_or_refuse(prompt)
        except VosctlError:
            return MaskPrediction(np.zeros(image.shape[:2], np.float32), 0.0, prompt.box)

    return find


def true_mask(path: Path) -> Mask:
    """Return (H, W) bool: grey masks cut at one half, of indexed ones all ids but 255."""
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise SystemExit(f"{path}: cannot be read")
    from PIL import Image

    with Image.open(path) as image:
        if image.mode == "P":
            indices = np.array(image)
            return (indices > 0) & ((indices != 255) | (indices.max() == 255) & ~np.isin(indices, range(1, 255)).any())
        return np.array(image.convert("L")) > 127


def pictures(stills: Path | None, videos: Path | None, every: int) -> list[tuple[str, str, Path, Path]]:
    """Kind, name, image and mask of everything that is measured."""
    found = []
    if stills is not None:
        for mask in sorted((stills / "masks").iterdir())[::every]:
            image = next(path for path in (stills / "images").glob(f"{mask.stem}.*"))
            found.append(("stills", mask.stem, image, mask))
    if videos is not None:
        for clip in sorted((videos / "Annotations").iterdir()):
            for mask in sorted(clip.iterdir())[:: EVERY_FRAME * every]:
                found.append(
                    ("frames", f"{clip.name}/{mask.stem}", videos / "JPEGImages" / clip.name / f"{mask.stem}.jpg", mask)
                )
    return found


def iou(found: Mask, true: Mask) -> float:
    """Intersection over union; 1 where both are empty."""
    union = np.count_nonzero(found | true)
    return float(np.count_nonzero(found & true) / union) if union else 1.0


def box_of(mask: Mask) -> RealBox:
    """Return the smallest box round a mask."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return float(x), float(y), float(width), float(height)


def grown(box: RealBox, share: float) -> RealBox:
    """Return a box whose sides are longer by a share."""
    x, y, width, height = box
    return x - share * width / 2, y - share * height / 2, width * (1 + share), height * (1 + share)


def loosened(box: RealBox, rng: np.random.Generator) -> RealBox:
    """Return a box each edge of which is moved by up to 15 % of its side."""
    x, y, width, height = box
    left, top, right, bottom = rng.uniform(-LOOSE, LOOSE, 4)
    return x + left * width, y + top * height, width * (1 + right - left), height * (1 + bottom - top)


def next_click(found: Mask, true: Mask) -> tuple[float, float, bool]:
    """Return the deepest point of the largest error."""
    missing, surplus = deepest(true & ~found), deepest(found & ~true)
    x, y, _ = max(missing, surplus, key=lambda one: one[2])
    return float(x), float(y), missing[2] >= surplus[2]


def clicked(find: Finder, true: Mask) -> list[tuple[float, MaskPrediction, Prompt]]:
    """IoU, answer and prompt after each click."""
    found, points, steps = np.zeros(true.shape, bool), (), []
    for _ in range(CLICKS):
        points = (*points, next_click(found, true))
        answer = find(Prompt(points=points))
        found = answer.mask
        steps.append((iou(found, true), answer, Prompt(points=points)))
    return steps


def speed() -> tuple[float, float]:
    """Return seconds until the first click on a 1080p picture is answered, and for each further one, medians of 9."""
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 255, (27, 48, 3), np.uint8), (1920, 1080), interpolation=cv2.INTER_CUBIC)
    first, further = [], []
    for number in range(9):
        find = finder_for(image.copy())
        points = ((700.0 + 40 * number, 500.0, True), (720.0 + 40 * number, 520.0, True))
        began = perf_counter()
        find(Prompt(points=points[:1]))
        first.append(perf_counter() - began)
        began = perf_counter()
        find(Prompt(points=points))
        further.append(perf_counter() - began)
    return median(first), median(further)


def followed(videos: Path, weights: str) -> list[tuple[str, float, float]]:
    """Return of each clip its name, and J after the first frame from the box's mask and from the true one."""
    rows = []
    for clip in sorted((videos / "Annotations").iterdir()):
        masks = [true_mask(path) for path in sorted(clip.iterdir())[: FOLLOWED + 1]]
        images = [read_image(path) for path in sorted((videos / "JPEGImages" / clip.name).iterdir())[: FOLLOWED + 1]]
        drawn = finder_for(images[0])(Prompt(box=grown(box_of(masks[0]), 0.05))).mask
        scores = []
        for first in (drawn, masks[0]):
            tracker = Tracker.load(weights)
            tracker.start(images[0], first.astype(np.uint8))
            j = [
                region_and_boundary(tracker.step(image).labels == 1, mask)[0]
                for image, mask in zip(images[1:], masks[1:], strict=True)
            ]
            scores.append(float(np.mean(j)))
        rows.append((clip.name, scores[0], scores[1]))
    return rows


def panel(image: RGBImage, answer: MaskPrediction, prompt: Prompt, score: float, side: int = 260) -> RGBImage:
    """Draw a picture of the sheet: the mask's outline, the prompt and the IoU."""
    shown = image.copy()
    shown[answer.mask] = (0.55 * shown[answer.mask] + 0.45 * np.array((40, 220, 90))).astype(np.uint8)
    width = max(1, round(max(image.shape) / 200))
    if prompt.box is not None:
        x, y, box_width, box_height = (round(value) for value in prompt.box)
        cv2.rectangle(shown, (x, y), (x + box_width, y + box_height), (255, 220, 0), width)
    for x, y, on_object in prompt.points:
        cv2.circle(shown, (round(x), round(y)), 3 * width, (0, 120, 255) if on_object else (255, 40, 40), -1)
    zoom = side / max(shown.shape[:2])
    shown = cv2.resize(shown, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    square = np.zeros((side + 18, side, 3), np.uint8)
    square[18 : 18 + shown.shape[0], : shown.shape[1]] = shown
    text = f"IoU {score:.2f}  score {answer.score:.2f}"
    cv2.putText(square, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(square, np.uint8)


def write_sheet(panels: Sequence[RGBImage], path: Path) -> None:
    """20 of the panels, evenly spread, five in a row."""
    chosen = [panels[round(place)] for place in np.linspace(0, len(panels) - 1, 20)]
    rows = [np.hstack(chosen[start : start + 5]) for start in range(0, 20, 5)]
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stills", type=Path)
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take one picture in so many")
    parser.add_argument("--weights", default="lite", help="what follows the object")
    parser.add_argument("--sheet", type=Path, help="write a sheet of 20 masks")
    parser.add_argument("--json", type=Path, help="write the IoU of every picture")
    parser.add_argument("--prompt-weights", default="prompt", help="what finds the object")
    options = parser.parse_args()
    for path in filter(None, (options.sheet, options.json)):
        path.parent.mkdir(parents=True, exist_ok=True)  # before hours are spent on what goes there
    with registered_prompt_engine(MirroredEngine(create_prompt_engine(options.prompt_weights))):
        measure(options)


def measure(options: argparse.Namespace) -> None:
    """Measure what the options ask for."""
    rows, panels = [], []
    rng = np.random.default_rng(0)
    for kind, name, image_path, mask_path in pictures(options.stills, options.videos, options.every):
        image, true = read_image(image_path), true_mask(mask_path)
        if np.count_nonzero(true) < 64:
            continue
        find = finder_for(image)
        box = grown(box_of(true), 0.05)
        by_box, by_loose = find(Prompt(box=box)), find(Prompt(box=loosened(box_of(true), rng)))
        steps = clicked(find, true)
        row = {"kind": kind, "name": name, "box": iou(by_box.mask, true), "loose_box": iou(by_loose.mask, true)}
        row |= {"clicks": [step[0] for step in steps], "score": by_box.score, "doubt": by_box.doubt}
        rows.append(row)
        print(name, " ".join(f"{value:.2f}" for value in (row["box"], row["loose_box"], *row["clicks"])), flush=True)
        if options.sheet:
            turn = len(panels) % 2
            shown = (by_box, Prompt(box=box), row["box"]) if turn == 0 else (*steps[2][1:], steps[2][0])
            panels.append(panel(image, *shown))
    for kind in ("stills", "frames"):
        report(kind, [row for row in rows if row["kind"] == kind])
    first, further = speed()
    print(f"1080p: first click {first * 1e3:.0f} ms, a further one {further * 1e3:.0f} ms")
    if options.videos:
        drawn = followed(options.videos, options.weights)
        for name, from_box, from_mask in drawn:
            print(f"followed {name}: J {from_box:.3f} from the box, {from_mask:.3f} from the true mask")
        difference = float(np.mean([row[1] - row[2] for row in drawn]))
        print(f"followed: {difference:+.3f} from the box against from the true mask")
    if options.sheet:
        write_sheet(panels, options.sheet)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def report(kind: str, rows: Sequence[dict[str, object]]) -> None:
    """Print the means of one kind of picture."""
    if not rows:
        return
    box, loose = (np.array([row[key] for row in rows], np.float64) for key in ("box", "loose_box"))
    clicks = np.array([row["clicks"] for row in rows], np.float64)
    worse = float((np.diff(clicks, axis=1) < -WORSE).mean())
    means = ", ".join(f"{number}: {clicks[:, number - 1].mean():.3f}" for number in (1, 3, 5))
    print(
        f"{kind} ({len(rows)}): box {box.mean():.3f}, below 0.5 {100 * (box < 0.5).mean():.1f} %; "
        f"loose box {loose.mean():.3f}, below 0.5 {100 * (loose < 0.5).mean():.1f} %; clicks {means}; "
        f"worse after a click {100 * worse:.1f} %"
    )


if __name__ == "__main__":
    main()
