"""Train on packed data: unpack it, let every core make samples, and start the run or go on with it.

    python tools/train_packed.py packs data run --hours 0.15 --stage 2 --init lite --batch 32 --size 384

After the three folders come the options of `vosctl train`, without --images, --videos, --val and -o. A run that is in
the folder already is gone on with: of the options only those are taken then that `vosctl train --resume` takes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vosctl.cli.train import train
from vosctl.datasets.packs import HELD_OUT, STILLS, VIDEOS, unpack
from vosctl.errors import VosctlError
from vosctl.processor import core_count
from vosctl.training.run_folder import STATE

RESUMED = ("--hours", "--steps", "--lr", "--device", "--precision")


def main() -> None:
    """Unpack and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packs", type=Path, help="folder of the parts")
    parser.add_argument("data", type=Path, help="folder to unpack them to")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--workers", type=int, default=max(core_count() - 1, 1), help="processes that make samples")
    options, rest = parser.parse_known_args()
    try:
        print(f"{unpack(options.packs, options.data)} files unpacked")
        if (options.run / STATE).is_file():
            arguments = ["--resume", str(options.run), *resumable(rest)]
        else:
            arguments = ["-o", str(options.run), *data_arguments(options.data), *rest]
    except VosctlError as error:
        sys.exit(f"error: {error}")
    train.main([*arguments, "--workers", str(options.workers)], prog_name="vosctl train")  # ends with its exit status


def data_arguments(data: Path) -> list[str]:
    """Return the options that name what was unpacked."""
    found = [("--images", path) for path in sorted((data / STILLS).glob("*"))]
    found += [("--videos", path) for path in sorted((data / VIDEOS).glob("*"))]
    found += [("--val", path) for path in [data / HELD_OUT] if path.is_dir()]
    return [word for option, path in found for word in (option, str(path))]


def resumable(rest: list[str]) -> list[str]:
    """Return the options among those given that a resumed run takes, with their values."""
    kept = []
    for index, word in enumerate(rest):
        name = word.partition("=")[0]
        if name in RESUMED:
            kept += [word] if "=" in word else rest[index : index + 2]
    return kept


if __name__ == "__main__":
    main()
