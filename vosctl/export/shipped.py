"""What the package holds of every network: `python -m vosctl.export.shipped` makes it anew.

That is a pair of graphs without weights, the keys of the weights they take, and the shapes of all weights. They depend
on the networks' code only. Every checkpoint runs in them, so new weights need no new graphs.
"""

from __future__ import annotations

import json

import onnx
from onnx.external_data_helper import set_external_data

from vosctl.engine.graph_files import ENCODE, GRAPHS_FOLDER, GRAPHS_INDEX, SEGMENT
from vosctl.engine.graph_metadata import GraphMetadata
from vosctl.export.graphs import describe_tensors, trace_graphs
from vosctl.export.prompt_graphs import trace_prompt_graphs
from vosctl.export.settings import DEFAULT_OPSET, GraphShape
from vosctl.network.table import (
    PACKAGED,
    PROMPT,
    SHAPES_FILE,
    create_prompt_network,
    find_network,
)

NOWHERE = "weights.bin"  # never read: the engine gives every weight


def make_graphs(name: str) -> tuple[dict[str, onnx.ModelProto], dict[str, list[str]]]:
    """Trace a network without its weights.

    Returns:
        The graphs, "reference" and "step", and for each the keys of the weights it takes.
    """
    network = find_network(name).create_whole()
    keys = set(network.state_dict())
    metadata = GraphMetadata(
        name, network.stride, network.crop_size, network.state_names, tells_presence=network.presence is not None
    )
    graphs = dict(zip(("reference", "step"), trace_graphs(network, GraphShape(), DEFAULT_OPSET), strict=True))
    taken = {kind: _without_weights(model, keys) for kind, model in graphs.items()}
    for model in graphs.values():
        onnx.helper.set_model_props(model, metadata.to_properties() | describe_tensors(model))
    return graphs, taken


def make_prompt_graphs() -> tuple[dict[str, onnx.ModelProto], dict[str, list[str]]]:
    """Trace the network that finds objects without its weights: "encode" and "segment"; see `make_graphs`."""
    network = create_prompt_network()
    graphs = dict(zip((ENCODE, SEGMENT), trace_prompt_graphs(network, DEFAULT_OPSET), strict=True))
    taken = {kind: _without_weights(model, set(network.state_dict())) for kind, model in graphs.items()}
    return graphs, taken


def _without_weights(model: onnx.ModelProto, keys: set[str]) -> list[str]:
    """Take the weights out of a graph, in place, and return their keys."""
    weights = [initializer for initializer in model.graph.initializer if initializer.name in keys]
    for initializer in weights:
        set_external_data(initializer, NOWHERE, 0, len(initializer.raw_data))
        initializer.ClearField("raw_data")
    return [initializer.name for initializer in weights]


def main() -> None:
    """Write graphs, index and shapes into the package."""
    GRAPHS_FOLDER.mkdir(exist_ok=True)
    index = {}
    shapes = {}
    for name in (*PACKAGED, PROMPT.name):
        network = create_prompt_network() if name == PROMPT.name else find_network(name).create_whole()
        shapes[name] = {key: list(value.shape) for key, value in network.state_dict().items()}
        graphs, index[name] = make_prompt_graphs() if name == PROMPT.name else make_graphs(name)
        for kind, model in graphs.items():
            onnx.save(model, GRAPHS_FOLDER / f"{name}.{kind}.onnx")
    SHAPES_FILE.write_text(json.dumps(shapes, separators=(",", ":")) + "\n", encoding="utf-8")
    GRAPHS_INDEX.write_text(json.dumps(index, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
