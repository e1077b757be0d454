"""Bodies in drawn clothes that move as recorded people did: what `tools.people.shots` puts before its cameras.

The body is that of `anny`, made of MakeHuman's assets (CC0). Bodies stand in a world with x to their left, y backwards
and z up, in metres; a motion's axes are those of `tools.people.motions`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anny
import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from tools.people.looks import BOTTOM, EXTRA, HAIR, SHOES, SKIN, TOP, Look, Rng

Array = NDArray[Any]

TO_WORLD = np.array([[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]])
"""A motion's axes in the world."""
DOWN = np.array([0, 0, -1.0])


def _part_of(bone: str) -> str:
    """Return the part of the body that a bone moves with, with its side where there are two."""
    name, _, side = bone.partition(".")
    starts = (
        (("root", "pelvis", "spine05"), "pelvis", False),
        (("spine04", "spine03"), "waist", False),
        (("spine02", "spine01", "breast", "clavicle"), "chest", False),
        (("shoulder01",), "collar", True),
        (("upperarm",), "upperarm", True),
        (("lowerarm",), "lowerarm", True),
        (("wrist", "finger", "metacarpal"), "hand", True),
        (("upperleg",), "upperleg", True),
        (("lowerleg",), "lowerleg", True),
        (("foot", "toe"), "foot", True),
        (("neck",), "neck", False),
    )
    for names, part, sided in starts:
        if name.startswith(names):
            return part + side if sided else part
    return "head"


class Anatomy:
    """The body model and what is the same for every body: bones, skinning weights, faces."""

    def __init__(self) -> None:
        self._model: Any = anny.create_fullbody_model()
        self.bones: list[str] = list(self._model.bone_labels)
        self.parents: list[int] = list(self._model.bone_parents)
        self.parts = [_part_of(bone) for bone in self.bones]
        self.bone_indices: Array = self._model.vertex_bone_indices.numpy()
        self.weights: Array = self._model.vertex_bone_weights.numpy().astype(np.float32)
        faces = self._model.faces.numpy()
        self.triangles: Array = np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])
        self.main_bones: Array = self.bone_indices[np.arange(len(self.bone_indices)), self.weights.argmax(1)]

    def shape(self, **phenotype: float) -> tuple[Array, Array]:
        """Return a body at rest: (V, 3) vertices and (B, 3) heads of the bones, in metres."""
        still = torch.eye(4)[None, None].repeat(1, len(self.bones), 1, 1)
        out = self._model(pose_parameters=still, phenotype_kwargs=phenotype)
        return out["rest_vertices"][0].numpy().astype(np.float32), out["rest_bone_heads"][0].numpy().astype(float)


@dataclass(slots=True)
class Surface:
    """Vertices at rest: positions and normals (V, 3), skinning (V, K), cloth coordinates (V, 2), materials (V,)."""

    positions: Array
    normals: Array
    bones: Array
    weights: Array
    cloth: Array
    materials: Array
    triangles: Array

    def add_grid(self, points: Array, normals: Array, material: int, bones: Sequence[int], weights: Array) -> None:
        """Add a sheet of (R, C, 3) points that moves with some bones, by (R, C, len(bones)) weights."""
        rows, columns, _ = points.shape
        count, width = rows * columns, self.bones.shape[1]
        index = np.arange(count).reshape(rows, columns) + len(self.positions)
        a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
        more = [np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)]
        all_bones = np.zeros((count, width), self.bones.dtype)
        all_weights = np.zeros((count, width), np.float32)
        all_bones[:, : len(bones)], all_weights[:, : len(bones)] = bones, weights.reshape(count, -1)
        flat = points.reshape(-1, 3).astype(np.float32)
        self.triangles = np.concatenate([self.triangles, *more]).astype(np.int32)
        self.positions = np.concatenate([self.positions, flat])
        self.normals = np.concatenate([self.normals, normals.reshape(-1, 3).astype(np.float32)])
        self.bones = np.concatenate([self.bones, all_bones])
        self.weights = np.concatenate([self.weights, all_weights])
        self.cloth = np.concatenate([self.cloth, flat])
        self.materials = np.concatenate([self.materials, np.full(count, material)])


