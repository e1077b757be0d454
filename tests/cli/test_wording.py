from typing import Any

import click
import pytest

from vosctl.cli import cli
from vosctl.cli.reporting import Reporter
from vosctl.cli.wording import Wording, for_this_python, in_one_line


def wording(name):
    command: Any = cli
    for part in name.split():
        command = command.get_command(click.Context(command), part)
    return Wording.of(command)


@pytest.mark.parametrize(
    ("command", "message", "worded"),
    [
        ("segment", "`engine='onnx'`: unknown", "--engine onnx: unknown"),
        ("segment", "use `fix_mask=True`", "use --fix-mask"),
        ("segment", "`window_size=320` and `device`", "--window-size 320 and --device"),
        ("segment", "`box`: no; give `box=(1, 2, 3, 4)`", "--box: no; give --box 1,2,3,4"),
        ("segment", "`boxes=((1, 2, 3, 4), (5, 6, 7, 8))`", "--box 1,2,3,4 --box 5,6,7,8"),
        ("segment", "`scales=(0.5, 0.75, 1.0)`", "--scales 0.5,0.75,1.0"),
        ("segment", "`window=False` or `window=True`", "--window off or --window on"),
        ("segment", "`audio=False`", "--no-audio"),
        ("segment", "`first_mask=None`", "no --first-mask"),
        ("segment", "`overlay=FILE`", "--overlay FILE"),
        ("segment", "`overlay='my file.mp4'`", "--overlay 'my file.mp4'"),
        ("segment", "`overlay=PosixPath('a/b.mp4')`", "--overlay a/b.mp4"),
        ("segment", "`overlay`: exists; pass `overwrite=True`", "--overlay: exists; pass --overwrite"),
        ("webcam", "`overlay`: exists; pass `overwrite=True`", "--record: exists; pass --overwrite"),
        ("webcam", "`overlay='x.mp4'`", "--record x.mp4"),
        ("bench", "`device='cuda'`: not here; use `device='cpu'`", "--device cuda: not here; use --device cpu"),
        ("batch", "`composite`: needs a `background`", "--outputs composite: needs a --background"),
        ("batch", "ask for one with `composite=FILE`", "ask for one with --outputs composite"),
        ("batch", "`masks`: m: there already; pass `resume=True`", "--outputs masks: m: there already; pass --resume"),
        ("segment", "`source='in.mp4'`", "in.mp4"),
        ("segment", "`source`: cannot be opened", "INPUT: cannot be opened"),
        ("weights import", "`licence='mine'`, `name`", "--licence mine, --name"),
        ("segment", "run `vosctl doctor`; `nonesuch=3`, `numpy`", "run `vosctl doctor`; `nonesuch=3`, `numpy`"),
    ],
)
def test_a_parameter_becomes_the_flag_of_the_command(command, message, worded):
    assert wording(command)(message) == worded


def test_a_line_is_one_whatever_is_in_it():
    assert in_one_line("día\u3000的 \t\r\n\x1b[1m\u2028\x85'") == "día\u3000的 \\t\\r\\n\\x1b[1m\\u2028\\x85'"


def test_without_a_command_a_message_stays_as_it_is():
    assert Wording.current()("`engine='onnx'`: unknown") == "`engine='onnx'`: unknown"


def test_warnings_and_notes_of_a_run_are_worded(capsys):
    with click.Context(click.Command("made", params=[click.Option(["--fix-mask"], is_flag=True)])):
        for as_json in (False, True):
            with Reporter(quiet=False, verbose=False, as_json=as_json) as reporter:
                reporter.warning("soft edges; use `fix_mask=True`")
                reporter.note("taken as with `fix_mask=True`")
    said = capsys.readouterr()
    assert said.err == "Warning: soft edges; use --fix-mask\ntaken as with --fix-mask\n"
    assert said.out.count("--fix-mask") == 2
    assert "`" not in said.out


def test_an_error_of_the_library_is_worded(invoke, tmp_path):
    (tmp_path / "some.safetensors").write_bytes(b"")
    result = invoke("weights", "import", str(tmp_path / "some.safetensors"), "--name", "no/name")
    assert result.exit_code == 2
    assert "--name no/name" in result.stderr


def test_a_spelled_value_is_for_that_value_only():
    worded = wording("export-onnx")
    assert worded("`size=None`") == "--size dynamic"
    assert worded("`size`: 3x4") == "--size: 3x4"
    assert worded("add `calibration=Calibration(VIDEO, MASK)`") == "add --calibrate VIDEO --calibrate-mask MASK"


MISSING = 'x: needs torch; run: python -m pip install "vosctl[torch]"'


@pytest.mark.parametrize(
    ("python", "has_pip", "command"),
    [
        ("/opt/my venv/bin/python3", True, '"/opt/my venv/bin/python3" -m pip install "vosctl[torch]"'),
        ("/opt/venv/bin/python", True, '/opt/venv/bin/python -m pip install "vosctl[torch]"'),
        ("/opt/venv/bin/python", False, 'uv pip install --python /opt/venv/bin/python "vosctl[torch]"'),
    ],
)
def test_pip_installs_where_vosctl_is(python, has_pip, command):
    """`python` is another one where the environment is not active, as in the README, or made by pipx or uv."""
    assert for_this_python(MISSING, python, has_pip) == f"x: needs torch; run: {command}"


def test_pip_of_the_python_that_a_shell_calls_needs_no_path(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert for_this_python(MISSING, str(tmp_path / "python3.11"), has_pip=True) == MISSING


def test_pip_removes_where_vosctl_is():
    text = "python -m pip uninstall -y a b; python -m pip install a"
    assert for_this_python(text, "/v/python", True) == "/v/python -m pip uninstall -y a b; /v/python -m pip install a"
    assert for_this_python(text, "/v/python", False) == (
        "uv pip uninstall --python /v/python a b; uv pip install --python /v/python a"
    )


def test_commands_word_it_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert Wording()(MISSING) != MISSING
    assert Wording()(MISSING).endswith('"vosctl[torch]"')
