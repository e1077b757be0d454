"""Each object's colour in the overlay: one that stands out from the object and from what surrounds it."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.errors import UsageError
from vosctl.types import RGB, Labels, RGBImage

# The hues of the DAVIS palette in its order, brightened to stand out from a photograph; id 1 first.
_COLOURS: tuple[RGB, ...] = (
    (255, 56, 72),
    (48, 209, 88),
    (255, 204, 0),
    (48, 128, 255),
    (214, 64, 255),
    (0, 212, 228),
    (255, 136, 24),
    (150, 110, 255),
    (168, 224, 32),
    (255, 92, 168),
    (0, 184, 148),
    (196, 140, 92),
)
_GOLDEN_RATIO = 0.618034
_SAMPLES = 4000
"""Pixels of an object, and as many around it, that a colour is compared with."""
_LONGEST_SIDE = 480
"""Pixels of the picture that colours are compared on."""
_RING = 0.15
"""Width of the surroundings over the square root of the object's area."""
_NEAREST_SHARE = 20.0
"""Percent of the pixels that may be nearer to a colour than it is said to stand out."""
_STANDS_OUT = 25.0
"""Difference from which an object keeps the colour of its id."""
_DISTINCT = 16.0
"""Difference that two objects' colours have where there are enough colours."""
_ENTRY = re.compile(r"(?:(?P<id>\d{1,9})=)?(?P<colour>[A-Za-z]+|#[0-9A-Fa-f]{3}|#[0-9A-Fa-f]{6})")


def object_colour(object_id: int) -> RGB:
    """Return the colour of an object where nothing is known of the picture.

    Args:
        object_id: 1..255.

    Returns:
        Red, green and blue, 0..255: the hue of the id in the DAVIS palette while the twelve hand-picked ones last, then
        hues spread by the golden ratio.
    """
    if object_id <= len(_COLOURS):
        return _COLOURS[object_id - 1]
    turn = object_id - len(_COLOURS)
    saturation, value = ((0.75, 1.0), (0.55, 0.95), (0.9, 0.8))[turn % 3]
    red, green, blue = colorsys.hsv_to_rgb(turn * _GOLDEN_RATIO % 1.0, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


@dataclass(frozen=True, slots=True)
class ColourRequest:
    """The colours that a user set.

    Attributes:
        by_id: of single objects.
        in_order: of the first object, the second, ... of those that `by_id` does not name.
    """

    by_id: Mapping[int, RGB] = field(default_factory=dict)
    in_order: tuple[RGB, ...] = ()

    @classmethod
    def parse(cls, text: str) -> ColourRequest:
        """Read colours as they are typed: `red,#00ff00` in the objects' order, `2=#00ff00` for object 2; "" sets none.

        Raises:
            UsageError: an entry is no colour, an id is not 1..255, or is there twice.
        """
        from PIL import ImageColor

        if not isinstance(cast(object, text), str):
            raise UsageError(f"`colors={text!r}`: give one text, such as 'red,#00ff00' or '2=blue'")
        by_id: dict[int, RGB] = {}
        in_order: list[RGB] = []
        for entry in text.split(",") if text else ():
            match = _ENTRY.fullmatch(entry.strip())
            try:
                colour = ImageColor.getrgb(match["colour"])[:3] if match else None
            except ValueError:
                colour = None
            if match is None or colour is None:
                raise UsageError(
                    f"`colors={text!r}`: {entry.strip() or 'nothing'} is no colour; "
                    "give names or #rrggbb, such as red,#00ff00 or 2=blue"
                )
            if match["id"] is None:
                in_order.append(colour)
                continue
            object_id = int(match["id"])
            if not 1 <= object_id <= 255:
                raise UsageError(f"`colors={text!r}`: objects are numbered from 1 to 255")
            if object_id in by_id:
                raise UsageError(f"`colors={text!r}`: object {object_id} is there twice; keep one of them")
            by_id[object_id] = colour
        return cls(by_id, tuple(in_order))

    def __bool__(self) -> bool:
        return bool(self.by_id or self.in_order)


class ObjectColours(dict[int, RGB]):
    """The colour of each object, decided when it is first seen and then kept.

    Args:
        request: what the user set.
    """

    def __init__(self, request: ColourRequest | None = None) -> None:
        super().__init__()
        self._request = request or ColourRequest()
        self._left = list(self._request.in_order)

    def __missing__(self, object_id: int) -> RGB:
        return object_colour(object_id)

    def see(self, image: RGBImage, labels: Labels, ids: Iterable[int]) -> None:
        """Decide the colours of those objects that have none yet.

        The same picture gives the same colours. The user's come first; then an object keeps the colour of its id where
        that stands out from the object and its surroundings and differs from the others', else it gets the one that
        does so most.

        Args:
            image: (H, W, 3) uint8 RGB.
            labels: (H, W) uint8.
            ids: of the objects that are in `labels`.
        """
        new = sorted(set(ids) - self.keys())
        for object_id in new:
            if object_id in self._request.by_id:
                self[object_id] = self._request.by_id[object_id]
            elif self._left:
                self[object_id] = self._left.pop(0)
        new = [object_id for object_id in new if object_id not in self]
        if not new:
            return
        scale = min(1.0, _LONGEST_SIDE / max(labels.shape))
        size = max(1, round(labels.shape[1] * scale)), max(1, round(labels.shape[0] * scale))
        picture = _lab(np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8))
        small = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        for object_id in new:
            self[object_id] = self._choose(object_id, picture, small == object_id)

    def _choose(self, object_id: int, picture: NDArray[np.float32], mask: NDArray[np.bool_]) -> RGB:
        own = object_colour(object_id)
        if not mask.any():
            return own
        candidates = (own, *(colour for colour in _COLOURS if colour != own))
        standing_out = _standing_out(candidates, picture, mask)
        apart = np.full(len(candidates), np.inf)
        if self:
            used = _lab_of(tuple(self.values()))
            apart = colour_difference(_lab_of(candidates)[:, None], used).min(axis=1)
        if standing_out[0] >= _STANDS_OUT and apart[0] >= _DISTINCT:
            return own
        # Colours too near to another object's count as far as they differ from it.
        scores = np.where(apart >= _DISTINCT, standing_out, np.minimum(standing_out, apart) - _DISTINCT)
        return candidates[int(scores.argmax())]


