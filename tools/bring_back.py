"""Put what a run has made into a few files of limited size, to be carried back, and together again there.

    python tools/bring_back.py run out              # on the machine that trained: logs.zip, last and best weights
    python tools/bring_back.py run out --state      # logs.zip, and what is needed to go on instead of weights
    python tools/bring_back.py --join out run       # here: the run's folder again; `vosctl train --resume run` goes on

The state is made half as large: the optimiser's moments in bf16, the averaged weights in half precision, of which
`vosctl train --resume` makes weights to use.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import torch

from vosctl.training.run_folder import BEST, LAST, SETTINGS, STATE

LOGS = "logs.zip"
KEPT = (SETTINGS, "log.csv", "validation.csv", "preview.png")


def main() -> None:
    """Split or join."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--join", action="store_true", help="put what was brought back together")
    parser.add_argument("--state", action="store_true", help="bring what is needed to go on")
    parser.add_argument("--file-mib", type=float, default=15.9, help="largest size of a file")
    parser.add_argument("--files", type=int, default=8, help="most files")
    parser.add_argument("--total-mib", type=float, default=64, help="largest size of all of them")
    options = parser.parse_args()
    if not options.source.is_dir():
        parser.error(f"{options.source}: no such folder")
    options.target.mkdir(parents=True, exist_ok=True)
    if not options.join and any(options.target.iterdir()):
        parser.error(f"{options.target}: is not empty; name another folder")
    if options.join:
        join(options.source, options.target)
        return
    made = bring(options.source, options.target, int(options.file_mib * 2**20), with_state=options.state)
    for path in made:
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")
    total = sum(path.stat().st_size for path in made) / 2**20
    if len(made) > options.files or total > options.total_mib:
        sys.exit(f"error: {len(made)} files of {total:.1f} MiB are too much: carry the first of them, or no state")


def bring(run: Path, out: Path, file_bytes: int, *, with_state: bool) -> list[Path]:
    """Write the files to carry, and return them."""
    with ZipFile(out / LOGS, "w", ZIP_DEFLATED) as archive:
        for name in KEPT:
            if (run / name).is_file():
                archive.write(run / name, name)
    made = [out / LOGS]
    if with_state:
        state = torch.load(run / STATE, map_location="cpu", weights_only=True)
        torch.save(slimmed(state), out / STATE)
        return made + split(out / STATE, file_bytes)
    for name in (LAST, BEST):
        if (run / name).is_file():
            (out / name).write_bytes((run / name).read_bytes())
            made += split(out / name, file_bytes)
    return made


def slimmed(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state of half the size: `vosctl train --resume` brings each tensor to its own type again."""
    moments = {
        number: {name: _as(torch.bfloat16, value) for name, value in one.items()}
        for number, one in state["optimiser"]["state"].items()
    }
    average = {key: _as(torch.float16, value) for key, value in state["average"].items()}
    return {**state, "optimiser": {**state["optimiser"], "state": moments}, "average": average}


def _as(kind: torch.dtype, value: Any) -> Any:
    """Return a tensor of several axes in another type; statistics of norms, biases and counters as they are."""
    large = isinstance(value, torch.Tensor) and value.is_floating_point() and value.ndim > 1
    return value.to(kind) if large else value


def split(path: Path, file_bytes: int) -> list[Path]:
    """Cut a file that is too large into FILE.00, FILE.01, ...; return what there is then."""
    data = path.read_bytes()
    if len(data) <= file_bytes:
        return [path]
    pieces: list[Path] = []
    for start in range(0, len(data), file_bytes):
        pieces.append(path.with_name(f"{path.name}.{len(pieces):02d}"))
        pieces[-1].write_bytes(data[start : start + file_bytes])
    path.unlink()
    return pieces


def join(out: Path, run: Path) -> None:
    """Make the run's folder again of what was brought back."""
    if (out / LOGS).is_file():
        with ZipFile(out / LOGS) as archive:
            for name in KEPT:
                if name in archive.namelist():
                    archive.extract(name, run)
    for name in (STATE, LAST, BEST):
        pieces = sorted(out.glob(f"{name}.[0-9][0-9]")) or [path for path in [out / name] if path.is_file()]
        for number, piece in enumerate(pieces):
            if piece.suffix == f".{number:02d}" or piece == out / name:
                continue
            sys.exit(f"error: {out}: the piece of {name} before {piece.name} is not there; bring it too")
        if pieces:
            (run / name).write_bytes(b"".join(piece.read_bytes() for piece in pieces))
            print(f"{run / name}: {(run / name).stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
