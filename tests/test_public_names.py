import ast
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest

import vosctl
from vosctl.video.planar import PlanarPicture


@pytest.mark.parametrize("name", vosctl.__all__)
def test_every_public_name_is_there_and_listed(name):
    assert getattr(vosctl, name) is not None
    assert name in dir(vosctl)


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="nonesuch"):
        vosctl.nonesuch  # type: ignore[attr-defined]  # noqa: B018


def test_types_are_shipped():
    assert (Path(vosctl.__file__).parent / "py.typed").is_file()


def test_listing_the_names_imports_nothing():
    code = (
        "import sys, vosctl; dir(vosctl); sys.exit(bool({'numpy', 'cv2', 'onnxruntime', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "what",
    [vosctl.Events, vosctl.Started, vosctl.Summary, vosctl.TrackedFrame, vosctl.TrackedObject, vosctl.Tracker],
    ids=lambda what: what.__name__,
)
def test_the_types_that_a_program_meets_are_public(what):
    """So that it can annotate what it overrides, takes and keeps."""
    public = {name: getattr(vosctl, name) for name in vosctl.__all__}
    described = [what, *(value for name, value in vars(what).items() if not name.startswith("_"))]
    functions = [getattr(one, "fget", None) or getattr(one, "__func__", one) for one in described]
    hints = [get_type_hints(one, localns=public) for one in functions if hasattr(one, "__annotations__")]
    met = {kind for hint in hints for given in hint.values() for kind in classes(given)}
    own = {kind for kind in met if kind.__module__.startswith("vosctl.")} - {PlanarPicture}  # the decoder's frames
    assert met
    assert own <= set(public.values())


def classes(hint):
    """The classes in an annotation."""
    inner = {kind for part in get_args(hint) for kind in classes(part)}
    kind = get_origin(hint) or hint
    return inner | {kind} if isinstance(kind, type) else inner


def test_type_checkers_see_the_names_and_no_others():
    """With a module's `__getattr__` before their eyes they would take any misspelt name for an `object`."""
    tree = ast.parse(Path(vosctl.__file__).read_text(encoding="utf-8"))
    assert "__getattr__" not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    seen = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {alias.name for node in seen.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported == set(vosctl.__all__) - {"__version__"}
