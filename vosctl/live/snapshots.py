"""Files of a live run that never replace another: numbered names, snapshots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosctl.video.masks import write_indexed_png
from vosctl.video.staging import StagedFile, write_errors


def free_number(pattern: str) -> int:
    """Return the first number, from 1, after every one that a file is named by.

    Args:
        pattern: path whose last `{}`, in the file's name, is where the number (three digits or more) stands.

    Raises:
        VosctlError: the folder cannot be read.
    """
    before, _, after = Path(pattern).name.rpartition("{}")
    with write_errors(Path(pattern)):
        names = [path.name for path in Path(pattern).parent.iterdir()]
    middles = (
        name[len(before) : len(name) - len(after)] for name in names if name.startswith(before) and name.endswith(after)
    )
    return max((int(middle) for middle in middles if middle.isdecimal()), default=0) + 1


def write_snapshot(name: str, image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> tuple[Path, Path]:
    """Write a picture and its mask into the current folder as NAME_snapshot_001.png and NAME_snapshot_001_mask.png.

    Args:
        name: the source's.
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8 ids.

    Returns:
        Both paths, of one number that was free.

    Raises:
        VosctlError: they cannot be written.
    """
    number = max(free_number(f"{name}_snapshot_{{}}.png"), free_number(f"{name}_snapshot_{{}}_mask.png"))
    picture, mask = Path(f"{name}_snapshot_{number:03d}.png"), Path(f"{name}_snapshot_{number:03d}_mask.png")
    staged = StagedFile(picture, overwrite=False)
    try:
        with write_errors(picture):
            Image.fromarray(image).save(staged.partial, format="PNG", compress_level=1)
        write_indexed_png(mask, labels)
    except BaseException:
        staged.discard()
        raise
    return staged.commit(), mask
