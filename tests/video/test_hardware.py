"""Decoding and encoding on a GPU: what is refused where there is none, and what FFmpeg can stand in with."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.codec.hwaccel import HWAccel

from tests.helpers.frames import square_frame
from vosctl.errors import UsageError, VosctlError
from vosctl.video.encoder import VideoWriter
from vosctl.video.encodings import ENCODERS, HEVC_NVENC, VideoEncoding
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.hardware import check_encoder, hardware_decoder, why_not_encode
from vosctl.video.planar import PlanarPicture
from vosctl.video.sinks import OutputRequest
from vosctl.video.sinks.checks import check_outputs
from vosctl.video.sources import open_source
from vosctl.video.sources.stream import VideoSource

SOFTWARE_HEVC = VideoEncoding("libx265", "yuv420p", even_size=True, called="HEVC", tag="hvc1")


def has_gpu():
    return True


def has_no_gpu():
    return False


def pictures(count=3, size=(64, 96)):
    return [square_frame(*size, (1, (220, 60, 50), 10 + 3 * index, 12, 24))[0] for index in range(count)]


@pytest.mark.parametrize("word", ["auto", "cpu"])
def test_the_cpu_decodes_unless_something_else_is_asked_for(word):
    assert hardware_decoder(word, lambda: ["cuda"], has_gpu) is None


def test_nvdec_is_had_where_ffmpeg_and_the_machine_have_it():
    assert isinstance(hardware_decoder("nvdec", lambda: ["cuda"], has_gpu), HWAccel)


@pytest.mark.parametrize(
    ("devices", "gpu", "reason"),
    [(["vaapi"], has_gpu, "the FFmpeg in this PyAV was built without NVDEC"), (["cuda"], has_no_gpu, "no NVIDIA GPU")],
)
def test_nvdec_is_refused_in_one_line_where_it_is_not_there(devices, gpu, reason):
    with pytest.raises(VosctlError, match=f"^`decoder='nvdec'`: .*{reason}.*; use `decoder='cpu'`$"):
        hardware_decoder("nvdec", lambda: devices, gpu)


def test_unknown_words_are_refused():
    with pytest.raises(UsageError, match="`decoder='cuda'`: unknown; give auto, cpu, nvdec"):
        hardware_decoder("cuda")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="`encoder='x265'`: unknown; give auto, libx264, h264_nvenc, hevc_nvenc"):
        check_encoder("x265")  # type: ignore[arg-type]


def test_a_decoder_is_for_videos(tmp_path, make_video):
    av.VideoFrame.from_ndarray(pictures(1)[0]).to_image().save(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"`decoder='nvdec'`: is for videos, and .*a.png is images; leave it out"):
        open_source(str(tmp_path / "a.png"), decoder="nvdec")
    with open_source(str(tmp_path / "a.png"), decoder="cpu") as source:
        assert len(list(source)) == 1
    with open_source(str(make_video("v.mp4", pictures())), decoder="cpu") as source:
        assert len(list(source)) == 3


@pytest.mark.skipif("drm" not in av.codec.hwaccel.hwdevices_available(), reason="this FFmpeg cannot stand in with DRM")
def test_a_video_that_ffmpeg_decodes_on_the_cpu_after_all_is_refused(make_video):
    falls_back = HWAccel("drm", allow_software_fallback=True)
    with pytest.raises(VosctlError, match="the GPU does not decode its h264; use `decoder='cpu'`"):
        VideoSource.from_file(make_video("v.mp4", pictures()), falls_back)


@pytest.mark.skipif("drm" not in av.codec.hwaccel.hwdevices_available(), reason="this FFmpeg cannot stand in with DRM")
def test_a_device_that_does_not_open_is_told_in_one_line(make_video):
    strict = HWAccel("drm", allow_software_fallback=False)
    with pytest.raises(VosctlError, match=r"v.mp4: the GPU does not decode it.*; use `decoder='cpu'`$"):
        VideoSource.from_file(make_video("v.mp4", pictures()), strict)


@pytest.mark.parametrize("size", [(64, 96), (50, 66)])
def test_what_a_gpu_decodes_to_is_read_as_planes(make_video, size):
    """Raw video with Cb and Cr in turns stands in for it."""
    drawn = pictures(3, size)
    plain = make_video("plain.avi", drawn, codec="rawvideo", pix_fmt="yuv420p")
    turns = make_video("turns.nut", drawn, codec="rawvideo", pix_fmt="nv12")
    with open_source(str(plain)) as wanted, open_source(str(turns)) as found:
        for one, other in zip(wanted, found, strict=True):
            assert isinstance(one.picture, PlanarPicture)
            assert isinstance(other.picture, PlanarPicture)
            assert one.picture.coding == other.picture.coding
            for plane, same in zip(one.picture.planes, other.picture.planes, strict=True):
                np.testing.assert_allclose(plane, same, atol=1)  # FFmpeg rounds the two formats on its own
            np.testing.assert_allclose(one.image, other.image, atol=4)
            assert np.ptp(one.picture.planes[2]) > 40, "there are colours to be mixed up"


@pytest.mark.parametrize("word", ["auto", "libx264"])
def test_the_cpus_encoder_is_there(word, tmp_path):
    check_encoder(word, lambda encoding: "broken")
    check_outputs(OutputRequest(overlay=tmp_path / "o.mp4", encoder=word))


@pytest.mark.parametrize("word", ["h264_nvenc", "hevc_nvenc"])
def test_an_encoder_that_does_not_open_is_refused_before_anything_is_written(word):
    check_encoder(word, lambda encoding: None)
    with pytest.raises(VosctlError, match=f"^`encoder='{word}'`: it is tired; use `encoder='libx264'`$"):
        check_encoder(word, lambda encoding: "it is tired")


def test_why_an_encoder_does_not_open():
    assert why_not_encode(ENCODERS["libx264"]) is None
    assert why_not_encode(HEVC_NVENC, has_no_gpu) == "there is no NVIDIA GPU here"
    missing = VideoEncoding("h264_none", "yuv420p")
    assert why_not_encode(missing) == "the FFmpeg in this PyAV was built without h264_none"
    refused = why_not_encode(VideoEncoding("libx264", "rgba"))
    assert refused is not None
    assert refused.startswith("it does not open (")


def test_an_encoder_is_for_videos_that_it_can_compress(tmp_path):
    webm = OutputRequest(overlay=tmp_path / "o.mp4", matte=tmp_path / "m.webm", encoder="libx264")
    with pytest.raises(UsageError, match=r"`encoder`: is for .mp4, .mov and .mkv, and `matte` is VP9"):
        check_outputs(webm)
    with pytest.raises(UsageError, match=r"`encoder`: is for an `overlay`, `matte` or `composite`.*; leave it out"):
        check_outputs(OutputRequest(masks=tmp_path / "m", encoder="libx264"))


def test_hevc_has_the_tag_that_players_want(tmp_path):
    """The software encoder stands in for the GPU's."""
    info = SourceInfo("clip", 96, 64, Fraction(25), Fraction(1, 25))
    for name, tag in (("o.mp4", "hvc1"), ("o.mkv", None)):
        writer = VideoWriter(tmp_path / name, info, SOFTWARE_HEVC, overwrite=False, audio=False, warn=lambda line: None)
        for index, picture in enumerate(pictures()):
            writer.write(picture, "rgb24", Frame(index, picture, index, Fraction(1, 25), 1))
        writer.finish()
        with av.open(str(tmp_path / name)) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "hevc"
            assert tag is None or stream.codec_context.codec_tag == tag
            assert len(list(container.decode(stream))) == 3


def test_a_video_that_is_too_large_is_refused_by_its_encoders_name(tmp_path):
    small = VideoEncoding("libx265", "yuv420p", largest=64, called="HEVC")
    info = SourceInfo("clip", 96, 64, Fraction(25), Fraction(1, 25))
    with pytest.raises(VosctlError, match="HEVC holds up to 64 pixels a side and the video is 96x64"):
        VideoWriter(tmp_path / "o.mp4", info, small, overwrite=False, audio=False, warn=print)
