"""Draw a run's outputs from its track and its source; no network is loaded.

import vosctl

vosctl.segment("in.mp4", first_mask="mask.png", track="in.vostrack")
vosctl.render("in.vostrack", overlay="out.mp4")
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from vosctl.arguments import file_name
from vosctl.errors import UsageError, VosctlError
from vosctl.events import Events, Started
from vosctl.interrupts import held
from vosctl.jobs.recording import source_of
from vosctl.jobs.running import check_events, check_max_frames, run_pipeline
from vosctl.prompts.mask_file import StrPath
from vosctl.summary import Summary
from vosctl.tracking.results import TrackedFrame
from vosctl.tracks import SourceIdentity, Track, TrackHeader
from vosctl.types import Labels
from vosctl.video.encodings import EncoderWord, PipeFormat
from vosctl.video.frames import Frame, SourceInfo
from vosctl.video.hardware import DecoderWord
from vosctl.video.planar import Picture
from vosctl.video.sinks import OutputRequest
from vosctl.video.sinks.base import AnnotationFormat
from vosctl.video.sinks.checks import check_outputs, requested
from vosctl.video.sources import Source, open_source
from vosctl.weights.text import printable


@dataclass(frozen=True, slots=True, eq=False)
class RenderJob:
    """A track to be drawn. Can be run more than once.

    Attributes:
        track: the track.
        source: the video that it was made from; None takes it from where it lay, as seen from the track.
        outputs: what to write, or a function that says so once the source is known.
        max_frames: stop after so many frames; None for all.
        events: hears of the run.
        decoder: what decodes the video, see `SegmentJob`.
    """

    track: StrPath
    source: StrPath | None = None
    outputs: OutputRequest | Callable[[SourceInfo], OutputRequest] = field(default_factory=OutputRequest)
    max_frames: int | None = None
    events: Events = field(default_factory=Events)
    decoder: DecoderWord = "auto"

    def run(self) -> Summary:
        """Decode and write, side by side, to the end of the track.

        Raises:
            UsageError: the request cannot be served; nothing was written.
            VosctlError: the track is of another source, or the track, the source or an output failed; outputs were
                given up, `events.kept` names what was whole of them.
            KeyboardInterrupt: interrupted; likewise.
        """
        return self.run_as(lambda summary: summary)

    def run_as(self, whole: Callable[[Summary], Summary]) -> Summary:
        """Do so as a part of a larger run, of which `whole` makes the summary from that of this part; see `run`."""
        check_max_frames(self.max_frames)
        check_events(self.events)
        path = Path(self.track)
        with opened_track(path, self.source, pictures=False, decoder=self.decoder) as (track, source):
            expected = len(track)
            if not expected:
                raise VosctlError(f"{path}: holds no frame yet; go on with it with `resume`, or track the video again")
            if not track.complete:
                self.events.warning(
                    f"{path}: is not complete, its {expected} frames are drawn; "
                    "`resume` goes on with it, if its run was stopped"
                )
            request = self._request(source)
            frames = expected if self.max_frames is None else min(expected, self.max_frames)
            source.check_sizes(frames)
            self.events.started(Started(source.info, None, track.object_count, frames))
            with held():
                summary = whole(self._run(source, track, request, frames))
                self.events.finished(summary)
        return summary

    def _request(self, source: Source) -> OutputRequest:
        request = self.outputs(source.info) if callable(self.outputs) else self.outputs
        if request.track is not None:
            raise UsageError("`track`: the track is there already; leave it out")
        if not requested(request):
            raise UsageError("nothing is to be written; name an output, such as `overlay=FILE`")
        if isinstance(source, BareFrames) and (drawn := requested(request).keys() - WITHOUT_PICTURES):
            raise UsageError(
                f"{self.track}: was made from a stream, {printable(source.info.name)}; give `source` to draw "
                f"`{min(drawn)}` on ({', '.join(f'`{name}`' for name in WITHOUT_PICTURES)} need no pictures)"
            )
        request = replace(request, inputs=(*request.inputs, Path(self.track), *source.files))
        check_outputs(request)
        return request

    def _run(self, source: Source, track: Track, request: OutputRequest, frames: int) -> Summary:
        kept = _of_the_track(source, track)
        run = run_pipeline(source, Replay(track), request, self.events, frames=kept, max_frames=frames)
        if run.frames < frames:
            self.events.warning(f"{source.info.name}: ended after {run.frames} frames, its track has {frames}")
        return replace(run, drawn=run.frames)


class Replay:
    """Takes a tracker's place: it gives what a track says of each frame, in order."""

    def __init__(self, track: Track) -> None:
        self._results = iter(track)

    def start(self, frame: Picture, mask: Labels) -> TrackedFrame:
        """Give the first frame's result; the mask is not looked at."""
        return self.step(frame)

    def step(self, frame: Picture) -> TrackedFrame:
        """Give the next frame's result."""
        return next(self._results)


WITHOUT_PICTURES = ("masks", "matte", "rle", "annotations")
"""Outputs that show nothing of the video itself."""


