"""One video of many: what is to be done with it, in plain values that can be sent to another process or machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.datasets.annotations import Objects, read_annotation
from vosctl.engine.base import Engine
from vosctl.engine.settings import EngineSettings
from vosctl.errors import VosctlError
from vosctl.events import Events
from vosctl.jobs.both_ways import Direction
from vosctl.jobs.segment import SegmentJob
from vosctl.prompts.first_objects import FirstObjects
from vosctl.prompts.mask_file import StrPath
from vosctl.prompts.prompt import Prompt
from vosctl.prompts.prompt_file import prompts_of
from vosctl.prompts.timed import TimedPrompt
from vosctl.time_line import Span
from vosctl.tracking import TrackingSettings
from vosctl.video.hardware import DecoderWord
from vosctl.video.sinks import OutputRequest
from vosctl.video.sinks.base import AnnotationFormat


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How a video is followed and its outputs are drawn; each as in `vosctl.segment`.

    Attributes:
        fix_mask: repair a mask file of another size or with soft edges.
        accept_doubtful: go on with a doubtful mask from a box or clicks.
        frame_rate: images per second, where the source is images.
        max_frames: stop after so many frames.
        span: the part of the source that is wanted.
        direction: which ways objects are followed from what is said in later frames.
        tracking: how objects are followed.
        colors: of the objects in the overlay.
        background: of the composite.
        annotation_format: of the annotations.
        object_names: by object id, what the objects are called in the annotations.
        grow: pixels by which mattes are widened.
        feather: pixels over which their edges fade.
        clean_edges: take the old background's colour out of the cutout's edges.
        audio: copy the source's sound.
        overwrite: replace outputs that exist.
        decoder: what decodes the video. It is not a part of what a job is known again by.
    """

    fix_mask: bool = False
    accept_doubtful: bool = False
    frame_rate: Fraction | None = None
    max_frames: int | None = None
    span: Span = field(default_factory=Span)
    direction: Direction = "both"
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    colors: str = ""
    background: str = ""
    annotation_format: AnnotationFormat = "coco"
    object_names: Mapping[int, str] = field(default_factory=dict, repr=False)
    grow: int = 0
    feather: float = 0.0
    clean_edges: bool = False
    audio: bool = True
    overwrite: bool = False
    decoder: DecoderWord = field(default="auto", repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class BatchJob:
    """A video and what is wanted of it. Can be pickled; files are read when it is run, and only there.

    Attributes:
        name: what it is called in results, different from that of every other job.
        source: a video file, a folder or glob of images, or an address.
        outputs: where each output goes, by its name in `vosctl.segment`: {"masks": "out/a/masks"}.
        first_mask: mask files of the first frame, or an array of ids, (H, W).
        annotated: whether `first_mask` is one annotation of a data set, in which 255 is nobody's.
        objects: boxes and clicks in the first frame, by the object's id.
        prompts: what is said of objects at places on the time line, or a file of it.
        options: how.
        resume: whether outputs of an earlier run that was stopped are replaced, and its track is gone on with.
        progress: where the track of a long video is kept while the job runs, so that it can be gone on with; None for
            nowhere. Not used where `outputs` has a track.
        long: frames from which on a video is long; one whose length nobody knows is.
        problem: why the job cannot be run, found where it was read; running it fails with this.
    """

    name: str
    source: str
    outputs: Mapping[str, str]
    first_mask: tuple[str, ...] | NDArray[Any] = ()
    annotated: bool = False
    objects: Mapping[int, Prompt] = field(default_factory=dict)
    prompts: str | tuple[TimedPrompt, ...] = ()
    options: JobOptions = field(default_factory=JobOptions)
    resume: bool = False
    progress: str | None = None
    long: int = 1000
    problem: str | None = None

    def segment_job(self, engine: EngineSettings | Engine[Any], events: Events) -> SegmentJob:
        """Return the run, with its files of prompts read.

        Raises:
            VosctlError: the job has a problem, or a file of prompts or an annotation cannot be read.
        """
        if self.problem is not None:
            raise VosctlError(self.problem)
        options = self.options
        return SegmentJob(
            source=self.source,
            objects=self._first_objects(),
            outputs=self.request(),
            tracking=options.tracking,
            engine=engine,
            frame_rate=options.frame_rate,
            max_frames=options.max_frames,
            span=options.span,
            prompts=prompts_of(self.prompts),
            direction=options.direction,
            events=events,
            decoder=options.decoder,
        )

    def request(self) -> OutputRequest:
        """Return the outputs; no run of the same job that was stopped is in their way.

        Raises:
            UsageError: a colour is none, or the edges cannot be made.
        """
        options = self.options
        return OutputRequest.of(
            self.outputs,
            colors=options.colors,
            background=options.background,
            annotation_format=options.annotation_format,
            object_names=options.object_names,
            grow=options.grow,
            feather=options.feather,
            clean_edges=options.clean_edges,
            overwrite=options.overwrite or self.resume,
            audio=options.audio,
        )

    def _first_objects(self) -> FirstObjects:
        mask: NDArray[Any] | tuple[str, ...] | None = self.first_mask
        if self.annotated and isinstance(mask, tuple) and mask:
            annotation = read_annotation(Path(mask[0]))
            mask = Objects.of(annotation, "multi", self.name).keep(annotation)
        elif isinstance(mask, tuple):
            mask = mask or None
        options = self.options
        return FirstObjects(
            mask=mask,
            prompts=self.objects,
            fix_mask=options.fix_mask and not self.annotated,
            accept_doubtful=options.accept_doubtful,
        )

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it reads, as they are named."""
        masks = self.first_mask if isinstance(self.first_mask, tuple) else ()
        if isinstance(self.prompts, str):
            return (self.source, *masks, self.prompts)
        said = (prompt.mask for prompt in self.prompts)
        return (self.source, *masks, *(os.fspath(mask) for mask in said if isinstance(mask, str | os.PathLike)))

    @property
    def digest(self) -> str:
        """What the job is known again by: its source, objects and options, without the places of its outputs."""
        options = replace(self.options, overwrite=False)
        mask = _known(self.first_mask)
        said = (self.source, mask, self.annotated, sorted(self.outputs), sorted(self.objects.items()), options)
        prompts = (
            self.prompts
            if isinstance(self.prompts, str)
            else [(str(one), _known(one.mask), one.prompt) for one in self.prompts]
        )
        # Only where there are some, so that a job without names is known again by an earlier release's results.
        names = (sorted(options.object_names.items()),) if options.object_names else ()
        return hashlib.sha256(repr((said, prompts, *names)).encode()).hexdigest()[:16]


def _known(mask: object) -> object:
    """Return what a mask, or its file, is known by."""
    if isinstance(mask, np.ndarray):
        return mask.shape, str(mask.dtype), hashlib.sha256(mask.tobytes()).hexdigest()
    return mask


def name_of(source: StrPath) -> str:
    """Return what a job is called after its source: the file's name without its extension, or the folder's."""
    path = Path(source)
    return path.name if path.is_dir() else path.stem
