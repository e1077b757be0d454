"""Makes the pictures of what `lite` and the prompt network get wrong, on scenes made of the demo's photographs.

python tools/make_failures.py docs/failures --weights lite

Each picture shows moments of one clip: the mask found in red, the outline of the true one in green, and its J. A scene
that the weights get right by now makes a dull picture: look at them before they go into the card.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import vosctl.demo
from vosctl.demo.scene import RACCOON_ID
from vosctl.evaluation.metrics import region_and_boundary
from vosctl.prompts import predict_mask
from vosctl.tracking import Tracker
from vosctl.video.overlay import render_overlay

PHOTOS = Path(vosctl.demo.__file__).parent / "photos"
WIDTH, HEIGHT, LENGTH = 640, 360, 60
SHOWN_WIDTH = 400

Image8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Piece:
    """Something to paste: (h, w, 3) uint8 RGB and its opacity, (h, w) float32, 0..1."""

    image: Image8
    alpha: NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """Where a piece is in a frame: the middle in pixels, its height in pixels, and its turn in degrees."""

    x: float
    y: float
    height: float
    turn: float = 0.0


def photo(name: str) -> Image8:
    """Read a photograph of the demo, (H, W, 3) uint8 RGB."""
    return np.asarray(Image.open(PHOTOS / name).convert("RGB"))


def cut_out(name: str, least: int, most: int) -> Piece:
    """Return an object of a photograph: where its mask is `least` to `most`."""
    values = np.asarray(Image.open(PHOTOS / f"{name}-mask.png"))
    mask = ((values >= least) & (values <= most)).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(mask)
    part = slice(y, y + height), slice(x, x + width)
    return Piece(photo(f"{name}.jpg")[part], cv2.GaussianBlur(mask[part].astype(np.float32), (0, 0), 1.0))


CUP = cut_out("coffee", 128, 255)
RACCOON = cut_out("raccoon", RACCOON_ID, RACCOON_ID)


def paste(image: NDArray[np.float32], labels: Image8, piece: Piece, place: Place, label: int) -> None:
    """Paste a piece in place; what it hides of other objects is no longer theirs."""
    height, width = piece.alpha.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), place.turn, place.height / height)
    matrix[:, 2] += (place.x - width / 2, place.y - height / 2)
    colour = piece.image.astype(np.float32) * piece.alpha[..., None]
    shrunk = place.height / height < 0.5  # a strongly shrunk picture would alias
    if shrunk:
        sigma = 0.4 * height / place.height
        colour = np.asarray(cv2.GaussianBlur(colour, (0, 0), sigma), np.float32)
    alpha = cv2.GaussianBlur(piece.alpha, (0, 0), sigma) if shrunk else piece.alpha
    placed = cv2.warpAffine(colour, matrix, (WIDTH, HEIGHT))
    opacity = cv2.warpAffine(np.asarray(alpha, np.float32), matrix, (WIDTH, HEIGHT))
    image *= 1 - opacity[..., None]
    image += placed
    labels[opacity > 0.5] = label


def backdrop(name: str, moment: float) -> NDArray[np.float32]:
    """Return a photograph that drifts slowly, (HEIGHT, WIDTH, 3) float32."""
    picture = photo(name)
    zoom = 1.15 * max(WIDTH / picture.shape[1], HEIGHT / picture.shape[0])
    spare_x, spare_y = zoom * picture.shape[1] - WIDTH, zoom * picture.shape[0] - HEIGHT
    shift = -spare_x * (0.5 + 0.3 * math.sin(moment)), -spare_y * (0.5 + 0.3 * math.cos(moment))
    matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    return np.asarray(cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT)), np.float32)


Moment = tuple[Image8, NDArray[np.bool_]]
SCENES: dict[str, Callable[[], Iterator[Moment]]] = {}


def scene(make: Callable[[float], tuple[NDArray[np.float32], Image8]]) -> Callable[[float], object]:
    """Turn a function from time, 0..1, to a frame and its labels (1 is the object) into a clip of that name."""

    def clip() -> Iterator[Moment]:
        for index in range(LENGTH):
            image, labels = make(index / (LENGTH - 1))
            yield np.clip(np.rint(image), 0, 255).astype(np.uint8), labels == 1

    SCENES[make.__name__.replace("_", "-")] = clip
    return make


def empty() -> Image8:
    """Return a mask of nothing, (HEIGHT, WIDTH) uint8."""
    return np.zeros((HEIGHT, WIDTH), np.uint8)


@scene
def look_alike(moment: float) -> tuple[NDArray[np.float32], Image8]:
    """Draw a second cup, the same in every pixel, that passes in front of the first."""
    image, labels = backdrop("raccoon.jpg", moment), empty()
    paste(image, labels, CUP, Place(220 + 200 * moment, 190, 110), 1)
    paste(image, labels, CUP, Place(520 - 400 * moment, 205, 115, 4), 2)
    return image, labels


@scene
def hidden(moment: float) -> tuple[NDArray[np.float32], Image8]:
    """Draw the cup going behind the raccoon and coming out far from where it went in, much smaller."""
    image, labels = np.asarray(cv2.GaussianBlur(backdrop("raccoon.jpg", moment), (0, 0), 16), np.float32), empty()
    paste(image, labels, CUP, Place(60 + 560 * moment, 210 - 60 * moment, 110 - 60 * moment), 1)
    paste(image, labels, RACCOON, Place(330, 220, 330), 2)
    return image, labels


@scene
def far_away(moment: float) -> tuple[NDArray[np.float32], Image8]:
    """Draw the cup going off into the distance until it is a few pixels high."""
    image, labels = backdrop("raccoon.jpg", moment), empty()
    paste(image, labels, CUP, Place(200 + 250 * moment, 180, 120 * 0.04**moment, 30 * moment), 1)
    return image, labels


@scene
def camouflage(moment: float) -> tuple[NDArray[np.float32], Image8]:
    """Draw a round piece of the raccoon's own fur that moves over its fur."""
    image, labels = backdrop("raccoon.jpg", 0.3 * moment), empty()
    fur = photo("raccoon.jpg")[330:530, 480:680]
    y, x = np.mgrid[-100:100, -100:100]
    disc = cv2.GaussianBlur((x**2 + y**2 < 90**2).astype(np.float32), (0, 0), 1.0)
    paste(image, labels, Piece(fur, np.asarray(disc, np.float32)), Place(200 + 240 * moment, 190, 90, 60 * moment), 1)
    return image, labels


