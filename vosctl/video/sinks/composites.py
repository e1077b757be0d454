"""The objects before another background."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vosctl.tracking.results import TrackedFrame
from vosctl.types import Alpha, RGBImage
from vosctl.video.backgrounds import Background
from vosctl.video.edges import Edges, foreground_colours
from vosctl.video.encoder import VideoWriter
from vosctl.video.frames import Frame
from vosctl.video.sinks.videos import VideoSink


def composed(front: RGBImage, alpha: Alpha, back: RGBImage) -> RGBImage:
    """Put a picture before another: (H, W, 3) uint8 each, with (H, W) uint8 opacity; exact to rounding."""
    x, y, width, height = cv2.boundingRect(alpha)
    result = back.copy()
    if width:
        part = slice(y, y + height), slice(x, x + width)
        opacity = alpha[part].astype(np.uint16)[..., None]
        mixed = front[part] * opacity + back[part] * (255 - opacity) + 127
        result[part] = (mixed // 255).astype(np.uint8)
    return result


class CompositeSink(VideoSink):
    """A video of the objects, in their own colours up to the edge, before another background.

    Args:
        writer: of the file.
        background: what is put behind them; closed with the output.
        edges: how the matte is to be.
    """

    name = "composite"

    def __init__(self, writer: VideoWriter, background: Background, edges: Edges) -> None:
        super().__init__(writer)
        self._background, self._edges = background, edges

    def write(self, frame: Frame, result: TrackedFrame) -> None:
        """See `Sink.write`."""
        alpha, image = self._edges.apply(result.alpha), frame.image
        back = self._background.behind(frame)
        self._writer.write(composed(foreground_colours(image, alpha), alpha, back), "rgb24", frame)

    def finish(self) -> Path:
        """See `Sink.finish`."""
        self._background.close()
        return super().finish()

    def abort(self) -> Path | None:
        """See `Sink.abort`."""
        self._background.close()
        return super().abort()
