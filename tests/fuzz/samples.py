"""Small valid samples of every kind, made once for a campaign."""

from __future__ import annotations

import json
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as coco

if TYPE_CHECKING:
    from vosctl.network.lite import Lite
    from vosctl.tracking import TrackedFrame
    from vosctl.video.frames import Frame

HEIGHT, WIDTH = 48, 64
VIDEOS = (
    # name, video codec, pixel format, sound codec
    ("h264.mp4", "libx264", "yuv420p", "aac"),
    ("h264.mkv", "libx264", "yuv420p", "flac"),
    ("mpeg4.avi", "mpeg4", "yuv420p", "mp2"),
    ("mpeg2.ts", "mpeg2video", "yuv420p", "mp2"),
    ("vp9.webm", "libvpx-vp9", "yuv420p", "libopus"),
    ("prores.mov", "prores_ks", "yuv422p10le", "pcm_s16le"),
    ("mjpeg.mov", "mjpeg", "yuvj420p", ""),
    ("hevc.mp4", "libx265", "yuv420p", ""),
    ("ffv1.mkv", "ffv1", "yuv444p", ""),
)


def write_samples(folder: Path) -> None:
    """Fill a folder with samples, one folder a kind."""
    labels, frame = _pictures()
    _masks(folder / "masks", labels)
    _annotations(folder / "annotations", labels)
    _prompts(folder / "prompts", labels)
    _images(folder / "images", frame)
    _videos(folder / "videos")
    _checkpoints(folder)
    _texts(folder)
    _exports(folder / "onnx")
    _tracks(folder / "tracks")


def _pictures() -> tuple[np.ndarray, np.ndarray]:
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(labels, (20, 24), 12, 1, -1)
    labels[10:30, 40:58] = 2
    return labels, _frame(0)


def _frame(index: int) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    channels = [120 + 80 * np.sin((x + 3 * index) / 9 + k) * np.cos(y / 11 - k) for k in range(3)]
    return np.ascontiguousarray(np.stack(channels, -1).astype(np.uint8))


def _masks(folder: Path, labels: np.ndarray) -> None:
    from vosctl.video.masks import write_indexed_png

    folder.mkdir()
    write_indexed_png(folder / "davis.png", labels)
    white = Image.fromarray(np.where(labels > 0, 255, 0).astype(np.uint8))
    colours = Image.fromarray(np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)], np.uint8)[labels])
    soft = white.resize((4 * WIDTH, 4 * HEIGHT)).resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    white.save(folder / "white.png")
    white.convert("1").save(folder / "one.png")
    soft.save(folder / "soft.png")
    soft.quantize(8).save(folder / "quantised.png")
    colours.save(folder / "colours.png")
    cutout = colours.convert("RGBA")
    cutout.putalpha(soft)
    cutout.save(folder / "alpha.png")
    Image.fromarray(labels.astype(np.uint16) * 1000).save(folder / "ids16.png")
    Image.fromarray(labels.astype(np.float32)).save(folder / "float.tif")
    Image.fromarray(labels.astype(np.int32)).save(folder / "int.tif")
    white.save(folder / "white.jpg")
    colours.save(folder / "colours.webp", lossless=True)
    for suffix in ("gif", "bmp", "tga", "ppm", "pcx", "tif", "jp2", "ico"):
        colours.save(folder / f"colours.{suffix}")
    colours.save(folder / "lzw.tif", compression="tiff_lzw")


