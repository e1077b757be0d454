"""What is exported."""

from __future__ import annotations

from dataclasses import dataclass

PRECISIONS = ("fp32", "fp16", "int8")
DEFAULT_OPSET = 17


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
        """Names of the free axes of the input or output `name`."""
        first = {} if self.objects else {0: "objects"}
        if self.size:
            return first
        if name in {"image", "mask", "probability"}:
            return first | {1: "height", 2: "width"}
        return first | {2: f"{name}_height", 3: f"{name}_width"}

    def __str__(self) -> str:
        size = f"{self.size[0]}x{self.size[1]}" if self.size else "dynamic"
        return f"{size}, {self.objects or 'any number of'} object(s)"
