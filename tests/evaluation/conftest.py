"""Small annotated data sets, made anew for every test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosctl.datasets import Sequence

MakeSequence = Callable[..., Sequence]


def _write(folder: Path, masks: list[np.ndarray]) -> dict[str, Path]:
    folder.mkdir(parents=True)
    paths = {f"{index:05d}": folder / f"{index:05d}.png" for index in range(len(masks))}
    for path, mask in zip(paths.values(), masks, strict=True):
        Image.fromarray(mask).save(path)
    return paths


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The data set that `make_sequence` fills."""
    return tmp_path / "data"


@pytest.fixture
def make_sequence(root: Path) -> MakeSequence:
    """Write one sequence of a flat data set; its images are grey where an object is."""

    def make(name: str, masks: list[np.ndarray]) -> Sequence:
        annotations = _write(root / "Annotations" / name, masks)
        images = _write(root / "JPEGImages" / name, [np.stack([mask // 2] * 3, axis=2) for mask in masks])
        return Sequence(name, images, annotations)

    return make


@pytest.fixture
def predict(tmp_path: Path) -> Callable[[str, list[np.ndarray]], Path]:
    """Write a sequence's predictions and return the folder of all predictions."""

    def write(name: str, masks: list[np.ndarray]) -> Path:
        _write(tmp_path / "predictions" / name, masks)
        return tmp_path / "predictions"

    return write


@pytest.fixture
def square() -> Callable[..., np.ndarray]:
    """Labels (60, 80) with a square of 20 pixels."""

    def draw(x: int, y: int = 20, value: int = 1, base: np.ndarray | None = None) -> np.ndarray:
        labels = np.zeros((60, 80), np.uint8) if base is None else base.copy()
        labels[y : y + 20, x : x + 20] = value
        return labels

    return draw


@pytest.fixture
def moving(square: Callable[..., np.ndarray]) -> list[np.ndarray]:
    """Six masks of a square that moves 4 pixels a frame."""
    return [square(10 + 4 * index) for index in range(6)]
