"""`shapes`: coloured shapes with counted modes, rendered from their index, with the truth about each picture.

Five shapes in five colours are 25 modes, every one equally frequent. Position, size, rotation and shade vary; the
ground goes softly from dark to light. Randomness is a hash of the index and pixels come from arithmetic that IEEE
754 rounds exactly, so that picture i is the same on every machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .source import Base, Item, at_hand

SHAPES = ("circle", "square", "triangle", "star", "cross")
COLOURS = {
    "red": (0.91, 0.20, 0.22),
    "yellow": (0.99, 0.77, 0.14),
    "green": (0.20, 0.70, 0.36),
    "blue": (0.16, 0.44, 0.93),
    "purple": (0.62, 0.27, 0.80),
}
CLASSES = tuple(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)
FACTORS = ("shape", "colour", "x", "y", "radius", "angle")
TRAIN, TEST = 20_000, 2_000  # indices 0 … 19,999 and 20,000 … 21,999


def shapes_factors(indices: np.ndarray) -> np.ndarray:
    """The truth about pictures: (n,) indices -> (n, 6) float64 in the order of FACTORS.

    Shape and colour are indices into SHAPES and COLOURS. x, y (right, down) and radius are in half sides of the
    picture, whose centre is 0; the angle is in radians, clockwise.
    """
    indices = np.asarray(indices, np.uint64)
    mode = (indices % np.uint64(len(CLASSES))).astype(np.int64)
    radius = 0.36 + 0.22 * _uniform(indices, 0)
    reach = 0.92 - radius
    return np.stack([
        mode % len(SHAPES),
        mode // len(SHAPES),
        reach * (2 * _uniform(indices, 1) - 1),
        reach * (2 * _uniform(indices, 2) - 1),
        radius,
        (2 * _uniform(indices, 3) - 1) * np.pi / 6,
    ], axis=1)  # fmt: skip


def render_shapes(indices: np.ndarray, size: int) -> np.ndarray:
    """Pictures by index: (n,) -> (n, size, size, 3) uint8."""
    indices = np.asarray(indices, np.uint64)
    factors = shapes_factors(indices)
    cos, sin = np.cos(factors[:, 5]), np.sin(factors[:, 5])
    x, y, radius, cos, sin = (a.astype(np.float32)[:, None, None] for a in (*factors[:, 2:5].T, cos, sin))
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1).astype(np.float32)
    right, down = axis[None, None, :], axis[None, :, None]

    image = _ground(indices, right, down)
    u = ((right - x) * cos + (down - y) * sin) / radius
    v = ((down - y) * cos - (right - x) * sin) / radius
    lift = 0.16  # of the shadow, to the lower right
    su, sv = u - lift * (cos + sin), v - lift * (cos - sin)
    kind = factors[:, 0].astype(np.int64)
    shadow: np.ndarray = np.clip(0.5 - _distance(kind, su, sv) / 0.5, 0, 1)
    shadow = shadow * shadow * (3 - 2 * shadow) * 0.42
    inside: np.ndarray = np.clip(0.5 - _distance(kind, u, v) * radius * (size / 2), 0, 1)

    tint = np.array(list(COLOURS.values()), np.float32)[factors[:, 1].astype(np.int64)]
    shade = (0.86 + 0.28 * _uniform(indices, 4)).astype(np.float32)
    glow = 1 - 0.16 * ((right - x) + (down - y)) / radius  # lit from the upper left
    for c in range(3):
        plane = image[..., c]
        plane *= 1 - shadow
        body = np.minimum((tint[:, c] * shade)[:, None, None] * glow, 1)
        plane += inside * (body - plane)
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _ground(indices: np.ndarray, right: np.ndarray, down: np.ndarray) -> np.ndarray:
    """A soft slope from dark to light in a direction of its own: (n, size, size, 3) float32 in [0, 1]."""
    turn = 2 * np.pi * _uniform(indices, 5)
    dark, light = 0.16 + 0.2 * _uniform(indices, 6), 0.66 + 0.26 * _uniform(indices, 7)
    warm = 0.05 * (2 * _uniform(indices, 8) - 1)
    columns = (np.cos(turn), np.sin(turn), dark, light, warm)
    cos, sin, low, high, tone = (a.astype(np.float32)[:, None, None] for a in columns)
    t = np.clip(0.5 + 0.36 * (right * cos + down * sin), 0, 1)
    t = low + (high - low) * t * t * (3 - 2 * t)
    return np.stack([t * (1 + tone), t, t * (1 - tone)], axis=-1)


def _distance(kind: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Signed distance to the outline of each picture's shape, in radii, negative inside."""
    distance = np.empty(np.broadcast_shapes(u.shape, v.shape), np.float32)
    for k, outline in enumerate((_circle, _square, _triangle, _star, _cross)):
        rows = kind == k
        if rows.any():
            distance[rows] = outline(u[rows], v[rows])
    return distance


