"""The command line: one module a command, loaded when it is asked for. Nothing heavy is imported for `--help`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, NoReturn

import click

from vosctl import __version__
from vosctl.cli.command import MistypedError, fail
from vosctl.cli.wording import Wording
from vosctl.errors import OutputClosedError, VosctlError
from vosctl.interrupts import Interrupted, pending
from vosctl.unforeseen import explained

COMMANDS = {
    "segment": "vosctl.cli.segment:segment",
    "batch": "vosctl.cli.batch:batch",
    "render": "vosctl.cli.render:render",
    "webcam": "vosctl.cli.webcam:webcam",
    "demo": "vosctl.cli.demo:demo",
    "train": "vosctl.cli.train:train",
    "eval": "vosctl.cli.eval:eval_command",
    "export-onnx": "vosctl.cli.export_onnx:export_onnx",
    "bench": "vosctl.cli.bench:bench",
    "weights": "vosctl.cli.weights:weights",
    "doctor": "vosctl.cli.doctor:doctor",
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is asked for, and words every failure."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before the command."""
        with _in_one_line():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; every failure ends as one line and an exit status."""
        try:
            with _in_one_line():
                return super().invoke(ctx)
        except VosctlError as error:
            fail(ctx, error, Wording())
        except (KeyboardInterrupt, click.Abort) as error:
            _end_interrupted(ctx, error.exit_code if isinstance(error, Interrupted) else 130)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BrokenPipeError:  # whoever reads standard output has seen enough
            ctx.exit(OutputClosedError.exit_code)
        except Exception as error:
            if (number := pending()) is not None:  # a library has turned the interrupt into an error of its own
                _end_interrupted(ctx, 128 + number)
            if os.environ.get("VOSCTL_DEBUG"):
                raise
            if (known := explained(error)) is not None:
                fail(ctx, known, Wording())
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            raise click.ClickException(
                f"unexpected {what}; this is a bug in vosctl, set VOSCTL_DEBUG=1 to see where"
            ) from error


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", prog_name="vosctl")
@click.pass_context
def cli(context: click.Context) -> None:
    """Follow any object through a video in real time.

    Give the object's mask in the first frame; get its mask in every later frame, in constant memory.
    """
    if os.environ.get("NO_COLOR"):  # rich heeds it by itself, click does not
        context.color = False


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Have what click cannot read of a command line told in one line."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        raise MistypedError(error) from error


def _end_interrupted(context: click.Context, status: int) -> NoReturn:
    with suppress(OSError):  # the terminal may have gone, SIGHUP says so
        click.echo("Interrupted", err=True)
    context.exit(status)
