"""Random numbers, noise and signed distances for the worlds.

Everything comes from hashes and from arithmetic that IEEE 754 rounds exactly (+ − × ÷ √), one number at a time, so that
a picture is the same on every machine and in every batch.
"""

import zlib
from collections.abc import Sequence

import numpy as np

Array = np.ndarray
Number = float | Array


def uniform(indices: Array, name: str, k: int = 0, seed: int = 0) -> Array:
    """Independent uniforms in [0, 1) by index, name and seed: (n,) or, for k > 0, (n, k) float64.

    Two rounds of the finaliser of splitmix64 (Steele et al. 2014, fig. 15).
    """
    stream = np.uint64(zlib.crc32(name.encode()) << 16) + np.arange(max(k, 1), dtype=np.uint64)
    with np.errstate(over="ignore"):
        key = _mix(np.asarray(indices, np.uint64) + _mix(np.array([seed], np.uint64)))
        bits = _mix(key[:, None] + stream * np.uint64(0x9E3779B97F4A7C15))
    values: Array = (bits >> np.uint64(11)) * 2.0**-53
    return values if k else values[:, 0]


def _mix(z: Array) -> Array:
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def wave(turns: Array) -> Array:
    """sin(2π·turns) to 1e-9 by its series, whose rounding no machine changes; wave(t + 0.25) is the cosine."""
    t = turns - np.floor(turns + 0.5)
    t = np.where(np.abs(t) > 0.25, np.copysign(0.5, t) - t, t) * (2 * np.pi)
    s, total = t * t, np.zeros_like(t)
    for k in (13, 11, 9, 7, 5, 3):
        total = (1 + total) * -s / (k * (k - 1))
    return t * (1 + total)


def smooth(t: Array) -> Array:
    """From 0 at t ≤ 0 to 1 at t ≥ 1 without a corner."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


_CELLS = 64
_A = uniform(np.arange(_CELLS * _CELLS), "noise").astype(np.float32).reshape(_CELLS, _CELLS)
_B, _C = np.roll(_A, -1, axis=1) - _A, np.roll(_A, -1, axis=0) - _A
_D = np.roll(_B, -1, axis=0) - _B
_TABLES = tuple(table.ravel() for table in (_A, _B, _C, _D))


def noise(x: Array, y: Array) -> Array:
    """Smooth noise with values in [0, 1], one cell wide, repeating after 64: arrays that broadcast -> float32.

    Within a cell it is A + Bs + Ct + Dst, with s and t from 0 to 1 without a corner.
    """
    i, j = np.floor(x), np.floor(y)
    s, t = x - i, y - j
    s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
    at = ((j.astype(np.int32) & (_CELLS - 1)) * _CELLS + (i.astype(np.int32) & (_CELLS - 1))).astype(np.int64)
    a, b, c, d = (table.take(at, mode="clip") for table in _TABLES)  # "clip" spares take a copy
    d *= s
    c += d
    c *= t
    b *= s
    a += b
    a += c
    return a


def curve(lattice: Array, x: Array, sharp: Array | bool = False) -> tuple[Array, Array]:
    """A line through lattice values (n, k), repeating, at x (n, s) in cells: values and slopes (n, s).

    It is smooth, or, where `sharp`, of straight pieces.
    """
    i = np.floor(x)
    t = x - i
    k = lattice.shape[1]
    left = i.astype(np.int64) % k
    a = np.take_along_axis(lattice, left, axis=1)
    rise = np.take_along_axis(lattice, (left + 1) % k, axis=1) - a
    ease, slope = t * t * (3 - 2 * t), 6 * t * (1 - t)
    return a + rise * np.where(sharp, t, ease), rise * np.where(sharp, np.float32(1), slope)


def circle(u: Array, v: Array, x: Number, y: Number, r: Number) -> Array:
    """Signed distance to a circle, negative inside."""
    u, v = u - x, v - y
    return np.sqrt(u * u + v * v) - r


def ellipse(u: Array, v: Array, x: Number, y: Number, a: Number, b: Number) -> Array:
    """About the signed distance to an ellipse with half axes a and b: exact to first order at its outline."""
    p, q = (u - x) / a, (v - y) / b
    f = p * p + q * q
    p /= a
    q /= b
    return (f - 1) / (np.sqrt(p * p + q * q) * 2 + np.float32(1e-6))


def box(u: Array, v: Array, x: Number, y: Number, a: Number, b: Number, rounded: float = 0) -> Array:
    """Signed distance to a box with half sides a and b and rounded corners."""
    du, dv = np.abs(u - x) - (a - rounded), np.abs(v - y) - (b - rounded)
    inside = np.minimum(np.maximum(du, dv), 0)
    du, dv = np.maximum(du, 0), np.maximum(dv, 0)
    return np.sqrt(du * du + dv * dv) + (inside - np.float32(rounded))


def segment(
    u: Array, v: Array, a: tuple[Number, Number], b: tuple[Number, Number], r: Number, end: Number | None = None
) -> Array:
    """Signed distance to a thick line from a to b, of radius r at a and `end` (default r) at b."""
    ex, ey = b[0] - a[0], b[1] - a[1]
    pu, pv = u - a[0], v - a[1]
    t = np.clip((pu * ex + pv * ey) / (ex * ex + ey * ey), 0, 1)
    pu, pv = pu - t * ex, pv - t * ey
    return np.sqrt(pu * pu + pv * pv) - (r if end is None else r + (end - r) * t)


def convex(u: Array, v: Array, corners: Sequence[tuple[Number, Number]]) -> Array:
    """About the signed distance to a convex polygon, anticlockwise with v up: exact but beyond its corners."""
    sides = []
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        ex, ey = bx - ax, by - ay
        length = np.float32(1) / np.sqrt(np.asarray(ex * ex + ey * ey, np.float32))
        sides.append((u - ax) * (ey * length).astype(np.float32) - (v - ay) * (ex * length).astype(np.float32))
    return np.maximum.reduce(sides)
