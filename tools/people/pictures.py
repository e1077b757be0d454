"""Draws bodies, planes and their ids by OpenGL, without a screen: what `tools.people.shots` sees through."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import moderngl
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LIT, IDS, SHADOW, PLAIN = range(4)
VERTEX_SHADER = """#version 330
in vec3 position; in vec3 normal; in vec2 cloth; in float material;
uniform mat4 view; uniform mat4 world;
out vec3 turned; out vec2 at; flat out float layer; out vec3 place;
void main() {
    vec4 point = world * vec4(position, 1);
    place = point.xyz; gl_Position = view * point; turned = mat3(world) * normal; at = cloth; layer = material;
}"""
FRAGMENT_SHADER = """#version 330
in vec3 turned; in vec2 at; flat in float layer; in vec3 place;
uniform sampler2DArray textures; uniform int mode; uniform float id; uniform float shadow; uniform float gain;
uniform vec3 eye; uniform vec3 sun; uniform vec3 sunlight; uniform vec3 daylight;
out vec4 colour;
void main() {
    if (mode == 1) { colour = vec4(id / 255., 0, 0, 1); return; }
    if (mode == 2) { colour = vec4(0, 0, 0, shadow); return; }
    vec3 own = texture(textures, vec3(at, layer)).rgb;
    if (mode == 3) { colour = vec4(own * gain, 1); return; }
    vec3 n = normalize(turned); vec3 to_eye = normalize(eye - place);
    if (dot(n, to_eye) < 0.) n = -n;
    n = normalize(n + 0.6 * (texture(textures, vec3(at * 2.3 + .37, 5)).rgb - .5));
    float lit = max(dot(n, sun), 0.), gloss = pow(max(dot(reflect(-sun, n), to_eye), 0.), 20.) * .15;
    colour = vec4(own * (daylight * mix(.6, 1., .5 + .5 * n.z) + sunlight * lit) + sunlight * gloss, 1);
}"""


@dataclass(frozen=True, slots=True)
class Plane:
    """Four corners with one texture."""

    mesh: Any
    texture: Any


@dataclass(frozen=True, slots=True)
class Light:
    """The direction of the sun, its light and that of the sky (RGB), how dark shadows are, how bright planes are."""

    sun: Array
    sunlight: Array
    daylight: Array
    shadow: float
    gain: float


class Studio:
    """Draws pictures of one size with their ids.

    Args:
        width: in pixels.
        height: in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = width, height
        self._context = moderngl.create_standalone_context(backend="egl")
        self._context.enable(moderngl.DEPTH_TEST)
        self._program: Any = self._context.program(vertex_shader=VERTEX_SHADER, fragment_shader=FRAGMENT_SHADER)
        make = self._context
        self._smooth = make.framebuffer(
            [make.renderbuffer(self._size, 4, samples=4)], make.depth_renderbuffer(self._size, samples=4)
        )
        self._resolved = make.framebuffer([make.renderbuffer(self._size, 4)])
        self._sharp = make.framebuffer([make.renderbuffer(self._size, 4)], make.depth_renderbuffer(self._size))

    def close(self) -> None:
        """Give back what the driver holds."""
        self._context.release()

    def textures(self, images: Sequence[Array]) -> Any:
        """Keep (H, W, 3) uint8 RGB images of one size as the layers of a texture, which goes on beyond its edges."""
        height, width, _ = images[0].shape
        data = np.ascontiguousarray(np.stack(images)).tobytes()
        layers = self._context.texture_array((width, height, len(images)), 3, data, alignment=1)
        layers.build_mipmaps()
        layers.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        layers.repeat_x = layers.repeat_y = True
        return layers

    def mesh(self, positions: Array, normals: Array, cloth: Array, materials: Array, triangles: Array) -> Any:
        """Keep a surface: (V, 3), (V, 3), (V, 2), (V,) and the vertices of its (T, 3) triangles."""
        vertices = np.concatenate([positions, normals, cloth, materials[:, None]], 1).astype("f4")
        layout = [(self._context.buffer(vertices.tobytes()), "3f 3f 2f 1f", "position", "normal", "cloth", "material")]
        return self._context.vertex_array(self._program, layout, self._context.buffer(triangles.astype("i4").tobytes()))

    def plane(self, corners: Sequence[Array], cloth: Sequence[Sequence[float]], normal: Array, texture: Any) -> Plane:
        """Keep a plane, its corners in their order round it, with the texture's coordinates there."""
        normals, triangles = np.tile(normal, (4, 1)), np.array([[0, 1, 2], [0, 2, 3]])
        mesh = self.mesh(np.array(corners, float), normals, np.array(cloth, float), np.zeros(4), triangles)
        return Plane(mesh, texture)

    def look(self, view: Array, eye: Array, light: Light) -> None:
        """Have what is drawn next seen from a place, by a (4, 4) matrix to the picture's coordinates."""
        self._set(view=view)
        for name, value in (
            ("eye", eye),
            ("sun", light.sun),
            ("sunlight", light.sunlight),
            ("daylight", light.daylight),
        ):
            self._program[name].value = tuple(value)
        self._program["shadow"].value, self._program["gain"].value = light.shadow, light.gain
        flat = np.eye(4)  # along the light, onto the ground
        flat[:2, 2], flat[2, 2], flat[2, 3] = -light.sun[:2] / light.sun[2], 0, 0.004
        self._flat = flat

    def draw(
        self, backdrop: Plane, ground: Plane | None, things: Iterable[Plane], bodies: Sequence[tuple[Any, Any]]
    ) -> tuple[Array, Array]:
        """Draw a picture.

        Args:
            backdrop: behind everything.
            ground: where shadows fall.
            things: that belong to nobody.
            bodies: the meshes and textures of those that get the ids 1, 2 and so on.

        Returns:
            (H, W, 3) uint8 RGB and (H, W) uint8 ids.
        """
        things = list(things)
        for target, ids in ((self._smooth, False), (self._sharp, True)):
            target.use()
            target.clear(0, 0, 0, 1, depth=1.0)
            self._set(world=np.eye(4))
            self._render(backdrop, IDS if ids else PLAIN)
            if ground is not None:
                self._render(ground, IDS if ids else PLAIN)
                if not ids:
                    self._cast([mesh for mesh, _ in bodies])
            for thing in things:
                self._render(thing, IDS if ids else PLAIN)
            for index, (mesh, textures) in enumerate(bodies):
                self._render(Plane(mesh, textures), IDS if ids else LIT, index + 1)
        self._context.copy_framebuffer(self._resolved, self._smooth)
        return self._read(self._resolved), self._read(self._sharp)[..., 0]

    def _cast(self, meshes: Iterable[Any]) -> None:
        self._context.enable(moderngl.BLEND)
        self._program["mode"].value = SHADOW
        self._set(world=self._flat)
        for mesh in meshes:
            mesh.render()
        self._context.disable(moderngl.BLEND)
        self._set(world=np.eye(4))

    def _render(self, plane: Plane, mode: int, number: int = 0) -> None:
        plane.texture.use(0)
        self._program["mode"].value, self._program["id"].value = mode, number
        plane.mesh.render()

    def _set(self, **matrices: Array) -> None:
        for name, matrix in matrices.items():
            self._program[name].write(np.ascontiguousarray(matrix.T, dtype="f4").tobytes())

    def _read(self, target: Any) -> Array:
        width, height = self._size
        return np.frombuffer(target.read(components=3), np.uint8).reshape(height, width, 3)[::-1]


