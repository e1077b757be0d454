"""Groups of options: each reaches its command as one request object."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import fields
from functools import wraps
from typing import Any

import click

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]


def grouped(name: str, request: type[Any], *options: Decorator) -> Decorator:
    """Give a command some options as one parameter.

    Args:
        name: the parameter.
        request: a dataclass; its fields are the options' values, by their names.
        options: `click.option`s, in the order in which the help shows them.
    """
    taken = [field.name for field in fields(request)]

    def decorate(command: Function) -> Function:
        @wraps(command)
        def make_request(*arguments: Any, **values: Any) -> Any:
            # a request can have fields that not every command has options for
            given = {key: values.pop(key) for key in taken if key in values}
            return command(*arguments, **{name: request(**given)}, **values)

        with_request: Function = make_request
        for option in reversed(options):
            with_request = option(with_request)
        return with_request

    return decorate


def borrowed(command: click.Command, *names: str) -> Decorator:
    """Give a command options of another one, as they are there.

    Args:
        command: has them.
        names: of its parameters, in the order in which the help shows them.
    """
    found = {option.name: option for option in command.params}
    options = [copy(found[name]) for name in names]

    def decorate(function: Function) -> Function:
        given = getattr(function, "__click_params__", [])
        function.__click_params__ = [*given, *reversed(options)]  # type: ignore[attr-defined]  # as click.option does
        return function

    return decorate


class OnceOption(click.Option):
    """An option whose second value does not take the place of its first one: both are meant, and one would be lost."""


class ListOption(click.Option):
    """An option that may be repeated; in its environment variable, `;` stands between the values."""

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Split the environment variable at `;`."""
        text = self.resolve_envvar_value(ctx)
        return None if text is None else tuple(part.strip() for part in text.split(";") if part.strip())


def repeatable(*flags: str, **settings: Any) -> Decorator:
    """Return `click.option` for one that may be repeated."""
    return click.option(*flags, cls=ListOption, multiple=True, **settings)
