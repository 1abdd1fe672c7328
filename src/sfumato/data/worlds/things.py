"""The things in the scenes: each a function that paints m of them, in a frame with v = 0 … 1 from foot to top."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .field import Array, box, circle, convex, ellipse, noise, segment, smooth, wave
from .render import Ink

LEGEND = (
    "sky", "sun", "moon", "cloud", "mountain", "hill", "grass", "crops", "sand", "pavement", "water", "road", "trunk",
    "leaves", "cactus", "wall", "roof", "chimney", "door", "window", "car", "wheel", "hull", "sail", "mill", "blades",
    "bird",
)  # fmt: skip
PART = {name: i for i, name in enumerate(LEGEND)}

Colours = dict[str, tuple[float, float, float]]
LEAVES: Colours = {
    "green": (0.40, 0.60, 0.27), "golden": (0.90, 0.67, 0.24), "red": (0.80, 0.34, 0.22), "pink": (0.95, 0.70, 0.76),
}  # fmt: skip
WALLS: Colours = {
    "white": (0.96, 0.94, 0.90), "yellow": (0.95, 0.82, 0.54), "pink": (0.90, 0.68, 0.64), "blue": (0.58, 0.72, 0.84),
    "red": (0.74, 0.38, 0.31),
}  # fmt: skip
PAINTS: Colours = {
    "red": (0.86, 0.24, 0.22), "yellow": (0.98, 0.78, 0.26), "blue": (0.22, 0.46, 0.78), "white": (0.95, 0.95, 0.95),
    "green": (0.30, 0.62, 0.48), "black": (0.20, 0.21, 0.26),
}  # fmt: skip
SAILS: Colours = {"white": (0.98, 0.97, 0.93), "red": (0.85, 0.33, 0.27), "orange": (0.96, 0.66, 0.30)}
STONE: Colours = {
    "grey": (0.62, 0.66, 0.72), "brown": (0.70, 0.58, 0.50), "blue": (0.48, 0.60, 0.72), "white": (0.88, 0.87, 0.85),
}  # fmt: skip
ROOFS = np.array([(0.75, 0.38, 0.28), (0.42, 0.44, 0.52), (0.56, 0.38, 0.30)], np.float32).T
SNOW = np.array((0.95, 0.97, 1.0), np.float32)[:, None]
BARK, GLASS, LAMP = (0.42, 0.32, 0.26), (0.40, 0.52, 0.62), (1.0, 0.80, 0.42)


@dataclass
class Look:
    """What tells m things of a kind apart, (m,) each."""

    colour: Array  # index into the colours of the kind
    variant: Array  # uniform in [0, 1): form
    side: Array  # where the light comes from in the thing's frame: −1 left … 1 right
    night: Array  # 0 … 1: how much is lit from within
    snow: Array  # 0 … 1: how much lies on it
    turn: Array  # what turns, in turns
    turned: Array  # … and by how much until the next frame


def _colours(palette: Colours, look: Look) -> Array:
    values = np.array(list(palette.values()), np.float32)
    found: Array = (values[look.colour % len(values)] * (0.93 + 0.14 * look.variant[:, None])).T
    return found


def _snowed(colour: Array, look: Look, most: float) -> Array:
    found: Array = colour + (SNOW - colour) * (most * look.snow)
    return found


def _lit(look: Look, share: float = 1.0) -> Array:
    """Panes: glass by day, lamplight at night."""
    glass, lamp = np.array(GLASS, np.float32)[:, None], np.array(LAMP, np.float32)[:, None]
    found: Array = glass + (lamp - glass) * (share * look.night)
    return found


def _grain(ink: Ink, cells: float, strength: float) -> Array:
    """Leafy noise about 1 in the frame of each thing, fading before it is finer than pixels."""
    patch = ink.patch
    per_cell = patch.pixels * np.float32(1 / cells)
    offset = patch.spread((np.abs(patch.scale) * 977).astype(np.float32))
    value = noise(patch.u * np.float32(cells) + offset, patch.v * np.float32(cells))
    return 1 + (value - 0.5) * (np.float32(strength) * np.clip(per_cell * 0.5 - 0.5, 0, 1))


def oak(ink: Ink, look: Look) -> None:
    """A broad tree with a crown of several balls."""
    patch, part = ink.patch, PART["leaves"]
    u, v, side = patch.u, patch.v, patch.spread(look.side)
    ink.shadow(ellipse(u, v, -0.10 * side, 0.0, 0.46, 0.055), 0.08)
    ink.paint(
        np.maximum(segment(u, v, (0.0, 0.0), (0.0, 0.5), 0.06, 0.035), -v), BARK, PART["trunk"], shade=1 + 3 * u * side
    )
    leaves = _snowed(_colours(LEAVES, look), look, 0.45)
    grain = _grain(ink, 13, 0.34)
    sway = patch.spread((look.variant - 0.5).astype(np.float32))
    balls = ((-0.27, 0.50, 0.20), (0.28, 0.52, 0.19), (0.02, 0.75, 0.235), (-0.16, 0.64, 0.21), (0.15, 0.60, 0.22))
    for i, (x, y, r) in enumerate(balls):
        cx, cy = x + sway * (0.12 if i % 2 else -0.10), y + sway * (0.06 if i < 2 else -0.02)
        shade = 0.98 + 0.24 * ((u - cx) * side + (v - cy)) / r
        ink.paint(circle(u, v, cx, cy, r), leaves, part, shade=shade * grain, dome=(x, y, r, r), line=i > 2)


def conifer(ink: Ink, look: Look) -> None:
    """A fir of four tiers."""
    patch, part = ink.patch, PART["leaves"]
    u, v, side = patch.u, patch.v, patch.spread(look.side)
    ink.shadow(ellipse(u, v, -0.06 * side, 0.0, 0.3, 0.04), 0.06)
    ink.paint(box(u, v, 0, 0.08, 0.032, 0.1), BARK, PART["trunk"])
    green = np.array([(0.24, 0.45, 0.33), (0.30, 0.50, 0.30)], np.float32)[look.colour % 2].T
    grain = _grain(ink, 16, 0.3)
    slim = patch.spread((1.15 - 0.3 * look.variant).astype(np.float32))
    for y, top, wide in ((0.12, 0.50, 0.27), (0.32, 0.68, 0.225), (0.52, 0.85, 0.17), (0.70, 1.0, 0.115)):
        p, sag = u * slim, 0.10 * wide * (1 - (u * slim / wide) ** 2)
        tier = convex(p, v + sag, ((-wide, y), (wide, y), (0.0, top)))
        shade = (0.80 + 0.32 * (v - y) / (top - y) + 0.28 * side * p / wide) * grain
        ink.paint(tier, green, part, shade=shade)
        if look.snow.any():
            low = y + 0.40 * (top - y) + 0.16 * p * np.sign(side)
            rim = low - v - sag + 0.02 * (noise(u * 24, v * 0) - 0.5)
            cover = patch.spread((0.92 * look.snow).astype(np.float32))
            ink.paint(np.maximum(rim, tier), SNOW, part, shade=0.96 + 0.15 * side * p / wide, alpha=cover, line=False)


def poplar(ink: Ink, look: Look) -> None:
    """A tall narrow tree."""
    patch = ink.patch
    u, v, side = patch.u, patch.v, patch.spread(look.side)
    ink.shadow(ellipse(u, v, -0.05 * side, 0.0, 0.2, 0.035), 0.05)
    ink.paint(box(u, v, 0, 0.08, 0.024, 0.1), BARK, PART["trunk"])
    leaves = _snowed(_colours({k: LEAVES[k] for k in ("green", "golden")}, look) * np.float32(0.92), look, 0.35)
    wide = patch.spread((0.13 + 0.04 * look.variant).astype(np.float32)) * (1.12 - 0.42 * smooth((v - 0.3) / 0.7))
    shade = (0.84 + 0.30 * side * u / 0.15 + 0.22 * (v - 0.4)) * _grain(ink, 15, 0.34)
    ink.paint(ellipse(u, v, 0, 0.55, wide, 0.45), leaves, PART["leaves"], shade=shade, dome=(0, 0.55, 0.16, 0.45))


def palm(ink: Ink, look: Look) -> None:
    """A bent trunk with fronds."""
    patch = ink.patch
    lean = patch.spread((0.1 + 0.16 * look.variant).astype(np.float32))
    u, v, side = patch.u, patch.v, patch.spread(look.side)
    ink.shadow(ellipse(u, v, -0.1 * side, 0.0, 0.3, 0.035), 0.06)
    p = u - lean * v * v
    trunk = np.maximum(segment(p, v, (0.0, 0.0), (0.0, 0.80), 0.042, 0.026), -v)
    ink.paint(trunk, (0.60, 0.47, 0.34), PART["trunk"], thin=0.03)
    green = _snowed(np.tile(np.array([[0.34], [0.58], [0.34]], np.float32), len(look.colour)), look, 0.4)
    for mirrored in (1, -1):
        q = (u - lean * 0.64) * mirrored
        for x, y, r, cut in ((0.22, 0.64, 0.23, 0.10), (0.20, 0.78, 0.21, 0.09), (0.13, 0.86, 0.17, 0.08)):
            frond = np.maximum(circle(q, v, x, y, r), -circle(q, v, x + 0.02, y - cut, r))
            shade = 0.8 + 0.5 * (v - 0.66) + 0.25 * mirrored * side
            ink.paint(np.maximum(frond, -0.02 - q), green, PART["leaves"], shade=shade, thin=0.04)


def cactus(ink: Ink, look: Look) -> None:
    """A saguaro with two arms and, some, a flower."""
    patch = ink.patch
    u, v, side = patch.u, patch.v, patch.spread(look.side)
    ink.shadow(ellipse(u, v, -0.12 * side, 0.0, 0.3, 0.04), 0.06)
    high = patch.spread((0.28 + 0.16 * look.variant).astype(np.float32))
    arms = (
        np.minimum(
            segment(u, v, (-0.28, high), (-0.05, high), 0.062),
            segment(u, v, (-0.28, high), (-0.28, high + 0.24), 0.062),
        ),
        np.minimum(segment(u, v, (0.27, 0.47), (0.05, 0.47), 0.058), segment(u, v, (0.27, 0.47), (0.27, 0.74), 0.058)),
        np.maximum(segment(u, v, (0.0, 0.0), (0.0, 0.86), 0.1), -v),
    )
    green = _snowed(np.tile(np.array([[0.36], [0.56], [0.36]], np.float32), len(look.colour)), look, 0.3)
    for d, x in zip(arms, (-0.28, 0.27, 0.0), strict=True):
        shade = 0.92 + 0.26 * side * (u - np.float32(x)) / 0.1
        ink.paint(d, green, PART["cactus"], shade=shade, dome=(0, 0.45, 0.3, 0.6) if x == 0 else None)
    flower = np.where(patch.spread(look.colour % 2 == 0), circle(u, v, 0, 0.955, 0.05), np.float32(1))
    ink.paint(flower, (0.95, 0.50, 0.58), PART["cactus"])


def bush(ink: Ink, look: Look) -> None:
    """A low round shrub, some in flower."""
    patch = ink.patch
    u, v, side = patch.u, patch.v, patch.spread(look.side)
    ink.shadow(ellipse(u, v, -0.15 * side, 0.0, 0.85, 0.1), 0.12)
    green = _snowed(np.tile(np.array([[0.38], [0.56], [0.28]], np.float32), len(look.colour)), look, 0.5)
    grain = _grain(ink, 7, 0.4)
    ground = -v
    for x, y, r in ((-0.48, 0.30, 0.36), (0.50, 0.28, 0.34), (0.0, 0.48, 0.46)):
        d = np.maximum(circle(u, v, x, y, r), ground)
        shade = (0.95 + 0.3 * (side * (u - x) + v - y) / r) * grain
        ink.paint(d, green, PART["leaves"], shade=shade, dome=(x, y, r, r), line=x == 0)
    blossoms = np.array([(0.95, 0.62, 0.70), (0.98, 0.85, 0.42), (0.74, 0.62, 0.90)], np.float32)
    spots = np.minimum.reduce([
        circle(u, v, x, y, 0.075) for x, y in ((-0.5, 0.4), (-0.2, 0.66), (0.14, 0.5), (0.34, 0.72), (0.6, 0.34))
    ])  # fmt: skip
    spots = np.where(patch.spread(look.colour % 4 > 0), spots, np.float32(1))
    ink.paint(spots, blossoms[(look.colour - 1) % 3].T, PART["leaves"], thin=0.075, line=False)


def house(ink: Ink, look: Look) -> None:
    """Walls, a roof with its gable to the front or not, a door, windows that are lit at night, a chimney."""
    patch = ink.patch
    u, v, side = patch.u, patch.v, patch.spread(look.side)
    ink.shadow(ellipse(u, v, -0.1 * side, 0.0, 0.78, 0.05), 0.08)
    roofs = _snowed(ROOFS[:, (look.variant * 300).astype(np.int64) % 3], look, 0.85)
    front = patch.spread(look.variant < 0.5)
    ink.paint(box(u, v, 0.34, 0.84, 0.055, 0.14), (0.62, 0.42, 0.36), PART["chimney"], shade=1 + 0.2 * side)
    wall = np.where(front, convex(u, v, ((-0.52, 0), (0.52, 0), (0.52, 0.54), (0, 0.94), (-0.52, 0.54))),
                    box(u, v, 0, 0.29, 0.56, 0.29))  # fmt: skip
    under = np.where(front, 0.66 - 0.77 * np.abs(u) + 0.28, np.float32(0.54))
    shade = (1 - 0.26 * smooth((v - under + 0.16) / 0.14)) * (1 + 0.10 * side * u)
    ink.paint(wall, _colours(WALLS, look), PART["wall"], shade=shade)
    slope = np.maximum(np.abs(v - (0.96 - 0.77 * np.abs(u))) * 0.79 - 0.055, np.abs(u) - 0.64)
    flat = convex(u, v, ((-0.68, 0.52), (0.68, 0.52), (0.48, 0.94), (-0.48, 0.94)))
    rows = np.abs((v * 12) - np.floor(v * 12) - 0.5)
    tiles = 0.96 + 0.12 * (v - 0.7) + 0.10 * (rows - 0.25) * np.clip(patch.pixels / 24 - 1, 0, 1)
    lit = np.where(front, 1 + 0.16 * side * np.sign(u), np.float32(1))
    ink.paint(np.where(front, slope, flat), roofs, PART["roof"], shade=tiles * lit)
    ink.paint(box(u, v, 0, 0.16, 0.095, 0.17, 0.02), (0.46, 0.31, 0.25), PART["door"])
    x = np.abs(u)
    ink.paint(box(x, v, 0.33, 0.30, 0.115, 0.125), (0.94, 0.92, 0.88), PART["wall"], line=False)
    panes = box(x, v, 0.33, 0.30, 0.09, 0.10)
    panes = np.minimum(panes, np.where(front, circle(u, v, 0, 0.66, 0.075), np.float32(1)))
    panes = np.maximum(panes, np.where(v < 0.5, 0.012 - np.abs(x - 0.33), np.float32(-1)))
    glass = np.array(GLASS, np.float32)[:, None]
    ink.paint(
        panes, glass + (np.array(LAMP, np.float32)[:, None] - glass) * look.night, PART["window"], glow=look.night
    )


def tower(ink: Ink, look: Look) -> None:
    """A tall building with a grid of windows, half of them lit at night."""
    patch = ink.patch
    u, v, side = patch.u, patch.v, patch.spread(look.side)
    wide = patch.spread((0.13 + 0.09 * look.variant).astype(np.float32))
    ink.shadow(box(u, v, -0.06 * side, 0.0, wide, 0.008), 0.04)
    roof = _snowed(_colours(STONE, look) * np.float32(0.8), look, 0.8)
    ink.paint(box(u, v, 0, 0.975, wide * 0.5, 0.035), roof, PART["roof"])
    ink.paint(segment(u, v, (wide * 0.3, 0.97), (wide * 0.3, 1.08), 0.006), roof, PART["roof"], thin=0.006, line=False)
    shade = 0.92 + 0.16 * v + 0.10 * np.sign(u + 0.3 * wide * side) * side
    ink.paint(box(u, v, 0, 0.48, wide, 0.48), _colours(STONE, look), PART["wall"], shade=shade)
    columns = np.floor(wide / 0.033 + 0.3)
    p, q = (u + wide) / (2 * wide) * (columns + 0.5) - 0.25, (v - 0.03) / 0.052
    inside = np.maximum(np.abs(u) - wide * 0.94, np.maximum(0.05 - v, v - 0.925))
    i, j = np.floor(p), np.floor(q)
    pane = box((p - i - 0.5) * 0.06, (q - j - 0.5) * 0.052, 0, 0, 0.018, 0.0155)
    key = patch.spread((look.variant * 40).astype(np.float32))
    chance = noise(i + key, j + np.floor(key * 7))
    pane = np.maximum(pane, inside)
    fine = np.clip(patch.pixels * np.float32(0.056) - 1.2, 0, 1)
    ink.paint(inside, _lit(look, 0.5), PART["wall"], glow=0.5 * look.night, alpha=0.36 * (1 - fine), line=False)
    ink.paint(pane, GLASS, PART["window"], shade=0.75 + 0.6 * chance, alpha=fine, line=False)
    shown = patch.spread((look.night * 0.95).astype(np.float32))
    lit = np.where((chance > 0.5) & (shown > 0), pane, np.float32(1))
    ink.paint(lit, LAMP, PART["window"], glow=look.night, alpha=fine * shown, line=False)


def car(ink: Ink, look: Look) -> None:
    """A car on its way to the right."""
    patch = ink.patch
    u, v = patch.u, patch.v
    ink.shadow(ellipse(u, v, 0, 0.02, 1.3, 0.12), 0.14, 0.45)
    body = _colours(PAINTS, look)
    estate = patch.spread(np.where(look.variant < 0.5, np.float32(-0.95), np.float32(-0.62)))
    cabin = convex(u, v, ((-1.02, 0.5), (0.70, 0.5), (0.30, 1.0), (estate, 1.0)))
    ink.paint(cabin, body, PART["car"], shade=0.85 + 0.25 * v)
    glass = convex(u, v, ((-0.93, 0.56), (0.56, 0.56), (0.25, 0.93), (estate + 0.06, 0.93)))
    glass = np.maximum(glass, 0.05 - np.abs(u + 0.15))
    ink.paint(glass, (0.50, 0.62, 0.70), PART["window"], shade=0.7 + 0.5 * v, line=False)
    ink.paint(box(u, v, 0, 0.42, 1.22, 0.22, 0.16), body, PART["car"], shade=0.72 + 0.62 * v)
    ink.paint(ellipse(u, v, 1.12, 0.46, 0.075, 0.075), (1.0, 0.95, 0.74), PART["car"], glow=look.night)
    ink.paint(ellipse(u, v, -1.16, 0.48, 0.05, 0.07), (0.95, 0.25, 0.2), PART["car"], glow=look.night, line=False)
    x = np.abs(u)
    ink.paint(circle(x, v, 0.70, 0.20, 0.215), (0.14, 0.14, 0.17), PART["wheel"])
    ink.paint(circle(x, v, 0.70, 0.20, 0.10), (0.72, 0.73, 0.76), PART["wheel"], line=False)


def boat(ink: Ink, look: Look) -> None:
    """A sailing boat with two sails."""
    patch = ink.patch
    u, v = patch.u, patch.v
    ink.shadow(ellipse(u, v, 0, 0.0, 0.46, 0.05), 0.08, 0.3)
    sails = _colours(SAILS, look)
    ink.paint(segment(u, v, (0.0, 0.1), (0.0, 1.0), 0.012), BARK, PART["hull"], thin=0.012, line=False)
    belly = 0.05 * (1 - (2 * (v - 0.55) / 0.7) ** 2)
    main = convex(u - belly, v, ((0.02, 0.2), (0.40, 0.22), (0.02, 0.97)))
    ink.paint(main, sails, PART["sail"], shade=1.02 - 0.55 * u)
    jib = convex(u + belly, v, ((-0.34, 0.22), (-0.03, 0.2), (-0.03, 0.82)))
    ink.paint(jib, SAILS["white"], PART["sail"], shade=0.98 + 0.4 * u)
    hull = convex(u, v, ((-0.30, 0.0), (0.32, 0.0), (0.48, 0.18), (-0.44, 0.16)))
    colours = np.array([(0.50, 0.33, 0.25), (0.93, 0.92, 0.90), (0.22, 0.34, 0.50)], np.float32)
    ink.paint(hull, colours[(look.variant * 3).astype(np.int64)].T, PART["hull"], shade=0.75 + 1.9 * v)


def windmill(ink: Ink, look: Look) -> None:
    """A mill whose four blades turn."""
    patch = ink.patch
    u, v, side = patch.u, patch.v, patch.spread(look.side)
    ink.shadow(ellipse(u, v, -0.08 * side, 0.0, 0.28, 0.04), 0.06)
    tapered = convex(u, v, ((-0.165, 0.0), (0.165, 0.0), (0.098, 0.60), (-0.098, 0.60)))
    shade = 0.96 + 0.9 * side * u * (1 + v)
    ink.paint(tapered, _colours(WALLS, look), PART["mill"], shade=shade)
    cap = _snowed(np.tile(np.array([[0.50], [0.33], [0.27]], np.float32), len(look.colour)), look, 0.7)
    ink.paint(np.maximum(circle(u, v, 0, 0.60, 0.118), 0.59 - v), cap, PART["roof"], shade=1 + 1.5 * side * u)
    ink.paint(box(u, v, 0, 0.075, 0.038, 0.08, 0.02), (0.45, 0.31, 0.26), PART["door"])
    ink.paint(box(u, v, 0, 0.34, 0.026, 0.034), _lit(look), PART["window"], glow=look.night)
    cos, sin = (patch.spread(wave(look.turn + a).astype(np.float32)) for a in (0.25, 0.0))
    x, y = u, v - 0.64
    x, y = x * cos + y * sin, y * cos - x * sin
    four = ((x, y), (-y, x), (-x, -y), (y, -x))
    cloth = np.minimum.reduce([box(a, b, 0.205, 0.036, 0.125, 0.036) for a, b in four])
    dc, ds = (patch.spread(wave(look.turned + a).astype(np.float32)) for a in (0.25, 0.0))
    flow = ((dc - 1) * u - ds * (v - 0.64), ds * u + (dc - 1) * (v - 0.64))
    ink.paint(cloth, (0.96, 0.92, 0.82), PART["blades"], flow=flow, shade=0.92 + 0.9 * np.abs(v - 0.64), thin=0.036)
    spars = np.minimum.reduce([segment(a, b, (0.0, 0.0), (0.335, 0.0), 0.012) for a, b in four])
    ink.paint(spars, (0.42, 0.30, 0.25), PART["blades"], flow=flow, thin=0.012, line=False)


def bird(ink: Ink, look: Look) -> None:
    """A bird on the wing."""
    u, v = np.abs(ink.patch.u), ink.patch.v
    up = ink.patch.spread((0.55 + 0.35 * look.variant).astype(np.float32))
    wing = np.minimum(
        segment(u, v, (0.0, 0.28), (0.5, up), 0.09, 0.07), segment(u, v, (0.5, up), (1.15, up - 0.28), 0.07, 0.02)
    )
    plumage = np.array([(0.20, 0.20, 0.25), (0.97, 0.97, 0.97)], np.float32)[look.colour % 2].T
    ink.paint(wing, plumage, PART["bird"], thin=0.07, line=False)
    ink.paint(ellipse(u, v, 0, 0.26, 0.12, 0.15), plumage, PART["bird"], thin=0.12, line=False)


def cloud(ink: Ink, look: Look) -> None:
    """A fair-weather cloud: balls on a flat base."""
    patch = ink.patch
    u, v, side = patch.u, patch.v, patch.spread(look.side)
    form = patch.spread((look.variant - 0.5).astype(np.float32))
    white = (1.0, 1.0, 1.0)
    base = 0.02 - v
    balls = ((-1.12, 0.24, 0.27), (1.18, 0.20, 0.25), (-0.62, 0.42, 0.40), (0.72, 0.36, 0.36), (0.08, 0.53, 0.47),
             (-0.32, 0.28, 0.34), (0.42, 0.24, 0.30))  # fmt: skip
    for i, (x, y, r) in enumerate(balls):
        cx, cr = x + form * (0.3 if i % 2 else -0.3), r * (1 + form * (0.24 if i % 3 else -0.24))
        d = np.maximum(circle(u, v, cx, y, cr), base)
        shade = 0.93 + 0.14 * (side * (u - cx) + 0.9 * (v - y)) / r - 0.10 * smooth((0.30 - v) / 0.3)
        ink.paint(d, white, PART["cloud"], shade=shade, soft=0.05, alpha=0.96, line=i == 4)


def sun(ink: Ink, look: Look) -> None:
    """The disc of the sun, of radius 1 about the origin."""
    d = circle(ink.patch.u, ink.patch.v, 0, 0, 1)
    ink.paint(d, (1.0, 0.97, 0.86), PART["sun"], soft=0.08, line=False)


def moon(ink: Ink, look: Look) -> None:
    """The moon, of radius 1 about the origin, waxing to full, with its seas."""
    patch = ink.patch
    u, v = patch.u, patch.v
    bite = patch.spread((0.45 + 1.7 * look.variant).astype(np.float32))
    d = np.maximum(circle(u, v, 0, 0, 1), -circle(u, v, bite, 0.12 * bite, 1.0))
    seas = np.minimum.reduce(
        [circle(u, v, -0.35, 0.3, 0.26), circle(u, v, -0.5, -0.3, 0.18), circle(u, v, 0.1, -0.5, 0.2)]
    )
    ink.paint(d, (0.96, 0.95, 0.88), PART["moon"], shade=1 - 0.1 * smooth(0.5 - seas * 6), soft=0.04, line=False)


@dataclass(frozen=True)
class Kind:
    """A kind of thing: how it is painted, its height (m), its reach in its own heights, its colours' names."""

    name: str
    paint: Callable[[Ink, Look], None]
    metres: float
    reach: tuple[float, float, float, float]
    colours: tuple[str, ...]


