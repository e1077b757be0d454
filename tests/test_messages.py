"""Flags are named in `vosctl/cli` alone: elsewhere a message names the parameter, which Python users have too."""

import ast
import re
from pathlib import Path

import click
import pytest

import vosctl
from vosctl.cli import COMMANDS, cli
from vosctl.cli.wording import Wording

PACKAGE = Path(vosctl.__file__).parent
REPOSITORY = PACKAGE.parent
MODULES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).parts[0] not in ("cli", "_weights")
)
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for path in (*REPOSITORY.glob("*.md"), *REPOSITORY.glob("[!.]*/*.md"))
    if path.name != "CHANGELOG.md"  # it tells of what was, too
)
SEGMENT = "`vosctl segment --resume`"
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


def commands():
    """Every command and its flags, by how it is typed behind `vosctl`."""
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in COMMANDS}
    for name, group in [(name, one) for name, one in found.items() if isinstance(one, click.Group)]:
        found |= {f"{name} {one}": group.get_command(context, one) for one in group.list_commands(context)}
    return {
        name: {"-h", "--help", *(flag for one in command.params for flag in (*one.opts, *one.secondary_opts))}
        for name, command in found.items()
        if command is not None
    }


def cannot_be_typed(text, known):
    """Command lines of vosctl in a text whose command or flags there are not."""
    for line in re.findall(r"\bvosctl ((?:[a-z]|--)[^`\n|#]*)", text.replace("\\\n", " ")):
        name, *words = line.split(" ")
        if words and f"{name} {words[0]}" in known:
            name = f"{name} {words[0]}"
        flags = [word.rstrip(").,:;'") for word in words if re.match(r"--?[a-z]", word)]
        if name in known and not known[name].issuperset(flag.partition("=")[0] for flag in flags):
            yield line


@pytest.mark.parametrize("name", DOCUMENTS)
def test_command_lines_in_documents_can_be_typed(name):
    assert not list(cannot_be_typed((REPOSITORY / name).read_text("utf-8"), commands()))


@pytest.mark.parametrize("module", MODULES)
def test_command_lines_in_messages_can_be_typed(module):
    known = commands()
    for line, text in strings_of(ast.parse((PACKAGE / module).read_text("utf-8"))):
        for quoted in re.findall(r"`(vosctl [^`{]+)", text):
            assert not list(cannot_be_typed(quoted, known)), (line, quoted)
            name = quoted.split()[1]
            assert name.startswith("-") or name in known or name == "...", (line, quoted)


def test_a_command_line_that_cannot_be_typed_would_be_found():
    text = "run `vosctl segment --resume a.vostrack`, or `vosctl render --engine torch a.vostrack`"
    assert list(cannot_be_typed(text, commands())) == ["render --engine torch a.vostrack"]


@pytest.mark.parametrize(("command", "shown"), [("segment", "--resume"), ("render", SEGMENT), ("webcam", SEGMENT)])
def test_what_goes_on_with_a_track_is_named_as_a_command_where_it_is_another_one(command, shown):
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    assert Wording.of(found)("go on with it with `resume`") == f"go on with it with {shown}"
