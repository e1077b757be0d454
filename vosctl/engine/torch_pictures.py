"""Pictures on PyTorch's device: sent up as the bytes they are, into memory that stays, and what is read from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vosctl.engine.torch_transfers import Transfers
from vosctl.types import RGB, RGBImage
from vosctl.video.planar import Coding, Picture, PlanarPicture

Use = TypeVar("Use")
"""What reads a picture on the device."""

FINEST = 1024.0  # OpenCV converts colours of 8 bits in steps of 1/1024


@dataclass(frozen=True, slots=True, eq=False)
class Sent(Generic[Use]):
    """A picture that was sent up.

    Attributes:
        kind: tells pictures of different memory apart.
        use: what reads it there.
        picture: the picture, as it stays on the host until the second one after it is sent.
    """

    kind: object
    use: Use
    picture: Picture


class DevicePictures(Generic[Use]):
    """Where pictures of one size are put on the device.

    Args:
        device: the device.
        transfers: takes them there.
        of_planes: makes what reads luma (H, W), and Cb and Cr (2, H/2, W/2), uint8, of a coding.
        of_rgb: makes what reads (H, W, 3) uint8 RGB.
    """

    def __init__(
        self,
        device: torch.device,
        transfers: Transfers,
        of_planes: Callable[[Tensor, Tensor, Coding], Use],
        of_rgb: Callable[[Tensor], Use],
    ) -> None:
        self._device, self._transfers = device, transfers
        self._of_planes, self._of_rgb = of_planes, of_rgb
        self._made: dict[object, tuple[tuple[Tensor, ...], Use]] = {}

    def send(self, picture: Picture) -> Sent[Use]:
        """Send a picture up."""
        return self._planes(picture) if isinstance(picture, PlanarPicture) else self._rgb(picture)

    def _planes(self, picture: PlanarPicture) -> Sent[Use]:
        coding = picture.coding
        if coding not in self._made:
            luma = self._room(picture.planes[0].shape)
            chroma = self._room((2, *picture.planes[1].shape))
            self._made[coding] = (luma, chroma), self._of_planes(luma, chroma, coding)
        (luma, chroma), use = self._made[coding]
        np.copyto(self._transfers.staging(luma), picture.planes[0])
        for staging, plane in zip(self._transfers.staging(chroma), picture.planes[1:], strict=True):
            np.copyto(staging, plane)
        self._transfers.up(luma)
        self._transfers.up(chroma)
        return Sent(coding, use, picture)

    def _rgb(self, picture: RGBImage) -> Sent[Use]:
        if "rgb" not in self._made:
            frame = self._room(picture.shape)
            self._made["rgb"] = (frame,), self._of_rgb(frame)
        (frame,), use = self._made["rgb"]
        kept: RGBImage = self._transfers.staging(frame)
        np.copyto(kept, picture)
        self._transfers.up(frame)
        return Sent("rgb", use, kept)

    def _room(self, shape: tuple[int, ...]) -> Tensor:
        return torch.zeros(shape, dtype=torch.uint8, device=self._device)


def decoding_matrix(coding: Coding, device: torch.device) -> Tensor:
    """Return (3, 4) float32 from luma, Cb, Cr and 1 to red, green and blue, in the steps that OpenCV takes."""
    matrix = torch.from_numpy(coding.rgb_matrix())
    return ((matrix * FINEST).round() / FINEST).to(device)


def decoded(planes: Tensor, matrix: Tensor) -> Tensor:
    """Return (..., 3, H, W) luma, Cb and Cr as red, green and blue, 0..255, whole numbers."""
    mixed = torch.einsum("cp,...phw->...chw", matrix[:, :3], planes) + matrix[:, 3, None, None]
    return rounded(mixed.clamp(0, 255))


def rounded(values: Tensor) -> Tensor:
    """Return the nearest whole numbers, as OpenCV rounds: a half goes up."""
    return (values + 0.5).floor()


def rounded_fill(colour: tuple[float, ...] | RGB, device: torch.device) -> Tensor:
    """Return (3,) float32, the colour outside a picture as its bytes can say it."""
    return torch.tensor(colour, dtype=torch.float32, device=device).round()


def whole_planes(luma: Tensor, chroma: Tensor, coding: Coding) -> Callable[[], Tensor]:
    """Return what reads planes as a picture, (3, H, W) float32, 0..255; chroma is enlarged as on the host."""
    matrix = decoding_matrix(coding, luma.device)
    height, width = luma.shape

    def read() -> Tensor:
        return decoded(torch.cat((luma[None].float(), doubled(chroma)[:, :height, :width])), matrix)

    return read


def doubled(planes: Tensor) -> Tensor:
    """Enlarge (C, H, W) uint8 to (C, 2 H, 2 W) float32, whole numbers, by interpolation between neighbours.

    OpenCV cuts both rows' shares to quarters before it adds them, and so does this: a level less here and there.
    """
    wide = F.interpolate(planes.float(), scale_factor=2, mode="linear", align_corners=False)  # (C, H, 2 W)
    padded = F.pad(wide, (0, 0, 1, 1), mode="replicate").floor()
    near = (3 * wide).floor()
    rows = torch.stack((padded[:, :-2] + near, near + padded[:, 2:]), 2)  # (C, H, 2, 2 W)
    return ((rows + 2) / 4).floor().flatten(1, 2)


def whole_rgb(frame: Tensor) -> Callable[[], Tensor]:
    """Return what reads a picture as (3, H, W) float32, 0..255."""
    return lambda: frame.permute(2, 0, 1).float()
