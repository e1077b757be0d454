"""What the engines that run exported graphs share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosctl.engine.arguments import check_batch, check_reference
from vosctl.engine.base import EngineInfo, StateBatches, Step
from vosctl.engine.graph_metadata import GraphMetadata
from vosctl.engine.memory import memory_errors
from vosctl.engine.parts import even_parts, largest_part
from vosctl.engine.references import ReferenceStates, one_of_network, side_by_side
from vosctl.errors import UsageError

State = tuple[NDArray[np.float32], ...]
Outputs = tuple[NDArray[np.float32], ...]


class GraphEngine(ABC):
    """An `Engine` on a pair of graphs, which may be fixed to a size and to a number of objects.

    A reference is kept in host memory; the batch of references that is followed is placed where the graph runs once and
    stays there from frame to frame.

    Args:
        info: what was chosen.
        metadata: what the graphs say of themselves.
        one_size: why the graphs run on states of one size only, see `JoinsReferences.one_reference`; empty where they
            do not.
        in_parts: whether many objects go through graphs for any number of them in parts, as suits a CPU.
    """

    def __init__(self, info: EngineInfo, metadata: GraphMetadata, one_size: str = "", *, in_parts: bool = True) -> None:
        self.info = info
        self.takes_float = False
        self.stride = metadata.stride
        self.crop_size = metadata.size[0] if metadata.size and len(set(metadata.size)) == 1 else metadata.crop_size
        self._metadata = metadata
        self._in_parts = in_parts
        self._lock = Lock()  # the buffers of a step are the engine's own, and are filled anew by each
        beside = side_by_side(metadata.network)
        names = metadata.state_names
        self._references: ReferenceStates[NDArray[np.float32]] = ReferenceStates(names, beside, np.concatenate)
        if metadata.size is not None:
            one_size = "graphs that were exported for a fixed size read one reference of an object"
        self.one_reference = one_of_network(metadata.network, beside) or one_size
        self._batches = StateBatches(self._place_batch)

    @abstractmethod
    def _run_reference(self, image: NDArray[np.uint8], mask: NDArray[np.float32]) -> State:
        """Run the reference graph on (1, H, W, 3) and (1, H, W), both contiguous."""

    @abstractmethod
    def _place(self, state: State) -> Any:
        """Put the concatenated state of some objects where the step graph runs."""

    @abstractmethod
    def _run_step(self, images: NDArray[np.uint8], masks: NDArray[np.float32], state: Any) -> Outputs:
        """Run the step graph on (N, H, W, 3) and (N, H, W), both contiguous, and a placed state of N objects.

        Returns:
            What `GraphMetadata.step_outputs` names.
        """

    def encode_reference(self, image: NDArray[Any], mask: NDArray[np.float32]) -> State:
        """See `Engine.encode_reference`."""
        check_reference(self, image, mask)
        self._check_size(image[None])
        with self._lock, memory_errors("encoding a reference"):
            return self._run_reference(np.ascontiguousarray(image[None]), np.ascontiguousarray(mask[None]))

    def join_references(self, first: State, second: State) -> State:
        """See `JoinsReferences.join_references`."""
        return self._references.join(first, second)

    def propagate(self, images: NDArray[Any], masks: NDArray[np.float32], states: Sequence[State]) -> Step[State]:
        """See `Engine.propagate`."""
        check_batch(self, images, masks, states)
        self._check_size(images)
        with self._lock, memory_errors(f"a step of the network for {len(images)} objects"):
            return self._propagate(images, masks, states)

    def _propagate(self, images: NDArray[Any], masks: NDArray[np.float32], states: Sequence[State]) -> Step[State]:
        fixed = self._metadata.objects
        padding = -len(images) % fixed if fixed else 0  # a graph for a fixed number is run on some objects twice
        members = [*range(len(images)), *[0] * padding]
        split = even_parts(len(members), self._most(images))
        batches = self._batches.get([states[index] for index in members], split)
        parts = [
            self._run_step(np.ascontiguousarray(images[which]), np.ascontiguousarray(masks[which]), batch)
            for part, batch in zip(split, batches, strict=True)
            for which in [members[part]]
        ]
        joined = parts[0] if len(parts) == 1 else tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        probabilities, *presence = (array[: len(images)] for array in joined)
        return Step(probabilities, tuple(states), presence[0] if presence else None)

    def _most(self, images: NDArray[Any]) -> int:
        """Return how many objects go through the step graph at once."""
        return self._metadata.objects or (largest_part(*images.shape[1:3]) if self._in_parts else len(images))

    def _place_batch(self, states: Sequence[State]) -> Any:
        return self._place(self._references.batch(states))

    def _check_size(self, images: NDArray[Any]) -> None:
        """Refuse images of another size than the one a graph is fixed to."""
        size = self._metadata.size
        if size is not None and images.shape[1:3] != size:
            (height, width), (fixed_height, fixed_width) = images.shape[1:3], size
            raise UsageError(
                f"{self.info.weights}: the graphs were exported for {fixed_height}x{fixed_width} and cannot run on "
                f"{height}x{width}; export others with `vosctl export-onnx --size dynamic`"
            )
