"""From the outputs asked for to opened sinks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from vosctl.tracks.header import TrackHeader
from vosctl.video import encodings
from vosctl.video.backgrounds import open_background
from vosctl.video.encoder import VideoWriter
from vosctl.video.encodings import EncoderWord, VideoEncoding
from vosctl.video.frames import SourceInfo
from vosctl.video.leftovers import clean
from vosctl.video.sinks.annotations import CocoSink, CvatSink, LabelMeSink, YoloSink
from vosctl.video.sinks.base import OutputRequest, Sink
from vosctl.video.sinks.checks import check_outputs, is_directory_output, is_stream, requested
from vosctl.video.sinks.composites import CompositeSink
from vosctl.video.sinks.pictures import CutoutPictureSink, MaskSink
from vosctl.video.sinks.rle import RleFileSink, RleStreamSink
from vosctl.video.sinks.track import TrackSink
from vosctl.video.sinks.videos import CutoutVideoSink, MatteSink, OverlaySink

_OPAQUE = {".webm": encodings.VP9, ".webp": encodings.WEBP, ".gif": encodings.GIF}
_WITH_ALPHA = {".webm": encodings.VP9_ALPHA, ".webp": encodings.WEBP_ALPHA}


def open_sinks(
    request: OutputRequest, info: SourceInfo, warn: Callable[[str], None], header: TrackHeader | None = None
) -> list[Sink]:
    """Check all outputs, then open them all: files beside their final names, encoders, the sound to copy.

    What killed runs left of the same outputs is removed, and said.

    Args:
        request: what is wanted.
        info: the source.
        warn: receives a line for what an output will lack (sound that a container cannot hold). Also called from the
            threads that drive the sinks.
        header: what the track is to say of the run; by default of the source alone.

    Returns:
        The opened sinks, in the order of `OUTPUTS`; each to be finished or aborted.

    Raises:
        UsageError: an output cannot be what was asked for; nothing was created.
        VosctlError: one cannot be opened; those opened before it were removed again.
    """
    check_outputs(request)
    for path in requested(request).values():
        for removed in clean(path):
            warn(f"{removed}: left by a run that was killed, removed")
    sinks: list[Sink] = []
    try:
        for name, path in requested(request).items():
            if name == "track":
                sinks.append(_open_track(path, request, header or TrackHeader.of(info)))
            else:
                sinks.append(_open(name, path, request, info, warn))
    except BaseException:
        for sink in sinks:
            sink.abort()
        raise
    return sinks


def _open_annotations(path: Path, request: OutputRequest, info: SourceInfo) -> Sink:
    overwrite, names = request.overwrite, request.object_names
    match request.annotation_format:
        case "coco":
            return CocoSink(path, info, overwrite=overwrite, names=names)
        case "cvat":
            return CvatSink(path, info, overwrite=overwrite, names=names)
        case "labelme":
            return LabelMeSink(path, overwrite=overwrite, names=names)
        case "yolo":
            return YoloSink(path, overwrite=overwrite, names=names)


def _open_track(path: Path, request: OutputRequest, header: TrackHeader) -> TrackSink:
    return TrackSink(path, None if request.append else header, overwrite=request.overwrite)


def _encodings(path: Path, encoder: EncoderWord) -> tuple[VideoEncoding, VideoEncoding]:
    """Return how pictures without and with transparency are compressed in an output."""
    if is_stream(path):
        return encodings.RAW, encodings.RAW_ALPHA
    suffix = path.suffix.lower()
    return _OPAQUE.get(suffix, encodings.ENCODERS[encoder]), _WITH_ALPHA.get(suffix, encodings.PRORES_4444)


def _open(name: str, path: Path, request: OutputRequest, info: SourceInfo, warn: Callable[[str], None]) -> Sink:
    writer = partial(
        VideoWriter,
        path,
        info,
        overwrite=request.overwrite,
        audio=request.audio,
        warn=warn,
        pipe_format=request.pipe_format if is_stream(path) else None,
    )
    opaque, transparent = _encodings(path, request.encoder)
    match name:
        case "overlay":
            return OverlaySink(writer(opaque), request.colors, warn)
        case "matte":
            return MatteSink(writer(opaque), request.edges)
        case "masks":
            return MaskSink(path, overwrite=request.overwrite)
        case "annotations":
            return _open_annotations(path, request, info)
        case "cutout" if is_directory_output(name, path):
            return CutoutPictureSink(path, overwrite=request.overwrite, edges=request.edges)
        case "cutout":
            return CutoutVideoSink(writer(transparent), request.edges)
        case "composite":
            background = open_background(request.background, info.height, info.width, info.pixel_aspect, warn)
            try:
                return CompositeSink(writer(opaque), background, request.edges)
            except BaseException:
                background.close()
                raise
        case _:
            return RleStreamSink(path) if is_stream(path) else RleFileSink(path, overwrite=request.overwrite)
