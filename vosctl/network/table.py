"""The table of networks: what each says of itself. Needs no torch; a network's module is imported when one is made.

A new network is one module with its class and one `NetworkDescription` here, then `python -m vosctl.export.shipped`,
which writes its graphs and the shapes of its weights into the package.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vosctl.errors import UsageError
from vosctl.registration import registered

if TYPE_CHECKING:
    from collections.abc import Callable

    from vosctl.network.base import PropagationNetwork
    from vosctl.network.prompt import PromptNetwork

Task = Literal["follow", "find"]
"""What a network does: follow an object from frame to frame, or find it in a picture from a box or clicks."""

SHAPES_FILE = Path(__file__).with_name("shapes.json")
OUTLINE = "outline"
"""First part of the keys of lite's head for outlines, which lite had not before version 0.3."""
COUNTER_SUFFIX = ".num_batches_tracked"
"""End of the keys of the batch norms' counters: of no use, and absent from files written before PyTorch 0.4.1."""

DOES_NOT_FOLLOW = "finds objects from a box or clicks and follows none; give lite or lite-plus"

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class OfficialRelease:
    """What is known of weights that come as the file its authors released.

    Attributes:
        licence: what they may be used for.
        training_data: what they were trained on.
        quality: their published quality.
    """

    licence: str
    training_data: str
    quality: str


@dataclass(frozen=True, slots=True, eq=False)
class NetworkDescription:
    """What the rest of vosctl must know of a network.

    Attributes:
        name: its name in the registry and in checkpoints' metadata.
        crop_size: side in pixels of the square it sees, unless another is asked for.
        state_names: names of the tensors of the reference state, in order.
        factory: "module:class", or what makes the network with random weights.
        task: what it does.
        stride: what height and width must be multiples of.
        detached_reference: module behind which no gradient flows back in the reference stream: what is before it learns
            from the target stream alone, at two thirds of the cost. Empty for none.
        stem: names of the image convolution, the mask convolution and the batch norm of their sum.
        float_layers: parts of the names of the layers that an export in 8 bits keeps in floats: those whose errors are
            the mask's own, and the first ones, whose errors go through all the others.
        grown_from: name of a smaller network whose weights it can start from.
        grow: "module:function" that does so.
        official: its authors' own release, whose files have keys that begin with `module.`; None where there is none.
        has_presence_head: whether it can have a head that tells whether the object is in the image
            (`PropagationNetwork.add_presence`); such a head is optional in a checkpoint.
        presence_part: first part of the keys of that head.
        side_by_side: names of the tensors of the reference state in which two references of an object lie side by side,
            as more places to read from, while of the others there is the mean (`vosctl.engine.references`); empty where
            the network reads one only.
        added_parts: first parts of the keys of parts that came later and begin as ones that change nothing: older
            checkpoints lack them.
        own_shapes: shapes of the weights by key, where they are not in the package's `shapes.json`.
    """

    name: str
    crop_size: int
    state_names: tuple[str, ...]
    factory: str | Callable[[], PropagationNetwork]
    task: Task = "follow"
    stride: int = 32
    detached_reference: str = ""
    stem: tuple[str, str, str] = ("stem", "stem_mask", "stem_bn")
    float_layers: tuple[str, ...] = ()
    grown_from: str = ""
    grow: str = ""
    official: OfficialRelease | None = None
    has_presence_head: bool = False
    presence_part: str = "presence"
    side_by_side: tuple[str, ...] = ()
    added_parts: tuple[str, ...] = ()
    own_shapes: Shapes | None = None

    @property
    def shapes(self) -> Shapes:
        """Shapes of all weights by key, in the order of the network's state dict, counters included."""
        return self.own_shapes if self.own_shapes is not None else _package_shapes()[self.name]

    def is_optional(self, key: str) -> bool:
        """Return whether a checkpoint may lack a key: a counter, or one of an optional part."""
        return key.endswith(COUNTER_SUFFIX) or part_of(key) in self.optional_parts

    @property
    def optional_parts(self) -> frozenset[str]:
        """First parts of the keys that a checkpoint has all of, or none."""
        return frozenset((self.presence_part, *self.added_parts))

    @property
    def parts(self) -> frozenset[str]:
        """First parts of the keys that a checkpoint must have: what it is recognised by."""
        return frozenset(part_of(key) for key in self.shapes if not self.is_optional(key))

    def create_whole(self) -> PropagationNetwork:
        """Make the network with random weights and all the parts that it may have: see `create`."""
        network = self.create()
        if self.has_presence_head:
            network.add_presence()
        return network

    def create(self) -> PropagationNetwork:
        """Make the network with random weights, without what is optional, in evaluation mode; imports torch.

        Raises:
            UsageError: it is no network that follows objects.
        """
        if self.task != "follow":
            raise UsageError(f"`network={self.name!r}`: {DOES_NOT_FOLLOW}")
        return imported(self.factory)() if isinstance(self.factory, str) else self.factory()


