"""What every command of vosctl has in common: its errors, worded for the terminal."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import IO, Any, NoReturn

import click

from vosctl.cli.environment import from_variables, name_variables, unknown_variables, variable_of
from vosctl.cli.groups import OnceOption
from vosctl.cli.wording import Wording, in_one_line
from vosctl.errors import UsageError, VosctlError
from vosctl.memory_limit import words_of_limit


class CommandError(click.ClickException):
    """A `VosctlError` on its way to the terminal: its one line, worded for the command, and its exit status."""

    def __init__(self, context: click.Context, error: VosctlError, wording: Wording) -> None:
        message = wording(str(error))
        message += from_variables(context, message)
        if not isinstance(error, UsageError):  # what has no memory fails as a file, a codec or a library
            message += words_of_limit()
        super().__init__(in_one_line(message))
        self.exit_code = error.exit_code  # type: ignore[misc]


class MistypedError(click.UsageError):
    """A command line that click cannot read, in one line like every other error, with where to read more."""

    def __init__(self, error: click.UsageError) -> None:
        super().__init__(error.message, error.ctx)
        self._error = error

    def format_message(self) -> str:
        """Return what is wrong, and the command whose help says what is right."""
        line = " ".join(self._error.format_message().split()).rstrip(".")
        return line if self.ctx is None else f"{line}; see `{self.ctx.command_path} --help`"

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        click.echo(f"Error: {self.format_message()}", err=file is None, file=file)


def fail(context: click.Context, error: VosctlError, wording: Wording) -> NoReturn:
    """End a command with its error's line and exit status; with the status alone where there is nothing to tell."""
    if error.silent:
        context.exit(error.exit_code)
    raise CommandError(context, error, wording) from error


class VosctlCommand(click.Command):
    """A command whose errors name its own flags.

    Args:
        spelled: how parameters of the library are spelled here, where the names differ; see `Wording`.
    """

    def __init__(self, *arguments: Any, spelled: Mapping[str, str] | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.spelled = spelled or {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line, and name the environment variables that no option has."""
        name_variables(ctx)
        if not ctx.resilient_parsing:
            for name, meant in unknown_variables(ctx):
                guess = f"; is {meant} meant?" if meant else ""
                click.echo(f"Warning: {name}: no option has this environment variable{guess}", err=True)
        given = list(args)  # click takes the arguments out of the list that it reads
        try:
            left = super().parse_args(ctx, args)
            if not ctx.resilient_parsing:
                self._check_given_once(ctx, given)
            return left
        except click.NoSuchOption as error:
            file = next((one for one in given if one.startswith("-") and os.path.lexists(one)), None)
            if file is None:
                raise
            raise click.UsageError(f"{file} is read as an option; name the file ./{file}", ctx) from error
        except click.BadParameter as error:
            if error.param is not None and (variable := variable_of(ctx, error.param)):
                message = f"{error.message} (from {variable})"
                raise click.BadParameter(message, ctx, error.param, error.param_hint) from error
            raise

    def _check_given_once(self, ctx: click.Context, args: list[str]) -> None:
        """Refuse a second value of an option whose first one would be lost."""
        *_, order = self.make_parser(ctx).parse_args(args)
        for option, count in Counter(order).items():
            if count > 1 and isinstance(option, OnceOption):
                flag = option.opts[0]
                raise click.UsageError(f"{flag} is given {count} times and names one output; give it once", ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; its errors are worded with its own flags."""
        try:
            return super().invoke(ctx)
        except VosctlError as error:
            fail(ctx, error, Wording.of(self))


class VosctlGroup(click.Group):
    """A group of such commands."""

    command_class = VosctlCommand
