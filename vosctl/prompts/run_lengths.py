"""COCO's run-length encoding, read without trusting it.

pycocotools reads past the end of a string that stops within a number, so what comes from a file is decoded here.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from vosctl.prompts.json_values import Checked
from vosctl.types import Mask

_FIRST_CHARACTER = 48
_MORE, _SIGN, _BITS, _PAYLOAD = 0x20, 0x10, 5, 0x1F
_LARGEST_SHIFT = 60


def decode_runs(checked: Checked, counts: object, size: tuple[int, int]) -> Mask:
    """Decode one mask.

    Args:
        checked: names the file in errors.
        counts: a list of run lengths, or the string that COCO compresses them to. Runs go down the columns and begin
            with background.
        size: (height, width).

    Raises:
        UsageError: the counts are malformed or do not fill the image.
    """
    pixels = size[0] * size[1]
    if isinstance(counts, str):
        runs = _decompressed(checked, counts)
    else:
        runs = [checked.integer(count, "a run length", 0, pixels) for count in checked.entries(counts, "counts")]
    if any(run < 0 for run in runs) or sum(runs) != pixels:
        raise checked.fail("the run lengths of a mask do not add up to its size")
    flat = np.zeros(pixels, np.bool_)
    ends = np.cumsum([0, *runs])
    for start, end in list(pairwise(ends))[1::2]:
        flat[start:end] = True
    return flat.reshape(size[::-1]).T


def _decompressed(checked: Checked, text: str) -> list[int]:
    """Numbers of 5 bits a character, lowest first, each from the third on less the one two before it."""
    runs: list[int] = []
    number = shift = 0
    for character in text:
        code = ord(character) - _FIRST_CHARACTER
        if not 0 <= code < 2 * _MORE or shift > _LARGEST_SHIFT:
            raise checked.fail("the compressed run lengths of a mask are malformed")
        number |= (code & _PAYLOAD) << shift
        shift += _BITS
        if code & _MORE:
            continue
        if code & _SIGN:
            number -= 1 << shift
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
        number = shift = 0
    if shift:
        raise checked.fail("the compressed run lengths of a mask are cut off")
    return runs
