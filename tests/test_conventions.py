"""What the tests keep to themselves."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def paths_patched(source):
    """Lines on which something is patched by a path in words, such as `monkeypatch.setattr("vosctl.x.y", ...)`."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id) in {"setattr", "patch"}
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    ]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('monkeypatch.setattr("vosctl.engine.table.backends", {})', [1]),
        ('\nwith mock.patch("vosctl.x"): pass', [2]),
        ('@patch("vosctl.x")\ndef test(): pass', [1]),
        ('monkeypatch.setattr(sys, "platform", "linux"); monkeypatch.setenv("HOME", "x")', []),
    ],
)
def test_what_counts_as_patching_by_path(source, lines):
    assert paths_patched(source) == lines


def test_nothing_is_patched_by_import_path():
    """Inject an argument or register a fake instead: a path in words goes stale without an error."""
    found = {str(path.relative_to(TESTS)): paths_patched(path.read_text("utf-8")) for path in TESTS.rglob("*.py")}
    assert {name: lines for name, lines in found.items() if lines} == {}
