"""The prompt network traced into its two ONNX graphs, `encode` and `segment`, of its one size and for one region."""

from __future__ import annotations

import onnx
import torch
from torch import Tensor, nn

from vosctl.export.graphs import replace_uneven_convolutions, trace
from vosctl.network.prompt import PROMPT_NAMES, Features, PromptNetwork


class EncodeGraph(nn.Module):
    """`image` (1, S, S, 3) uint8 to the features of a region, float32."""

    def __init__(self, network: PromptNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Features:
        """Run the trunk."""
        return self.network.encode(image.permute(0, 3, 1, 2).float() / 255)


class SegmentGraph(nn.Module):
    """`prompts` (1, 5, S, S) float32 and features to `probability` (1, S, S) and `score` (1,), float32."""

    def __init__(self, network: PromptNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, prompts: Tensor, *features: Tensor) -> tuple[Tensor, Tensor]:
        """Run the head."""
        probability, score = self.network.segment(prompts, *features)
        return probability[:, 0], score[:, 0]


def trace_prompt_graphs(network: PromptNetwork, opset: int) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Trace the network.

    Args:
        network: in evaluation mode, on the CPU; taken over, its uneven convolutions are replaced.
        opset: version of the ONNX operators, 17 or later.

    Returns:
        The encode and the segment graph; initialisers are named by the network's keys.
    """
    replace_uneven_convolutions(network)
    side, names = network.crop_size, network.description.state_names
    image = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    prompts = torch.zeros(1, len(PROMPT_NAMES), side, side)
    with torch.no_grad():
        features = network.encode(torch.zeros(1, 3, side, side))
    encode = trace(EncodeGraph(network), (image,), ("image",), names, {}, opset)
    segment = trace(
        SegmentGraph(network), (prompts, *features), ("prompts", *names), ("probability", "score"), {}, opset
    )
    return encode, segment
