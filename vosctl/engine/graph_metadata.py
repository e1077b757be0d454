"""What a pair of exported graphs says of itself in its ONNX metadata. Needs neither torch nor onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from vosctl.engine.backend import Precision
from vosctl.errors import VosctlError
from vosctl.weights.text import printable

_LARGEST_NUMBER = 65_536
FORMAT = "1"  # of the graphs' inputs, outputs and metadata


@dataclass(frozen=True, slots=True)
class GraphMetadata:
    """Carried by both graphs of a pair.

    Attributes:
        network: name of the network.
        stride: what height and width must be multiples of.
        crop_size: side in pixels of the square crop it sees, unless another is asked for.
        state_names: names of the reference state's tensors: outputs of `reference`, inputs of `step`.
        precision: "fp32", "fp16" or "int8".
        size: height and width in pixels the graphs are fixed to; None when free.
        objects: number of objects `step` is fixed to; None when free.
        weights: name or file name of the checkpoint; empty for graphs without weights.
        sha256: hex digest of the checkpoint.
        licence: what the weights may be used for.
        tells_presence: whether `step` has the output `presence`.
        version: vosctl's version at export.
    """

    network: str
    stride: int
    crop_size: int
    state_names: tuple[str, ...]
    precision: Precision = "fp32"
    size: tuple[int, int] | None = None
    objects: int | None = None
    weights: str = ""
    sha256: str = ""
    licence: str = ""
    version: str = ""
    tells_presence: bool = False

    @property
    def view_size(self) -> tuple[int, int]:
        """Height and width in pixels of what the graphs are shown: those they are fixed to, or the network's own."""
        return self.size or (self.crop_size, self.crop_size)

    @property
    def step_outputs(self) -> tuple[str, ...]:
        """Names of the step graph's outputs that are asked for."""
        return ("probability", "presence") if self.tells_presence else ("probability",)

    def to_properties(self) -> dict[str, str]:
        """Return the metadata as ONNX properties: text by text."""
        return {
            "format": FORMAT,
            "network": self.network,
            "stride": str(self.stride),
            "window": str(self.crop_size),  # the key keeps its first name: older exports have it
            "state": " ".join(self.state_names),
            "precision": self.precision,
            "size": f"{self.size[0]}x{self.size[1]}" if self.size else "dynamic",
            "objects": str(self.objects or "dynamic"),
            "weights": self.weights,
            "weights_sha256": self.sha256,
            "weights_licence": self.licence,
            "vosctl_version": self.version,
            "presence": "yes" if self.tells_presence else "no",
        }

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> GraphMetadata:
        """Read what `to_properties` wrote.

        Raises:
            KeyError, ValueError: not the metadata of such graphs.
        """
        if properties["format"] != FORMAT:
            raise ValueError(f"format {properties['format']}, this vosctl knows {FORMAT}")
        height, _, width = properties["size"].partition("x")
        read = cls(
            network=properties["network"],
            stride=int(properties["stride"]),
            crop_size=int(properties["window"]),
            state_names=tuple(properties["state"].split()),
            precision=_precision(properties["precision"]),
            size=(int(height), int(width)) if width else None,
            objects=None if properties["objects"] == "dynamic" else int(properties["objects"]),
            weights=properties["weights"],
            sha256=properties["weights_sha256"],
            licence=properties["weights_licence"],
            version=properties["vosctl_version"],
            tells_presence=properties.get("presence") == "yes",  # older graphs do not say
        )
        numbers = (read.stride, read.crop_size, *(read.size or ()), *(() if read.objects is None else (read.objects,)))
        if min(numbers) < 1 or max(numbers) > _LARGEST_NUMBER or read.crop_size % read.stride:
            raise ValueError(f"stride {read.stride}, crop {read.crop_size}, size {properties['size']}")
        return read


def _precision(word: str) -> Precision:
    """Read a precision.

    Raises:
        ValueError: no precision has this name.
    """
    known: tuple[Precision, ...] = get_args(Precision)
    for precision in known:
        if precision == word:
            return precision
    raise ValueError(f"precision {word}")


def check_tensors(
    metadata: GraphMetadata,
    reference: tuple[Sequence[str], Sequence[str]],
    step: tuple[Sequence[str], Sequence[str]],
    source: Path,
) -> None:
    """Check that each graph of a pair is the one its file's name says.

    Args:
        metadata: what both say of themselves.
        reference: names of the reference graph's inputs and outputs.
        step: those of the step graph.
        source: where they are from, for messages.

    Raises:
        VosctlError: other inputs or outputs; files may have been swapped.
    """
    state = metadata.state_names
    wanted = (
        ("reference", reference, {"image", "mask"}, state),
        ("step", step, {"image", "mask", *state}, metadata.step_outputs),
    )
    for name, (inputs, outputs), expected_inputs, expected_outputs in wanted:
        if set(inputs) != expected_inputs or tuple(outputs[: len(expected_outputs)]) != expected_outputs:
            raise VosctlError(
                f"{source}: {name}.onnx is not the {name} graph, it takes {printable(', '.join(inputs))} and gives "
                f"{printable(', '.join(outputs))}; were the files swapped? Export them again"
            )


def pair_metadata(reference: Mapping[str, str], step: Mapping[str, str], source: Path) -> GraphMetadata:
    """Return what the two graphs of a pair both say of themselves.

    Args:
        reference: metadata properties of the reference graph.
        step: those of the step graph.
        source: where they are from, for messages.

    Raises:
        VosctlError: they are not such graphs, or of different exports.
    """
    try:
        of_step, of_reference = (GraphMetadata.from_properties(properties) for properties in (step, reference))
    except (KeyError, ValueError) as error:
        raise VosctlError(
            f"{source}: not a graph written by `vosctl export-onnx` ({printable(error)}); export it again"
        ) from error
    if of_reference != of_step:
        raise VosctlError(f"{source}: reference.onnx and step.onnx are of different exports; export them again")
    return of_step