def _circle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.sqrt(u * u + v * v) - np.float32(0.88)


def _box(u: np.ndarray, v: np.ndarray, a: float, b: float, rounded: float) -> np.ndarray:
    du, dv = np.abs(u) - np.float32(a - rounded), np.abs(v) - np.float32(b - rounded)
    outside = np.sqrt(np.square(np.maximum(du, 0)) + np.square(np.maximum(dv, 0)))
    return outside + np.minimum(np.maximum(du, dv), 0) - np.float32(rounded)


def _square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _box(u, v, 0.78, 0.78, 0.1)


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.minimum(_box(u, v, 0.94, 0.33, 0.07), _box(u, v, 0.33, 0.94, 0.07))


def _polygon(u: np.ndarray, v: np.ndarray, corners: np.ndarray, rounded: float) -> np.ndarray:
    """Distance to a polygon, less `rounded`: the nearest edge, signed by how often a ray crosses the outline."""
    nearest = np.full(u.shape, 9, np.float32)
    inside = np.zeros(u.shape, bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        ex, ey = bx - ax, by - ay
        pu, pv = u - ax, v - ay
        t = np.clip((pu * ex + pv * ey) / (ex * ex + ey * ey), 0, 1)
        nearest = np.minimum(nearest, np.square(pu - t * ex) + np.square(pv - t * ey))
        inside ^= ((pv >= 0) != (v - by >= 0)) & ((pu * ey - pv * ex > 0) == (ey < 0))
    return np.sqrt(nearest) * np.where(inside, np.float32(-1), np.float32(1)) - np.float32(rounded)


def _corners(radii: list[float], drop: float = 0.0) -> np.ndarray:
    turn = np.arange(len(radii)) * (2 * np.pi / len(radii))
    return np.stack([np.sin(turn) * radii, drop - np.cos(turn) * radii], axis=1).astype(np.float32)


_TRIANGLE, _STAR = _corners([0.96] * 3, 0.16), _corners([0.98, 0.42] * 5, 0.04)


def _triangle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _polygon(u, v, _TRIANGLE, 0.08)


def _star(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _polygon(u, v, _STAR, 0.05)


def _uniform(indices: np.ndarray, stream: int) -> np.ndarray:
    """Independent uniforms in [0, 1) by index and stream: splitmix64 (Steele et al. 2014, fig. 15)."""
    with np.errstate(over="ignore"):
        z = (indices * np.uint64(64) + np.uint64(stream + 1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@dataclass
class Shapes(Base):
    """The first 20,000 pictures to train on, 2,000 others to test on."""

    def stamp(self) -> str:
        """Constant; raise it when the rendering changes."""
        return "shapes 1"

    def count(self) -> int:
        """Of both splits."""
        return TRAIN + TEST

    def items(self, size: int) -> Iterator[Item]:
        """One item a picture, rendered at `size` a few megapixels at a time."""
        chunk = max(1, 2**18 // size**2)
        for start in range(0, self.count(), chunk):
            indices = np.arange(start, min(start + chunk, self.count()))
            for i, image in zip(indices.tolist(), render_shapes(indices, size), strict=True):
                yield Item(f"{i:05}", at_hand(image), i % len(CLASSES), "train" if i < TRAIN else "test", image.nbytes)


def open_shapes() -> Shapes:
    """The built-in shapes."""
    return Shapes("shapes", "built-in", CLASSES)
