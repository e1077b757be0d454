"""What is exported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from vosctl.errors import UsageError

ExportPrecision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[ExportPrecision, ...] = get_args(ExportPrecision)
DEFAULT_OPSET = 17
OPSETS = range(13, 21)  # per-channel scales came with 13; 20 is the last the exporter writes


@dataclass(frozen=True, slots=True)
class GraphShape:
    """Fixed or free sizes of the graphs' inputs.

    Attributes:
        size: height and width in pixels, multiples of the network's stride; None leaves both free.
        objects: number of objects that are propagated at once; None leaves it free.
    """

    size: tuple[int, int] | None = None
    objects: int | None = None

    def free_axes(self, name: str) -> dict[int, str]:
        """Return the names of the free axes of the input or output `name`."""
        first = {} if self.objects else {0: "objects"}
        if self.size or name == "presence":
            return first
        if name in {"image", "mask", "probability"}:
            return first | {1: "height", 2: "width"}
        return first | {2: f"{name}_height", 3: f"{name}_width"}


@dataclass(frozen=True, slots=True)
class Calibration:
    """Real frames that the ranges of int8 activations are taken from.

    Attributes:
        video: what `vosctl.video.sources.open_source` opens.
        first_mask: file with the objects of its first frame.
    """

    video: str
    first_mask: Path


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """Settings of an export.

    Attributes:
        shape: fixed or free sizes.
        precision: one of `PRECISIONS`.
        opset: version of the ONNX operators, one of `OPSETS`.
        calibration: for int8.
        least_agreement: share of the pixels, 0..1, on which every mask of an fp16 or int8 export must agree with
            torch's; None takes `vosctl.export.checking.LEAST_AGREEMENT`.
    """

    shape: GraphShape = GraphShape()
    precision: ExportPrecision = "fp32"
    opset: int = DEFAULT_OPSET
    calibration: Calibration | None = None
    least_agreement: float | None = None

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(f"`precision={self.precision!r}`: unknown; give {', '.join(PRECISIONS)}")
        if self.opset not in OPSETS:
            raise UsageError(f"`opset={self.opset}`: must be {OPSETS[0]} to {OPSETS[-1]}")
        if self.precision == "int8" and self.calibration is None:
            raise UsageError("`precision='int8'`: needs real frames; add `calibration=Calibration(VIDEO, MASK)`")
        if self.precision != "int8" and self.calibration is not None:
            raise UsageError("`calibration`: is for `precision='int8'` only")
        if self.shape.objects is not None and not 1 <= self.shape.objects <= 255:
            raise UsageError(f"`objects={self.shape.objects}`: must be 1 to 255, or `objects=None`")
