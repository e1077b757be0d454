"""Pack training data into a few files that can be carried to another machine, where tools/train_packed.py trains on it.

    python tools/pack_data.py --images static/duts --images static/cats --videos video/train --val video/val -o packs

Images and masks are kept byte by byte. What cannot be trained on is named and left out, as `vosctl train` does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from vosctl.datasets import find_sequences as find_clips
from vosctl.datasets.packs import HELD_OUT, STILLS, VIDEOS, write_parts
from vosctl.errors import told_in_a_line
from vosctl.training.sources import find_sequences, find_stills


@told_in_a_line()
def main() -> None:
    """Check, pack, and say what was made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, action="append", default=[], help="stills: images/ and masks/")
    parser.add_argument("--videos", type=Path, action="append", default=[], help="sequences in the DAVIS layout")
    parser.add_argument("--val", type=Path, help="sequences in the DAVIS layout to validate on")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the parts")
    parser.add_argument("--part-mib", type=float, default=60, help="largest size of a part")
    options = parser.parse_args()
    parts = write_parts(files_of(options.images, options.videos, options.val), options.output, mib(options.part_mib))
    for part in parts:
        print(f"{part}: {part.stat().st_size / 2**20:.1f} MiB")


def mib(number: float) -> int:
    """Return so many MiB in bytes."""
    return int(number * 2**20)


def files_of(images: list[Path], videos: list[Path], val: Path | None) -> Iterator[tuple[Path, str]]:
    """Yield the files of some data with their paths in the pack."""
    for folder in images:
        stills, problems = find_stills([folder])
        for problem in problems:
            print(f"left out: {problem}")
        for still in stills:
            yield still.image, f"{STILLS}/{still.group}/images/{still.image.name}"
            yield still.mask, f"{STILLS}/{still.group}/masks/{still.mask.name}"
    for folder in videos:
        sequences, problems = find_sequences([folder])
        for problem in problems:
            print(f"left out: {problem}")
        for sequence in sequences:
            for frame in sequence.frames:
                yield from _pair(f"{VIDEOS}/{folder.resolve().name}", sequence.name, frame.image, frame.mask)
    for clip in find_clips(val) if val is not None else ():
        for stem, image in clip.images.items():
            yield from _pair(HELD_OUT, clip.name, image, clip.annotations.get(stem))


def _pair(root: str, sequence: str, image: Path, mask: Path | None) -> Iterator[tuple[Path, str]]:
    yield image, f"{root}/JPEGImages/{sequence}/{image.name}"
    if mask is not None:
        yield mask, f"{root}/Annotations/{sequence}/{mask.name}"


if __name__ == "__main__":
    main()
