"""Clips of bodies: who is in one, where, and how it is filmed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.people.bodies import Anatomy, Body
from tools.people.looks import LAYERS, Look, draw_look, read_photo
from tools.people.motions import Motion
from tools.people.pictures import Light, Plane, Studio, as_filmed, look_at, perspective

Array = NDArray[Any]

WIDTH, HEIGHT = 640, 360
FRAMES = 24
INTERVAL = 1 / 12
"""Seconds from one frame to the next, at the recorded speed."""
CALM = {
    False: ("walk", "run", "walk", "dance_a", "dance_b", "jump", "punch"),
    True: ("crawl", "crawl", "run", "roll", "walk", "getup_facedown"),
}
"""What most people and most creatures do in a crowd."""


@dataclass(frozen=True, slots=True)
class Material:
    """What clips are made of."""

    anatomy: Anatomy
    motions: dict[str, Motion]
    photos: list[Path]
    creatures: bool


@dataclass(frozen=True, slots=True)
class Actor:
    """A body with its textures and, for every frame, its vertices and normals."""

    body: Body
    textures: Any
    poses: list[tuple[Array, Array]]


class Shot:
    """One clip: who is in it, where, and how it is filmed.

    Args:
        studio: draws it.
        material: what it is made of.
        number: everything is drawn from it.
    """

    def __init__(self, studio: Studio, material: Material, number: int) -> None:
        self._studio, self._material, self._number = studio, material, number
        self._rng = rng = np.random.default_rng(number)
        kind = rng.random()
        count = 1 if kind < 0.3 else int(rng.integers(2, 4)) if kind < 0.65 else int(rng.integers(4, 8))
        self._spread = 0.5 + 0.35 * count
        self._actors = self._cast(count)
        self._film()

    def _cast(self, count: int) -> list[Actor]:
        rng, creatures = self._rng, self._material.creatures
        alike, first = rng.random() < 0.6, self._look()
        actors = []
        for index in range(count):
            look = self._look()
            if alike and index:
                own = look
                look = dict(first)
                for layer in ("hair", "skin") if rng.random() < 0.6 else ():
                    look[layer] = own[layer]
                if rng.random() < 0.4:
                    look["bottom"] = own["bottom"]
                look["hair_length"] = own["hair_length"]
            elif not index:
                look = first
            child = rng.random() < 0.2
            body = Body(self._material.anatomy, rng, look, child=child, creature=creatures)
            poses = self._moves(body, count)
            actors.append(Actor(body, self._studio.textures([look[layer] for layer in LAYERS]), poses))
        return actors

    def _look(self) -> Look:
        return draw_look(self._rng, self._material.photos, creature=self._material.creatures)

    def _moves(self, body: Body, count: int) -> list[tuple[Array, Array]]:
        rng, motions, creatures = self._rng, self._material.motions, self._material.creatures
        any_motion = rng.random() < 0.4 if creatures else count < 4 or rng.random() < 0.3
        name = str(rng.choice(list(motions) if any_motion else CALM[creatures]))
        frames = motions[name].sample(rng.uniform(0, 5), rng.uniform(0.6, 1.3) * INTERVAL, FRAMES)
        mirrored = bool(rng.random() < 0.5)
        yaw = rng.uniform(-np.pi, np.pi) if rng.random() < 0.7 else rng.choice([0, np.pi / 2, -np.pi / 2])
        frames[:, [1, 3]] -= frames[FRAMES // 2, [1, 3]]
        place = np.zeros(3)
        if count > 1:
            place[:2] = rng.uniform(-self._spread, self._spread), rng.uniform(-self._spread, self._spread) * 0.6
        changes = {
            f"{joint}{side}": cv2.Rodrigues(rng.normal(0, 0.15, 3))[0] for joint in ("hip", "arm") for side in "LR"
        }
        posed = [body.pose(frame, mirrored=mirrored, yaw=yaw, place=place, changes=changes) for frame in frames]
        ground = np.percentile([vertices[:, 2].min() for vertices, _ in posed], 15)
        return [(vertices - [0, 0, ground], normals) for vertices, normals in posed]

    def _film(self) -> None:
        """Place the camera, the light and what is round the bodies."""
        rng, count = self._rng, len(self._actors)
        middles = np.array([[vertices.mean(0) for vertices, _ in actor.poses] for actor in self._actors])
        main = int(rng.integers(count))
        focus = middles[main] if count < 4 or rng.random() < 0.3 else middles.mean(0)
        follow = rng.choice([0, rng.uniform(0.3, 1)])
        calm = [np.convolve(np.pad(focus[:, axis], 3, "edge"), np.ones(7) / 7, "valid") for axis in range(3)]
        self._path = path = focus.mean(0) + follow * (np.stack(calm, 1) - focus.mean(0))
        self._angle = math.radians(rng.uniform(20, 55))
        cover = rng.uniform(0.35, 1.1) if count < 4 else rng.uniform(0.35, 0.75)  # of the picture's height
        distance = 1.6 / cover / 2 / math.tan(self._angle / 2)
        azimuth = rng.uniform(-0.5, 0.5) if rng.random() < 0.5 else rng.uniform(-np.pi, np.pi)
        self._elevation = rng.uniform(-0.05, 0.35)
        self._azimuths = azimuth + self._drift(rng.choice([0, 0.15, 0.4]))
        self._distances = distance * np.exp(self._drift(rng.choice([0, 0.1, 0.25])))
        shakes = [self._drift(rng.choice([0.02, 0.12]) * 1.5 / cover / 2, 8) for _ in range(3)]
        self._aims, self._rolls = path + np.stack(shakes, 1), self._drift(0.03)
        centre = path.mean(0)
        ahead = np.array([math.sin(azimuth), -math.cos(azimuth), 0])  # from the bodies to the camera
        side = np.array([math.cos(azimuth), math.sin(azimuth), 0])
        self._stage(centre, ahead, side, distance)
        self._posts = self._put_posts(centre, ahead, side, distance, cover) if rng.random() < 0.3 else []
        sun = np.array([*(rng.normal(0, 1, 2)), rng.uniform(0.3, 1.5)])
        tint = 1 + rng.normal(0, 0.08, 3)
        sunlight = tint * rng.uniform(0.2, 0.9)
        daylight = np.ones(3) * rng.uniform(0.35, 0.8) * (1 + rng.normal(0, 0.05, 3))
        gain, shadow = rng.uniform(0.6, 1.1), rng.uniform(0.2, 0.6)
        self._light = Light(sun / np.linalg.norm(sun), sunlight, daylight, shadow, gain)
        self._brightness = np.exp(self._drift(rng.choice([0, 0.1])))
        self._noise, self._blur = rng.uniform(0, 6), rng.choice([0, rng.uniform(0.3, 1)])
        self._quality = int(rng.integers(60, 95))

    def _drift(self, scale: float, knots: int = 4) -> Array:
        """Return a value for every frame that wanders round 0."""
        values = self._rng.normal(0, scale, knots)
        return np.interp(np.linspace(0, knots - 1, FRAMES), np.arange(knots), values)

    def _photo(self) -> tuple[Any, float]:
        """Return a photograph's texture, bottom row first, and its width over its height."""
        rng, photos = self._rng, self._material.photos
        photo = read_photo(photos[rng.integers(len(photos))])
        if rng.random() < 0.3:
            photo = cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.5, 3))
        return self._studio.textures([photo[::-1]]), photo.shape[1] / photo.shape[0]

    def _stage(self, centre: Array, ahead: Array, side: Array, distance: float) -> None:
        """Put a photograph behind the bodies, and in half of the clips another one under them."""
        rng, studio, up = self._rng, self._studio, np.array([0, 0, 1.0])
        photo, aspect = self._photo()
        under = self._photo()[0] if rng.random() < 0.55 else None
        away = self._spread + rng.uniform(1.5, 6)
        seen = (distance + away) * math.tan(self._angle / 2)
        width = seen * 2 * WIDTH / HEIGHT * rng.uniform(1.3, 2.2)
        stands = under is not None and rng.random() < 0.7
        bottom = 0.0 if stands else centre[2] - width / aspect * 0.5
        height = max(width / aspect, seen * 3)
        foot = np.array([centre[0], centre[1], bottom]) - ahead * away
        times = 2.0  # how often the photograph is repeated, each time beside itself
        below = times * (bottom != 0)
        corners = [
            foot - side * width * times - up * height * below,
            foot + side * width * times - up * height * below,
            foot + side * width * times + up * height * times,
            foot - side * width * times + up * height * times,
        ]
        cloth = [(0.5 - times, -below), (0.5 + times, -below), (0.5 + times, times), (0.5 - times, times)]
        self._backdrop = studio.plane(corners, cloth, ahead, photo)
        self._ground: Plane | None = None
        if under is not None:
            square = np.array([[-40, -40, 0], [40, -40, 0], [40, 40, 0], [-40, 40, 0]])
            self._ground = studio.plane(list(square), (square[:, :2] * rng.uniform(0.2, 0.8)).tolist(), up, under)

    def _put_posts(self, centre: Array, ahead: Array, side: Array, distance: float, cover: float) -> list[Plane]:
        """Put one to three posts between the camera and the bodies."""
        rng, up = self._rng, np.array([0, 0, 1.0])
        texture, _ = self._photo()
        posts = []
        for _ in range(rng.integers(1, 4)):
            foot = centre + ahead * distance * rng.uniform(0.2, 0.6) + side * rng.uniform(-1, 1) * 0.8 / cover
            half = rng.uniform(0.03, 0.15) / cover
            low, high = (-3, 6) if rng.random() < 0.7 else (-3, rng.uniform(0, 1))
            slant = rng.normal(0, 0.1)
            corners = [
                foot - side * half + up * low,
                foot + side * half + up * low,
                foot + side * (half + slant) + up * high,
                foot - side * (half - slant) + up * high,
            ]
            posts.append(self._studio.plane(corners, [(0, 0), (0.3, 0), (0.3, 1), (0, 1)], ahead, texture))
        return posts

    def write(self, root: Path) -> None:
        """Write the clip into the folders of a root in the DAVIS layout."""
        name = f"{'creature' if self._material.creatures else 'people'}-{self._number:04d}"
        images, annotations = root / "JPEGImages" / name, root / "Annotations" / name
        for folder in (images, annotations):
            folder.mkdir(parents=True, exist_ok=True)
        for index in range(FRAMES):
            image, ids = self._frame(index)
            filmed = as_filmed(image, self._blur, self._noise, np.random.default_rng((self._number, index)))
            quality = [cv2.IMWRITE_JPEG_QUALITY, self._quality]
            cv2.imwrite(str(images / f"{index:05d}.jpg"), filmed[..., ::-1], quality)
            cv2.imwrite(str(annotations / f"{index:05d}.png"), ids)

    def _frame(self, index: int) -> tuple[Array, Array]:
        azimuth, elevation, light = self._azimuths[index], self._elevation, self._light
        flat = math.cos(elevation)
        direction = np.array([math.sin(azimuth) * flat, -math.cos(azimuth) * flat, math.sin(elevation)])
        eye = self._path[index] + self._distances[index] * direction
        eye[2] = max(eye[2], 0.15)
        view = perspective(self._angle, WIDTH / HEIGHT) @ look_at(eye, self._aims[index], self._rolls[index])
        bright = self._brightness[index]
        now = Light(light.sun, light.sunlight * bright, light.daylight * bright, light.shadow, light.gain * bright)
        self._studio.look(view, eye, now)
        bodies = []
        for actor in self._actors:
            body = actor.body
            mesh = self._studio.mesh(*actor.poses[index], body.cloth, body.materials, body.triangles)
            bodies.append((mesh, actor.textures))
        return self._studio.draw(self._backdrop, self._ground, self._posts, bodies)
