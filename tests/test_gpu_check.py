"""The check of a GPU: whatever happens to one part, the others run and are reported."""

import json
import os
import sys
import tarfile

import pytest
from click.testing import CliRunner

from tools import gpu_check, gpu_measuring, gpu_parts
from tools.gpu_check import Outcome, Part, run_part, write_report

ON_CPU = ("--device", "cpu", "--packed", "nothing-is-packed")


def part_of(code, seconds=60.0):
    part = Part("thing", "A thing", seconds)
    return run_part([sys.executable, "-c", code], part, seconds)


def test_what_a_part_prints_is_its_result():
    outcome = part_of("print('noise'); print('{\"fps\": 12.5}'); print('[1]'); print('{\"words\": \"a\"}')")
    assert outcome.result == {"fps": 12.5, "words": "a"}
    assert (outcome.problem, outcome.log) == ("", "")


def test_a_part_that_fails_says_why_and_keeps_what_it_had():
    outcome = part_of("print('{\"fps\": 1}', flush=True); raise RuntimeError('no kernel image')")
    assert outcome.result == {"fps": 1}
    assert outcome.problem == "ended with status 1: RuntimeError: no kernel image"
    assert "Traceback" in outcome.log


def test_a_part_that_does_not_end_is_cut_off_with_what_it_had():
    outcome = part_of("print('{\"fps\": 1}', flush=True)\nimport time\nwhile True: time.sleep(1)", seconds=2.0)
    assert outcome.result == {"fps": 1}
    assert outcome.problem == "cut off after 2 seconds"


def test_the_report_tells_all(tmp_path):
    outcomes = [Outcome("one", 1.5, "", {"fps": 123.456, "table": "a\nb\n"}), Outcome("two", 0.1, "ended", {}, "oh")]
    write_report(tmp_path, outcomes, {"one": "First", "two": "Second"})
    text = (tmp_path / "report.md").read_text()
    for words in ("## First", "- fps: 123.5", "```\na\nb\n```", "## Second", "**ended**", "```\noh\n```"):
        assert words in text
    assert json.loads((tmp_path / "report.json").read_text())[0]["result"]["fps"] == 123.456


def test_what_is_aimed_at_stands_beside_what_was_measured(tmp_path):
    name, aim = "lite, 1 objects, bf16, on_device", "1000"
    assert gpu_check.AIMS["tracking"][name] == aim
    outcomes = [Outcome("tracking", 1.0, "", {name: 12.34, "other": 1.0})]
    write_report(tmp_path, outcomes, {part.name: part.title for part in gpu_check.PARTS})
    text = (tmp_path / "report.md").read_text()
    assert f"- {name}: 12.34 (aim: 1000)" in text
    assert "- other: 1\n" in text
    assert set(gpu_check.AIMS) <= {part.name for part in gpu_check.PARTS}


def test_parts_that_find_no_time_are_left_out(tmp_path):
    run = CliRunner().invoke(gpu_check.main, ["run", "--out", str(tmp_path), "--minutes", "0", *ON_CPU])
    assert run.exit_code == 0, run.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert [one["part"] for one in report] == [part.name for part in gpu_check.PARTS]
    assert {one["problem"] for one in report} == {"left out: no time was left"}


def test_what_is_packed_is_found_by_the_parts_of_this_run_alone(tmp_path, monkeypatch):
    (tmp_path / "packed_module.py").write_text("HERE = 1\n")
    with tarfile.open(tmp_path / "packages.tar.xz", "w:xz") as archive:
        archive.add(tmp_path / "packed_module.py", "packed_module.py")
    monkeypatch.setenv("PYTHONPATH", "of-the-user")
    (tmp_path / "site").mkdir()
    path = gpu_check._python_path(tmp_path / "packages.tar.xz", tmp_path / "site")
    assert path.split(os.pathsep) == [str(gpu_check.ROOT), str(tmp_path / "site"), "of-the-user"]
    code = "import json, packed_module; print(json.dumps({'here': packed_module.HERE}))"
    part = Part("thing", "A thing", 60.0)
    found = run_part([sys.executable, "-c", code], part, 60.0, {**os.environ, "PYTHONPATH": path})
    assert (found.result, found.problem) == ({"here": 1}, "")
    assert os.environ["PYTHONPATH"] == "of-the-user"
    assert gpu_check._python_path(tmp_path / "none", tmp_path / "site") == f"{gpu_check.ROOT}{os.pathsep}of-the-user"


def test_every_part_is_there_and_all_fit_into_the_time():
    assert all(callable(getattr(gpu_parts, part.name)) for part in gpu_check.PARTS)
    seconds = {part.name: part.seconds for part in gpu_check.PARTS}
    assert seconds["tests"] > gpu_parts.TESTS_LIMIT
    assert seconds["environment"] > gpu_parts.DOCTOR_LIMIT
    assert len({part.name for part in gpu_check.PARTS}) == len(gpu_check.PARTS)


def test_what_cannot_be_had_is_said_in_one_line(capsys):
    def failing(word):
        raise RuntimeError(f"{word}\nand more")

    gpu_measuring.tried("thing", failing, "no such thing")
    gpu_measuring.tried("other", lambda: 4.5)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"thing": "not had: no such thing"},
        {"other": 4.5},
    ]


def test_what_does_not_end_tells_what_it_said_so_far():
    code = "print('PASSED', flush=True)\nimport time\nwhile True: time.sleep(1)"
    assert gpu_measuring.said(sys.executable, "-c", code, limit=3.0) == "PASSED\n\nended after 3 seconds"
    assert gpu_measuring.said(sys.executable, "-c", "raise SystemExit('no')") == "no\n\nstatus 1"


def test_frames_shown_are_the_planes_of_the_scene():
    shown, labels = gpu_measuring.pictures("480p", 1, 2)
    assert len(shown) == 2
    assert shown[0].planes[1].shape == (240, 427)
    rgb, exact = shown[0].coding.decode, shown[0].to_rgb()
    assert labels.shape == exact.shape[:2] == (480, 854)
    assert labels.any()
    assert rgb(shown[0].planes[0][..., None].repeat(3, 2)).shape == exact.shape


@pytest.mark.slow
def test_a_part_runs_without_a_gpu(tmp_path):
    arguments = ["run", "--out", str(tmp_path), *ON_CPU, "--frames", "2", "--only", "video"]
    assert CliRunner().invoke(gpu_check.main, arguments).exit_code == 0
    result = json.loads((tmp_path / "report.json").read_text())[0]["result"]
    assert result["decoding, 480p, cpu"] > 0
    assert "not had" in result["encoding, 480p, h264_nvenc"]