def _annotations(folder: Path, labels: np.ndarray) -> None:
    folder.mkdir()
    size = {"imageHeight": HEIGHT, "imageWidth": WIDTH}
    square = [[40, 10], [58, 10], [58, 30], [40, 30]]
    shapes = [
        {"label": "a", "points": square, "shape_type": "polygon", "group_id": None},
        {"label": "b", "points": [[20, 24], [20, 36]], "shape_type": "circle", "group_id": 1},
        {"label": "c", "points": [[2, 2], [9, 9]], "shape_type": "rectangle", "group_id": 1},
    ]
    (folder / "labelme.json").write_text(json.dumps({"version": "5", "shapes": shapes, **size}))
    runs = []
    for number in (1, 2):
        encoded = coco.encode(np.asfortranarray((labels == number).astype(np.uint8)))
        runs.append({"size": [HEIGHT, WIDTH], "counts": encoded["counts"].decode()})
    flat = (labels == 1).T.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    plain = {"size": [HEIGHT, WIDTH], "counts": np.diff([0, *edges, flat.size]).tolist()}
    annotations = [
        {"id": 1, "image_id": 7, "category_id": 3, "segmentation": [[number for point in square for number in point]]},
        {"id": 2, "image_id": 7, "category_id": 3, "segmentation": runs[0], "iscrowd": 0},
        {"id": 3, "image_id": 7, "category_id": 3, "segmentation": plain, "iscrowd": 1},
    ]
    images = [{"id": 7, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH}]
    categories = [{"id": 3, "name": "cat"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "coco.json").write_text(json.dumps(content))
    (folder / "runs.json").write_text(json.dumps(runs))


def _prompts(folder: Path, labels: np.ndarray) -> None:
    from vosctl.prompts.prompt_file import write_prompts
    from vosctl.prompts.timed import TimedPrompt

    folder.mkdir()
    prompts = [
        TimedPrompt.of(3, 2, box=(1.5, 2, 30, 40), points=[(3, 4, True), (5.5, 6, False)]),
        TimedPrompt.of("1:02.5", mask=labels.astype(np.uint8)),
        TimedPrompt.of(mask="mask.png"),
    ]
    write_prompts(folder / "prompts.json", prompts)


def _images(folder: Path, frame: np.ndarray) -> None:
    folder.mkdir()
    image = Image.fromarray(frame)
    for name in ("a.png", "a.jpg", "a.bmp", "a.tif", "a.webp", "a.ppm", "a.gif"):
        image.save(folder / name)
    image.convert("L").save(folder / "grey.png")
    image.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(frame[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    image.convert("RGBA").save(folder / "alpha.png")
    image.save(folder / "progressive.jpg", progressive=True)


def _videos(folder: Path) -> None:
    folder.mkdir()
    for name, codec, pixels, sound in VIDEOS:
        try:
            av.codec.Codec(codec, "w")
        except av.codec.codec.UnknownCodecError:
            continue
        _video(folder / name, codec, pixels, sound)
    with (folder / "clip.y4m").open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F25:1 Ip A1:1 C420jpeg\n".encode())
        for index in range(6):
            planes = cv2.cvtColor(_frame(index), cv2.COLOR_RGB2YUV_I420)
            file.write(b"FRAME\n" + planes.tobytes())


def _video(path: Path, codec: str, pixels: str, sound: str) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        if codec == "libx265":
            stream.options = {"x265-params": "log-level=none"}
        audio: Any = container.add_stream(sound, rate=48000, layout="mono") if sound else None
        container.start_encoding()
        for index in range(8):
            frame = av.VideoFrame.from_ndarray(_frame(index), format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            resampler = av.AudioResampler(audio.format, "mono", 48000, frame_size=audio.frame_size or 1024)
            samples = np.round(8000 * np.sin(np.arange(15000) / 15)).astype(np.int16)[None]
            tone = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            tone.sample_rate, tone.time_base, tone.pts = 48000, Fraction(1, 48000), 0
            for part in [*resampler.resample(tone), *resampler.resample(None)]:
                container.mux(audio.encode(part))
            container.mux(audio.encode(None))


def tiny_network() -> Lite:
    """A whole network of a few thousand weights, the same each time; it stands in for the lite of the package."""
    import torch

    from tests.helpers.networks import TINY_STAGES
    from vosctl.network.lite import Lite

    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return Lite(stem_channels=4, stages=TINY_STAGES, widths=(4, 4, 8, 8))


def _checkpoints(folder: Path) -> None:
    """Checkpoints of `tiny_network` that load, and pickles of what is none."""
    import torch
    from safetensors.torch import save_file

    tensors = {key: value.contiguous() for key, value in tiny_network().state_dict().items()}
    (folder / "safetensors").mkdir()
    save_file(tensors, folder / "safetensors" / "small.safetensors", {"network": "lite", "licence": "none"})
    (folder / "pth").mkdir()
    torch.save(tensors, folder / "pth" / "zip.pth")
    torch.save(tensors, folder / "pth" / "old.pth", _use_new_zipfile_serialization=False)
    wrapped = {f"module.Encoder.{key}": value for key, value in list(tensors.items())[:3]}
    torch.save({"model": wrapped, "step": 3, "list": [1, (2.0, "x")]}, folder / "pth" / "nested.pth")


def _texts(folder: Path) -> None:
    from vosctl.training.settings import TrainingSettings

    (folder / "settings").mkdir()
    settings = TrainingSettings(stage=1, images=("no-such-stills",), steps=5)
    (folder / "settings" / "settings.toml").write_text(settings.saved())
    (folder / "registry").mkdir()
    entry = {
        "network": "lite",
        "file": "mine.safetensors",
        "sha256": "0" * 64,
        "licence": "mine",
        "training_data": "none",
        "quality": "not measured",
    }
    (folder / "registry" / "registry.json").write_text(json.dumps({"mine": entry, "other": entry}))


def _exports(folder: Path) -> None:
    """A tiny network's export, as `vosctl export-onnx` writes it."""
    from vosctl.export.exporter import WeightsSource, export_network
    from vosctl.export.settings import ExportSettings, GraphShape

    network = tiny_network()
    network.crop_size = 96
    export_network(network, WeightsSource("tiny", "0" * 64, "none"), folder, ExportSettings(GraphShape((64, 96), 1)))


def _tracks(folder: Path) -> None:
    """A complete track and one of a run that was stopped, which holds a tracker's state; and their video."""
    import vosctl
    from tests.helpers.engines import BrightObjectEngine
    from tests.helpers.frames import square_frame, write_video
    from vosctl.tracking.keeping import STATE_INTERVAL

    class Stops(vosctl.Events):
        def frame(self, frame: Frame, result: TrackedFrame) -> None:
            if frame.index == STATE_INTERVAL + 3:
                raise vosctl.VosctlError("enough")

    folder.mkdir()
    squares = [((1, (230, 40, 40), 3 + i // 2, 8, 14), (2, (40, 40, 230), 40 - i // 3, 22, 16)) for i in range(40)]
    made = [square_frame(HEIGHT, WIDTH, *pair) for pair in squares]
    clip = write_video(folder / "clip.mp4", [image for image, _ in made])
    for name, events in (("whole", vosctl.Events()), ("stopped", Stops())):
        with suppress(vosctl.VosctlError):
            track = folder / f"{name}.vostrack"
            vosctl.segment(clip, made[0][1], track=track, engine=BrightObjectEngine(), events=events)
