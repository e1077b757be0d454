"""The clip that comes with vosctl, its first mask, and the renderer that made both (`vosctl.demo.scene`)."""

from __future__ import annotations

from pathlib import Path

__all__ = ["demo_clip"]


def demo_clip() -> tuple[Path, Path]:
    """The packaged clip and the mask of its first frame.

    Returns:
        The H.264 video with sound, and an indexed PNG of its size with the ids of `vosctl.demo.scene`.
    """
    folder = Path(__file__).parent
    return folder / "clip.mp4", folder / "first-mask.png"
