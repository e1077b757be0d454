"""What a run writes into its track of how it came about."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from vosctl.engine.base import EngineInfo
from vosctl.engine.settings import EngineSettings
from vosctl.prompts.first_objects import FirstObjects
from vosctl.tracking import TrackingSettings
from vosctl.tracks.header import JSON, TrackHeader
from vosctl.tracks.identity import SourceIdentity
from vosctl.video.sources import Source


def header_of(
    source: Source,
    track: Path,
    objects: FirstObjects,
    tracking: TrackingSettings,
    settings: EngineSettings | None,
    engine: EngineInfo,
    *,
    image_rate: Fraction | None = None,
) -> TrackHeader:
    """Describe a run that is about to begin.

    Args:
        source: the video.
        track: where the track will be.
        objects: what is followed.
        tracking: how.
        settings: what was asked of the engine; None where the caller made it.
        engine: what is really used.
        image_rate: what was asked for.

    Raises:
        VosctlError: the source's files cannot be read.
    """
    header = TrackHeader.of(source.info, SourceIdentity.of(source.files), _path_from(track, source.files))
    used: dict[str, JSON] = {"asked": None if settings is None else asdict(settings), "used": asdict(engine)}
    return replace(
        header,
        image_rate=image_rate,
        prompts=_prompts(objects),
        tracking=asdict(tracking) | {"scales": list(tracking.scales)},
        engine=used,
    )


def _path_from(track: Path, files: tuple[Path, ...]) -> str:
    """Where the source lies, seen from the track, so that both can be moved together; its folder for several images."""
    if not files:
        return ""
    place = files[0] if len(files) == 1 else files[0].parent
    try:
        return os.path.relpath(place.absolute(), track.absolute().parent)
    except ValueError:  # another drive
        return str(place.absolute())


def _prompts(objects: FirstObjects) -> dict[str, JSON]:
    given: dict[str, JSON] = {}
    if isinstance(objects.mask, np.ndarray):
        given["first_mask"] = "array"
    elif objects.files:
        given["first_mask"] = list(objects.files)
    elif objects.choose is not None:
        given["choose"] = True
    for object_id, prompt in objects.prompts.items():
        box: JSON = None if prompt.box is None else [float(side) for side in prompt.box]
        points: JSON = [[float(x), float(y), bool(on_object)] for x, y, on_object in prompt.points]
        given[str(object_id)] = {"box": box, "points": points}
    return given
