"""Options from the environment: VOSCTL_DEVICE for every command that has --device, VOSCTL_SEGMENT_DEVICE for one.

The command's own comes first. In that of an option that may be repeated, `;` stands between the values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches

import click
from click.core import ParameterSource

PREFIX = "VOSCTL_"
OTHERS = {"VOSCTL_HOME", "VOSCTL_DEBUG"}
"""Variables that are no options."""


def name_variables(context: click.Context) -> None:
    """Give every option of the context's command its variables."""
    for option in _options(context.command):
        option.envvar = _variables(_words_of(context), option)


def variable_of(context: click.Context, parameter: click.Parameter) -> str | None:
    """Return the environment variable that a parameter's value is from; None where it is from somewhere else."""
    if parameter.name is None or context.get_parameter_source(parameter.name) is not ParameterSource.ENVIRONMENT:
        return None
    return next((name for name in parameter.envvar or () if os.environ.get(name)), None)


def from_variables(context: click.Context, message: str) -> str:
    """Return what to add to a message: which of the options that it names nobody typed, as they are variables'."""
    found = []
    for option in _options(context.command):
        flag = _flag(option)
        if (variable := variable_of(context, option)) and re.search(rf"(?<![\w-]){flag}(?![\w-])", message):
            found.append(f"{flag} is from {variable}")
    return f" ({', '.join(found)})" if found else ""


def unknown_variables(context: click.Context) -> Iterator[tuple[str, str | None]]:
    """Find variables that look like vosctl's and are not, each with the name that was probably meant."""
    set_here = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in OTHERS)
    if not set_here:
        return
    root = context.find_root()
    known = OTHERS | set(_all_variables(root.command, (), root))
    for name in set_here:
        if name not in known:
            close = get_close_matches(name.removeprefix(PREFIX), [one.removeprefix(PREFIX) for one in known], 1, 0.75)
            yield name, next((PREFIX + one for one in close), None)


def _all_variables(command: click.Command, words: tuple[str, ...], context: click.Context) -> Iterator[str]:
    for option in _options(command):
        yield from _variables(words, option)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (one := command.get_command(context, name)) is not None:
                yield from _all_variables(one, (*words, name), context)


def _words_of(context: click.Context) -> tuple[str, ...]:
    """Return the words that name the context's command, without the program's, which may be `python -m vosctl`."""
    return () if context.parent is None else (*_words_of(context.parent), context.info_name or "")


def _options(command: click.Command) -> list[click.Option]:
    return [one for one in command.params if isinstance(one, click.Option) and one.expose_value]


def _variables(words: tuple[str, ...], option: click.Option) -> list[str]:
    """Return the names of an option's variables, those of the command of these words ("weights", "import") first."""
    flag = _flag(option).lstrip("-")
    names = ["_".join((*words, flag)), flag]
    return [PREFIX + name.replace("-", "_").upper() for name in names]


def _flag(option: click.Option) -> str:
    return max(option.opts, key=len)