def perspective(angle: float, aspect: float, near: float = 0.05, far: float = 80.0) -> Array:
    """Return the (4, 4) projection of a camera that sees an angle (radians) from top to bottom."""
    scale, depth = 1 / math.tan(angle / 2), near - far
    return np.array(
        [
            [scale / aspect, 0, 0, 0],
            [0, scale, 0, 0],
            [0, 0, (far + near) / depth, 2 * far * near / depth],
            [0, 0, -1, 0],
        ]
    )


def look_at(eye: Array, target: Array, roll: float) -> Array:
    """Return the (4, 4) matrix of a camera at a place that looks at another one, rolled by an angle in radians."""
    ahead = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(ahead, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, ahead)
    c, s = math.cos(roll), math.sin(roll)
    right, up = right * c + up * s, up * c - right * s
    matrix = np.eye(4)
    matrix[:3, :3] = right, up, -ahead
    matrix[:3, 3] = -matrix[:3, :3] @ eye
    return matrix


def as_filmed(image: Array, blur: float, noise: float, rng: np.random.Generator) -> Array:
    """Return an RGB picture as a camera might give it: a little blurred (standard deviation in pixels), with noise."""
    picture = image.astype(np.float32)[..., ::-1]
    if blur:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    picture = picture + rng.normal(0, 1, picture.shape) * noise
    return np.clip(picture, 0, 255).astype(np.uint8)[..., ::-1]
