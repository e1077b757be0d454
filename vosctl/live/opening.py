"""From what the user typed to a feed."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from vosctl.errors import UsageError
from vosctl.live.camera import CameraFeed, CameraSettings
from vosctl.live.feeds import Feed, FileFeed
from vosctl.live.stream import StreamFeed
from vosctl.video.hardware import DecoderWord
from vosctl.video.sources import open_source

PATIENCE = 60.0
"""Seconds for which a dropped stream is tried again."""
_DEVICE = re.compile(r"\d{1,3}|/dev/.+")


def open_feed(
    spec: str,
    camera: CameraSettings,
    patience: float | None,
    note: Callable[[str], None],
    decoder: DecoderWord = "auto",
) -> Feed:
    """Open a feed and its first frame.

    Args:
        spec: a camera's number or device file, a video file or folder of images, or an rtsp:// or http(s):// address.
        camera: what is asked of a camera.
        patience: seconds for which a dropped stream is tried again; None for `PATIENCE`.
        note: receives a line for what the user should know; also from the thread that reads the feed.
        decoder: what decodes a video, see `open_source`.

    Raises:
        UsageError: there is nothing of that name, camera settings for something that is no camera, patience with
            something that is no stream, or a GPU's decoder for a camera.
        VosctlError: it cannot be opened.
    """
    if _DEVICE.fullmatch(spec) and not Path(spec).is_file():
        if decoder == "nvdec":
            raise UsageError(f"`decoder='nvdec'`: is for videos and streams, and {spec} is a camera; leave it out")
        _check_impatient(spec, patience)
        feed = CameraFeed(spec, camera)
        for line in feed.notes:
            note(line)
        return feed
    for name, given in (("size", camera.size), ("fps", camera.fps), ("backend", camera.backend != "auto")):
        if given:
            raise UsageError(f"`{name}`: is for cameras, and {spec} is none; leave it out")
    if spec == "-":
        raise UsageError("-: standard input has no clock to play it by; use `vosctl segment -` instead")
    source = open_source(spec, decoder=decoder)
    if source.info.live:
        reopen = partial(open_source, spec, decoder=decoder)
        return StreamFeed(source, reopen, PATIENCE if patience is None else patience, note)
    try:
        _check_impatient(spec, patience)
    except UsageError:
        source.close()
        raise
    return FileFeed(source)


def _check_impatient(spec: str, patience: float | None) -> None:
    if patience is not None:
        raise UsageError(f"`reconnect`: is for streams, and {spec} is none; leave it out")
