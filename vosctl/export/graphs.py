"""A network traced into its two ONNX graphs, `reference` and `step`, that take plain image bytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from vosctl.engine.graph_files import REFERENCE, STEP
from vosctl.engine.graph_metadata import GraphMetadata
from vosctl.export.settings import GraphShape
from vosctl.network.base import PropagationNetwork
from vosctl.network.efficientnet import SameConv2d
from vosctl.tracking.crop import FILL
from vosctl.tracking.framing import CONTEXT, LARGEST_CONTEXT, LEAST_CONTEXT, MIN_SIDE, REFERENCE_CONTEXT, widened
from vosctl.tracking.presence import LOST_BELOW

WEIGHTS_PREFIX = "network."  # of the networks' keys in the traced modules
MEANINGS = {
    "image": "RGB, 0..255",
    "mask": "the object, 0..1; in the step graph the last probability, not thresholded",
    "probability": "of the object, 0..1; the next mask",
    "presence": "whether what is marked is the object, 0..1",
}
SUMMARIES = {
    REFERENCE: "vosctl, once an object: a frame whose mask is known to the tensors that the step graph takes.",
    STEP: "vosctl, once a frame: the object's mask, from the last one and the tensors of the reference graph.",
}
TRACED_SIZE = 64  # pixels: tracing is a run, and the dynamic graphs do not depend on its size


class ReferenceGraph(nn.Module):
    """`image` (N, H, W, 3) uint8 and `mask` (N, H, W) float32 to the tensors of the reference state, float32."""

    def __init__(self, network: PropagationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Encode the reference; the shapes are those of the class."""
        dtype = _dtype(self.network)
        state = self.network.encode_reference(_image(image, dtype), _as(mask[:, None], dtype))
        return tuple(_as(tensor, torch.float32) for tensor in state)


class StepGraph(nn.Module):
    """`image`, `mask` and the reference state to `probability` (N, H, W) and perhaps `presence` (N,), float32."""

    def __init__(self, network: PropagationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, mask: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Propagate the mask by one frame; the shapes are those of the class."""
        dtype = _dtype(self.network)
        inputs = (_image(image, dtype), _as(mask[:, None], dtype), *(_as(tensor, dtype) for tensor in state))
        if self.network.presence is None:
            return (_as(self.network.propagate(*inputs)[:, 0], torch.float32),)
        probability, presence = self.network.propagate_with_presence(*inputs)
        return _as(probability[:, 0], torch.float32), _as(presence, torch.float32)


def step_outputs(network: PropagationNetwork) -> tuple[str, ...]:
    """Return the names of the outputs of a network's step graph."""
    return ("probability",) if network.presence is None else ("probability", "presence")


def _dtype(network: PropagationNetwork) -> torch.dtype:
    return next(network.parameters()).dtype


def _image(image: Tensor, dtype: torch.dtype) -> Tensor:
    return _as(image.permute(0, 3, 1, 2).float() / 255, dtype)


def _as(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor if tensor.dtype == dtype else tensor.to(dtype)  # a conversion to the same type would be traced too


class _UnevenConvolution(torch.autograd.Function):
    """A convolution with more padding after than before: torch needs a pad and a convolution, ONNX one node.

    Left as two nodes, the pad costs ONNX Runtime two changes of memory layout: 12 % of the step, measured.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, conv: SameConv2d) -> Tensor:
        return SameConv2d.forward(conv, x)

    @staticmethod
    def symbolic(g: Any, x: Any, weight: Any, bias: Any, conv: SameConv2d) -> Any:
        before, after, _, _ = conv.uneven_padding or (0, 0, 0, 0)
        inputs = (x, weight) if conv.bias is None else (x, weight, bias)
        return g.op(
            "Conv",
            *inputs,
            kernel_shape_i=conv.kernel_size,
            strides_i=conv.stride,
            pads_i=(before, before, after, after),
            group_i=conv.groups,
        )


class _UnevenConv2d(nn.Module):
    """Stands in for a `SameConv2d` while it is traced."""

    def __init__(self, conv: SameConv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self._conv = (conv,)  # in a tuple: no submodule, the weights keep their keys

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = _UnevenConvolution.apply(x, self.weight, self.bias, self._conv[0])  # type: ignore[no-untyped-call]
        return out


def replace_uneven_convolutions(module: nn.Module) -> None:
    """Put in place of a network's uneven convolutions those that are traced as one node."""
    for name, child in module.named_children():
        if isinstance(child, SameConv2d) and child.uneven_padding is not None:
            setattr(module, name, _UnevenConv2d(child))
        else:
            replace_uneven_convolutions(child)


def trace_graphs(network: PropagationNetwork, shape: GraphShape, opset: int) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Trace a network.

    Args:
        network: in evaluation mode, on the CPU; taken over, its uneven convolutions are replaced.
        shape: fixed or free sizes of the graphs.
        opset: version of the ONNX operators, 13 or later.

    Returns:
        The reference and the step graph; initialisers are named by the network's keys.
    """
    replace_uneven_convolutions(network)
    height, width = shape.size or (TRACED_SIZE, TRACED_SIZE)
    objects = shape.objects or 2  # 1 would be taken for a broadcast
    image = torch.zeros(objects, height, width, 3, dtype=torch.uint8)
    mask = torch.zeros(objects, height, width)
    with torch.no_grad():
        state = ReferenceGraph(network)(image, mask)
    names = network.state_names
    one = slice(0, 1 if shape.objects else None)  # references are encoded one at a time
    reference = _trace(ReferenceGraph(network), (image[one], mask[one]), ("image", "mask"), names, shape, opset)
    step = _trace(
        StepGraph(network), (image, mask, *state), ("image", "mask", *names), step_outputs(network), shape, opset
    )
    return reference, step


def _trace(
    module: nn.Module,
    arguments: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    shape: GraphShape,
    opset: int,
) -> onnx.ModelProto:
    axes = {name: axes for name in (*inputs, *outputs) if (axes := shape.free_axes(name))}
    return trace(module, arguments, inputs, outputs, axes, opset)


def trace(
    module: nn.Module,
    arguments: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    free_axes: Mapping[str, Mapping[int, str]],
    opset: int,
) -> onnx.ModelProto:
    """Trace a module whose network is its attribute `network`; initialisers are named by the network's keys.

    Args:
        module: what is run.
        arguments: what it is run on.
        inputs: names of the arguments.
        outputs: names of what it returns.
        free_axes: names of the axes that have no fixed length, by tensor and axis.
        opset: version of the ONNX operators.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # This exporter is announced to go; the newer one knows opset 18 and later only, needs another package and takes
        # ten times as long for the same graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            arguments,
            buffer,  # type: ignore[arg-type]
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: dict(axes) for name, axes in free_axes.items()},
            opset_version=opset,
            dynamo=False,
            do_constant_folding=True,
            training=torch.onnx.TrainingMode.PRESERVE,
        )
    model = onnx.load_from_string(buffer.getvalue())
    _strip_prefix(model)
    return model


