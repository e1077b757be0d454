"""The parts of `tools/gpu_check.py`: python tools/gpu_parts.py PART DEVICE FRAMES prints lines of JSON with results."""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

import vosctl
from tools.gpu_measuring import SHOWN, WARMUP, flower, labels_of, pictures, precisions, rate, said, told, tried
from vosctl.benchmark.cases import Backend, Case
from vosctl.benchmark.clip import MadeClips
from vosctl.benchmark.measure import measure
from vosctl.benchmark.run import describe
from vosctl.engine import create_engine
from vosctl.tracking import TrackedFrame, Tracker, TrackingSettings
from vosctl.types import Labels
from vosctl.video.encoder import VideoWriter
from vosctl.video.encodings import ENCODERS
from vosctl.video.hardware import check_encoder
from vosctl.video.planar import Picture, PlanarPicture
from vosctl.video.sources import open_source

DOCTOR_LIMIT, TESTS_LIMIT = 50.0, 80.0  # seconds, fewer than the parts may take: what was said until then is told
ON_DEVICE = TrackingSettings(on_device=True)
PLAIN = TrackingSettings(temporal_smoothing=False)  # the masks that are smoothed are not to be compared with others
WAYS = {"on_device": ON_DEVICE, "plain": PLAIN}


def environment(device: str, frames: int) -> None:
    """Print what the machine is."""
    import torch

    told("torch", f"{torch.__version__}, CUDA {torch.cuda.is_available()}, {torch.get_num_threads()} threads")
    tried("GPU", said, "nvidia-smi")
    told("doctor", said(sys.executable, "-m", "vosctl", "doctor", limit=DOCTOR_LIMIT))


def tests(device: str, frames: int) -> None:
    """Run the tests marked gpu."""
    options = ("-rs", "-p", "no:cacheprovider", "-p", "no:timeout", "-o", "timeout=0", "-o", "addopts=")
    files = ("--import-mode=importlib", "tests/engine/test_gpu.py")
    found = said(sys.executable, "-m", "pytest", "-v", "-m", "gpu", *options, *files, limit=TESTS_LIMIT)
    told("pytest", "\n".join(found.splitlines()[-60:]))


def agreement(device: str, frames: int) -> None:
    """Compare masks and words with those of the CPU in fp32, the plain path."""
    clips = {
        "flower, a real clip": flower(min(frames, SHOWN)),
        "demo, 1 object": pictures("480p", 1, min(frames, SHOWN)),
        "demo, 3 objects": pictures("480p", 3, min(frames, SHOWN)),
    }
    for clip, (shown, labels) in clips.items():
        plain = Tracker(create_engine("lite", engine="torch", device="cpu", precision="fp32"), PLAIN)
        plain.start(shown[0], labels)
        wanted = [plain.step(picture) for picture in shown[1:]]
        for precision, way in itertools.product(["fp32", *precisions(device)], WAYS):
            name = f"{clip}, {precision}, {way}"
            tried(name, compared, device, precision, WAYS[way], shown, labels, wanted)


def compared(
    device: str,
    precision: Any,
    settings: TrackingSettings,
    shown: Sequence[Picture],
    labels: Labels,
    wanted: Sequence[TrackedFrame],
) -> str:
    """Return in how far a tracker gives what is wanted."""
    tracker = Tracker(create_engine("lite", engine="torch", device=device, precision=precision), settings)
    tracker.start(shown[0], labels)
    found = [tracker.step(picture) for picture in shown[1:]]
    equal = [float((one.labels == other.labels).mean()) for one, other in zip(found, wanted, strict=True)]
    words, wanted_words = ([[one.status for one in frame.objects] for frame in frames] for frames in (found, wanted))
    same = "the same" if words == wanted_words else "OTHERS"
    return "; ".join((f"worst {min(equal):.5f}, mean {np.mean(equal):.5f}, words {same}", *tracker.notes))


def tracking(device: str, frames: int) -> None:
    """Measure lite in crops."""
    for count in (1, 3, 7):
        shown, labels = pictures("480p", count)
        for precision, way in itertools.product(precisions(device), WAYS):
            name = f"lite, {count} objects, {precision}, {way}"
            tried(name, followed, device, precision, WAYS[way], shown, labels, frames)


def followed(
    device: str,
    precision: Any,
    settings: TrackingSettings,
    shown: Sequence[Picture],
    labels: Labels,
    frames: int,
    compiled: bool = False,
) -> float:
    """Return at how many frames a second an engine follows."""
    engine = create_engine("lite", engine="torch", device=device, precision=precision, compiled=compiled)
    return rate([Tracker(engine, settings)], shown, [labels], frames)


