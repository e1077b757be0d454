"""What bodies wear: cloths and the cut of clothes, drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.errors import VosctlError

Array = NDArray[Any]
Look = dict[str, Any]
Rng = np.random.Generator

LAYERS = ("skin", "top", "bottom", "shoes", "hair", "extra")
"""The textures of a look, by the material's number."""
SKIN, TOP, BOTTOM, SHOES, HAIR, EXTRA = range(len(LAYERS))
TEXTURE = 256
SKINS = ((236, 200, 178), (222, 178, 150), (198, 148, 116), (160, 112, 82), (110, 74, 54), (78, 52, 40))
HAIRS = ((30, 24, 20), (60, 40, 28), (110, 76, 44), (190, 150, 90), (130, 128, 124), (20, 18, 18))


def texture(rng: Rng, photos: Sequence[Path], colour: Array | None = None) -> Array:
    """Draw a cloth, (256, 256, 3) uint8 RGB: plain, striped, checked or a piece of a photograph, uneven and grained.

    Args:
        rng: what it is drawn from.
        photos: photographs to cut pieces from.
        colour: of a plain one; any cloth by default.
    """
    kind, base = rng.random(), np.asarray(_hue(rng) if colour is None else colour, float)
    image = np.ones((TEXTURE, TEXTURE, 3)) * base
    if colour is None and kind < 0.25:
        photo = read_photo(photos[rng.integers(len(photos))])
        side = int(min(photo.shape[:2]) * rng.uniform(0.3, 1))
        top, left = rng.integers(photo.shape[0] - side + 1), rng.integers(photo.shape[1] - side + 1)
        piece = photo[top : top + side, left : left + side]
        image = cv2.resize(piece, (TEXTURE, TEXTURE), interpolation=cv2.INTER_AREA).astype(float)
    elif colour is None and kind < 0.5:
        count, other = int(rng.integers(3, 30)), _hue(rng)
        down, across = np.mgrid[:TEXTURE, :TEXTURE] / TEXTURE * count
        marked = ((down if rng.random() < 0.5 else across) % 1) < rng.uniform(0.2, 0.8)
        if rng.random() < 0.3:
            marked = ((down % 1) < 0.5) ^ ((across % 1) < 0.5)
        image[marked] = other
    uneven = cv2.resize(rng.normal(0, 1, (16, 16)), (TEXTURE, TEXTURE), interpolation=cv2.INTER_CUBIC)
    noise = uneven * rng.uniform(2, 12) + rng.normal(0, 1, (TEXTURE, TEXTURE)) * rng.uniform(1, 6)
    return np.clip(image + noise[..., None], 0, 255).astype(np.uint8)


def read_photo(path: Path) -> Array:
    """Read a photograph, (H, W, 3) uint8 RGB.

    Raises:
        VosctlError: it is no picture that can be read.
    """
    image = cv2.imread(str(path))
    if image is None:
        raise VosctlError(f"{path}: is no picture that can be read; leave it out")
    return np.asarray(image[..., ::-1])


def _hue(rng: Rng) -> Array:
    if rng.random() < 0.4:
        grey = rng.choice([rng.uniform(10, 60), rng.uniform(200, 250), rng.uniform(60, 200)])
        return np.array([1, 1, 1]) * grey + rng.normal(0, 6, 3)
    pixel = np.array([[[rng.integers(180), rng.integers(40, 255), rng.integers(40, 255)]]], np.uint8)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(float)


def draw_look(rng: Rng, photos: Sequence[Path], *, creature: bool) -> Look:
    """Draw what a body wears: its textures by `LAYERS`, and the cut of its clothes.

    A creature wears its skin, more or less: nearly all of its textures are one.
    """
    skin = np.array(SKINS[rng.integers(6)]) + rng.normal(0, 5, 3)
    look: Look = {"skin": texture(rng, photos, skin), "top": texture(rng, photos), "bottom": texture(rng, photos)}
    look["shoes"] = texture(rng, photos, _hue(rng))
    look["hair"] = texture(rng, photos, np.array(HAIRS[rng.integers(6)]) + rng.normal(0, 6, 3))
    look["extra"] = texture(rng, photos)
    look["sleeve"] = rng.choice(["none", "short", "long"])
    look["legs"] = rng.choice(["shorts", "long", "long", "skirt", "dress", "bare"])
    look["hem"], look["flare"] = rng.uniform(0.3, 0.9), rng.uniform(0.03, 0.22)
    look["hair_length"] = rng.choice([0.0, rng.uniform(0.1, 0.5)])
    look["hair_thickness"] = rng.uniform(0.008, 0.04)
    look["pack"], look["prop"] = rng.random() < 0.15, rng.random() < 0.1
    look["scale"] = rng.uniform(0.7, 2.5)
    rng.random()  # kept, so that seeds give what they gave
    if creature:
        fur = rng.random() >= 0.5
        one = (
            texture(rng, photos, np.array(HAIRS[rng.integers(6)]) * rng.uniform(0.8, 1.6))
            if fur
            else texture(rng, photos)
        )
        look.update(sleeve="none", legs=rng.choice(["bare", "bare", "skirt"]), pack=False)
        look.update(prop=rng.random() < 0.3, hair_thickness=rng.uniform(0, 0.1))
        look.update({layer: one for layer in LAYERS if rng.random() < 0.8})
    elif rng.random() < 0.1:
        look["bottom"] = look["top"]
    return look