def fold_exponentials(model: onnx.ModelProto) -> None:
    """Compute the exponentials of weights, in place: ONNX Runtime cannot in fp16 on a CPU, and warns.

    Args:
        model: a graph whose weights lie in it.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Exp" and node.input[0] in constants]:
        weight = onnx.numpy_helper.to_array(constants[node.input[0]])
        folded = np.exp(weight.astype(np.float32)).astype(weight.dtype)
        graph.initializer.append(onnx.numpy_helper.from_array(folded, node.output[0]))
        graph.node.remove(node)
        if not any(node.input[0] in other.input for other in graph.node):
            graph.initializer.remove(constants[node.input[0]])


def describe_tensors(model: onnx.ModelProto) -> dict[str, str]:
    """Type, shape and meaning of each input and output, as metadata: {"input image": "uint8 (...): RGB, 0..255"}."""
    described = {}
    for kind, values in (("input", model.graph.input), ("output", model.graph.output)):
        for value in values:
            tensor = value.type.tensor_type
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            shape = ", ".join(str(axis.dim_param or axis.dim_value) for axis in tensor.shape.dim)
            meaning = MEANINGS.get(value.name, "reference state, never changed")
            described[f"{kind} {value.name}"] = f"{dtype} ({shape}): {meaning}"
    return described


def context_in_views(context: float, metadata: GraphMetadata) -> str:
    """Return one of `vosctl.tracking.framing`'s contexts as it is for the graphs' own views, in three digits."""
    return f"{widened(context, metadata.view_size[0]):.3g}"


def describe_use(metadata: GraphMetadata) -> dict[str, str]:
    """How the graphs are to be used, as metadata: what vosctl itself cuts out of a frame and makes of what it gets.

    Args:
        metadata: of the graphs.
    """
    contexts = CONTEXT, LEAST_CONTEXT, LARGEST_CONTEXT, REFERENCE_CONTEXT
    context, least, largest, reference = (context_in_views(one, metadata) for one in contexts)
    described = {
        "normalisation": "in the graph",
        "context": f"{context}: side of the crop over the longer side of the object's box; {least} where its "
        f"motion is steady, {largest} where it is not",
        "reference_context": f"{reference}: the same for the reference",
        "least_side": f"{MIN_SIDE:g}: of the crop, in pixels of the frame",
        "fill": f"{' '.join(map(str, FILL))}: RGB of a crop beyond the frame, where the mask is 0",
        "threshold": "0.5: of the probability, above which a pixel is the object's",
    }
    if metadata.tells_presence:
        described["lost_below"] = f"{LOST_BELOW}: presence below which what is marked may be something else"
    return described


def _strip_prefix(model: onnx.ModelProto) -> None:
    for initializer in model.graph.initializer:
        initializer.name = initializer.name.removeprefix(WEIGHTS_PREFIX)
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = name.removeprefix(WEIGHTS_PREFIX)
