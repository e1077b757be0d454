"""The two calls that every propagation network answers, and what they share."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from vosctl.network.presence import PresenceHead
from vosctl.network.table import NetworkDescription

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

APPEARANCE = "appearance"
"""Name of the tensor of the reference state that a head for presence compares with."""

State = tuple[Tensor, ...]


class PropagationNetwork(nn.Module):
    """A siamese network: the reference stream runs once per object, the target stream once per frame.

    Both streams take an image, (N, 3, H, W) float RGB in [0, 1], and a mask, (N, 1, H, W) float in [0, 1], of the same
    size, with height and width multiples of `stride`. Reference and target have the same size: the global convolution
    compares them place by place.

    Attributes:
        description: what the table of networks says of it.
        name: its name there.
        stride: what height and width must be multiples of.
        crop_size: side in pixels of the square it sees, unless another is asked for.
        state_names: names of the tensors of the reference state, in order.
        presence: the head that tells whether what is marked is the object; None where there is none.
    """

    description: ClassVar[NetworkDescription]
    presence: PresenceHead | None

    def __init__(self) -> None:
        super().__init__()
        self.name = self.description.name
        self.stride = self.description.stride
        self.crop_size = self.description.crop_size
        self.state_names = self.description.state_names
        self.presence = None

    def add_presence(self) -> None:
        """Give the network a head that tells presence, with random weights. Its states have one tensor more."""
        self.presence = self._new_presence_head()
        self.state_names = (*self.description.state_names, APPEARANCE)

    def remove_presence(self) -> None:
        """Take the head away, as when the features that it reads are going to change."""
        self.presence = None
        self.state_names = self.description.state_names

    def _new_presence_head(self) -> PresenceHead:
        raise NotImplementedError(f"the {self.name} network has no head that tells presence")

    def encode_reference(self, image: Tensor, mask: Tensor) -> State:
        """Run the reference stream.

        Args:
            image: (N, 3, H, W) float RGB in [0, 1].
            mask: (N, 1, H, W) float in [0, 1], the object in that image.

        Returns:
            The reference state: tensors named by `state_names`, batch first, of a size that never changes.
        """
        raise NotImplementedError

    def propagate_scales(self, image: Tensor, mask: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Run the target stream and return the object's logit at every scale, for training.

        Returns:
            (N, 1, H, W), then (N, 1, H/8, W/8), (N, 1, H/16, W/16) and (N, 1, H/32, W/32).
        """
        raise NotImplementedError

    def propagate(self, image: Tensor, mask: Tensor, *state: Tensor) -> Tensor:
        """Run the target stream.

        Args:
            image: (N, 3, H, W) float RGB in [0, 1], the current frame.
            mask: (N, 1, H, W) float in [0, 1], the guidance mask: the previous frame's soft mask, not thresholded.
            state: the tensors `encode_reference` returned, batch N.

        Returns:
            (N, 1, H, W), the probability of the object.
        """
        return torch.sigmoid(self.propagate_scales(image, mask, *state)[0])

    def propagate_with_presence(self, image: Tensor, mask: Tensor, *state: Tensor) -> tuple[Tensor, Tensor]:
        """Run the target stream of a network that has a head for presence.

        Returns:
            What `propagate` returns, and (N,), the probability that what it marks is the object.
        """
        raise NotImplementedError

    def train(self, mode: bool = True) -> PropagationNetwork:
        """Set training mode; batch norms stay on their stored statistics (as RGMP was trained, section 4.2)."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self