class BareFrames(Source):
    """A track's frames without their pictures, in the place of a stream that is over.

    Raises:
        VosctlError: the track cannot be read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._track = Track(path)
        header = self._track.header
        self.info = SourceInfo(
            header.source, header.width, header.height, header.frame_rate, header.time_base, len(self._track)
        )

    def _frames(self, begin: int) -> Generator[Frame, None, None]:
        nothing = np.zeros((self.info.height, self.info.width, 3), np.uint8)
        for kept in self._track.frames():
            yield Frame(kept.index, nothing, kept.pts, self.info.time_base, name=kept.name)

    def _release(self) -> None:
        self._track.close()


def _of_the_track(source: Source, track: Track) -> Iterator[Frame]:
    """Yield the frames of a source that a track has results of: a live run leaves some out."""
    indices = np.fromiter((kept.index for kept in track.frames()), np.int64)
    wanted = 0
    for frame in source:
        if wanted < len(indices) and indices[wanted] < frame.index:
            raise VosctlError(f"{track.path}: is of a frame {indices[wanted]}, which {source.info.name} does not have")
        if wanted < len(indices) and indices[wanted] == frame.index:
            wanted += 1
            yield frame


@contextmanager
def opened_track(
    path: Path, given: StrPath | None = None, *, pictures: bool = True, decoder: DecoderWord = "auto"
) -> Iterator[tuple[Track, Source]]:
    """Open a track and the part of its source that it is of; both are closed at the end of the block.

    Args:
        path: the track.
        given: the source; None takes it from where it lay.
        pictures: whether the track of a stream needs its source; without it there are `BareFrames`.
        decoder: what decodes the source, see `open_source`.

    Raises:
        UsageError: the source is not there, has no such part, or nothing that the decoder is for.
        VosctlError: one of them cannot be read, or the source is another video.
    """
    with Track(path) as track:
        if given is None and not track.header.path and not pictures:
            if decoder == "nvdec":
                raise UsageError(f"`decoder='nvdec'`: {path} is of a stream that is over; leave it out")
            with BareFrames(path) as bare:
                yield track, bare
            return
        with open_track_source(path, track.header, given, decoder) as opened:
            source = source_of(track.header, opened)
            track.header.check_source(source.info, SourceIdentity.of(source.files), str(path))
            yield track, source


def open_track_source(
    track: Path, header: TrackHeader, given: StrPath | None = None, decoder: DecoderWord = "auto"
) -> Source:
    """Open the source of a track: the one that is given, or where it lay.

    Raises:
        UsageError: it is not there, or the track does not say where it was.
        VosctlError: it cannot be read.
    """
    if given is not None:
        return open_source(os.fspath(given), frame_rate=header.image_rate, decoder=decoder)
    if not header.path:
        raise UsageError(f"{track}: was made from a stream, {printable(header.source)}; give `source` to draw it on")
    place = Path(os.path.normpath(track.absolute().parent / header.path))
    if not place.exists():
        raise UsageError(
            f"{track}: the video that it was made from is no longer at {printable(place, 1000)}; give it as `source`"
        )
    return open_source(str(place), frame_rate=header.image_rate, decoder=decoder)


def render(
    track: StrPath,
    source: StrPath | None = None,
    *,
    overlay: StrPath | None = None,
    colors: str = "",
    masks: StrPath | None = None,
    matte: StrPath | None = None,
    cutout: StrPath | None = None,
    rle: StrPath | None = None,
    composite: StrPath | None = None,
    background: StrPath = "",
    annotations: StrPath | None = None,
    annotation_format: AnnotationFormat = "coco",
    object_names: Mapping[int, str] | None = None,
    grow: int = 0,
    feather: float = 0.0,
    clean_edges: bool = False,
    overwrite: bool = False,
    audio: bool = True,
    pipe_format: PipeFormat = "matroska",
    encoder: EncoderWord = "auto",
    max_frames: int | None = None,
    events: Events | None = None,
    decoder: DecoderWord = "auto",
) -> Summary:
    """Draw outputs from a track, as `segment` would have written them; see `segment` for each, and `RenderJob`.

    Args:
        track: what `track` of `segment` wrote.
        source: the video that it was made from; by default from where it lay, as seen from the track.
        overlay: video with coloured objects; "-" for standard output, as matte, cutout, rle and composite.
        colors: of the objects in the overlay.
        masks: directory of indexed PNG.
        matte: grey video of the objects' probability.
        cutout: the objects with transparency.
        rle: file of JSON lines with COCO RLE, "-" for standard output.
        composite: video of the objects before `background`.
        background: "blur", a colour by name or as #rrggbb, or an image or a video file, which covers the frame.
        annotations: file, or directory, of the masks for an annotation tool.
        annotation_format: "coco", "cvat", "labelme" or "yolo".
        object_names: by object id, what the objects are called in the annotations; "object_1" and so on by default.
        grow: pixels by which the mattes of matte, cutout and composite are widened; below 0 narrows them.
        feather: pixels over which their edges fade.
        clean_edges: take the old background's colour out of the soft edges of the cutout; the composite always does.
        overwrite: replace outputs that exist.
        audio: copy the source's sound into the videos.
        pipe_format: of a video that goes to standard output ("-") or a pipe: "matroska" with times, sound and
            transparency, or "y4m" with none of them.
        encoder: of .mp4, .mov and .mkv.
        max_frames: stop after so many frames.
        events: hears of the run.
        decoder: what decodes the video, see `SegmentJob`.

    Returns:
        Frames, speed, outputs, and when each object was lost.

    Raises:
        UsageError: the request cannot be served; nothing was written.
        VosctlError: the track is of another video, or something failed.
        KeyboardInterrupt: interrupted; outputs were given up.
    """
    paths = {
        "overlay": overlay,
        "masks": masks,
        "matte": matte,
        "cutout": cutout,
        "rle": rle,
        "composite": composite,
        "annotations": annotations,
    }
    request = OutputRequest.of(
        paths,
        colors=colors,
        background=background,
        annotation_format=annotation_format,
        object_names=object_names,
        grow=grow,
        feather=feather,
        clean_edges=clean_edges,
        overwrite=overwrite,
        audio=audio,
        pipe_format=pipe_format,
        encoder=encoder,
    )
    file_name("track", track)
    return RenderJob(track, source, request, max_frames, events or Events(), decoder).run()
