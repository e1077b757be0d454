"""Sinks that write a video file: overlay, matte and cutout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vosctl.tracking.results import TrackedFrame
from vosctl.video.colours import ColourRequest, ObjectColours
from vosctl.video.edges import Edges, foreground_colours
from vosctl.video.encoder import VideoWriter
from vosctl.video.frames import Frame
from vosctl.video.overlay import draw_overlay, render_overlay
from vosctl.video.planar import PlanarPicture

_CUTOUT_MARGIN = 9
"""Pixels of picture kept around the object, so that its edge does not mix with black where chroma is subsampled."""


_AS_TRACKED = Edges()


def cut_out(image: NDArray[np.uint8], alpha: NDArray[np.uint8], edges: Edges = _AS_TRACKED) -> NDArray[np.uint8]:
    """Return the objects with straight (unpremultiplied) alpha.

    Args:
        image: (H, W, 3) uint8 RGB.
        alpha: (H, W) uint8, 0 is transparent.
        edges: how the matte's edge and its colours are to be.

    Returns:
        (H, W, 4) uint8 RGBA: black more than a few pixels away from anything visible, which compresses to nothing and
        keeps the background out of the file.
    """
    alpha = edges.apply(alpha)
    if edges.clean:
        image = foreground_colours(image, alpha)
    kernel = np.ones((_CUTOUT_MARGIN, _CUTOUT_MARGIN), np.uint8)
    near = cv2.dilate(alpha, kernel)
    cutout = np.zeros((*alpha.shape, 4), np.uint8)
    cv2.copyTo(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA), near, cutout)
    cv2.insertChannel(alpha, cutout, 3)
    return cutout


class VideoSink:
    """What the three have in common: a writer that is finished or aborted."""

    name: str

    def __init__(self, writer: VideoWriter) -> None:
        self._writer = writer
        self.path = writer.path

    @property
    def partial(self) -> Path | None:
        """See `Sink`."""
        return self._writer.partial

    def finish(self) -> Path:
        """See `Sink.finish`."""
        return self._writer.finish()

    def abort(self) -> Path | None:
        """See `Sink.abort`."""
        return self._writer.abort()

    def cancel(self) -> None:
        """See `Sink.cancel`."""
        self._writer.cancel()

    def abandon(self) -> Path | None:
        """See `Sink.abandon`."""
        return self._writer.abandon()


class OverlaySink(VideoSink):
    """The frames with their objects tinted and outlined.

    Args:
        writer: of the file.
        colours: what the user set; the others are chosen when an object is first seen, to stand out from it.
        warn: receives colours that no object got.
    """

    name = "overlay"

    def __init__(
        self,
        writer: VideoWriter,
        colours: ColourRequest | ObjectColours | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(writer)
        self._by_id: frozenset[int] = frozenset()
        if isinstance(colours, ObjectColours):
            self._colours = colours
        else:
            self._colours = ObjectColours(colours)
            self._by_id = frozenset(colours.by_id if colours else ())
        self._warn = warn

    def write(self, frame: Frame, result: TrackedFrame) -> None:
        """See `Sink.write`."""
        writer, picture, colours = self._writer, frame.picture, self._colours
        seen = [item.id for item in result.objects if item.box]
        if any(object_id not in colours for object_id in seen):
            colours.see(frame.image, result.labels, seen)
        if isinstance(picture, PlanarPicture) and writer.takes_planes(picture):
            writer.write_planes(picture, lambda planes: draw_overlay(planes, writer.coding, result, colours), frame)
        else:
            writer.write(render_overlay(frame.image, result, colours), "rgb24", frame)

    def finish(self) -> Path:
        """See `Sink.finish`."""
        finished = super().finish()
        for object_id in sorted(self._by_id - self._colours.keys()):
            self._warn(f"`colors`: there is no object {object_id}; its colour was not used")
        return finished


class MatteSink(VideoSink):
    """The objects' probability as a grey picture, white inside."""

    name = "matte"

    def __init__(self, writer: VideoWriter, edges: Edges = _AS_TRACKED) -> None:
        super().__init__(writer)
        self._edges = edges

    def write(self, frame: Frame, result: TrackedFrame) -> None:
        """See `Sink.write`."""
        self._writer.write(self._edges.apply(result.alpha), "gray", frame)


class CutoutVideoSink(VideoSink):
    """The objects on a transparent background."""

    name = "cutout"

    def __init__(self, writer: VideoWriter, edges: Edges = _AS_TRACKED) -> None:
        super().__init__(writer)
        self._edges = edges

    def write(self, frame: Frame, result: TrackedFrame) -> None:
        """See `Sink.write`."""
        self._writer.write(cut_out(frame.image, result.alpha, self._edges), "rgba", frame)
