import subprocess

import pytest

from vosctl.errors import VosctlError
from vosctl.selection import window


@pytest.mark.parametrize(
    ("code", "name"),
    [(13, "enter"), (10, "enter"), (27, "escape"), (8, "backspace"), (65535, "delete"), (3014656, "delete"),
     (9, "tab"), (32, "space"), (ord("A"), "a"), (ord("a"), "a"), (ord("1"), "1"), (65505, None), (-1, None),
     (0x100000 | ord("r"), "r"), (0x10000D, "enter"), (0x120000 | 65535, "delete"), (0x100000 | 65505, None)],
)  # fmt: skip
def test_keys_have_one_name_on_every_platform(code, name):
    assert window.key_name(code) == name


def test_no_display_is_said_before_anything_aborts(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(VosctlError, match=r"DISPLAY is not set\); add --no-window"):
        window.require_display("add --no-window", platform="linux")


@pytest.mark.parametrize(
    ("status", "errors", "message"),
    [
        (-6, b"could not connect to display", "on the display :42; add"),
        (1, b"The function is not implemented", "headless"),
    ],
)
def test_a_display_that_does_not_answer_is_said(monkeypatch, status, errors, message):
    monkeypatch.setenv("DISPLAY", ":42")
    answer = subprocess.CompletedProcess([], status, b"", errors)
    with pytest.raises(VosctlError, match=message):
        window.require_display("add --no-window", probe=lambda: answer)
