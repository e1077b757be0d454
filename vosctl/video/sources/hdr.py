"""HDR pictures (HLG, as phones record it, and PQ) brought to standard dynamic range.

The network was trained on standard pictures, and so are the outputs. The conversion is one table from colour to colour,
made here from the ITU's formulas and applied by FFmpeg's `lut3d`.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

HdrKind = Literal["HLG", "PQ"]
_TRANSFERS: dict[int, HdrKind] = {16: "PQ", 18: "HLG"}
"""By FFmpeg's AVColorTransferCharacteristic, which is the number in ITU-T H.273."""
_FORMAT = "gbrp10le"

_TABLE_SIZE = 33
_HDR_PEAK, _SDR_WHITE = 1000.0, 203.0
"""Luminances in cd/m2: of the brightest highlights kept, and of HDR's reference white (ITU-R BT.2408), which becomes
SDR's white."""
_SDR_GAMMA = 2.4
"""Of an SDR display (ITU-R BT.1886)."""

_BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)  # ITU-R BT.2087, inverted
_BT2020_LUMA = np.array([0.2627, 0.6780, 0.0593])

Colours = NDArray[np.float64]


def hdr_kind(frame: av.VideoFrame) -> HdrKind | None:
    """Return the kind of an HDR picture, "HLG" or "PQ"; None for any other."""
    return _TRANSFERS.get(frame.color_trc)


class HdrConverter:
    """Converts HDR pictures of one kind and size to SDR RGB.

    Args:
        kind: "HLG" or "PQ".
        width: of the pictures in pixels.
        height: of the pictures in pixels.
    """

    def __init__(self, kind: HdrKind, width: int, height: int) -> None:
        self._size = width, height
        self._reformatter = VideoReformatter()
        self._graph = Graph()
        with tempfile.TemporaryDirectory(prefix="vosctl-") as folder:
            table = Path(folder) / "sdr.cube"  # it is read when the graph is configured
            table.write_text(cube_file(kind), encoding="ascii")
            parts = [
                self._graph.add_buffer(
                    width=width, height=height, format=av.VideoFormat(_FORMAT), time_base=Fraction(1, 1000)
                ),
                self._graph.add("lut3d", file=str(table), interp="tetrahedral"),
                self._graph.add("format", "rgb24"),
                self._graph.add("buffersink"),
            ]
            self._graph.link_nodes(*parts).configure()

    def convert(self, frame: av.VideoFrame, source_matrix: int | None) -> av.VideoFrame:
        """Return the picture as rgb24.

        Args:
            frame: as it was decoded, of any size; it is scaled to the converter's.
            source_matrix: PyAV's colorspace for a picture that names none it knows.
        """
        width, height = self._size
        rgb = self._reformatter.reformat(
            frame, width=width, height=height, format=_FORMAT, src_colorspace=source_matrix
        )
        self._graph.push(rgb)
        converted = self._graph.pull()
        assert isinstance(converted, av.VideoFrame)
        return converted


def cube_file(kind: HdrKind) -> str:
    """Return the table as the text of a .cube file: red runs fastest."""
    steps = np.linspace(0, 1, _TABLE_SIZE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    table = to_sdr(np.stack((red, green, blue), axis=-1).reshape(-1, 3), kind)
    lines = [f"{r:.5f} {g:.5f} {b:.5f}" for r, g, b in table]
    return "\n".join((f"LUT_3D_SIZE {_TABLE_SIZE}", *lines, ""))


def to_sdr(colours: Colours, kind: HdrKind) -> Colours:
    """BT.2020 colours as they are coded in HDR to BT.709 colours as they are coded in SDR.

    Args:
        colours: (N, 3), 0..1.
        kind: "HLG" or "PQ".

    Returns:
        (N, 3), 0..1.
    """
    light = _hlg_light(colours) if kind == "HLG" else _pq_light(colours)
    # The brightest channel is compressed and the others keep their ratio to it, so that the hue stays.
    brightest = light.max(axis=1, keepdims=True)
    light = light * _compressed(brightest) / np.maximum(brightest, 1e-6) / _SDR_WHITE
    return np.asarray(np.clip(light @ _BT2020_TO_BT709.T, 0, 1) ** (1 / _SDR_GAMMA))


def _hlg_light(signal: Colours) -> Colours:
    """HLG's signal to light of a display, cd/m2 (ITU-R BT.2100: inverse OETF, then OOTF)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luma = (scene @ _BT2020_LUMA)[:, None]
    return np.asarray(_HDR_PEAK * np.maximum(luma, 1e-9) ** 0.2 * scene)


_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def _pq_light(signal: Colours) -> Colours:
    """PQ's signal to light, cd/m2 (SMPTE ST 2084)."""
    root = signal ** (1 / _M2)
    return np.asarray(10000 * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1))


def _pq_signal(light: Colours) -> Colours:
    """Light, cd/m2, to PQ's signal."""
    power = (np.maximum(light, 0) / 10000) ** _M1
    return np.asarray(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


def _compressed(light: Colours) -> Colours:
    """Light up to `_HDR_PEAK` rolled off to `_SDR_WHITE`: the EETF of ITU-R BT.2390, section 5.4."""
    peak, white = _pq_signal(np.array([_HDR_PEAK])), _pq_signal(np.array([_SDR_WHITE]))
    signal = np.minimum(_pq_signal(light) / peak, 1)
    most = white / peak
    knee = 1.5 * most - 0.5
    t = np.clip((signal - knee) / (1 - knee), 0, 1)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    return _pq_light(np.where(signal < knee, signal, spline) * peak)