KINDS = (
    Kind("oak", oak, 7.5, (-0.62, 0.62, -0.1, 1.02), tuple(LEAVES)),
    Kind("fir", conifer, 9.0, (-0.42, 0.42, -0.08, 1.02), ("green", "green")),
    Kind("poplar", poplar, 10.0, (-0.28, 0.28, -0.07, 1.02), ("green", "golden")),
    Kind("palm tree", palm, 8.0, (-0.5, 0.75, -0.08, 1.1), ("green",)),
    Kind("cactus", cactus, 4.0, (-0.48, 0.48, -0.09, 1.02), ("green", "green")),
    Kind("bush", bush, 1.7, (-1.02, 1.02, -0.2, 1.02), ("green", "pink", "yellow", "purple")),
    Kind("house", house, 7.0, (-0.92, 0.92, -0.11, 1.05), tuple(WALLS)),
    Kind("tower", tower, 30.0, (-0.26, 0.26, -0.02, 1.1), tuple(STONE)),
    Kind("car", car, 1.75, (-1.48, 1.48, -0.2, 1.06), tuple(PAINTS)),
    Kind("sailing boat", boat, 7.0, (-0.6, 0.6, -0.1, 1.04), tuple(SAILS)),
    Kind("windmill", windmill, 13.0, (-0.36, 0.36, -0.08, 1.02), tuple(WALLS)),
    Kind("bird", bird, 1.0, (-1.2, 1.2, -0.1, 1.0), ("black", "white")),
)
KIND = {kind.name: i for i, kind in enumerate(KINDS)}