@scene
def thin_bars(moment: float) -> tuple[NDArray[np.float32], Image8]:
    """Draw the cup passing behind thin bars of its own colour."""
    image, labels = backdrop("raccoon.jpg", moment), empty()
    paste(image, labels, CUP, Place(120 + 400 * moment, 190, 150), 1)
    bar = Piece(np.full((HEIGHT, 5, 3), (196, 160, 120), np.uint8), np.ones((HEIGHT, 5), np.float32))
    for left in range(10, WIDTH, 26):
        paste(image, labels, bar, Place(left, HEIGHT / 2, HEIGHT), 2)
    return image, labels


def draw(tracker: Tracker, clip: Iterator[Moment]) -> tuple[Image8, float]:
    """Track a clip; the first frame, the worst one and the last side by side, and the mean J."""
    frames, scores = [], []
    for index, (image, truth) in enumerate(clip):
        result = tracker.step(image) if index else tracker.start(image, truth.astype(np.uint8))
        score = region_and_boundary(result.labels == 1, truth)[0]
        outlines, _ = cv2.findContours(truth.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        drawn = cv2.drawContours(render_overlay(image, result), outlines, -1, (60, 255, 60), 1)
        cv2.putText(drawn, f"{index}: J {score:.2f}", (10, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
        frames.append(np.asarray(drawn, np.uint8))
        scores.append(score)
    worst = int(np.argmin(scores[1:-1])) + 1
    size = SHOWN_WIDTH, SHOWN_WIDTH * HEIGHT // WIDTH
    shown = [cv2.resize(frames[index], size, interpolation=cv2.INTER_AREA) for index in (0, worst, LENGTH - 1)]
    return np.asarray(np.hstack(shown), np.uint8), float(np.mean(scores[1:-1]))


CLICKS = (("coffee.jpg", (43.0, 345.0)), ("coffee.jpg", (348.0, 223.0)))
"""Photographs, and clicks (on a saucer) of which the prompt network makes something else."""


def draw_clicks() -> Image8:
    """Draw what is found for single clicks: (H, W, 3) uint8 RGB, side by side."""
    panels = []
    for name, (x, y) in CLICKS:
        image = photo(name)
        found = predict_mask(image, points=[(x, y, True)])
        shown = image.copy()
        shown[found.mask] = (0.5 * shown[found.mask] + 0.5 * np.array((40, 220, 90))).astype(np.uint8)
        cv2.circle(shown, (round(x), round(y)), max(image.shape) // 60, (255, 255, 255), -1)
        cv2.circle(shown, (round(x), round(y)), max(image.shape) // 90, (0, 90, 255), -1)
        height = 260
        shown = cv2.resize(
            shown, (round(height * image.shape[1] / image.shape[0]), height), interpolation=cv2.INTER_AREA
        )
        cv2.putText(
            shown, f"score {found.score:.2f}", (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA
        )
        panels.append(shown)
    return np.asarray(np.hstack(panels), np.uint8)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--weights", default="lite", show_default=True)
def main(folder: Path, weights: str) -> None:
    """Write one picture a scene into FOLDER and print each scene's mean J."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, clip in SCENES.items():
        picture, score = draw(Tracker.load(weights), clip())
        Image.fromarray(picture).save(folder / f"{name}.jpg", quality=88)
        click.echo(f"{name}: mean J {100 * score:.1f}")
    Image.fromarray(draw_clicks()).save(folder / "clicks.jpg", quality=88)


if __name__ == "__main__":
    main()