class Body:
    """One dressed body, to be posed.

    Args:
        anatomy: the body model.
        rng: its shape is drawn from it.
        look: what it wears, see `draw_look`.
        child: whether it is a child's.
        creature: whether its parts are of sizes that no person has.
    """

    def __init__(self, anatomy: Anatomy, rng: Rng, look: Look, *, child: bool, creature: bool) -> None:
        self._anatomy, self._look = anatomy, look
        age = rng.uniform(0.2, 0.45) if child else rng.uniform(0.45, 0.95)
        gender, muscle, weight = rng.random(), rng.random(), rng.random()
        height, proportions = rng.uniform(0.2, 0.8), rng.random()
        vertices, self._heads = anatomy.shape(
            age=age, gender=gender, muscle=muscle, weight=weight, height=height, proportions=proportions
        )
        self._at = dict(zip(anatomy.bones, self._heads, strict=True))
        surface = self._dressed(vertices, rng)
        self._wear_more(surface, vertices, rng)
        self.cloth = np.stack([surface.cloth[:, 0] + 0.7 * surface.cloth[:, 1], surface.cloth[:, 2]], 1) * look["scale"]
        self.materials, self.triangles = surface.materials.astype(np.float32), surface.triangles
        self._surface = surface
        self._arm = {s: _rotation_between(self._bone("lowerarm01", "upperarm01", s), DOWN) for s in "LR"}
        self._forearm = {s: _rotation_between(self._bone("wrist", "lowerarm01", s), DOWN) for s in "LR"}
        self._hip = self._at["upperleg01.L"][2] - vertices[:, 2].min()
        self._sizes = np.ones(len(anatomy.bones))
        if creature:
            parts = ("pelvis", "waist", "chest", "neck", "head", "collar", "upperarm", "lowerarm", "hand", "upperleg")
            sizes = {part: math.exp(rng.normal(0, 0.35)) for part in (*parts, "lowerleg", "foot")}
            self._sizes = np.array([sizes[part.rstrip("LR")] for part in anatomy.parts])

    def _bone(self, end: str, start: str, side: str) -> Array:
        return np.asarray(self._at[f"{end}.{side}"] - self._at[f"{start}.{side}"])

    def _dressed(self, vertices: Array, rng: Rng) -> Surface:
        """Return the body's own surface, made thicker where it is dressed."""
        triangles, materials = self._anatomy.triangles, self._materials(vertices)
        normals = np.zeros_like(vertices)
        corners = vertices[triangles]
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        for corner in range(3):
            np.add.at(normals, triangles[:, corner], across)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
        thickness = np.array([0, rng.uniform(0.004, 0.02), rng.uniform(0.004, 0.025), 0.006, 0, 0], np.float32)
        thickness[HAIR] = self._look["hair_thickness"]
        thicker = np.zeros(len(vertices), np.float32)
        np.maximum.at(thicker, triangles.ravel(), np.repeat(thickness[materials], 3))
        folds = np.sin(vertices @ rng.normal(0, 30, (3, 3))).sum(1) * 0.15 + 1
        worn = vertices + normals * (thicker * folds)[:, None]
        # a vertex between two materials is one of each
        kinds, corners = np.unique(triangles * 8 + materials[:, None], return_inverse=True)
        source = kinds // 8
        return Surface(
            worn[source],
            normals[source],
            self._anatomy.bone_indices[source],
            self._anatomy.weights[source],
            vertices[source],
            kinds % 8,
            corners.reshape(-1, 3).astype(np.int32),
        )

    def _materials(self, vertices: Array) -> Array:
        """Return the (T,) materials of the body's triangles."""
        anatomy, at, look = self._anatomy, self._at, self._look
        first = anatomy.triangles[:, 0]
        part = np.array(anatomy.parts)[anatomy.main_bones][first]
        centre = vertices[anatomy.triangles].mean(1)
        eye = at["eye.L"]

        def along(start: str, end: str, side: str) -> Array:
            bone = self._bone(end, start, side)
            return np.asarray(((centre - at[f"{start}.{side}"]) @ bone) / (bone @ bone))

        top = np.isin(part, ["chest", "waist", "collarL", "collarR"])
        top |= (part == "pelvis") & (centre[:, 2] > at["pelvis.L"][2] + 0.03)
        top |= (part == "neck") & (centre[:, 2] < at["neck01"][2] + 0.01)
        bottom = (part == "pelvis") & ~top
        materials = np.full(len(centre), SKIN)
        for side in "LR":
            upper, lower = part == f"upperarm{side}", part == f"lowerarm{side}"
            if look["sleeve"] == "long":
                top |= upper | lower
            elif look["sleeve"] == "short":
                top |= upper & (along("upperarm01", "lowerarm01", side) < 0.6)
            upper, lower = part == f"upperleg{side}", part == f"lowerleg{side}"
            if look["legs"] == "long":
                bottom |= upper | lower
            else:
                bottom |= upper & (
                    along("upperleg01", "lowerleg01", side) < (look["hem"] if look["legs"] == "shorts" else 0.15)
                )
            materials[part == f"foot{side}"] = SHOES
        materials[top], materials[bottom] = TOP, BOTTOM
        hair = centre[:, 2] > eye[2] + 0.055
        hair |= (centre[:, 1] > eye[1] + 0.09) & (centre[:, 2] > eye[2] - 0.06)
        materials[(part == "head") & hair] = HAIR
        is_eye = np.array(["eye" in bone for bone in anatomy.bones])
        materials[is_eye[anatomy.main_bones][first]] = HAIR
        return materials

    def _wear_more(self, surface: Surface, vertices: Array, rng: Rng) -> None:
        """Add a skirt, long hair, a rucksack and what is held in a hand, as the look says."""
        look, at, bone = self._look, self._at, self._anatomy.bones.index
        if look["legs"] in ("skirt", "dress"):
            down, round_ = np.linspace(0, 1, 10)[:, None], np.linspace(0, 2 * np.pi, 33)[None]
            waist, hip = at["pelvis.L"][2] + 0.08, at["upperleg01.L"][2]
            low = hip + (at["foot.L"][2] - hip) * look["hem"]
            belt = vertices[np.abs(vertices[:, 2] - hip) < 0.06]
            belt = belt[np.abs(belt[:, 0]) < 0.3]
            across, deep = np.abs(belt[:, 0]).max() + 0.015, np.ptp(belt[:, 1]) / 2 + 0.02
            centre = (belt[:, 1].max() + belt[:, 1].min()) / 2
            wide = (0.85 + 0.15 * np.minimum(down * 4, 1)) + look["flare"] / across * down
            wide = wide * (1 + 0.06 * down * np.sin(round_ * rng.integers(5, 12)))
            points = _sheet(
                across * wide * np.cos(round_), centre + deep * wide * np.sin(round_), waist + (low - waist) * down
            )
            share = np.clip((down - 0.15) * 1.1, 0, 0.85)
            left = 1 / (1 + np.exp(-np.cos(round_) * 4))
            weights = _sheet(1 - share, share * left, share * (1 - left))
            material = TOP if look["legs"] == "dress" else BOTTOM
            legs = [bone("pelvis.L"), bone("upperleg01.L"), bone("upperleg01.R")]
            surface.add_grid(points, _sheet(np.cos(round_), np.sin(round_), 0.1 + 0 * down), material, legs, weights)
        if look["hair_length"] > 0:
            down, round_ = np.linspace(0, 1, 8)[:, None], np.linspace(-0.15 * np.pi, 1.15 * np.pi, 17)[None]
            head = vertices[np.array(self._anatomy.parts)[self._anatomy.main_bones] == "head"]
            across, deep = np.abs(head[:, 0]).max(), np.ptp(head[:, 1]) / 2
            centre = (head[:, 1].max() + head[:, 1].min()) / 2 + 0.02
            height = at["eye.L"][2] + 0.05 - (look["hair_length"] + 0.05) * down
            points = _sheet(
                (across + 0.015) * np.cos(round_) * (1 + 0.15 * down),
                centre + (deep + 0.01) * np.sin(round_) * (1 + 0.1 * down),
                height,
            )
            share = np.clip(down * 1.2 - 0.3, 0, 0.8)
            weights = _sheet(1 - share, share, 0 * round_)[..., :2]
            normals = _sheet(np.cos(round_), np.sin(round_), 0 * down)
            surface.add_grid(points, normals, HAIR, [bone("head"), bone("spine01")], weights)
        if look["pack"]:
            radii = np.array([0.16, 0.1, rng.uniform(0.15, 0.25)])
            _add_ball(surface, rng, at["spine02"] + [0, 0.18, 0.02], radii, bone("spine02"))
        if look["prop"]:
            radii = rng.uniform(0.04, 0.25, 3)
            _add_ball(surface, rng, at["finger3-1.R"] + [-0.02, -0.02, -0.03], radii, bone("wrist.R"))

    def pose(
        self, frame: Array, *, mirrored: bool, yaw: float, place: Array, changes: Mapping[str, Array]
    ) -> tuple[Array, Array]:
        """Return the (V, 3) vertices and normals of the body as a motion's frame has it.

        Args:
            frame: (44,), of a motion.
            mirrored: left for right.
            yaw: how far it is turned, in radians.
            place: (3,) where it stands.
            changes: (3, 3) rotations of the hips and arms ("hipL", "armR"), which make it another motion.
        """
        turns = self._turns(frame, mirrored=mirrored, changes=changes)
        bones = len(self._anatomy.bones)
        turned = np.stack([turns[part] for part in self._anatomy.parts]) * self._sizes[:, None, None]
        placed = np.zeros((bones, 3))
        placed[0] = TO_WORLD @ (frame[1:4] * [1, 1, -1 if mirrored else 1]) * (self._hip / 0.9)
        for bone, parent in enumerate(self._anatomy.parents):
            if bone:
                placed[bone] = placed[parent] + turned[parent] @ (self._heads[bone] - self._heads[parent])
        whole = _about_z(yaw)
        turned, placed = whole @ turned, placed @ whole.T + place
        offsets = placed - np.einsum("bij,bj->bi", turned, self._heads)
        affine = np.concatenate([turned, offsets[..., None]], -1).reshape(bones, 12).astype(np.float32)
        surface = self._surface
        skinned = np.einsum("vk,vkm->vm", surface.weights, affine[surface.bones]).reshape(-1, 3, 4)
        vertices = np.einsum("vij,vj->vi", skinned[:, :, :3], surface.positions) + skinned[:, :, 3]
        return vertices, np.einsum("vij,vj->vi", skinned[:, :, :3], surface.normals)

    def _turns(self, frame: Array, *, mirrored: bool, changes: Mapping[str, Array]) -> dict[str, Array]:
        """Return the rotation of every part in the world, against the body at rest."""
        mirror = np.diag([1.0, 1, -1]) if mirrored else np.eye(3)
        root = _rotation(frame[4:8])
        chest = root @ _rotation(frame[8:12])
        neck = chest @ _rotation(frame[12:16])
        limbs = {}
        for side, at in (("R", 16), ("L", 30)):
            hip = root @ _rotation(frame[at : at + 4]) @ changes[f"hip{side}"]
            knee = hip @ _about_z(frame[at + 4])
            foot = knee @ _rotation(frame[at + 5 : at + 9])
            arm = chest @ _rotation(frame[at + 9 : at + 13]) @ changes[f"arm{side}"]
            limbs[side] = hip, knee, foot, arm, arm @ _about_z(frame[at + 13])

        def world(rotation: Array) -> Array:
            return TO_WORLD @ mirror @ rotation @ mirror @ TO_WORLD.T

        turns = {"pelvis": world(root), "chest": world(chest), "head": world(neck)}
        turns["waist"] = world(root @ _part_way(root.T @ chest))
        turns["neck"] = world(chest @ _part_way(chest.T @ neck))
        for side, other in (("L", "R"), ("R", "L")):
            hip, knee, foot, arm, forearm = (world(one) for one in limbs[other if mirrored else side])
            turns[f"upperleg{side}"], turns[f"lowerleg{side}"], turns[f"foot{side}"] = hip, knee, foot
            turns[f"upperarm{side}"] = arm @ self._arm[side]
            turns[f"lowerarm{side}"] = turns[f"hand{side}"] = forearm @ self._forearm[side]
            turns[f"collar{side}"] = turns["chest"] @ _part_way(turns["chest"].T @ turns[f"upperarm{side}"], 0.35)
        return turns


