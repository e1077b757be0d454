"""Annotated stills: a folder of `images/` and `masks/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vosctl.datasets.files import files_by_stem
from vosctl.errors import UsageError


@dataclass(frozen=True, slots=True)
class Still:
    """An image and where its mask is, or would be.

    Attributes:
        image: the image's file.
        mask: the mask's file, of the same stem.
        group: name of the folder that both come from.
    """

    image: Path
    mask: Path
    group: str


def find_stills(folder: Path) -> list[Still]:
    """Find `images/*` with `masks/*.png` of the same stem, in natural order.

    Raises:
        UsageError: the folder has no `images` or no `masks`.
    """
    for part in ("images", "masks"):
        if not (folder / part).is_dir():
            raise UsageError(f"there is no folder {folder / part}; give a folder of images/ and masks/")
    images = files_by_stem(folder / "images")
    return [Still(path, folder / "masks" / f"{stem}.png", folder.resolve().name) for stem, path in images.items()]
