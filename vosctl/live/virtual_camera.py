"""A camera that other programs see, through pyvirtualcam."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.errors import VosctlError
from vosctl.extras import require


class VirtualCamera:
    """Shows pictures as a camera. A context manager.

    Args:
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
        fps: what it tells programs that ask.

    Attributes:
        device: the camera's name in other programs.

    Raises:
        VosctlError: pyvirtualcam is not installed, or the platform has no virtual camera.
    """

    def __init__(self, width: int, height: int, fps: float) -> None:
        require("camera", "`virtual_camera`")
        import pyvirtualcam

        try:
            self._camera: Any = pyvirtualcam.Camera(width, height, fps, fmt=pyvirtualcam.PixelFormat.RGB)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise VosctlError(
                f"`virtual_camera`: none can be opened ({reason}); it takes v4l2loopback on Linux, OBS elsewhere"
            ) from error
        self.device = str(self._camera.device)

    def send(self, image: NDArray[np.uint8]) -> None:
        """Show a picture, (H, W, 3) uint8 RGB, at once."""
        self._camera.send(image)

    def __enter__(self) -> VirtualCamera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._camera.close()
