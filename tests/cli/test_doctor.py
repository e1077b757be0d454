import json

import pytest

from vosctl.diagnosis.findings import error, ok, warning

FINE = ok("av", "18.1")
SLOW = warning("torch", "left idle", "install a CUDA build")
BROKEN = error("lite", "sha256 differs", "reinstall vosctl")


@pytest.fixture
def found(monkeypatch):
    """The command with these findings instead of those of this machine."""

    def replace(*findings):
        monkeypatch.setattr("vosctl.diagnosis.diagnose.CHECKS", {"Group": (lambda: list(findings),)})

    return replace


@pytest.mark.parametrize(
    ("findings", "code", "verdict"),
    [
        ([FINE], 0, "Everything works."),
        ([FINE, SLOW], 0, "vosctl works: 0 errors, 1 warning."),
        ([BROKEN, SLOW, FINE], 1, "vosctl cannot work as it is: 1 error, 1 warning."),
    ],
)
def test_only_errors_stop(invoke, found, findings, code, verdict):
    found(*findings)
    result = invoke("doctor")
    assert result.exit_code == code
    assert result.stdout.splitlines()[-1] == verdict
    for finding in findings:
        assert f"{finding.subject}: {finding.message}" in result.stdout
        assert finding.cure in result.stdout


def test_quiet_tells_what_is_wrong_only(invoke, found):
    found(FINE, SLOW)
    assert "18.1" not in invoke("doctor", "-q").stdout
    assert "left idle" in invoke("doctor", "-q").stdout


@pytest.mark.parametrize(("findings", "works"), [([FINE, SLOW], True), ([BROKEN], False)])
def test_json(invoke, found, findings, works):
    found(*findings)
    result = invoke("doctor", "--json")
    assert result.exit_code == int(not works)
    report = json.loads(result.stdout)
    assert report["works"] is works
    assert [one["severity"] for one in report["findings"]] == [str(one.severity) for one in findings]
    assert report["findings"][0]["group"] == "Group"
    assert report["versions"]["vosctl"]
    assert report["machine"]["cores"] >= 1
