"""The whole program with standard streams that are closed, full or gone."""

import os
import subprocess
import sys

import av
import numpy as np
import pytest

from tests.helpers.frames import square_frame, write_video
from vosctl.video.masks import write_indexed_png

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="has no /dev/full")  # noqa: PTH110

PATIENCE = 120


def run(command, folder):
    """Run a command line of the shell; gives its status and standard error."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m vosctl {command}"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", ["--help", "segment --help"])
@pytest.mark.parametrize(("to", "why"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")])
def test_standard_output_that_takes_nothing_is_one_line(tmp_path, command, to, why):
    assert run(f"{command} {to}", tmp_path) == (1, f"Error: standard output cannot be written: {why}\n")


def test_standard_error_that_takes_nothing_changes_nothing(tmp_path):
    assert run("--no-such-option 2>/dev/full", tmp_path)[0] == 2
    assert run("--no-such-option 2>&- >&- <&-", tmp_path)[0] == 2


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path):
    status, errors = run("--help | head -1", tmp_path)
    assert (status, errors) == (0, "")


@pytest.mark.parametrize("options", ["--json --masks masks", "--rle -"])
def test_a_reader_of_results_that_has_seen_enough_ends_the_run(tmp_path, options):
    frames = [square_frame(64, 96, (1, (230, 40, 40), 8 + i % 60, 16, 24)) for i in range(200)]
    write_video(tmp_path / "clip.mp4", [image for image, _ in frames])
    write_indexed_png(tmp_path / "m.png", frames[0][1])
    command = (
        f"segment clip.mp4 --first-mask m.png -q --window-size 96 {options} | head -n 2 > part; exit ${{PIPESTATUS[0]}}"
    )
    assert run(command, tmp_path) == (141, "")
    assert len((tmp_path / "part").read_text().splitlines()) == 2


def test_standard_input_that_is_closed(tmp_path):
    write_indexed_png(tmp_path / "m.png", square())
    status, errors = run("segment - --first-mask m.png --masks masks <&-", tmp_path)
    assert (status, errors) == (2, "Error: -: standard input is closed; pipe a video into it or name a file\n")


@pytest.mark.slow
@pytest.mark.parametrize("options", ["--json --masks masks", "--rle -", "--overlay -"])
@pytest.mark.parametrize(("to", "why"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")])
def test_a_run_whose_results_cannot_be_written_is_one_line(tmp_path, demo_frames, options, to, why):
    write_video(tmp_path / "clip.mp4", [frame for frame, _ in demo_frames])
    write_indexed_png(tmp_path / "m.png", demo_frames[0][1])
    status, errors = run(f"segment clip.mp4 --first-mask m.png {options} {to}", tmp_path)
    assert status == 1
    assert [line for line in errors.splitlines() if line.startswith("Error")] == [
        f"Error: standard output cannot be written: {why}"
    ]
    assert "Traceback" not in errors
    assert "Exception" not in errors


@pytest.mark.slow
@pytest.mark.parametrize("options", ["--overlay -", "--matte - --pipe-format y4m"])
def test_a_video_is_read_as_far_as_its_reader_likes(tmp_path, demo_frames, options):
    write_video(tmp_path / "clip.mp4", [frame for frame, _ in demo_frames])
    write_indexed_png(tmp_path / "m.png", demo_frames[0][1])
    status, errors = run(f"segment clip.mp4 --first-mask m.png -q {options} > whole", tmp_path)
    assert (status, errors) == (0, "")
    status, errors = run(f"segment clip.mp4 --first-mask m.png -q {options} | head -c 500000 > part", tmp_path)
    assert (status, errors) == (0, "")
    assert (tmp_path / "part").stat().st_size == 500000
    with av.open(str(tmp_path / "whole")) as container:
        assert len(list(container.decode(video=0))) == len(demo_frames)


@pytest.mark.slow
def test_no_output_takes_the_number_of_a_closed_stream(tmp_path, demo_frames):
    write_video(tmp_path / "clip.mp4", [frame for frame, _ in demo_frames])
    write_indexed_png(tmp_path / "m.png", demo_frames[0][1])
    status, _ = run("segment clip.mp4 --first-mask m.png --rle r.jsonl >&- 2>&- <&-", tmp_path)
    assert status == 0
    assert all(line.startswith("{") for line in (tmp_path / "r.jsonl").read_text().splitlines())


def square():
    labels = np.zeros((32, 32), np.uint8)
    labels[8:24, 8:24] = 1
    return labels
