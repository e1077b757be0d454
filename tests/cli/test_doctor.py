import json

import click
import pytest

import vosctl
from vosctl.cli import cli
from vosctl.cli.doctor import report
from vosctl.diagnosis.findings import error, ok, warning

FINE = ok("av", "18.1")
SLOW = warning("torch", "left idle", "install a CUDA build")
BROKEN = error("lite", "sha256 differs", "reinstall vosctl")


@pytest.mark.parametrize(
    ("findings", "works", "verdict"),
    [
        ([FINE], True, "Everything works."),
        ([FINE, SLOW], True, "vosctl works: 0 errors, 1 warning."),
        ([BROKEN, SLOW, FINE], False, "vosctl cannot work as it is: 1 error, 1 warning."),
    ],
)
def test_only_errors_stop(capsys, findings, works, verdict):
    assert report([("Group", findings)], as_json=False, quiet=False) is works
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == verdict
    for finding in findings:
        assert f"{finding.subject}: {finding.message}" in said
        assert finding.cure in said


def test_quiet_tells_what_is_wrong_only(capsys):
    report([("Group", [FINE, SLOW])], as_json=False, quiet=True)
    said = capsys.readouterr().out
    assert "18.1" not in said
    assert "left idle" in said


@pytest.mark.parametrize(("findings", "works"), [([FINE, SLOW], True), ([BROKEN], False)])
def test_json(capsys, findings, works):
    assert report([("Group", findings)], as_json=True, quiet=False) is works
    said = json.loads(capsys.readouterr().out)
    assert said["works"] is works
    assert [one["severity"] for one in said["findings"]] == [str(one.severity) for one in findings]
    assert said["findings"][0]["group"] == "Group"
    assert said["versions"]["vosctl"] == vosctl.__version__
    assert said["machine"]["cores"] >= 1


def test_the_command_looks_at_this_machine(invoke):
    result = invoke("doctor")
    assert result.exit_code == 0, result.output
    assert "self-test: IoU" in result.stdout


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_left_out_where_that_is_asked_for(runner, monkeypatch, no_color, coloured):
    monkeypatch.setenv("NO_COLOR", no_color)
    with runner.isolation(color=True) as (output, *_), click.Context(cli) as context:
        context.invoke(cli.callback)
        report([("Group", [SLOW])], as_json=False, quiet=False)
    assert (b"\x1b[" in output.getvalue()) is coloured
    assert b"Group" in output.getvalue()
