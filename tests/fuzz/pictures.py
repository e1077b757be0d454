"""Kinds: first masks, annotations, images, videos."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from tests.fuzz.kinds import Make, kind
from tests.fuzz.mutations import Rng, damage, damage_png, damage_text, json_bytes, pick
from tests.fuzz.samples import HEIGHT, WIDTH

_MOST_FRAMES = 12


def _damaged_file(name: str) -> Make:
    """Any sample of a folder, its bytes damaged."""

    def make(rng: Rng, samples: Path, folder: Path) -> Path:
        files = sorted((samples / name).iterdir())
        source, donor = pick(rng, files), pick(rng, files)
        data = source.read_bytes()
        if source.suffix == ".png" and rng.random() < 0.5:
            data = damage_png(rng, data)
        else:
            data = damage(rng, data, donor.read_bytes())
        suffix = pick(rng, files).suffix if rng.random() < 0.05 else source.suffix
        path = folder / f"input{suffix}"
        path.write_bytes(data)
        return path

    return make


def _drawn_mask(rng: Rng, samples: Path, folder: Path) -> Path:
    """A valid image file of values that no mask should have, or a damaged one."""
    from PIL import Image

    if rng.random() < 0.6:
        return _damaged_file("masks")(rng, samples, folder)
    size = (HEIGHT, WIDTH) if rng.random() < 0.8 else (int(rng.integers(1, 200)), int(rng.integers(1, 200)))
    values = rng.choice(rng.integers(0, 65536, int(2 ** rng.uniform(0, 9))), size)
    if rng.random() < 0.5:
        values = np.repeat(np.repeat(values[::8, ::8], 8, 0), 8, 1)[: size[0], : size[1]]
    mode = pick(rng, ("uint8", "uint16", "int32", "float32", "rgb", "rgba", "palette"))
    if mode in ("rgb", "rgba"):
        image = Image.fromarray(
            np.stack([values >> shift & 255 for shift in (0, 4, 8, 2)[: len(mode)]], -1).astype(np.uint8)
        )
    elif mode == "palette":
        image = Image.fromarray(values.astype(np.uint8))
        image.putpalette(rng.bytes(3 * int(rng.integers(1, 257))))
    elif mode == "float32":
        factor = pick(rng, (1.0, 1e-5, np.nan, np.inf, -1.0, 1e30))
        image = Image.fromarray((values * np.float32(factor)).astype(np.float32))
    else:
        image = Image.fromarray(values.astype(mode))
    path = folder / ("input.tif" if mode in ("int32", "float32") else "input.png")
    image.save(path)
    return path


@kind("first masks", 4, _drawn_mask)
def read_mask(rng: Rng, path: Path) -> Iterable[str]:
    """Read a first mask, alone or twice as two objects, with and without repairs."""
    from vosctl.prompts.mask_file import read_first_mask

    paths = [path, path] if rng.random() < 0.1 else path
    mask = read_first_mask(paths, (HEIGHT, WIDTH), fix=bool(rng.random() < 0.5))
    if mask.labels.shape != (HEIGHT, WIDTH) or mask.labels.dtype != np.uint8 or not mask.labels.any():
        raise AssertionError("a mask that breaks its contract")
    return mask.notes


def _damaged_json(rng: Rng, samples: Path, folder: Path) -> Path:
    source = pick(rng, sorted((samples / "annotations").iterdir()))
    path = folder / f"input{pick(rng, ('.json', '.json', '.jsonl'))}"
    path.write_bytes(json_bytes(rng, json.loads(source.read_text())))
    return path


kind("annotations", 3, _damaged_json)(read_mask)


def _image_folder(rng: Rng, samples: Path, folder: Path) -> Path:
    """One damaged image, alone or among valid ones."""
    path = _damaged_file("images")(rng, samples, folder)
    for number in range(int(rng.integers(0, 3))):
        other = pick(rng, sorted((samples / "images").iterdir()))
        (folder / f"more{number}{other.suffix}").write_bytes(other.read_bytes())
    return folder if rng.random() < 0.7 else path


@kind("images", 3, _image_folder)
def read_frames(rng: Rng, path: Path) -> Iterable[str]:
    """Read a source's frames."""
    from vosctl.video.sources import open_source

    with open_source(str(path)) as source:
        for frame in islice(source, _MOST_FRAMES):
            if frame.image.shape != (source.info.height, source.info.width, 3):
                raise AssertionError("a frame that breaks its contract")
        return list(source.warnings)


