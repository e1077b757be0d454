from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from vosctl.video.masks import write_indexed_png


@pytest.fixture(autouse=True)
def one_thread():
    """The tests' tensors are so small that threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def picture(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Coarse colour noise: something to recognise at any scale."""
    small = rng.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def disc(width: int, height: int, x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[:height, :width]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


@pytest.fixture
def stills(tmp_path: Path) -> Path:
    """Three stills of a red disc with a void rim."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "stills"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for n in range(3):
        image, labels = picture(rng, 128, 96), np.zeros((96, 128), np.uint8)
        labels[disc(128, 96, 60, 48, 26)] = 255
        labels[disc(128, 96, 60, 48, 24)] = 3
        image[labels == 3] = (220, 30, 30)
        Image.fromarray(image).save(folder / "images" / f"{n}.jpg")
        write_indexed_png(folder / "masks" / f"{n}.png", labels)
    return folder


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Two sequences in the DAVIS layout of a disc that moves; one has 0/255 masks, one has two objects."""
    rng = np.random.default_rng(1)
    root = tmp_path / "videos"
    for name, count in (("binary", 6), ("two", 5)):
        background = picture(rng, 128, 96)
        for part in ("JPEGImages", "Annotations"):
            (root / part / name).mkdir(parents=True)
        for n in range(count):
            image, labels = background.copy(), np.zeros((96, 128), np.uint8)
            labels[disc(128, 96, 40 + 4 * n, 48, 18)] = 255 if name == "binary" else 1
            if name == "two":
                labels[disc(128, 96, 100, 30 + 3 * n, 14)] = 2
            image[(labels == 1) | (labels == 255)] = (30, 220, 30)
            image[labels == 2] = (30, 30, 220)
            Image.fromarray(image).save(root / "JPEGImages" / name / f"{n:05d}.jpg")
            path = root / "Annotations" / name / f"{n:05d}.png"
            if name == "binary":
                Image.fromarray(labels).save(path)
            else:
                write_indexed_png(path, labels)
    return root
