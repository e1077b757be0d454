"""Codecs, windows and cameras."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from vosctl.diagnosis import video
from vosctl.diagnosis.findings import Severity
from vosctl.errors import VosctlError
from vosctl.selection.window import require_display
from vosctl.video.encodings import H264, VideoEncoding


def test_codecs_are_there(machine, all_ok):
    assert all_ok(video.check_encoders(machine) + video.check_decoders(machine) + video.check_opencv(machine))


@pytest.mark.parametrize(("place", "severity"), [(0, Severity.ERROR), (1, Severity.WARNING)])
def test_an_encoder_that_does_not_open(the_only, place, severity):
    """Without the first nothing can be written; the others are for some outputs only."""
    uses = [("fine.mp4", H264, "overlays")]
    uses.insert(place, ("odd.mp4", VideoEncoding("libnothing", "yuv420p"), "cut-outs"))
    finding = the_only(video.try_encoders(uses), severity)
    assert finding.subject == "libnothing"
    assert "cut-outs" in finding.message
    assert "av" in finding.cure


def test_a_decoder_that_is_missing(the_only):
    assert "no decoder for nothing" in the_only(video.find_decoders(["h264", "nothing"]), Severity.WARNING).message


def test_a_damaged_clip(the_only, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"nothing")
    assert "cannot be decoded" in the_only(video.check_clip(tmp_path / "clip.mp4"), Severity.ERROR).message


def test_opencv_without_windows(machine, with_modules):
    cv2 = SimpleNamespace(getBuildInformation=lambda: "  GUI:                           NONE\n")
    assert "headless" in video.check_opencv(with_modules(machine, cv2=cv2))[0].message


def test_a_display_is_one_that_a_window_can_be_opened_on(machine, with_modules, monkeypatch):
    cv2 = SimpleNamespace(getBuildInformation=lambda: "  GUI:                           QT5\n")
    linux = replace(with_modules(machine, cv2=cv2), system="linux")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    for display, told in ((":0", "windows with QT5"), ("", "windows with QT5, but no display is set (DISPLAY)")):
        monkeypatch.setenv("DISPLAY", display)
        assert video.check_opencv(linux)[0].message == told
        if not display:
            with pytest.raises(VosctlError, match="DISPLAY is not set"):
                require_display("give a box", pytest.fail, "linux")


def test_cameras_that_may_not_be_opened(machine, the_only):
    locked = replace(
        machine,
        system="linux",
        video_devices=lambda: ["/dev/video0", "/dev/video1"],
        may_open=lambda path: path.endswith("0"),
    )
    finding = the_only(video.check_cameras(locked), Severity.WARNING)
    assert finding.message.startswith("/dev/video1")
    assert video.check_cameras(locked)[1].message == "0"


def test_what_linux_calls_video_and_is_no_camera(machine, all_ok):
    """Small computers have their codecs there; none of it is a fault of the installation."""
    names = ["/dev/video-dec0", "/dev/video-enc0", "/dev/video0", "/dev/video10", "/dev/video2"]
    small = replace(machine, system="linux", video_devices=lambda: names, may_open=lambda path: True)
    (finding,) = video.check_cameras(small)
    assert all_ok([finding])
    assert finding.message == "0, 2, 10"


def test_cameras_elsewhere_are_probed(machine, with_modules):
    logging = SimpleNamespace(setLogLevel=lambda level: None, LOG_LEVEL_SILENT=0)
    cv2 = SimpleNamespace(
        utils=SimpleNamespace(logging=logging),
        VideoCapture=lambda number: SimpleNamespace(release=lambda: None, isOpened=lambda: number == 1),
    )
    elsewhere = replace(with_modules(machine, cv2=cv2), system="darwin")
    assert video.check_cameras(elsewhere)[0].message == "1"
