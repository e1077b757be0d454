"""A source is known again by its bytes."""

import pytest

import vosctl
from vosctl.tracks import SourceIdentity


def test_a_file_is_known_again_under_another_name(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x" * 3000)
    (tmp_path / "b.mp4").write_bytes(b"x" * 3000)
    one, other = (SourceIdentity.of([tmp_path / name]) for name in ("a.mp4", "b.mp4"))
    assert one == other
    assert one.matches(other)


@pytest.mark.parametrize("place", [0, 1500, 2_999_999])
def test_another_file_is_another(tmp_path, place):
    data = bytearray(3_000_000)
    (tmp_path / "a.mp4").write_bytes(data)
    data[place] = 1
    (tmp_path / "b.mp4").write_bytes(data)
    assert not SourceIdentity.of([tmp_path / "a.mp4"]).matches(SourceIdentity.of([tmp_path / "b.mp4"]))


def test_images_are_known_by_their_names_too(tmp_path):
    for name in ("0.png", "1.png", "2.png"):
        (tmp_path / name).write_bytes(b"same")
    first = SourceIdentity.of([tmp_path / "0.png", tmp_path / "1.png"])
    assert first.matches(SourceIdentity.of([tmp_path / "0.png", tmp_path / "1.png"]))
    assert not first.matches(SourceIdentity.of([tmp_path / "0.png", tmp_path / "2.png"]))
    assert not first.matches(SourceIdentity.of([tmp_path / "0.png", tmp_path / "1.png", tmp_path / "2.png"]))


def test_a_stream_may_be_any(tmp_path):
    (tmp_path / "0.png").write_bytes(b"same")
    assert SourceIdentity.of([]).matches(SourceIdentity.of([tmp_path / "0.png"]))


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(vosctl.VosctlError, match=r"gone\.mp4: cannot be read"):
        SourceIdentity.of([tmp_path / "gone.mp4"])
