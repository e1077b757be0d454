"""From the numbers of a mask to object ids.

- ids: kept, those above 255 are renumbered in their order.
- grey values: two are the background and the object (the brighter); beside black an id up to 32 is kept, anything
  brighter is object 1. More values are ids.
- colours: black is the background, every other colour an object, numbered from 1 in the order in which they appear
  (rows from the top, left to right). Without black the background is the colour that fills the image's border, else one
  that is nearly black, else the darker of two.

Values that stand for "void" become background: 255 (65535) beside ids up to 32, as in DAVIS and VOC; VOC's colour for
it; 10000 beside the four-digit ids of KITTI MOTS. What was a choice is noted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import UsageError
from vosctl.prompts.mask_image import MaskPixels
from vosctl.prompts.soft_mask import Palette, dropped, is_soft, obvious_cut, snap, tabulate
from vosctl.prompts.specks import has_specks
from vosctl.types import Labels

MAX_OBJECTS = 255
LARGEST_ID_OF_PAINT = 32
"""Grey values up to here are taken for ids, brighter ones for paint."""
_VOIDS = (255, 65535)
_VOID_COLOUR = (224, 224, 192)
_MOTS_VOID, _MOTS_IDS = 10_000, (1000, 9999)
_BRIGHTEST_ID_IN_JPEG = 96
_NEARLY_BLACK = 16
_FILLED_BORDER = 0.95
_MOST_NAMED = 8
_REDRAW = "save it without anti-aliasing, as an indexed or black and white PNG"
_NO_BACKGROUND = "no pixel of the mask is black; leave everything but the objects black"


def labels_of(path: Path, pixels: MaskPixels, fix: bool, notes: list[str]) -> Labels:
    """Give every pixel of a mask the id of its object.

    Args:
        path: the mask's file, for messages.
        pixels: what it holds.
        fix: whether soft edges without an obvious cut may be hardened.
        notes: what was changed or chosen is added to it.

    Raises:
        UsageError: soft edges or a picture, no background, more than 255 objects, negative values.
    """
    if pixels.values.min() < 0:
        raise UsageError(f"{path}: holds negative values; number the objects from 1, the background is 0")
    table = tabulate(pixels.values)
    if pixels.kind == "ids":
        return _ids(path, table, notes, two_are_ids=True)
    if pixels.lossy and pixels.kind == "grey" and table.colours.max() <= _BRIGHTEST_ID_IN_JPEG:
        raise UsageError(f"{path}: a JPEG does not keep object ids as they are; save the mask as PNG")
    numbered = pixels.kind == "grey" and table.colours.max() <= LARGEST_ID_OF_PAINT
    if len(table.colours) > 2 and not numbered and is_soft(table, pixels.values):
        values = pixels.values
        if pixels.kind == "grey" and values.max() > 255:
            values = np.rint(values * (255 / values.max())).astype(np.int64)
            table = tabulate(values)
        table = _hardened(path, table, values, fix, notes)
    elif len(table.colours) > 2 and pixels.kind == "grey" and has_specks(pixels.values):
        raise UsageError(
            f"{path}: was a JPEG once, whose specks along the edges ({len(table.colours)} different values) would be "
            "objects; export it as PNG from the start, or paint them out and save an indexed PNG"
        )
    return _ids(path, table, notes) if table.colours.shape[1] == 1 else _painted(path, table, notes)


def _hardened(
    path: Path, table: Palette, pixels: NDArray[np.int64] | NDArray[np.uint8], fix: bool, notes: list[str]
) -> Palette:
    """Return the mask with every pixel on one side of its soft edges."""
    snapped = snap(table)
    obvious = snapped is not None and obvious_cut(table, snapped)
    if not (fix or obvious):
        raise UsageError(
            f"{path}: the mask has soft edges ({len(table.colours)} different values); {_REDRAW}, "
            "or use `fix_mask=True` to have each pixel go to the nearer side"
        )
    if snapped is None:
        raise UsageError(f"{path}: looks like a picture, not a mask, and cannot be fixed; {_REDRAW}")
    notes.append(f"soft edges ({len(table.colours)} different values): each pixel went to the nearer side")
    if lost := dropped(table, pixels, snapped):
        named = ", ".join(f"{_name(colour)} ({count} pixels)" for colour, count in lost[:_MOST_NAMED])
        notes.append(f"too thin beside soft edges, given to what lies around it: {named}")
    return snapped


def _ids(path: Path, table: Palette, notes: list[str], *, two_are_ids: bool = False) -> Labels:
    """Labels of ids and grey values."""
    values = table.colours[:, 0]
    if two_are_ids and values.tolist() == [0, 255]:
        return table.index.astype(np.uint8)
    if len(values) == 2 and not two_are_ids and not (values[0] == 0 and values[1] <= LARGEST_ID_OF_PAINT):
        return _brighter(table, notes)
    values = _without_void(values, notes)
    ids = values[values > 0]
    if len(ids) > MAX_OBJECTS:
        raise UsageError(f"{path}: holds {len(ids)} object ids; {MAX_OBJECTS} objects are the most")
    if ids.size and ids.max() > MAX_OBJECTS:
        numbers = np.where(values > 0, np.searchsorted(ids, values) + 1, 0)
        pairs = [f"{old} is now {new}" for old, new in zip(ids, range(1, len(ids) + 1), strict=True)]
        notes.append(f"ids above {MAX_OBJECTS}, renumbered: {_some(pairs)}")
        values = numbers
    return np.asarray(values.astype(np.uint8)[table.index])


def _brighter(table: Palette, notes: list[str]) -> Labels:
    """Return the brighter of two grey values as object 1."""
    dark, bright = (int(value) for value in table.colours[:, 0])
    if dark > 0:
        notes.append(f"no black: the darker value, {dark}, is read as background and {bright} as object 1")
    elif bright != 255 and bright != 65535:
        notes.append(f"value {bright} beside black is read as object 1")
    if _border_colour(table) == 1:
        notes.append("the object is the bright part, which fills the border; if it is the background, invert the mask")
    return table.index.astype(np.uint8)


def _without_void(values: NDArray[np.int64], notes: list[str]) -> NDArray[np.int64]:
    """Return the value of each row of the table, with 0 for what means "void"."""
    for void in _VOIDS:
        ids = values[(values > 0) & (values < void)]
        if void in values and len(ids) and ids.max() <= LARGEST_ID_OF_PAINT and values.max() == void:
            notes.append(f"value {void} beside the ids {', '.join(map(str, ids))} means void: read as background")
            return np.where(values == void, 0, values)
    ids = values[(values > 0) & (values != _MOTS_VOID)]
    if _MOTS_VOID in values and len(ids) and _MOTS_IDS[0] <= ids.min() and ids.max() <= _MOTS_IDS[1]:
        notes.append(f"value {_MOTS_VOID} beside ids of four digits is KITTI MOTS's void: read as background")
        return np.where(values == _MOTS_VOID, 0, values)
    return values


def _painted(path: Path, table: Palette, notes: list[str]) -> Labels:
    """Labels of painted objects."""
    background = {_background(path, table, notes)}
    void = np.flatnonzero((table.colours == _VOID_COLOUR).all(axis=1)).tolist()
    if void and len(table.colours) > 2 and void[0] not in background:
        notes.append(f"the colour {_name(_VOID_COLOUR)} is VOC's void: read as background")
        background.add(void[0])
    present, first = np.unique(table.index, return_index=True)
    objects = [region for region in present[first.argsort()] if region not in background]
    if len(objects) > MAX_OBJECTS:
        raise UsageError(f"{path}: holds {len(objects)} colours; {MAX_OBJECTS} objects are the most")
    numbers = np.zeros(len(table.colours), np.uint8)
    numbers[objects] = np.arange(1, len(objects) + 1)
    filling = _border_colour(table)
    if filling is not None and numbers[filling]:
        notes.append(
            f"object {numbers[filling]}, {_name(table.colours[filling])}, fills the border; if it is the background, "
            "paint that black and nothing else"
        )
    return np.asarray(numbers[table.index])


def _background(path: Path, table: Palette, notes: list[str]) -> int:
    """Return the row of the background's colour; -1 when the one colour is an object's."""
    colours = table.colours
    darkest = int((colours @ (0.299, 0.587, 0.114)).argmin())
    if not colours[darkest].any():
        return darkest
    if len(colours) == 1:
        return -1
    filling = _border_colour(table)
    if filling is not None:
        notes.append(f"no black: {_name(colours[filling])}, which fills the border, is read as background")
        return filling
    if colours[darkest].max() <= _NEARLY_BLACK:
        notes.append(f"no black: {_name(colours[darkest])}, the darkest, is read as background")
        return darkest
    if len(colours) == 2:
        notes.append(f"no black: the darker colour, {_name(colours[darkest])}, is read as background")
        return darkest
    raise UsageError(f"{path}: {_NO_BACKGROUND}")


def _border_colour(table: Palette) -> int | None:
    """Return the row of the colour that fills the image's border, None where there is none."""
    index = table.index
    border = np.concatenate([index[0], index[-1], index[:, 0], index[:, -1]])
    counts = np.bincount(border, minlength=len(table.colours))
    row = int(counts.argmax())
    return row if counts[row] >= _FILLED_BORDER * len(border) else None


def _name(colour: NDArray[np.int64] | tuple[int, ...]) -> str:
    numbers = [int(number) for number in colour]
    return f"value {numbers[0]}" if len(numbers) == 1 else "#" + "".join(f"{number:02x}" for number in numbers)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
