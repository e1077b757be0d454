"""Average weights of one network, such as those before and after a training, into the files that are shipped.

    python tools/mean_weights.py lite run/last.safetensors --shares 1,2 --presence lite -o lite.safetensors

The mean of two points of one training is often better than either, and keeps more of what the first one could. Heads
are written beside the weights, with their digest. A head for presence is never averaged: it reads features of the
weights that it was trained on. `--presence` takes one along as it is; whether it still tells has to be measured
(`benchmarks/presence.py`).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import UsageError, VosctlError, told_in_a_line
from vosctl.network.table import part_of
from vosctl.weights.checkpoint import load_checkpoint, write_head
from vosctl.weights.files import make_folder_of, write_whole
from vosctl.weights.formats import Array, kept_in_full, safetensors_bytes
from vosctl.weights.registry import HEADS, file_sha256, head_file

PRESENCE = "presence"


def mean_weights(
    weights: Sequence[str], output: Path, presence: str | None = None, shares: Sequence[float] | None = None
) -> None:
    """Write the mean of weights, and beside it those of their heads.

    Args:
        weights: files or registered names, of one network.
        output: the file to write.
        presence: weights whose head for presence is taken along.
        shares: of each in the mean, in any unit; equal ones by default.

    Raises:
        UsageError: other than one share for each, or none above 0; the file cannot be written.
        VosctlError: they are of several networks, one has a head that another lacks, or there is no such head.
    """
    make_folder_of(output)
    shares = [1.0] * len(weights) if shares is None else shares
    if len(shares) != len(weights) or min(shares) < 0 or sum(shares) <= 0:
        raise UsageError(f"`shares={list(shares)}`: give one number, 0 or more, for each of {len(weights)} weights")
    found = [load_checkpoint(one) for one in weights]
    for one in found[1:]:
        if one.network != found[0].network:
            raise VosctlError(f"{one.path}: of a {one.network} network, {found[0].path.name} of {found[0].network}")
    values = [{key: array for key, array in one.floats().items() if part_of(key) != PRESENCE} for one in found]
    for one, other in zip(found[1:], values[1:], strict=True):
        if differing := sorted(values[0].keys() ^ other.keys()):
            raise VosctlError(f"{one.path}: {differing[0]} is only in one of the two, this one or {found[0].path.name}")
    mean = {key: np.average([one[key] for one in values], axis=0, weights=shares) for key in values[0]}
    heads: dict[str, dict[str, NDArray[np.float32]]] = {
        head: {key: array for key, array in mean.items() if part_of(key) == head} for head in HEADS
    }
    if presence is not None:
        known = load_checkpoint(presence)
        heads[PRESENCE] = {key: array for key, array in known.floats().items() if part_of(key) == PRESENCE}
        if not heads[PRESENCE]:
            raise VosctlError(f"{known.path}: has no head for presence")
    trunk = {key: array for key, array in mean.items() if part_of(key) not in HEADS}
    network = found[0].network
    write_whole(output, safetensors_bytes(_stored(trunk), {"network": network}))
    for head, arrays in heads.items():
        if arrays:
            write_head(head_file(output, head), _stored(arrays), network, file_sha256(output))


def _stored(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, Array]:
    """Return values in the types that they are stored in."""
    return {key: array.astype(np.float32 if kept_in_full(key) else np.float16) for key, array in arrays.items()}


@told_in_a_line()
def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="+", help="files or registered names")
    parser.add_argument("--shares", type=lambda text: [float(one) for one in text.split(",")], help="such as 4,3,3")
    parser.add_argument("--presence", help="weights whose head for presence is taken along as it is")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args(argv)
    mean_weights(arguments.weights, arguments.output, arguments.presence, arguments.shares)


if __name__ == "__main__":
    main()
