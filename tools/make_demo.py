"""Makes the clip that `vosctl demo` segments, and the mask of its first frame, from `vosctl.demo.scene`.

python tools/make_demo.py                      # rewrites vosctl/demo/clip.mp4 and first-mask.png
python tools/make_demo.py DIR --size 1920x1080 --frames 300 --masks   # a clip of your own with the mask of every frame
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import click
import numpy as np
from numpy.typing import NDArray

import vosctl.demo
from vosctl.demo.scene import PERIOD, render_demo
from vosctl.video.masks import write_indexed_png

FRAME_RATE = Fraction(30000, 1001)
SAMPLE_RATE = 44100
# Notes of a plucked tune, in semitones from A3, one every eighth of the loop; pentatonic, so that it can end anywhere.
TUNE = (0, 7, 12, 16, 14, 12, 7, 4)


def soundtrack(seconds: float) -> NDArray[np.float32]:
    """Return a quiet plucked tune; (1, samples) float32 in -1..1 at `SAMPLE_RATE`."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = np.zeros_like(time)
    step = float(PERIOD / FRAME_RATE) / len(TUNE)
    for number in range(int(seconds / step) + 1):
        since = time - number * step
        frequency = 220 * 2 ** (TUNE[number % len(TUNE)] / 12)
        envelope = np.where(since >= 0, np.minimum(since / 0.01, 1) * np.exp(-2.5 * np.maximum(since, 0)), 0)
        for overtone, loudness in ((1, 1.0), (2, 0.35), (3, 0.12)):
            sound += envelope * loudness * np.sin(2 * np.pi * overtone * frequency * since)
    fade = np.minimum(1, (seconds - time) / 0.4)
    return (0.08 * sound * fade)[None].astype(np.float32)


def write_sound(output: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    """Encode the tune into the container's AAC stream."""
    samples = soundtrack(seconds)
    for start in range(0, samples.shape[1], 1024):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[:, start : start + 1024]), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def make(folder: Path, width: int, height: int, frames: int, crf: int, every_mask: bool) -> None:
    """Write clip.mp4, first-mask.png and, with `every_mask`, masks/NNNNN.png into the folder."""
    with av.open(str(folder / "clip.mp4"), "w", options={"movflags": "+faststart"}) as output:
        video = output.add_stream("libx264", rate=FRAME_RATE)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        # One thread, so that the file is the same on every machine.
        video.options = {"crf": str(crf), "preset": "veryslow", "threads": "1"}
        audio = output.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        audio.bit_rate = 48000
        for index, (image, labels) in enumerate(render_demo(frames, width, height)):
            if index == 0:
                write_indexed_png(folder / "first-mask.png", labels)
            if every_mask:
                write_indexed_png(folder / "masks" / f"{index:05d}.png", labels)
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = index, 1 / FRAME_RATE
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        write_sound(output, audio, float(frames / FRAME_RATE))


def parse_size(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, int]:
    """WIDTHxHEIGHT, both even (4:2:0 colour halves them)."""
    parts = value.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) >= 16 and int(part) % 2 == 0 for part in parts):
        raise click.BadParameter(f"{value!r} is not WIDTHxHEIGHT in even pixels, such as 854x480.")
    return int(parts[0]), int(parts[1])


@click.command(help="Make the demo clip and its first mask in FOLDER, by default those that vosctl ships.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path(vosctl.demo.__file__).parent)
@click.option("--size", default="854x480", show_default=True, callback=parse_size, help="WIDTHxHEIGHT in pixels.")
@click.option("--frames", default=PERIOD, show_default=True, type=click.IntRange(min=1), help="Length of the clip.")
@click.option(
    "--crf", default=24, show_default=True, type=click.IntRange(0, 51), help="H.264 quality; lower is better."
)
@click.option("--masks", "every_mask", is_flag=True, help="Write the mask of every frame into FOLDER/masks.")
def main(folder: Path, size: tuple[int, int], frames: int, crf: int, every_mask: bool) -> None:
    """Make the demo clip, its first mask and, when asked, every mask."""
    (folder / "masks" if every_mask else folder).mkdir(parents=True, exist_ok=True)
    make(folder, *size, frames, crf, every_mask)
    click.echo(
        f"{folder / 'clip.mp4'}: {size[0]}x{size[1]}, {frames} frames, {(folder / 'clip.mp4').stat().st_size} bytes"
    )


if __name__ == "__main__":
    main()
