"""A small vectorised painter: many pictures at once, drawn from back to front out of signed distances, with the truth.

Coordinates are sides of the picture, x to the right and y down from the upper left corner, so that a picture is the
same at every size. Surfaces are given by their inverse depth w (1/metre) over the picture: a plane in space is affine
in it, so that normals follow exactly. A pixel belongs to what was last painted over at least half of it.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from .field import Array, Number, smooth

Factors = dict[str, Array]  # name -> (n, …), one row a picture
Paint = Array | Sequence[float]  # a colour in [0, 1]: (3,) for all objects or (3, m), one for each

INK = (0.15, 0.13, 0.20)
LINE = 0.0032  # half the width of a line of ink, sides of the picture
CHUNK = 2**20  # pixels drawn at a time: fewer cost more calls of NumPy, more leave the cache


@dataclass
class Rendered:
    """Pictures and, where asked for, everything known about their pixels."""

    image: Array  # (n, size, size, 3) uint8
    semantic: Array | None = None  # (n, size, size) uint8, indices into the world's `legend`
    instance: Array | None = None  # (n, size, size) uint8: 0 = background, k + 1 = object k of the factors
    depth: Array | None = None  # (n, size, size) float32, metres along the axis of view; infinite in the sky
    normals: Array | None = None  # (n, size, size, 3) float32: x right, y up, z to the viewer; 0 in the sky
    matte: Array | None = None  # (n, size, size) float32 in [0, 1]: how much of the pixel objects and shadows cover
    motion: Array | None = None  # (n, size, size, 2) float32, pixels right and down until the next frame

    def edges(self) -> Array:
        """Outlines of parts and objects: (n, size, size) bool, the pixels unlike their right or lower neighbour."""
        assert self.semantic is not None and self.instance is not None
        found = np.zeros(self.semantic.shape, bool)
        for ids in (self.semantic, self.instance):
            found[:, :, :-1] |= ids[:, :, :-1] != ids[:, :, 1:]
            found[:, :-1] |= ids[:, :-1] != ids[:, 1:]
        return found

    def boxes(self, k: int) -> Array:
        """What is visible of objects 0 … k − 1: (n, k, 4) float32 x0, y0, x1, y1 in [0, 1]; NaN where nothing is."""
        assert self.instance is not None
        n, size, _ = self.instance.shape
        found = np.full((n, k, 4), np.nan, np.float32)
        for j in range(k):
            seen = self.instance == j + 1
            rows = np.flatnonzero(seen.any(axis=(1, 2)))
            for first, axis in enumerate((1, 2)):
                line = seen[rows].any(axis=axis)
                found[rows, j, first] = line.argmax(axis=1) / np.float32(size)
                found[rows, j, first + 2] = 1 - line[:, ::-1].argmax(axis=1) / np.float32(size)
        return found


@dataclass
class Lights:
    """How m objects are lit."""

    light: Array  # (3, m): what their colours are multiplied by
    haze: Array  # (3, m): the colour of the air before them …
    amount: Array  # (m,): … and how much of it there is, 0 … 1
    ink: Array  # (m,) bool: flat colours and outlines instead of shading


class Patch:
    """The pixels around m objects in one flat list, with coordinates u, v (right, up) in the frame of each object.

    Object j of picture rows[j] has its origin at (x, y), `scale` sides of the picture for one of its own, and is
    mirrored where `facing` is −1. `reach` is its left, right, bottom and top in its own coordinates. Objects are in
    order of `slot`.
    """

    def __init__(
        self,
        canvas: "Canvas",
        rows: Array,
        x: Array,
        y: Array,
        scale: Array,
        reach: tuple[float, float, float, float],
        facing: Array | None = None,
        slot: Array | None = None,
    ) -> None:
        self.size = size = canvas.size
        m = len(rows)
        facing = np.ones(m, np.float32) if facing is None else facing.astype(np.float32)
        x, y, scale = (a.astype(np.float32) for a in (x, y, scale))
        left, right, bottom, top = reach
        west = x + scale * np.where(facing > 0, left, -right)
        east = x + scale * np.where(facing > 0, right, -left)
        x0, x1 = (np.clip(a, 0, size).astype(np.int64) for a in (np.floor(west * size), np.ceil(east * size) + 1))
        y0 = np.clip(np.floor((y - scale * top) * size), 0, size).astype(np.int64)
        y1 = np.clip(np.ceil((y - scale * bottom) * size) + 1, 0, size).astype(np.int64)
        high, wide = y1 - y0, x1 - x0
        self.counts = high * wide
        self.bounds = np.concatenate([[0], np.cumsum(self.counts)])
        line = np.repeat(np.arange(m), high)
        down = np.arange(len(line)) - np.repeat(np.cumsum(high) - high, high) + y0[line]
        many = wide[line]
        right_of = np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many - x0[line], many)
        self.at = right_of + np.repeat((rows[line] * size + down) * size, many)
        step = np.float32(1 / size)
        across = (right_of.astype(np.float32) + np.float32(0.5)) * step
        self.u = (across - self.spread(x)) * self.spread(facing / scale)
        self.v = np.repeat((y[line] - (down.astype(np.float32) + np.float32(0.5)) * step) / scale[line], many)
        self.rows, self.x, self.y, self.scale, self.facing = rows, x, y, scale, facing
        self.slot = np.zeros(m, np.int64) if slot is None else slot
        self.pixels = self.spread(scale * size)  # to one own unit

    def spread(self, values: Array) -> Array:
        """From objects to their pixels: (m,) -> (f,)."""
        return np.repeat(values, self.counts)


class Ink:
    """What m objects leave on their pixels, painted part over part: a colour already multiplied by its coverage.

    `w` is the inverse depth of the objects (m,), kept with slopes per pixel only where the truth is asked for.
    """

    def __init__(self, patch: Patch, lights: Lights, w: Array, truth: bool) -> None:
        f = len(patch.at)
        self.patch, self.lights, self.truth = patch, lights, truth
        self.colour, self.cover = np.zeros((3, f), np.float32), np.zeros(f, np.float32)
        clear = (1 - lights.amount).astype(np.float32)
        self.lit = (lights.light * clear).astype(np.float32)
        self.haze = (lights.haze * lights.amount).astype(np.float32)
        self.inked = patch.spread(lights.ink) if lights.ink.any() else None
        self.clear = clear
        if truth:
            self.part, self.solid = np.zeros(f, np.uint8), np.zeros(f, np.float32)
            self.w0 = patch.spread(w.astype(np.float32))
            self.w, self.slope = self.w0.copy(), np.zeros((2, f), np.float32)
            self.flow = np.zeros((2, f), np.float32)

    def paint(
        self,
        distance: Array,
        paint: Paint,
        part: int,
        *,
        shade: Array | None = None,
        glow: Array | None = None,
        dome: tuple[float, float, float, float] | None = None,
        flow: tuple[Array, Array] | None = None,
        soft: float = 0.0,
        thin: float | None = None,
        alpha: Number = 1.0,
        line: bool = True,
    ) -> None:
        """One part over the others.

        `distance` (f,) is signed, in own units, and antialiased over a pixel, or `soft` own units more. `shade` (f,)
        multiplies the light; `glow` (m,) in [0, 1] replaces the light by the part's own. `dome` is centre and half axes
        of a bulge to the viewer, as deep as it is wide; `flow` the part's own motion until the next frame, own
        units. `thin` is half the width of a part that may be narrower than a pixel. `alpha` weakens the whole.
        """
        patch = self.patch
        a = distance * (-patch.pixels if not soft else -patch.pixels / (1 + patch.pixels * np.float32(soft)))
        a += np.float32(0.5)
        np.clip(a, 0, 1, out=a)
        if thin is not None:
            half = patch.scale * np.float32(thin * patch.size)
            a *= patch.spread(np.minimum(1, 2 * half / (0.5 + half)))
        if not isinstance(alpha, float) or alpha != 1.0:
            a *= alpha
        base = np.asarray(paint, np.float32).reshape(3, -1)
        lit, haze = base * self.lit, self.haze
        if glow is not None:
            own = (glow * self.clear).astype(np.float32)
            lit = lit + (base * self.clear - lit) * own
        if self.inked is not None and shade is not None:
            shade = np.where(self.inked, np.float32(1), shade)
        outline = self._outline(distance) if self.inked is not None and line else None
        for c in range(3):
            plane, value = self.colour[c], patch.spread(lit[c])
            if shade is not None:
                value *= shade
            value += patch.spread(haze[c])
            if outline is not None:
                value += (patch.spread(INK[c] * self.clear + haze[c]) - value) * outline
            value -= plane
            value *= a
            plane += value
        self.cover += a * (1 - self.cover)
        if self.truth:
            self._note(a, part, dome, flow)

    def _outline(self, distance: Array) -> Array:
        """How much of each pixel is the line along the inside of an outline, in the pictures drawn in ink."""
        assert self.inked is not None
        patch = self.patch
        half = patch.spread(np.float32(LINE) / patch.scale)
        reach = half * patch.pixels
        found: Array = np.clip(0.5 - (np.abs(distance + half) - half) * patch.pixels, 0, 1)
        found *= np.minimum(1, 2 * reach / (0.5 + reach))
        found *= self.inked
        return found

    def shadow(self, distance: Array, soft: float, strength: float = 0.32) -> None:
        """Darken what is behind, without belonging to the object."""
        pixels = self.patch.pixels
        a = smooth(0.5 - distance * (pixels / (1 + pixels * np.float32(soft)))) * np.float32(strength)
        a *= self.patch.spread(self.clear)
        self.colour *= 1 - a
        self.cover += a * (1 - self.cover)

    def wash(self, distance: Array, paint: Paint, soft: float, strength: Number) -> None:
        """Tint what has been painted, softly, over `soft` own units; `strength` (f,) or a number in [0, 1]."""
        a = smooth(0.5 - distance * np.float32(1 / soft)) * strength
        base = np.asarray(paint, np.float32).reshape(3, -1) * self.lit + self.haze
        for c in range(3):
            self.colour[c] += (self.patch.spread(base[c]) * self.cover - self.colour[c]) * a

    def _note(
        self,
        a: Array,
        part: int,
        dome: tuple[float, float, float, float] | None,
        flow: tuple[Array, Array] | None,
    ) -> None:
        """The truth about the pixels that a part takes."""
        self.solid += a * (1 - self.solid)
        own = np.flatnonzero((a >= 0.5) | ((self.part == 0) & (self.solid >= 0.5)))
        self.part[own] = part
        patch = self.patch
        if dome is None:
            self.w[own], self.slope[:, own] = self.w0[own], 0
        else:
            x, y, wide, high = dome
            p, q = (patch.u[own] - x) / wide, (patch.v[own] - y) / high
            lift = self.w0[own] * patch.spread(patch.scale * wide)[own]
            self.w[own] = self.w0[own] + lift * (1 - p * p - q * q)
            lift = -2 * lift / patch.spread(patch.scale)[own]
            self.slope[0, own] = lift * p / wide * patch.spread(patch.facing)[own]
            self.slope[1, own] = -lift * q / high
        if flow is None:
            self.flow[:, own] = 0
        else:
            self.flow[0, own] = (flow[0] * patch.spread(patch.facing * patch.scale))[own]
            self.flow[1, own] = -(flow[1] * patch.spread(patch.scale))[own]


class Canvas:
    """n pictures being drawn from back to front."""

    def __init__(self, n: int, size: int, truth: bool = False) -> None:
        self.n, self.size, self.truth = n, size, truth
        self.planes = np.zeros((3, n, size, size), np.float32)
        self.axis = ((np.arange(size) + 0.5) / size).astype(np.float32)
        if truth:
            shape = (n, size, size)
            self.semantic, self.instance = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
            self.w, self.slope = np.zeros(shape, np.float32), np.zeros((2, *shape), np.float32)
            self.matte, self.motion = np.zeros(shape, np.float32), np.zeros((2, *shape), np.float32)

    def layer(
        self,
        cover: Array,
        colour: Sequence[Array],
        label: int,
        *,
        top: int = 0,
        end: int | None = None,
        rows: Array | None = None,
        w: Number = 0.0,
        slope: tuple[Number, Number] = (0.0, 0.0),
        motion: Number = 0.0,
    ) -> None:
        """Paint across whole pictures, from line `top` to before `end`; the pictures `rows` only, where given.

        `cover` in [0, 1], each channel of `colour`, `w`, its slopes and the motion to the right (sides of the picture)
        broadcast to (n, end − top, size).
        """
        lines = slice(top, self.size if end is None else min(end, self.size))
        for c in range(3):
            if rows is None:
                plane = self.planes[c, :, lines]
                plane += (colour[c] - plane) * cover
            else:
                plane = self.planes[c, rows, lines]
                self.planes[c, rows, lines] = plane + (colour[c] - plane) * cover
        if not self.truth:
            return
        chosen = np.arange(self.n) if rows is None else rows
        own = np.broadcast_to(cover >= 0.5, (len(chosen), lines.stop - top, self.size))
        for target, value in (
            (self.semantic, label), (self.instance, 0), (self.w, w), (self.slope[0], slope[0]),
            (self.slope[1], slope[1]), (self.motion[0], motion), (self.motion[1], 0.0),
        ):  # fmt: skip
            target[chosen, lines] = np.where(own, value, target[chosen, lines])

    def stamp(
        self,
        ink: Ink,
        slot: int,
        move: tuple[Array, Array] | None = None,
        *,
        thing: int | None = None,
        decal: bool = False,
    ) -> None:
        """Lay the objects of one slot, at most one a picture, over the canvas; `move` is theirs, (m,) right and down.

        They are the instance `thing`, by default slot + 1, or 0: background. A `decal` lies on the surface below it.
        """
        instance = slot + 1 if thing is None else thing
        first, last = np.searchsorted(ink.patch.slot, [slot, slot + 1])
        a, b = ink.patch.bounds[first], ink.patch.bounds[last]
        if a == b:
            return
        at, cover = ink.patch.at[a:b], ink.cover[a:b]
        keep = 1 - cover
        for c in range(3):
            plane = self.planes[c].reshape(-1)
            plane[at] = plane[at] * keep + ink.colour[c, a:b]
        if not self.truth:
            return
        if instance:
            matte = self.matte.reshape(-1)
            matte[at] = matte[at] * keep + cover
        own = np.flatnonzero(ink.solid[a:b] >= 0.5)
        at = at[own]
        self.semantic.reshape(-1)[at] = ink.part[a:b][own]
        self.instance.reshape(-1)[at] = instance
        if decal:
            return
        self.w.reshape(-1)[at] = ink.w[a:b][own]
        for axis in range(2):
            self.slope[axis].reshape(-1)[at] = ink.slope[axis, a:b][own]
            flow = ink.flow[axis, a:b][own]
            if move is not None:
                flow = flow + np.repeat(move[axis][first:last], ink.patch.counts[first:last])[own].astype(np.float32)
            self.motion[axis].reshape(-1)[at] = flow

    def specks(self, rows: Array, x: Array, y: Array, length: Number, lean: Number, radius: float) -> Array:
        """How much short lines cover each pixel: lines from (x, y) (m,), `length` down and `lean` across, (n, s, s)."""
        x, y = x.astype(np.float32), y.astype(np.float32)
        reach = np.float32(np.max(length)) + np.float32(radius)
        patch = Patch(self, rows, x, y, np.full(len(rows), reach), (-1, 1, -1, 1))
        u, v = patch.u * reach, -patch.v * reach
        ends = (np.broadcast_to(np.asarray(e, np.float32), len(rows)) for e in (lean, length))
        ex, ey = (patch.spread(e) for e in ends)
        t = np.clip((u * ex + v * ey) / (ex * ex + ey * ey), 0, 1)
        u, v = u - t * ex, v - t * ey
        half = np.float32(radius * self.size)
        a = np.clip(0.5 + half - np.sqrt(u * u + v * v) * np.float32(self.size), 0, 1)
        a *= min(1.0, float(2 * half / (0.5 + half)))
        veil = np.zeros(self.n * self.size**2, np.float32)
        np.maximum.at(veil, patch.at, a)
        return veil.reshape(self.n, self.size, self.size)

    def rendered(self, motion: bool = False) -> Rendered:
        """What has been drawn, with the motion if that has been drawn too."""
        image = np.empty((self.n, self.size, self.size, 3), np.uint8)
        for c in range(3):
            plane = self.planes[c]
            plane *= 255
            plane += np.float32(0.5)
            image[..., c] = np.clip(plane, 0, 255, out=plane)
        if not self.truth:
            return Rendered(image)
        with np.errstate(divide="ignore"):
            depth = 1 / self.w
        x, y = self.axis - np.float32(0.5), (self.axis - np.float32(0.5))[:, None]
        normal = np.stack([-self.slope[0], self.slope[1], self.w - self.slope[0] * x - self.slope[1] * y], axis=-1)
        length = np.sqrt(np.square(normal[..., 0]) + np.square(normal[..., 1]) + np.square(normal[..., 2]))
        normal /= np.where(length > 0, length, np.float32(1))[..., None]
        moved = np.moveaxis(self.motion, 0, -1) * np.float32(self.size) if motion else None
        return Rendered(image, self.semantic, self.instance, depth, normal, self.matte, moved)


def in_parts(draw: Callable[[slice], Rendered], n: int, size: int, threads: int) -> Rendered:
    """Draw n pictures a few at a time, on so many threads, and put them together in order."""
    some = max(1, CHUNK // size**2)
    parts = [slice(a, min(a + some, n)) for a in range(0, max(n, 1), some)]
    if len(parts) == 1:
        return draw(parts[0])
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            drawn = list(pool.map(draw, parts))
    else:
        drawn = [draw(part) for part in parts]
    whole: dict[str, Any] = {}
    for field in fields(Rendered):
        values = [getattr(part, field.name) for part in drawn]
        whole[field.name] = None if values[0] is None else np.concatenate(values)
    return Rendered(**whole)


def chosen(factors: Factors, rows: slice | Array) -> Factors:
    """These rows of every factor."""
    return {name: values[rows] for name, values in factors.items()}
