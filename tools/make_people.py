"""Makes annotated clips of moving people and creatures, in the DAVIS layout, for `vosctl train --videos`.

    python tools/make_people.py -o people --photos DUTS/images --clips 0:190
    python tools/make_people.py -o people --photos DUTS/images --clips 0:40 --creatures

Bodies with arms and legs move as recorded people did, alone or in crowds that are dressed alike, before photographs,
with posts before them, seen by moving cameras; every frame has the exact ids of all of them. A clip is drawn from its
number alone. It needs `pip install anny moderngl pybullet` (of the last one only its recorded motions) and, without a
graphics card, Mesa's `libegl1` and `libgl1-mesa-dri`. A clip of 24 frames, 640x360, takes some 3 s on one core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.people.motions import find_motions, read_motions
from vosctl.errors import UsageError, told_in_a_line
from vosctl.extras import is_present
from vosctl.video.sources import IMAGE_SUFFIXES

NEEDED = ("anny", "moderngl")


def _numbers(text: str) -> range:
    """Read FROM:TO."""
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal() and int(first) < int(last)):
        raise argparse.ArgumentTypeError(f"{text!r}: give FROM:TO, such as 0:100")
    return range(int(first), int(last))


def _photos(folders: Sequence[Path]) -> list[Path]:
    """Return the photographs in some folders, those of each sorted.

    Raises:
        UsageError: one has none.
    """
    photos: list[Path] = []
    for folder in folders:
        found = sorted(path for path in folder.glob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        if not found:
            raise UsageError(f"{folder}: holds no photographs; name another folder")
        photos += found
    return photos


def make_people(
    root: Path, photos: Sequence[Path], numbers: range, motions: Path | None = None, *, creatures: bool = False
) -> None:
    """Write clips into a root in the DAVIS layout.

    Args:
        root: is made where it is missing; clips of the same numbers there are replaced.
        photos: folders of photographs, for what is behind and under the bodies and for their clothes.
        numbers: of the clips, each of which is drawn from its own.
        motions: folder of humanoid3d_*.txt; pybullet's by default.
        creatures: bodies that no person has, mostly on all fours.

    Raises:
        UsageError: there are no photographs or motions, or a package is missing.
        VosctlError: a photograph cannot be read.
    """
    found, moves = _photos(photos), read_motions(motions or find_motions())
    if missing := [name for name in NEEDED if not is_present(name)]:
        raise UsageError(f"making people needs {' and '.join(missing)}; run: python -m pip install {' '.join(missing)}")
    import cv2
    import torch

    from tools.people.bodies import Anatomy
    from tools.people.pictures import Studio
    from tools.people.shots import HEIGHT, WIDTH, Material, Shot

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    material = Material(Anatomy(), moves, found, creatures)
    for done, number in enumerate(numbers, 1):
        studio = Studio(WIDTH, HEIGHT)  # a new one for each: drivers keep what is released until they are closed
        Shot(studio, material, number).write(root)
        studio.close()
        print(f"{done} of {len(numbers)}", flush=True)


@told_in_a_line()
def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", action="append", type=Path, required=True, help="folder of photographs, repeatable")
    parser.add_argument(
        "--clips", type=_numbers, required=True, metavar="FROM:TO", help="numbers of the clips, without the last one"
    )
    parser.add_argument("--creatures", action="store_true", help="bodies that no person has, mostly on all fours")
    parser.add_argument("--motions", type=Path, help="folder of humanoid3d_*.txt; pybullet's by default")
    parser.add_argument("-o", "--output", type=Path, required=True, help="root of the DAVIS layout")
    given = parser.parse_args(argv)
    make_people(given.output, given.photos, given.clips, given.motions, creatures=given.creatures)


if __name__ == "__main__":
    main()
