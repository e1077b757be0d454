"""`vosctl doctor`: what is here, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from vosctl.cli.command import VosctlCommand

if TYPE_CHECKING:
    from vosctl.diagnosis.findings import Finding


@click.command(short_help="Find out what is wrong with this installation.", cls=VosctlCommand)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what is wrong.")
@click.pass_context
def doctor(context: click.Context, as_json: bool, quiet: bool) -> None:
    """Check Python, packages, GPU, ONNX Runtime's providers, codecs, cameras and weights, and segment a made clip.

    Each finding comes with its cure. Exit 1 when one of them stops work; warnings do not.
    """
    from vosctl.diagnosis.diagnose import diagnose

    if not report(diagnose(), as_json=as_json, quiet=quiet):
        context.exit(1)


def report(groups: Iterable[tuple[str, list[Finding]]], *, as_json: bool, quiet: bool) -> bool:
    """Print findings, by the heading they belong under.

    Args:
        groups: headings and their findings.
        as_json: as one JSON object instead of lines.
        quiet: leave out what is as it should be.

    Returns:
        Whether nothing stops work.
    """
    from vosctl.cli.eval import eval_command
    from vosctl.cli.segment import segment
    from vosctl.cli.webcam import webcam
    from vosctl.cli.wording import Wording
    from vosctl.diagnosis.findings import Severity
    from vosctl.diagnosis.machine import describe_machine, package_versions

    worded = Wording.of(segment, eval_command, webcam)  # the findings speak of their options
    counts = dict.fromkeys(Severity, 0)
    listed = []
    for title, found in groups:
        findings = [replace(one, message=worded(one.message), cure=worded(one.cure)) for one in found]
        shown = [one for one in findings if not (quiet and one.severity is Severity.OK)]
        for finding in findings:
            counts[finding.severity] += 1
            listed.append({"group": title, **asdict(finding)})
        if as_json or not shown:
            continue
        click.secho(title, bold=True)
        for finding in shown:
            _show(finding.subject, finding.severity, finding.message, finding.cure)
    works = counts[Severity.ERROR] == 0
    if as_json:
        facts = {"machine": asdict(describe_machine()), "versions": package_versions()}
        click.echo(json.dumps({"works": works, **facts, "findings": listed}, indent=2))
    elif works and not counts[Severity.WARNING]:
        click.echo("Everything works.")
    else:
        verdict = "vosctl works" if works else "vosctl cannot work as it is"
        click.echo(
            f"{verdict}: {_count(counts[Severity.ERROR], 'error')}, {_count(counts[Severity.WARNING], 'warning')}."
        )
    return works


def _show(subject: str, severity: str, message: str, cure: str) -> None:
    colour = {"ok": "green", "warning": "yellow", "error": "red"}[severity]
    click.echo(f"  {click.style(f'{severity:<8}', fg=colour)}{subject}: {message}")
    if cure:
        click.echo(f"          cure: {cure}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
