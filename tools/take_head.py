"""Take a head out of weights that were trained by `only`, into a file of its own beside the weights it belongs to.

    python tools/take_head.py run/last.safetensors outline --of lite -o lite-outline.safetensors

It is small, and goes with the weights whose features it reads: all that the two files have besides must be the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vosctl.errors import VosctlError, told_in_a_line
from vosctl.network.table import part_of
from vosctl.weights.checkpoint import load_checkpoint, write_head
from vosctl.weights.files import make_folder_of
from vosctl.weights.registry import HEADS


def take_head(trained: str, head: str, of: str, output: Path) -> None:
    """Write the tensors of a head.

    Args:
        trained: weights with the head, a file or a registered name.
        head: which one.
        of: the weights that it was trained on.
        output: the file to write.

    Raises:
        UsageError: the file cannot be written.
        VosctlError: the weights have no such head, or differ in more than heads.
    """
    make_folder_of(output)
    found, trunk = load_checkpoint(trained), load_checkpoint(of)
    tensors = {key: array for key, array in found.arrays.items() if part_of(key) == head}
    if not tensors:
        raise VosctlError(f"{found.path}: has no head for {head}")
    for key, array in trunk.floats().items():
        if part_of(key) not in HEADS and not np.array_equal(found.floats()[key], array):
            raise VosctlError(f"{found.path}: {key} is not that of {trunk.path.name}; the head goes with other weights")
    write_head(output, tensors, found.network, trunk.sha256)


@told_in_a_line()
def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", help="weights with the head")
    parser.add_argument("head", choices=HEADS)
    parser.add_argument("--of", required=True, help="weights that it was trained on")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args(argv)
    take_head(arguments.trained, arguments.head, arguments.of, arguments.output)


if __name__ == "__main__":
    main()
