"""The tools end with a line where what they are given cannot serve."""

import sys

import pytest

from tools import make_people, pack_data, train_presence, train_prompt, validate


@pytest.mark.parametrize(
    ("main", "arguments", "said"),
    [
        (validate.main, ("{gone}", "lite"), "no Annotations folder in {gone}"),
        (validate.main, ("{clips}", "no-such"), "neither a file nor a registered name"),
        (pack_data.main, ("--images", "{gone}", "-o", "{out}"), "there is no folder {gone}/images"),
        (make_people.main, ("--photos", "{gone}", "--clips", "0:2", "-o", "{out}"), "{gone}: holds no photographs"),
        (
            make_people.main,
            ("--photos", "{clips}/JPEGImages/two", "--clips", "0:2", "--motions", "{gone}", "-o", "{out}"),
            "{gone}: holds no motions",
        ),
        (train_presence.main, ("--weights", "no-such", "--videos", "{gone}", "-o", "{out}/a"), "neither a file nor"),
        (train_presence.main, ("--weights", "lite", "--videos", "{gone}", "-o", "{clips}/../file/a"), "cannot be made"),
        (train_prompt.main, ("--data", "{gone}", "--hours", "1", "--out", "{out}"), "{gone}/static"),
    ],
)
def test_what_cannot_serve_is_told_in_a_line(tmp_path, monkeypatch, capsys, videos, main, arguments, said):
    places = {"gone": tmp_path / "gone", "out": tmp_path / "out", "clips": videos}
    (videos.parent / "file").write_text("")
    monkeypatch.setattr(sys, "argv", ["tool.py", *(one.format(**places) for one in arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    line = capsys.readouterr().err
    assert line.startswith("Error: ")
    assert line.count("\n") == 1
    assert said.format(**places) in line