@kind("seeking", 2, _damaged_file("videos"))
def read_from_the_middle(rng: Rng, path: Path) -> Iterable[str]:
    """Look through a video, and read it from some of its frames on, or a part of it."""
    from vosctl.time_line import Span
    from vosctl.video.sources import RangedSource, open_source

    with open_source(str(path)) as source:
        count = len(source.times())
        for begin in rng.integers(0, count, 3):
            source.seek(int(begin))
            numbers = [frame.index for frame in islice(source, _MOST_FRAMES)]
            if numbers != sorted(set(numbers)) or (numbers and not begin <= numbers[0] <= numbers[-1] < count):
                raise AssertionError("frames out of order")
    first, length = int(rng.integers(0, count)), int(rng.integers(1, 20))
    with RangedSource(open_source(str(path)), Span.of(first, first + length, int(rng.integers(1, 4)))) as part:
        list(part)
        return list(part.warnings)


def _damaged_prompts(rng: Rng, samples: Path, folder: Path) -> Path:
    path = folder / "input.json"
    content = json.loads((samples / "prompts" / "prompts.json").read_text())
    path.write_bytes(json_bytes(rng, content))
    return path


@kind("prompts", 1, _damaged_prompts)
def read_prompt_file(rng: Rng, path: Path) -> None:
    """Read a file of prompts."""
    from vosctl.prompts.prompt_file import read_prompts

    if not read_prompts(path):
        raise AssertionError("no prompts and no error")


@kind("video", 4, _damaged_file("videos"))
def convert_video(rng: Rng, path: Path) -> Iterable[str]:
    """Read a video's frames, and in a third of the cases write them with its sound."""
    from vosctl.tracking.results import TrackedFrame, TrackedObject
    from vosctl.video.sinks import OutputRequest, open_sinks
    from vosctl.video.sources import open_source

    if rng.random() < 0.67:
        return read_frames(rng, path)
    told: list[str] = []
    with open_source(str(path)) as source:
        size = source.info.height, source.info.width
        labels = np.zeros(size, np.uint8)
        labels[: size[0] // 2, : size[1] // 2] = 1
        item = TrackedObject(1, "tracked", 0.9, int(labels.sum()), (0, 0, size[1] // 2, size[0] // 2))
        output = path.with_name(f"output{pick(rng, ('.mp4', '.mkv', '.webm', '.mov'))}")
        (sink,) = open_sinks(OutputRequest(overlay=output), source.info, told.append)
        try:
            for frame in islice(source, _MOST_FRAMES):
                sink.write(frame, TrackedFrame(labels, labels * 255, (item,)))
            sink.finish()
        finally:
            sink.abort()
        return [*told, *source.warnings]


def _y4m(rng: Rng, samples: Path, folder: Path) -> Path:
    """The header or a frame's line damaged as text, or the whole file as bytes."""
    data = (samples / "videos" / "clip.y4m").read_bytes()
    head, _, body = data.partition(b"\n")
    choice = rng.random()
    if choice < 0.6:
        data = damage_text(rng, head.decode()) + b"\n" + body
    elif choice < 0.7:
        data = data.replace(b"FRAME", damage_text(rng, "FRAME Ip"), int(rng.integers(1, 5)))
    else:
        data = damage(rng, data)
    path = folder / "input.y4m"
    path.write_bytes(data)
    return path


@kind("y4m", 2, _y4m)
def read_y4m(rng: Rng, path: Path) -> Iterable[str]:
    """Read it as a file or on standard input."""
    from vosctl.video.sources import open_source

    if rng.random() < 0.5:
        return read_frames(rng, path)
    with path.open("rb") as file, open_source("-", stdin=file) as source:
        for _ in islice(source, _MOST_FRAMES):
            pass
        return list(source.warnings)
