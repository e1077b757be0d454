"""Flags are named in `vosctl/cli` alone: elsewhere a message names the parameter, which Python users have too."""

import ast
import re
from pathlib import Path

import pytest

import vosctl

PACKAGE = Path(vosctl.__file__).parent
MODULES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).parts[0] not in ("cli", "_weights")
)
OTHER_PROGRAMS = re.compile(
    r"`vosctl [^`]*`"  # a whole command line may be quoted
    r"|(python -m )?pip (un)?install[^`,;)]*|--(force-reinstall|query-gpu=|format=|gpus)\S*"  # other programs' own
)


def strings_of(tree):
    """Every string of a module with its line; an f-string as one, with {} for its values."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, node.value


def flags_named(source):
    for line, text in strings_of(ast.parse(source)):
        if re.search(r"(?<![\w-])--[a-z{]", OTHER_PROGRAMS.sub("", text)):
            yield line, text


@pytest.mark.parametrize("module", MODULES)
def test_no_message_names_a_flag(module):
    assert not list(flags_named((PACKAGE / module).read_text("utf-8")))


def test_a_flag_would_be_found():
    source = 'f"--{name}: wrong"\n"pip install --force-reinstall x; use --device cpu"\n"run `vosctl eval --set all`"\n'
    assert [line for line, _ in flags_named(source)] == [1, 2]
    assert list(flags_named('"""Follow on the full frame: `--window off`."""'))
