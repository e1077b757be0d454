"""Numbers on the command line."""

import pytest
from click.testing import CliRunner

from vosctl.cli import cli


@pytest.mark.parametrize("text", ["nan", "inf", "-nan", "1e999"])
@pytest.mark.parametrize("option", ["--reconnect", "--fps"])
def test_what_is_no_number_is_refused(option, text):
    result = CliRunner().invoke(cli, ["webcam", "0", f"{option}={text}"], prog_name="vosctl")
    assert result.exit_code == 2
    assert f"'{option}'" in result.output