def _sheet(*values: Array) -> Array:
    return np.stack(np.broadcast_arrays(*values), -1)


def _add_ball(surface: Surface, rng: Rng, centre: Array, radii: Array, bone: int) -> None:
    down, round_ = np.linspace(0, np.pi, 9)[:, None], np.linspace(0, 2 * np.pi, 13)[None]
    roundness = rng.uniform(0.4, 1)  # towards a box
    normals = _sheet(np.sin(down) * np.cos(round_), np.sin(down) * np.sin(round_), np.cos(down))
    points = centre + np.sign(normals) * np.abs(normals) ** roundness * radii
    surface.add_grid(points, normals, EXTRA, [bone], np.ones((9, 13, 1)))


def _rotation(quaternion: Array) -> Array:
    w, x, y, z = quaternion / max(np.linalg.norm(quaternion), 1e-9)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _about_z(angle: float) -> Array:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def _rotation_between(first: Array, second: Array) -> Array:
    first, second = first / np.linalg.norm(first), second / np.linalg.norm(second)
    x, y, z = np.cross(first, second)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + first @ second))


def _part_way(rotation: Array, share: float = 0.5) -> Array:
    vector, _ = cv2.Rodrigues(rotation)
    return np.asarray(cv2.Rodrigues(vector * share)[0])