def compiling(device: str, frames: int) -> None:
    """Measure what `torch.compile` brings, and how long it takes."""
    shown, labels = pictures("480p", 1)
    begin = time.perf_counter()
    tried("on_device, compiled", followed, device, "bf16", ON_DEVICE, shown, labels, frames, True)
    told("on_device, compiled, all of it in seconds", round(time.perf_counter() - begin, 1))
    tried("on_device", followed, device, "bf16", ON_DEVICE, shown, labels, frames)


def full_frame(device: str, frames: int) -> None:
    """Measure the paper's network with random weights, on which its speed does not depend.

    The official structure is three scales, one object at a time, with copies in between, in fp32.
    """
    few = max(frames // 10, 2)
    usual, paper = TrackingSettings(window=False), TrackingSettings.paper()
    usual_there, paper_there = TrackingSettings(window=False, on_device=True), TrackingSettings.paper(on_device=True)
    for count in (1, 3):
        shown, labels = pictures("480p", count, 12)
        alone = [(labels == value).astype(np.uint8) for value in range(1, count + 1)]
        for words, precision, settings, masks in (
            ("full frame, on_device", "bf16", usual_there, [labels]),
            ("full frame, plain", "bf16", usual, [labels]),
            ("crops, on_device", "bf16", ON_DEVICE, [labels]),
            ("paper protocol, on_device", "bf16", paper_there, [labels]),
            ("paper protocol, on_device", "fp32", paper_there, [labels]),
            ("paper protocol, plain", "bf16", paper, [labels]),
            ("official structure", "fp32", paper, alone),
        ):
            tried(f"{count} objects, {words}, {precision}", random_rgmp, device, precision, settings, shown, masks, few)


def random_rgmp(
    device: str, precision: Any, settings: TrackingSettings, shown: Sequence[Picture], masks: list[Labels], frames: int
) -> float:
    """Return at how many frames a second the paper's network follows, with a tracker for each of some masks."""
    from vosctl.engine.devices import resolve_placement
    from vosctl.engine.torch_engine import TorchEngine
    from vosctl.network.table import create_network

    engine = TorchEngine(create_network("rgmp"), resolve_placement(device, precision), "random")
    return rate([Tracker(engine, settings) for _ in masks], shown, masks, frames)


def end_to_end(device: str, frames: int) -> None:
    """Measure whole runs: a video in; indexed PNG out, or nothing."""
    with tempfile.TemporaryDirectory() as place:
        clips = MadeClips(Path(place))
        for size, count in (("480p", 1), ("1080p", 1), ("480p", 7)):
            clip, mask = clips.write(size, count, frames)
            for way, output in itertools.product(WAYS, ("masks", "no output")):
                folder = Path(place) / f"{clip.stem}-{way}" if output == "masks" else None
                tried(f"{size}, {count} objects, {output}, {way}", whole_run, device, WAYS[way], clip, mask, folder)
            name = f"{size}, {count} objects, masks, on_device, nvdec"
            tried(name, whole_run, device, ON_DEVICE, clip, mask, Path(place) / f"{clip.stem}-nvdec", "nvdec")


def whole_run(
    device: str, settings: TrackingSettings, clip: Path, mask: Path, folder: Path | None, decoder: Any = "cpu"
) -> float:
    """Return the frames a second of a whole run, its first frame and the making of the engine left out."""
    engine = create_engine("lite", engine="torch", device=device)
    outputs = vosctl.OutputRequest(masks=folder)
    done = vosctl.SegmentJob(clip, vosctl.FirstObjects(mask=mask), outputs, settings, engine, decoder=decoder).run()
    return done.frames / done.seconds


def video(device: str, frames: int) -> None:
    """Measure decoding and encoding alone, on the CPU and on the GPU."""
    with tempfile.TemporaryDirectory() as place:
        clips = MadeClips(Path(place))
        for size in ("480p", "1080p", "4k"):
            clip, _ = clips.write(size, 1, max(frames // (8 if size == "4k" else 2), 2))  # 4K takes long to write
            for decoder in ("cpu", "nvdec"):
                tried(f"decoding, {size}, {decoder}", decoded, clip, decoder)
            for encoder in ("libx264", "h264_nvenc", "hevc_nvenc"):
                tried(f"encoding, {size}, {encoder}", encoded, clip, encoder)


def decoded(clip: Path, decoder: Any) -> float:
    """Return at how many frames a second a video is decoded into planes in memory of the host, its opening included.

    The clock runs from the opening on: by the first frame the decoder's threads have done many more.
    """
    with open_source(str(clip), decoder=decoder) as source:
        next(iter(source))  # the device's first use takes its time
    begin = time.perf_counter()
    with open_source(str(clip), decoder=decoder) as source:
        count = sum(isinstance(frame.picture, PlanarPicture) for frame in source)
    return count / (time.perf_counter() - begin)


def encoded(clip: Path, encoder: Any) -> float:
    """Return at how many frames a second an encoder writes planes, as the overlay does."""
    check_encoder(encoder)
    with open_source(str(clip)) as source:
        shown = list(itertools.islice(source, 24))
        info = source.info
    target = clip.with_name(f"{clip.stem}-{encoder}.mkv")
    begin = time.perf_counter()
    writer = VideoWriter(target, info, ENCODERS[encoder], overwrite=True, audio=False, warn=print)
    for frame in shown:
        if isinstance(frame.picture, PlanarPicture):
            writer.write_planes(frame.picture, lambda planes: None, frame)
    writer.finish()
    return len(shown) / (time.perf_counter() - begin)


def providers(device: str, frames: int) -> None:
    """Measure ONNX Runtime's providers, in crops: cut by the host, and by torch on the device."""
    shown, labels = pictures("480p", 1)
    for provider, way in itertools.product(("cpu", "cuda", "tensorrt"), reversed(WAYS)):
        tried(f"{provider}, {way}", provided, provider, WAYS[way], shown, labels, max(frames // 4, 2))


def provided(provider: Any, settings: TrackingSettings, shown: Sequence[Picture], labels: Labels, frames: int) -> str:
    """Return how fast an execution provider is, and how long it takes until the first frames are followed."""
    begin = time.perf_counter()
    tracker = Tracker(create_engine("lite", engine="onnx", provider=provider), settings)
    rate([tracker], shown, [labels], 1)
    ready = time.perf_counter() - begin
    found = f"{rate([tracker], shown, [labels], frames):.1f} fps, ready in {ready:.1f} s"
    return "; ".join((found, *tracker.notes))


def profile(device: str, frames: int) -> None:
    """Print the torch profiler's table of some steps."""
    shown, labels = pictures("480p", 1, 12)
    for way, settings in WAYS.items():
        tried(way, profiled, device, settings, shown, labels)


def profiled(device: str, settings: TrackingSettings, shown: Sequence[Picture], labels: Labels) -> str:
    """Return the table of five steps."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    activities = [ProfilerActivity.CPU, *([] if device == "cpu" else [ProfilerActivity.CUDA])]
    tracker = Tracker(create_engine("lite", engine="torch", device=device), settings)
    rate([tracker], shown, [labels], 4)
    with profiler(activities=activities) as seen:
        for picture in shown[1:6]:
            labels_of([tracker.step(picture)])
    order = "self_cpu_time_total" if device == "cpu" else "self_cuda_time_total"
    return str(seen.key_averages().table(sort_by=order, row_limit=30, max_name_column_width=60))


def bench(device: str, frames: int) -> None:
    """Measure what `vosctl bench` does; in this one process, for each case in one of its own takes too long."""
    with tempfile.TemporaryDirectory() as place:
        clips = MadeClips(Path(place))
        backend = Backend("torch", "cpu" if device == "cpu" else "cuda", "bf16", device)
        counted = max(frames // 4, 2)
        for count in (1, 3, 7):
            clip, mask = clips.write("480p", count, WARMUP + counted)
            step = Case("lite", backend, count, counted, WARMUP)
            whole = replace(step, size="480p", output="none", clip=clip, mask=mask)
            for case in (step, whole):
                tried(describe(case), benched, case)


def benched(case: Case) -> str:
    """Return a case's figures."""
    found = measure(case)
    times = ", ".join(f"{name} {value:.2f}" for name, value in asdict(found.frame).items())
    return f"{found.rate:.1f} a second; {times} ms; GPU memory {found.gpu} MB"


def main() -> None:
    """Run one part."""
    name, device, frames = sys.argv[1:]
    parts = (
        environment, tests, agreement, tracking, full_frame, end_to_end, video, providers, compiling, profile, bench
    )  # fmt: skip
    {part.__name__: part for part in parts}[name](device, int(frames))


if __name__ == "__main__":
    main()
