"""All checks together."""

from vosctl.diagnosis.diagnose import diagnose
from vosctl.diagnosis.findings import Severity, ok
from vosctl.errors import VosctlError


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on():
    def check_broken(probe):
        raise AttributeError("partially initialized module")

    def check_refused(probe):
        raise VosctlError("no")

    fine = [ok("x", "fine")]
    (_, first), (_, second) = diagnose({"A": (check_broken, lambda probe: fine), "B": (check_refused,)})
    assert first[0].subject == "broken"
    assert "AttributeError: partially initialized module" in first[0].message
    assert first[1:] == fine
    assert second[0].severity is Severity.ERROR