def part_of(key: str) -> str:
    """Return the first part of a weight's key."""
    return key.split(".", 1)[0]


def imported(place: str) -> Any:
    """Import what "module:name" names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


@lru_cache
def _package_shapes() -> dict[str, Shapes]:
    listed: dict[str, dict[str, list[int]]] = json.loads(SHAPES_FILE.read_text(encoding="utf-8"))
    return {name: {key: tuple(shape) for key, shape in shapes.items()} for name, shapes in listed.items()}


_READ = ("key", "value", "appearance")
"""Of the reference state of lite and lite-plus: what is read, or compared with, place by place in any order."""
LITE = NetworkDescription(
    name="lite",
    crop_size=320,
    state_names=("key", "value", "r5"),
    factory="vosctl.network.lite:Lite",
    detached_reference="encoder.blocks.4",
    float_layers=(
        "/stem/Conv",
        "/stem_mask/Conv",
        "/blocks.0/",
        "/blocks.1/",
        "/blocks.2/",
        "/head2/Conv",
        "/outline/",
    ),
    has_presence_head=True,
    side_by_side=_READ,
    added_parts=(OUTLINE,),
)
LITE_PLUS = NetworkDescription(
    name="lite-plus",
    crop_size=384,
    state_names=("key", "value", "r5"),
    factory="vosctl.network.lite_plus:LitePlus",
    detached_reference="encoder.blocks.6",
    float_layers=("/stem/Conv", "/stem_mask/Conv", "/head2/Conv"),
    has_presence_head=True,
    side_by_side=_READ,
    grown_from="lite",
    grow="vosctl.network.growth:grow",
)
RGMP = NetworkDescription(
    name="rgmp",
    crop_size=384,
    state_names=("r5",),
    factory="vosctl.network.rgmp:RGMP",
    detached_reference="Encoder.res3",
    stem=("conv1", "conv1_p", "bn1"),
    float_layers=("/conv1/Conv", "/conv1_p/Conv", "/pred2/Conv"),
    official=OfficialRelease(
        licence="non-commercial research use only (terms of the official RGMP release)",
        training_data="still images (PASCAL VOC, ECSSD, MSRA10K), then DAVIS 2017 train, as the paper says",
        quality="as published, in the paper's protocol: J&F 81.8 on DAVIS-2016 val, 66.7 on DAVIS-2017 val",
    ),
)
PROMPT = NetworkDescription(
    name="prompt",
    crop_size=256,
    state_names=("f1", "f2", "f3", "f4"),
    factory="vosctl.network.prompt:PromptNetwork",
    task="find",
)
_TABLE: dict[str, NetworkDescription] = {one.name: one for one in (LITE, LITE_PLUS, RGMP, PROMPT)}
PACKAGED = tuple(name for name, one in _TABLE.items() if one.task == "follow")
"""Names of the networks that follow objects whose graphs are in the package."""


def networks(task: Task | None = None) -> dict[str, NetworkDescription]:
    """Return every network by name, or those of one task."""
    return {name: one for name, one in _TABLE.items() if task in (None, one.task)}


def find_network(name: str) -> NetworkDescription:
    """Return the description of a network.

    Raises:
        UsageError: no such network.
    """
    if name not in _TABLE:
        raise UsageError(f"`network={name!r}`: unknown; networks: {', '.join(_TABLE)}")
    return _TABLE[name]


def create_prompt_network() -> PromptNetwork:
    """Make the network that finds objects, with random weights; imports torch."""
    network: PromptNetwork = imported(str(PROMPT.factory))()
    return network


def create_network(name: str) -> PropagationNetwork:
    """Make a network with random weights; imports torch.

    Raises:
        UsageError: no such network.
    """
    return find_network(name).create()


def registered_network(description: NetworkDescription) -> AbstractContextManager[NetworkDescription]:
    """Put a network into the table, in the place of one of the same name, for as long as the block lasts."""
    return registered(_TABLE, description.name, description)
