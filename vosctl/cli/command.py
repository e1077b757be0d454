"""What every command of vosctl has in common: its errors, worded for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import click

from vosctl.cli.wording import Wording
from vosctl.errors import VosctlError


class CommandError(click.ClickException):
    """A `VosctlError` on its way to the terminal: its one line, worded for the command, and its exit status."""

    def __init__(self, error: VosctlError, wording: Wording) -> None:
        super().__init__(wording(str(error)))
        self.exit_code = error.exit_code  # type: ignore[misc]


def fail(context: click.Context, error: VosctlError, wording: Wording) -> NoReturn:
    """End a command with its error's line and exit status; with the status alone where there is nothing to tell."""
    if error.silent:
        context.exit(error.exit_code)
    raise CommandError(error, wording) from error


class VosctlCommand(click.Command):
    """A command whose errors name its own flags.

    Args:
        spelled: how parameters of the library are spelled here, where the names differ; see `Wording`.
    """

    def __init__(self, *arguments: Any, spelled: Mapping[str, str] | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.spelled = spelled or {}

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except VosctlError as error:
            fail(ctx, error, Wording.of(self))


class VosctlGroup(click.Group):
    """A group of such commands."""

    command_class = VosctlCommand