def _standing_out(
    candidates: tuple[RGB, ...], picture: NDArray[np.float32], mask: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return (N,) how much each colour differs from nearly all pixels of the object, and from nearly all around it."""
    width = 2 * max(2, round(_RING * float(np.sqrt(mask.sum())))) + 1
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((width, width), np.uint8)) > 0
    colours = _lab_of(candidates)
    result = np.full(len(candidates), np.inf)
    for part in (mask, grown & ~mask):
        pixels = picture[part]
        if len(pixels):
            pixels = pixels[:: -(-len(pixels) // _SAMPLES)]
            differences = colour_difference(colours[:, None], pixels)
            result = np.minimum(result, np.percentile(differences, _NEAREST_SHARE, axis=1))
    return result


def colour_difference(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how different colours look: CIE94, in which vivid colours are nearer to each other than in CIELAB.

    Args:
        first: (..., 3) CIELAB.
        second: (..., 3) CIELAB, of a shape that fits.

    Returns:
        (...) differences; 2 can be seen side by side, 50 is that of black and a middle grey.
    """
    apart = first - second
    chroma = np.hypot(first[..., 1], first[..., 2]), np.hypot(second[..., 1], second[..., 2])
    mean = np.sqrt(chroma[0] * chroma[1])
    by_chroma = (chroma[0] - chroma[1]) ** 2
    by_hue = np.maximum(apart[..., 1] ** 2 + apart[..., 2] ** 2 - by_chroma, 0)
    weighted = apart[..., 0] ** 2 + by_chroma / (1 + 0.045 * mean) ** 2 + by_hue / (1 + 0.015 * mean) ** 2
    return np.asarray(np.sqrt(weighted), np.float64)


def _lab_of(colours: tuple[RGB, ...]) -> NDArray[np.float32]:
    """Return (N, 3) float32 CIELAB."""
    return np.asarray(_lab(np.array([colours], np.uint8))[0])


def _lab(image: RGBImage) -> NDArray[np.float32]:
    """Return (H, W, 3) float32 CIELAB: lightness 0..100, two colour axes of about -128..127."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
