"""The clips that come with vosctl, and the renderer of the made one (`vosctl.demo.scene`)."""

from __future__ import annotations

from pathlib import Path

__all__ = ["demo_clip", "made_clip"]

_FOLDER = Path(__file__).parent


def demo_clip() -> tuple[Path, Path]:
    """Return the clip that `vosctl demo` segments, of an opening flower.

    Returns:
        The H.264 video with sound, 960x540, and an indexed PNG with the mask of its first frame, one object.
    """
    return _FOLDER / "flower.mp4", _FOLDER / "flower-mask.png"


def made_clip() -> tuple[Path, Path]:
    """Return the clip of the made scene, whose masks are exact.

    Returns:
        The H.264 video with sound, 854x480, and an indexed PNG of its first frame with the ids of `vosctl.demo.scene`.
    """
    return _FOLDER / "clip.mp4", _FOLDER / "first-mask.png"
