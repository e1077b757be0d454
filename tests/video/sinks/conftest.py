"""Clips made up for the sinks, and what is read back of their outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from vosctl.tracking.results import TrackedFrame, TrackedObject
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.sinks import OutputRequest, open_sinks


@dataclass
class Clip:
    """Frames with their answers."""

    info: SourceInfo
    frames: list[Frame]
    results: list[TrackedFrame]

    def with_sound_of(self, path: Path) -> Clip:
        return Clip(replace(self.info, audio_path=str(path)), self.frames, self.results)

    def first(self, count: int) -> Clip:
        return Clip(self.info, self.frames[:count], self.results[:count])


def picture(index: int, height: int, width: int) -> np.ndarray:
    """A smooth coloured picture that moves, so that 4:2:0 and a coarse quantiser lose little."""
    y, x = np.mgrid[:height, :width]
    channels = [120 + 80 * np.sin((x + 3 * index) / 40 + k) * np.cos(y / 50 - k) for k in range(3)]
    return np.ascontiguousarray(np.stack(channels, -1).astype(np.uint8))


def square(height: int, width: int) -> TrackedFrame:
    """Object 3 in a square with a soft edge, object 7 lost."""
    labels = np.zeros((height, width), np.uint8)
    y, x, side = height // 4, width // 4, min(height, width) // 2
    labels[y : y + side, x : x + side] = 3
    alpha = cv2.GaussianBlur((labels > 0).astype(np.uint8) * 255, (5, 5), 0)
    return TrackedFrame(
        labels,
        np.asarray(alpha, np.uint8),
        (TrackedObject(3, "tracked", 0.9, side * side, (x, y, side, side)), TrackedObject(7, "lost", 0.0, 0, None)),
    )


def clip_of(
    pts: list[int],
    time_base: Fraction = Fraction(1, 15360),
    size: tuple[int, int] = (96, 128),
    durations: list[int] | None = None,
    frame_rate: Fraction | None = Fraction(30),
) -> Clip:
    durations = durations or [0] * len(pts)
    frames = [
        Frame(index, picture(index, *size), stamp, time_base, duration)
        for index, (stamp, duration) in enumerate(zip(pts, durations, strict=True))
    ]
    info = SourceInfo("clip", size[1], size[0], frame_rate, time_base)
    return Clip(info, frames, [square(*size) for _ in pts])


@pytest.fixture(name="clip_of")
def clip_of_fixture():
    """Returns a function from timestamps to a clip."""
    return clip_of


@pytest.fixture
def write():
    """Returns a function that writes a clip to every output of a request and returns the warnings."""

    def run(clip: Clip, **outputs) -> list[str]:
        warnings: list[str] = []
        for sink in open_sinks(OutputRequest(**outputs), clip.info, warnings.append):
            for frame, result in zip(clip.frames, clip.results, strict=True):
                sink.write(frame, result)
            assert sink.finish() == sink.path
        return warnings

    return run


@dataclass
class Decoded:
    """What a video file holds."""

    time_base: Fraction
    pts: list[int]
    durations: list[int]
    images: list[np.ndarray]

    @property
    def times(self) -> list[Fraction]:
        return [pts * self.time_base for pts in self.pts]


@pytest.fixture
def decode():
    """Returns a function from a video file to its frames as RGB."""

    def run(path: Path) -> Decoded:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            frames = list(container.decode(stream))
            images = [frame.to_ndarray(format="rgb24") for frame in frames]
            return Decoded(stream.time_base, [f.pts for f in frames], [f.duration for f in frames], images)

    return run


@pytest.fixture
def make_sound(tmp_path):
    """Returns a function that writes a file with pictures and sound, and returns its path."""

    def make(
        name: str, codec: str = "aac", *, pictures: int = 10, seconds: float = 1.0, delay: Fraction = Fraction(0)
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            video = container.add_stream("libx264", rate=10, width=32, height=32, pix_fmt="yuv420p")
            audio: Any = container.add_stream(codec, rate=48000, layout="mono")
            container.start_encoding()
            for index in range(pictures):
                frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 10)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            resampler = av.AudioResampler(audio.format, "mono", 48000, frame_size=audio.frame_size)
            samples = np.round(8000 * np.sin(np.arange(int(48000 * seconds)) / 15)).astype(np.int16)[None]
            tone = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            tone.sample_rate, tone.time_base, tone.pts = 48000, Fraction(1, 48000), int(delay * 48000)
            for part in [*resampler.resample(tone), *resampler.resample(None)]:
                container.mux(audio.encode(part))
            container.mux(audio.encode(None))
        return path

    return make


@pytest.fixture
def packets():
    """Returns a function from a file to its sound: seconds of presentation and bytes of every packet."""

    def run(path: Path) -> list[tuple[Fraction, bytes]]:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return []
            return [(p.pts * p.time_base, bytes(p)) for p in container.demux(audio=0) if p.pts is not None]

    return run


CHAPTERS: list[Any] = [
    {"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}},
    {"id": 2, "start": 500, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "Two"}},
]


@pytest.fixture
def film(tmp_path, make_sound):
    """A file with two sound tracks, the second being the default, subtitles, chapters and a title."""
    (tmp_path / "s.srt").write_text("1\n00:00:00,200 --> 00:00:00,600\nHello\n")
    sound = make_sound("s.mp4")
    with (
        av.open(str(sound)) as source,
        av.open(str(sound)) as again,
        av.open(str(tmp_path / "s.srt")) as titles,
        av.open(str(tmp_path / "film.mkv"), "w") as target,
    ):
        picture: Any
        first: Any
        picture, first = (target.add_stream_from_template(stream, opaque=True) for stream in source.streams)
        second: Any = target.add_stream_from_template(source.streams.audio[0])
        words = target.add_stream_from_template(titles.streams[0])
        first.metadata.update(language="eng", title="Main")
        second.metadata.update(language="fra", title="Commentaire")
        words.metadata.update(language="deu")
        first.disposition, second.disposition = 0, 1
        target.metadata["title"] = "My film"
        target.set_chapters(CHAPTERS)
        for container, tracks in ((source, (picture, first)), (again, (None, second)), (titles, (words,))):
            for packet in container.demux():
                if packet.size and tracks[packet.stream_index] is not None:
                    packet.stream = tracks[packet.stream_index]
                    target.mux(packet)
    return tmp_path / "film.mkv"
