"""The exported folder: two graphs that share one file of weights, and a README that runs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
from onnx.external_data_helper import set_external_data

from vosctl.errors import UsageError
from vosctl.video.leftovers import clean_and_log, find, is_claim
from vosctl.video.sinks.checks import check_parents
from vosctl.video.staging import StagedDirectory, write_errors

WEIGHTS_FILE = "weights.bin"
FILES = ("reference.onnx", "step.onnx", WEIGHTS_FILE, "README.md")
ALIGNMENT = 64  # bytes, of a tensor in the file of weights: a cache line
SMALLEST_SHARED = 64  # bytes; smaller constants stay in the graphs


@contextmanager
def staged_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Make a folder to fill, which takes the name `folder` when the block ends without an error.

    Raises:
        UsageError: `folder` exists and may not be replaced.
    """
    check_replaceable(folder, overwrite=overwrite)
    clean_and_log(folder)
    staged = StagedDirectory(folder, overwrite=overwrite)
    try:
        with write_errors(folder):
            yield staged.partial
        staged.commit()
    except BaseException:
        staged.discard()
        raise


def check_replaceable(folder: Path, *, overwrite: bool) -> None:
    """Refuse what cannot be made, and to replace what was not asked to be replaced or holds anything but an export.

    Raises:
        UsageError: says which.
    """
    check_parents("folder", folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder}: is a file; give another `folder`")
    left = {path.name for path in find(folder)}  # a killed run's, removed when the folder is opened
    present = [path.name for path in folder.iterdir() if not is_claim(path) and path.name not in left]
    if other := next((name for name in present if name not in FILES), None):
        raise UsageError(f"{folder}: holds other files than an export ({other}); give another `folder`")
    if not overwrite and present:
        raise UsageError(f"{folder}: exists; give another `folder`, or add `overwrite=True`")


def write_graphs(graphs: dict[str, onnx.ModelProto], folder: Path) -> None:
    """Write graphs whose weights lie in one file beside them, each distinct one once.

    Args:
        graphs: by name of the file without suffix; their weights are moved out of them.
        folder: an existing folder.
    """
    offsets: dict[bytes, int] = {}
    with (folder / WEIGHTS_FILE).open("wb") as file:
        for model in graphs.values():
            for tensor in model.graph.initializer:
                content = tensor.raw_data
                if len(content) < SMALLEST_SHARED:
                    continue
                if content not in offsets:
                    file.write(b"\0" * (-file.tell() % ALIGNMENT))
                    offsets[content] = file.tell()
                    file.write(content)
                set_external_data(tensor, WEIGHTS_FILE, offsets[content], len(content))
                tensor.ClearField("raw_data")
    for name, model in graphs.items():
        path = folder / f"{name}.onnx"
        onnx.save(model, path)
        onnx.checker.check_model(str(path), full_check=True)
