"""Measure weights so that small differences can be told: several crops, speeds and views, with the noise.

    python tools/validate.py VIDEO/VAL lite lite-plus --json before.json
    python tools/validate.py VIDEO/VAL run/best.safetensors --against before.json --presence

The folder holds clips in the DAVIS layout that were not trained on. Every clip is followed in crops of 256, 320 and 384
pixels, at every frame and at every third, as it is, mirrored, 3 % smaller and 3 % larger. *J&F* is the mean over all of
them; what follows it is its standard deviation over the four views, which should not matter. `--against` compares run
by run with the weights of that name in an earlier file, or with the first ones there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from math import isnan
from pathlib import Path

from vosctl.datasets import find_sequences
from vosctl.engine import create_engine
from vosctl.errors import VosctlError, told_in_a_line
from vosctl.evaluation.grid import VIEWS, Grid, Measured, Row, check_clip, difference, measure
from vosctl.tracking import Tracker, TrackingSettings

PRESENCE = Path(__file__).resolve().parent.parent / "benchmarks" / "presence.py"


@told_in_a_line()
def main() -> None:
    """Measure and print."""
    options = _options()
    earlier = {} if options.against is None else _earlier(options.against)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
    clips = find_sequences(options.root)
    for clip in clips:
        check_clip(clip)
    views = tuple(view for view in VIEWS if view.name in options.views.split(","))
    if len(views) < len(options.views.split(",")):
        raise SystemExit(f"error: --views {options.views}: there are {', '.join(view.name for view in VIEWS)}")
    grid = Grid(_numbers(options.sizes), _numbers(options.steps), views)
    found: dict[str, Measured] = {}
    for weights in options.weights:
        engine = create_engine(
            weights, engine=options.engine, precision=options.precision, device=options.device, threads=options.threads
        )
        began = time.perf_counter()
        found[weights] = measure(
            lambda size, engine=engine: Tracker(engine, TrackingSettings(window_size=size)), clips, grid, _say
        )
        info = engine.info
        print(f"\n# {weights}: {info.engine}, {info.device}, {info.precision}, {time.perf_counter() - began:.0f} s\n")
        _tables(found[weights])
    if options.json is not None:
        options.json.write_text(json.dumps({name: one.saved() for name, one in found.items()}), "utf-8")
    if options.against is not None:
        _compare(found, earlier)
    for weights in options.weights if options.presence else ():
        command = [sys.executable, str(PRESENCE), str(options.root), "--weights", weights, "--engine", options.engine]
        placed = ["--device", options.device, "--precision", options.precision, "--threads", str(options.threads)]
        subprocess.run([*command, *placed], check=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="clips in the DAVIS layout")
    parser.add_argument("weights", nargs="+", help="names or files")
    parser.add_argument("--sizes", default="256,320,384", help="sides of the crop, 0 for the network's own")
    parser.add_argument("--steps", default="1,3", help="1 for every frame, 3 for every third")
    parser.add_argument("--views", default=",".join(view.name for view in VIEWS))
    parser.add_argument("--engine", default="onnx")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for every figure")
    parser.add_argument("--against", type=Path, help="file that an earlier `--json` wrote")
    parser.add_argument("--presence", action="store_true", help="run benchmarks/presence.py too")
    return parser.parse_args()


def _numbers(words: str) -> tuple[int, ...]:
    return tuple(int(word) for word in words.split(","))


def _say(row: Row) -> None:
    figures = f"J {100 * row.region:5.1f} F {100 * row.boundary:5.1f}"
    print(f"{row.size} step {row.step} {row.view:8} {row.sequence:16} {figures}", file=sys.stderr, flush=True)


def _tables(measured: Measured) -> None:
    whole = measured.figure()
    noise = f" ± {_percent(measured.spread)}" if len(measured.values("view")) > 1 else ""
    print(f"J&F {_percent(whole.both)}{noise}: J {_percent(whole.region)}, ", end="")
    print(f"F {_percent(whole.boundary)}; by view ", end="")
    print(", ".join(f"{view} {_percent(measured.figure(view=view).both)}" for view in measured.values("view")))
    sizes, steps = measured.values("size"), measured.values("step")
    columns = [f"{size}, step {step}" for size in sizes for step in steps]
    print(f"\n| sequence, J / F | {' | '.join(columns)} | all |")
    print("|---|" + "---|" * (len(columns) + 1))
    known = {(row.sequence, row.step) for row in measured.rows}
    for name in measured.values("sequence"):
        cells = [
            _pair(measured, sequence=name, size=size, step=step) if (name, step) in known else ""
            for size in sizes
            for step in steps
        ]
        print(f"| {name} | {' | '.join([*cells, _pair(measured, sequence=name)])} |")
    means = [_pair(measured, size=size, step=step) for size in sizes for step in steps]
    print(f"| **mean** | {' | '.join([*means, _pair(measured)])} |")


def _pair(measured: Measured, **where: str | int) -> str:
    figure = measured.figure(**where)
    return f"{_percent(figure.region)} / {_percent(figure.boundary)}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _earlier(file: Path) -> dict[str, Measured]:
    """Read what an earlier `--json` wrote, before hours are spent on what is to be compared with it."""
    try:
        return {name: Measured.loaded(rows) for name, rows in json.loads(file.read_text("utf-8")).items()}
    except (OSError, ValueError, AttributeError, VosctlError) as error:
        raise SystemExit(f"error: --against {file}: is no file that `--json` wrote: {error}") from error


def _compare(found: dict[str, Measured], earlier: dict[str, Measured]) -> None:
    print()
    for name, measured in found.items():
        other = name if name in earlier else next(iter(earlier))
        gain, deviation = difference(measured, earlier[other])
        noise = "" if isnan(deviation) else f" ± {100 * deviation:.2f}"  # of one view nobody knows it
        print(f"{name} against {other}: J&F {100 * gain:+.2f}{noise}")


if __name__ == "__main__":
    main()
