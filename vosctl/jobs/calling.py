"""The main job as one call in plain values.

import vosctl

summary = vosctl.segment("in.mp4", first_mask="mask.png", overlay="out.mp4")
summary.losses  # which object was lost in which frames
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from numpy.typing import NDArray

from vosctl.arguments import file_name
from vosctl.engine.base import Engine
from vosctl.engine.settings import EngineSettings
from vosctl.errors import UsageError
from vosctl.events import Events
from vosctl.jobs.both_ways import Direction
from vosctl.jobs.segment import SegmentJob
from vosctl.prompts.first_objects import FirstObjects
from vosctl.prompts.mask_file import StrPath
from vosctl.prompts.prompt import Click, Prompt
from vosctl.prompts.prompt_file import prompts_of
from vosctl.prompts.timed import TimedPrompt
from vosctl.summary import Summary
from vosctl.time_line import PlaceLike, Span, parse_rate
from vosctl.tracking import TrackingSettings
from vosctl.types import RealBox
from vosctl.video.encodings import EncoderWord, PipeFormat
from vosctl.video.hardware import DecoderWord
from vosctl.video.sinks import OutputRequest
from vosctl.video.sinks.base import AnnotationFormat


def segment(
    source: StrPath,
    first_mask: StrPath | Sequence[StrPath] | NDArray[Any] | None = None,
    *,
    box: RealBox | Mapping[int, RealBox] | None = None,
    point: Sequence[Click] | Mapping[int, Sequence[Click]] = (),
    fix_mask: bool = False,
    accept_doubtful: bool = False,
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
    track: StrPath | None = None,
    overwrite: bool = False,
    audio: bool = True,
    pipe_format: PipeFormat = "matroska",
    encoder: EncoderWord = "auto",
    tracking: TrackingSettings | None = None,
    engine: EngineSettings | Engine[Any] | None = None,
    frame_rate: Fraction | float | str | None = None,
    max_frames: int | None = None,
    start: PlaceLike | None = None,
    end: PlaceLike | None = None,
    every: int = 1,
    prompts: StrPath | Sequence[TimedPrompt] = (),
    direction: Direction = "both",
    decoder: DecoderWord = "auto",
    events: Events | None = None,
) -> Summary:
    """Follow the objects of the first frame through a video, and write what is asked for; see `SegmentJob`.

    Args:
        source: a video file, a directory or glob of images, a network address, or "-" for standard input.
        first_mask: a mask file, one for each object, or an array: (H, W) integer ids, or bool for one object.
        box: x, y, width, height in pixels round the object, or such a box by object id.
        point: clicks (x, y, on_object), or such clicks by object id; with a box for the same object they correct it.
        fix_mask: repair a mask file of another size or with soft edges.
        accept_doubtful: go on with a doubtful mask from a box or clicks: of a low score, or hardly any of its box.
        overlay: video with coloured objects: .mp4, .mov, .mkv or .webm, or an animated .webp or .gif; "-" for standard
            output, as matte, cutout, rle and composite.
        colors: of the objects in the overlay: names or #rrggbb in their order, or `2=#00ff00` for object 2, with
            commas between them; the others' are chosen to stand out.
        masks: directory of indexed PNG, one a frame.
        matte: grey video of the objects' probability, in a file as for overlay.
        cutout: the objects with transparency: .mov, .webm, .webp or a directory of PNG.
        rle: file of JSON lines with COCO RLE, "-" for standard output.
        composite: video of the objects before `background`, in a file as for overlay.
        background: "blur", a colour by name or as #rrggbb, or an image or a video file, which covers the frame.
        annotations: file, or directory, of the masks for an annotation tool.
        annotation_format: "coco", "cvat", "labelme" or "yolo".
        object_names: by object id, what the objects are called in the annotations; "object_1" and so on by default.
        grow: pixels by which the mattes of matte, cutout and composite are widened; below 0 narrows them.
        feather: pixels over which their edges fade.
        clean_edges: take the old background's colour out of the soft edges of the cutout; the composite always does.
        track: track of the results, .vostrack, from which `render` draws the outputs later.
        overwrite: replace outputs that exist.
        audio: copy the source's sound into the videos.
        pipe_format: of a video that goes to standard output ("-") or a pipe: "matroska" with times, sound and
            transparency, or "y4m" with none of them.
        encoder: of .mp4, .mov and .mkv: "libx264", or "h264_nvenc" or "hevc_nvenc" on an NVIDIA GPU; "auto" is the
            first.
        tracking: how objects are followed.
        engine: what runs the network: settings, or an engine that was made.
        frame_rate: images per second, where the source is images: 25, 23.976 or "30000/1001".
        max_frames: stop after so many frames.
        start: the first frame that is wanted, its number or a time: 120, "12.5s", "1:23.4". It has the objects.
        end: the frame before which to end, likewise.
        every: take one in so many frames.
        prompts: what is said of objects at places on the time line, see `TimedPrompt`; or a file of it, see
            `vosctl.prompts.prompt_file`.
        direction: "both" follows objects backwards too from what is said of them in later frames; "forward" does not.
        decoder: see `SegmentJob`.
        events: hears of the run.

    Returns:
        Frames, speed, outputs, the engine really used, and when each object was lost.

    Raises:
        UsageError: the request cannot be served; nothing was written.
        VosctlError: the source, the engine or an output failed.
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
        "track": track,
    }
    return SegmentJob(
        source=file_name("source", source),
        objects=FirstObjects(
            mask=first_mask, prompts=_prompts(box, point), fix_mask=fix_mask, accept_doubtful=accept_doubtful
        ),
        outputs=OutputRequest.of(
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
        ),
        tracking=tracking or TrackingSettings(),
        engine=engine or EngineSettings(),
        frame_rate=_rate(frame_rate),
        max_frames=max_frames,
        span=Span.of(start, end, every),
        prompts=prompts_of(prompts),
        direction=direction,
        events=events or Events(),
        decoder=decoder,
    ).run()


def _rate(given: Fraction | float | str | None) -> Fraction | None:
    rate = None if given is None else parse_rate(str(given))
    if given is not None and rate is None:
        raise UsageError(f"`frame_rate={given!r}`: give images per second, such as 25 or '30000/1001'")
    return rate


def _prompts(
    box: RealBox | Mapping[int, RealBox] | None, point: Sequence[Click] | Mapping[int, Sequence[Click]]
) -> dict[int, Prompt]:
    boxes = dict(box) if isinstance(box, Mapping) else {} if box is None else {1: box}
    points = dict(point) if isinstance(point, Mapping) else {1: point} if len(point) else {}
    return {key: Prompt.of(boxes.get(key), tuple(points.get(key, ()))) for key in {**boxes, **points}}
