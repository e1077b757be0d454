"""Engines that need no network."""

from __future__ import annotations

import numpy as np

from vosctl.engine import EngineInfo, Step


class BrightObjectEngine:
    """An engine that finds what is bright: tracking can be tested without a network that works."""

    takes_float = False
    stride = 32
    crop_size = 96

    def __init__(self) -> None:
        self.info = EngineInfo("fake", "bright", "bright", "cpu", "fp32")
        self.batches: list[int] = []

    def encode_reference(self, image, mask):
        assert image.dtype == np.uint8
        assert image.shape[:2] == mask.shape
        colours = image[mask > 0.5]
        return np.median(colours, axis=0) if len(colours) else np.full(3, 999.0)

    def propagate(self, images, masks, states):
        self.batches.append(len(images))
        near = [np.abs(image - colour).max(axis=-1) < 40 for image, colour in zip(images, states, strict=True)]
        return Step(np.where(np.stack(near), np.float32(0.95), np.float32(0.02)), tuple(states))


def register_engine(create, name="fake"):
    """A context in which an engine of one's own is in the table, and is what `engine="auto"` takes.

    Args:
        create: the engine, or what makes it of a request.
        name: what `engine` takes.
    """
    from vosctl.engine.backend import Backend
    from vosctl.engine.table import registered_backend

    make = create if callable(create) else lambda request: create
    return registered_backend(Backend(name, ("cpu",), ("fp32",), lambda: None, lambda request: 100, make))
