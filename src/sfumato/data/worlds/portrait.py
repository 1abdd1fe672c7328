"""How faces are painted: background, hair, shoulders, head, eyes, nose, mouth, glasses, over one another."""

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from .field import Array, Number, box, circle, ellipse, noise, segment, smooth, wave
from .render import Canvas, Factors, Ink, Lights, Patch, chosen

LEGEND = (
    "background", "clothes", "neck", "ear", "face", "hair", "beard", "brow", "eye", "iris", "pupil", "nose", "lips",
    "mouth", "teeth", "glasses",
)  # fmt: skip
PART = {name: i for i, name in enumerate(LEGEND)}
EXPRESSIONS = ("neutral", "smiling", "laughing", "surprised", "sad")
HAIR = ("bald", "short", "parted", "long", "bob", "curly", "bun")
HAIR_COLOURS = {
    "black": (0.13, 0.11, 0.12), "brown": (0.34, 0.22, 0.16), "auburn": (0.52, 0.25, 0.15),
    "red": (0.72, 0.37, 0.20), "blond": (0.90, 0.73, 0.42), "white": (0.88, 0.87, 0.86),
}  # fmt: skip
SKINS = np.array([
    (0.99, 0.86, 0.77), (0.97, 0.80, 0.68), (0.93, 0.73, 0.58), (0.86, 0.64, 0.48), (0.74, 0.52, 0.38),
    (0.60, 0.40, 0.29), (0.47, 0.31, 0.23),
], np.float32)  # fmt: skip
EYES = {
    "brown": (0.38, 0.24, 0.15), "hazel": (0.52, 0.40, 0.20), "green": (0.34, 0.52, 0.34),
    "blue": (0.28, 0.50, 0.74), "grey": (0.48, 0.54, 0.58),
}  # fmt: skip
GLASSES = ("none", "round", "square", "sun")
BEARDS = ("none", "moustache", "full")
CLOTHES = np.array([
    (0.30, 0.42, 0.62), (0.80, 0.36, 0.32), (0.34, 0.56, 0.48), (0.93, 0.78, 0.48), (0.92, 0.91, 0.88),
    (0.28, 0.28, 0.34), (0.62, 0.46, 0.66),
], np.float32)  # fmt: skip
BACKGROUNDS = {
    "blue": (0.62, 0.76, 0.90), "green": (0.66, 0.80, 0.70), "yellow": (0.96, 0.85, 0.62), "pink": (0.96, 0.76, 0.74),
    "purple": (0.76, 0.70, 0.88), "grey": (0.76, 0.78, 0.81),
}  # fmt: skip
DISTANCE = 0.42  # of the head from the camera, metres
DEEP = 0.82  # half the depth of the head, half heights
LANDMARKS = (
    "left brow outer", "left brow inner", "right brow inner", "right brow outer", "left eye outer", "left eye inner",
    "right eye inner", "right eye outer", "left pupil", "right pupil", "nose bridge", "nose tip", "left nostril",
    "right nostril", "left mouth corner", "right mouth corner", "upper lip", "lower lip", "chin", "crown",
)  # fmt: skip


@dataclass
class Head:
    """Where everything is, (m,) each, in half heights of the head, x right, y up from its centre."""

    f: Factors
    x: Array
    y: Array
    scale: Array  # half the height of the head, sides of the picture
    wide: Array
    sin: Array  # of the yaw, to the right
    cos: Array
    nod: Array  # sine of the pitch, up
    young: Array  # 1 a child … 0 grown
    old: Array  # 0 … 1
    eye_y: Array
    eye: Array  # half the width of an eye
    mouth_y: Array
    mouth: Array  # half the width of the mouth

    def place(self, x: Number, y: Number, out: float = 1.0) -> tuple[Array, Array, Array]:
        """Where a point of the face is seen, and how much narrower what lies there is: each (m,).

        (x, y) is where it is seen from the front; it lies on an ellipsoid, `out` times as far from the axis.
        """
        x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
        deep = np.float32(DEEP)
        z = deep * np.sqrt(np.maximum(1 - (x / self.wide) ** 2 - y * y, np.float32(0.04)))
        narrow = self.cos - self.sin * (deep * deep * x / (self.wide * self.wide * z))
        seen, z = x * self.cos + z * out * self.sin, z * out * self.cos - x * self.sin
        found: tuple[Array, Array, Array] = (
            seen, y * np.sqrt(1 - self.nod * self.nod) + z * self.nod, np.clip(narrow, 0.3, 1.15),
        )  # fmt: skip
        return found


def head(f: Factors) -> Head:
    """The geometry of some faces."""
    age = f["age"].astype(np.float32)
    young, old = smooth((0.30 - age) / 0.30), smooth((age - 0.45) / 0.5)
    turn, nod = f["yaw"] / 360, f["pitch"] / 360
    smile, shape = f["smile"].astype(np.float32), f["traits"].astype(np.float32)
    return Head(
        f=f, x=f["x"].astype(np.float32), y=f["y"].astype(np.float32),
        scale=(f["scale"] * (1 - 0.08 * young)).astype(np.float32),
        wide=(0.72 + 0.10 * shape[:, 0] + 0.06 * young).astype(np.float32),
        sin=wave(turn).astype(np.float32), cos=wave(turn + 0.25).astype(np.float32), nod=wave(nod).astype(np.float32),
        young=young, old=old,
        eye_y=0.06 - 0.13 * young + 0.05 * (shape[:, 4] - 0.5),
        eye=(0.150 + 0.035 * shape[:, 5]) * (1 + 0.16 * young),
        mouth_y=-0.50 - 0.06 * (shape[:, 6] - 0.5) - 0.03 * young,
        mouth=(0.25 + 0.06 * shape[:, 7]) * (1 - 0.14 * young) * (1 + 0.22 * np.maximum(smile, 0)),
    )  # fmt: skip


def outline(patch: Patch, h: Head) -> tuple[Array, Array, Array]:
    """Signed distance to the outline of the head, and p, q: how far right and up of its middle, 1 at the outline."""
    u, v, spread = patch.u, patch.v, patch.spread
    shape = h.f["traits"].astype(np.float32)
    taper = spread(0.12 + 0.20 * shape[:, 1] - 0.06 * h.young)
    square = spread(0.55 * shape[:, 2])
    chin = spread(1.0 + 0.10 * (shape[:, 3] - 0.4) - 0.06 * h.young)
    p = u - spread(h.sin) * (0.07 + 0.12 * smooth(-v))
    wide = spread(h.wide) * (1 - taper * smooth(-v * np.float32(0.95)))
    q = np.where(v < 0, v / chin, v / np.float32(1.0))
    p = p / wide
    f = p * p + q * q - square * p * p * q * q
    root = np.sqrt(np.maximum(f, np.float32(1e-6)))
    slope = np.sqrt((p / wide) ** 2 + q * q + np.float32(1e-4))
    return (root - 1) * root / slope, p, q


def draw(canvas: Canvas, f: Factors, person: bool = True) -> None:
    """Paint faces over their backgrounds, or the backgrounds alone."""
    _background(canvas, f)
    if not person:
        return
    h = head(f)
    _behind(canvas, h)
    _head(canvas, h)
    _features(canvas, h)
    _front(canvas, h)


def _background(canvas: Canvas, f: Factors) -> None:
    """A lit wall, soft spots of light on it."""
    x, y = canvas.axis[None, None, :], canvas.axis[None, :, None]
    side = f["light_x"].astype(np.float32)[:, None, None]
    soft = (f["style"] == 0).astype(np.float32)[:, None, None]
    seed = (f["grain"] * 60).astype(np.float32)[:, :, None, None]
    dx, dy = x - (np.float32(0.5) + np.float32(0.35) * side), y - np.float32(0.3)
    glow = 1 / (1 + (dx * dx + dy * dy) * np.float32(3.2))
    cloudy = noise(x * np.float32(3) + seed[:, 0], y * np.float32(3) + seed[:, 1]) - np.float32(0.5)
    shade = np.float32(0.98) + (np.float32(0.34) * glow - np.float32(0.26) + cloudy * np.float32(0.10)) * soft
    colours = np.array(list(BACKGROUNDS.values()), np.float32)[f["background"]].T * _tint(f)
    for c in range(3):
        canvas.planes[c] = colours[c][:, None, None] * shade
    if canvas.truth:
        canvas.w[:] = 1 / (DISTANCE * 3)


def _tint(f: Factors) -> Array:
    """The colour of the light, from warm to cool: (3, n) float32 about 1."""
    warm = ((f["warmth"] - 0.5) * 0.16).astype(np.float32)
    return np.stack([1 + warm, 1 + 0.2 * warm, 1 - warm])


def _some(h: Head, rows: Array) -> Head:
    """These faces alone."""
    arrays: dict[str, Any] = {name: value[rows] for name, value in vars(h).items() if name != "f"}
    return Head(f=chosen(h.f, rows), **arrays)


def _ink(canvas: Canvas, h: Head, patch: Patch, nearer: float = 0.0) -> Ink:
    """Ink for as many faces as `h` has, so many metres nearer than the middle of the head."""
    m = len(patch.rows)
    lights = Lights(_tint(h.f), np.zeros((3, m), np.float32), np.zeros(m, np.float32), h.f["style"] == 1)
    return Ink(patch, lights, np.full(m, 1 / (DISTANCE - nearer), np.float32), canvas.truth)


def _hair_colour(h: Head) -> Array:
    """Hair greys with age: (3, m)."""
    colour = np.array(list(HAIR_COLOURS.values()), np.float32)[h.f["hair_colour"]].T
    grey = np.array([[0.78], [0.78], [0.80]], np.float32)
    found: Array = colour + (grey - colour) * (np.float32(0.9) * smooth((h.f["age"] - 0.55) / 0.35).astype(np.float32))
    return found


def _strands(patch: Patch, h: Head, p: Array, v: Array, fine: float, curly: bool) -> Array:
    """Light and dark along the hair, or by locks where it is curly: a factor about 1."""
    seed = patch.spread((h.f["grain"][:, 0] * 60).astype(np.float32))
    per = np.clip(patch.pixels / np.float32(2.4 * fine) - np.float32(0.4), 0, 1)
    if curly:
        streak = noise((p + v) * 6 + seed, (p - v) * 6) * np.float32(0.6)
        streak += noise((0.3 * p + v) * 13 + seed, (0.3 * v - p) * 13) * np.float32(0.6) - np.float32(0.6)
    else:
        streak = noise(p * np.float32(fine) + seed, v * np.float32(1.6)) - np.float32(0.5)
    return 1 + streak * per * np.float32(0.34)


def _behind(canvas: Canvas, h: Head) -> None:
    """What the head hides: long hair, shoulders, neck."""
    for name in ("long", "bob", "curly", "bun"):
        rows = np.flatnonzero(h.f["hair"] == HAIR.index(name))
        if len(rows):
            _mane(canvas, _some(h, rows), rows, name)
    patch = Patch(canvas, np.arange(canvas.n), h.x, h.y, h.scale, (-1.42, 1.42, -2.15, -0.5))
    u, v, spread = patch.u, patch.v, patch.spread
    ink = _ink(canvas, h, patch, -0.04)
    side, skin = spread(h.f["light_x"].astype(np.float32)), SKINS[h.f["skin"]].T
    wide = spread(h.wide)
    neck = box(u, v, spread(-0.03 * h.sin), -1.1, wide * spread(0.50 - 0.08 * h.young), 0.58, 0.08)
    ink.paint(neck, skin, PART["neck"], shade=0.84 + 0.22 * side * u - 0.24 * smooth((v + 1.14) / 0.3))
    shoulders = ellipse(u, v, 0, -2.30, spread(1.34 - 0.22 * h.young), 1.02)
    collar = -ellipse(u, v, 0, -1.20, wide * 0.50, 0.30)
    folds = 1 + 0.10 * (noise(u * 3 + 5, v * 2) - 0.5)
    shade = (0.96 + 0.18 * side * u + 0.16 * (v + 1.6)) * folds
    ink.paint(np.maximum(shoulders, collar), CLOTHES[h.f["clothes"]].T, PART["clothes"], shade=shade)
    ink.wash(np.maximum(np.abs(collar - 0.03) - 0.01, v + 1.22), (0.2, 0.2, 0.25), 0.05, 0.2)
    canvas.stamp(ink, 0)


def _mane(canvas: Canvas, h: Head, rows: Array, name: str) -> None:
    """Hair behind the head."""
    patch = Patch(canvas, rows, h.x, h.y, h.scale, (-1.35, 1.35, -1.45, 1.42))
    u, v, spread = patch.u, patch.v, patch.spread
    ink = _ink(canvas, h, patch, -0.04)
    _, p, _ = outline(patch, h)
    x = u + spread(0.10 * h.sin)
    wide = spread(h.wide)
    if name == "long":
        swing = spread(0.07 * (h.f["grain"][:, 1] - 0.5).astype(np.float32)) * v * v
        shape = np.maximum(box(x + swing, v, 0, -0.35, wide + 0.17, 1.05, 0.5), circle(x, v, 0, -0.2, 1.5))
    elif name == "bob":
        shape = box(x, v, 0, 0.10, wide + 0.20 - 0.05 * v, 0.88, 0.55)
    elif name == "curly":
        shape = circle(x, v, 0, 0.30, wide + 0.34) + 0.10 * (noise(u * 7 + 9, v * 7) - 0.5)
    else:
        shape = circle(x, v, 0, 1.12, 0.26)
    side = spread(h.f["light_x"].astype(np.float32))
    shade = _strands(patch, h, p, v, 9, name == "curly") * (0.80 + 0.14 * side * p + 0.10 * v)
    ink.paint(shape, _hair_colour(h), PART["hair"], shade=shade)
    canvas.stamp(ink, 0)


def _head(canvas: Canvas, h: Head) -> None:
    """Ears and the face with the soft light on it."""
    patch = Patch(canvas, np.arange(canvas.n), h.x, h.y, h.scale, (-1.02, 1.02, -1.16, 1.06))
    u, v, spread = patch.u, patch.v, patch.spread
    ink = _ink(canvas, h, patch)
    side, skin = spread(h.f["light_x"].astype(np.float32)), SKINS[h.f["skin"]].T
    middle, high = spread(-0.16 * h.sin), spread(h.eye_y - 0.10 + 0.1 * h.nod)
    beside = np.abs(u - middle) - spread(h.wide * h.cos * 0.99)
    ink.paint(ellipse(beside, v, 0, high, 0.115, 0.19), skin, PART["ear"], shade=0.88 + 0.12 * side * u)
    ink.wash(ellipse(beside, v, 0, high - 0.01, 0.055, 0.12), _blood(h), 0.10, 0.55)
    d, p, q = outline(patch, h)
    bulge = np.sqrt(np.maximum(1 - (p * p + q * q) * np.float32(0.86), np.float32(0.02)))
    shade = 0.79 + 0.21 * bulge + side * (0.16 * p + 0.02) + 0.05 * q
    ink.paint(d, skin, PART["face"], shade=shade, dome=(0.0, 0.0, 0.77, 1.05))
    canvas.stamp(ink, 0)


def _blood(h: Head) -> Array:
    """The tint of ears and cheeks."""
    found: Array = SKINS[h.f["skin"]].T * np.array([[0.94], [0.66], [0.60]], np.float32)
    return found


def _cheek(canvas: Canvas, h: Head, sign: int) -> None:
    """Blush, and the fold from the nose to the corner of the mouth that smiles and years deepen."""
    x, y, narrow = h.place(sign * 0.40 * h.wide / 0.77, h.eye_y - 0.36)
    patch = Patch(
        canvas, np.arange(canvas.n), h.x + x * h.scale, h.y - y * h.scale, h.scale, (-0.34, 0.34, -0.36, 0.30)
    )
    u, v, spread = patch.u, patch.v, patch.spread
    ink = _ink(canvas, h, patch)
    smiling = np.maximum(h.f["smile"], 0).astype(np.float32)
    rest = np.clip(-6 * outline(_moved(patch, x, y), h)[0], 0, 1)
    blush = ellipse(u, v, 0, 0, spread(0.19 * narrow), 0.15)
    ink.paint(blush, _blood(h), PART["face"], soft=0.26, line=False,
              alpha=spread(0.20 + 0.14 * h.young + 0.10 * smiling) * rest)  # fmt: skip
    first, last = h.place(sign * 0.19, -0.22), h.place(sign * (h.mouth + 0.10), h.mouth_y + 0.04)
    ends = [(spread(end[0] - x), spread(end[1] - y)) for end in (first, last)]
    deep = spread(np.minimum(0.48, 0.5 * h.old + 0.22 * smiling).astype(np.float32))
    dark = SKINS[h.f["skin"]].T * np.float32(0.62)
    ink.paint(segment(u, v, ends[0], ends[1], 0.006), dark, PART["face"], soft=0.05, alpha=deep * rest, line=False)
    canvas.stamp(ink, 0, decal=True)


def _moved(patch: Patch, x: Array, y: Array) -> Patch:
    """A patch about (x, y) of the head in the frame of the head."""
    whole = copy(patch)
    whole.u, whole.v = patch.u + patch.spread(x), patch.v + patch.spread(y)
    return whole


def _beard(canvas: Canvas, h: Head) -> None:
    """A beard along the jaw, on some of the grown."""
    rows = np.flatnonzero((h.f["beard"] == 2) & (h.f["age"] > 0.25))
    if not len(rows):
        return
    h = _some(h, rows)
    patch = Patch(canvas, rows, h.x, h.y, h.scale, (-0.95, 0.95, -1.2, 0.3))
    u, v, spread = patch.u, patch.v, patch.spread
    ink = _ink(canvas, h, patch)
    d, p, _ = outline(patch, h)
    x, y, narrow = (spread(a) for a in h.place(0.0, h.mouth_y, 0.9))
    top = y + 0.03 + 0.85 * ((u - x) / narrow) ** 2
    lips = -ellipse(u, v, x, y - 0.01, spread(h.mouth + 0.03) * narrow, 0.10)
    shape = np.maximum(np.maximum(d - 0.05 * smooth(-v * 3), v - top), lips) + 0.035 * (noise(u * 16, v * 16) - 0.5)
    shade = _strands(patch, h, p, v, 14, False) * (0.94 + 0.12 * spread(h.f["light_x"].astype(np.float32)) * p)
    ink.paint(shape, _hair_colour(h) * np.float32(0.94), PART["beard"], shade=shade, soft=0.05)
    canvas.stamp(ink, 0, decal=True)


def _forehead(canvas: Canvas, h: Head) -> None:
    """The lines of age across it."""
    rows = np.flatnonzero(h.old > 0)
    if not len(rows):
        return
    h = _some(h, rows)
    x, y, narrow = h.place(0.0, 0.58)
    patch = Patch(canvas, rows, h.x + x * h.scale, h.y - y * h.scale, h.scale, (-0.36, 0.36, -0.16, 0.16))
    u, v, spread = patch.u / patch.spread(narrow), patch.v, patch.spread
    ink = _ink(canvas, h, patch)
    bent = v + 0.12 * u * u
    lines = [
        np.maximum(np.abs(bent - a) - 0.005, np.abs(u) - b) for a, b in ((-0.09, 0.30), (0.01, 0.26), (0.10, 0.20))
    ]
    dark = SKINS[h.f["skin"]].T * np.float32(0.60)
    ink.paint(np.minimum.reduce(lines), dark, PART["face"], soft=0.035, alpha=spread(0.47 * h.old), line=False)
    canvas.stamp(ink, 0, decal=True)


def _features(canvas: Canvas, h: Head) -> None:
    for sign in (-1, 1):
        _cheek(canvas, h, sign)
        _eye(canvas, h, sign)
    _forehead(canvas, h)
    _nose(canvas, h)
    _beard(canvas, h)
    _mouth(canvas, h)


def eye_place(h: Head, sign: int) -> tuple[Array, Array, Array]:
    """Where an eye is, −1 the left and 1 the right, and how much narrower: see `Head.place`."""
    return h.place(sign * (0.315 + 0.03 * h.f["traits"][:, 8]).astype(np.float32) * h.wide / 0.77, h.eye_y)


def lids(h: Head) -> tuple[Array, Array]:
    """How far the lids stand above and below the middle of an eye, in its half widths: (m,) each."""
    traits, smile = h.f["traits"].astype(np.float32), np.maximum(h.f["smile"], 0).astype(np.float32)
    wide_open = np.clip(h.f["eyes_open"].astype(np.float32), 0, 1.4)
    upper = np.maximum(0.06, (0.50 + 0.16 * traits[:, 10] + 0.08 * h.young - 0.10 * h.old) * wide_open)
    lower = np.maximum(0.03, (0.36 - 0.14 * smile) * np.minimum(wide_open, 1))
    return upper, lower


def gaze(h: Head, sign: int) -> tuple[Array, Array]:
    """Where a pupil is in its eye, outwards and up, in half widths of the eye: (m,) each."""
    x = h.f["gaze_x"] * 0.34 * sign + 0.25 * h.sin * sign
    return x.astype(np.float32), (h.f["gaze_y"] * 0.16 + 0.05 + 0.10 * h.nod).astype(np.float32)


def _eye(canvas: Canvas, h: Head, sign: int) -> None:
    """An eye and its brow, in half widths of the eye, mirrored so that u = 1 is its outer corner."""
    n = canvas.n
    x, y, narrow = eye_place(h, sign)
    facing = np.full(n, sign)
    unit = h.scale * h.eye
    patch = Patch(canvas, np.arange(n), h.x + x * h.scale, h.y - y * h.scale, unit, (-1.6, 1.6, -1.3, 2.6), facing)
    spread, f = patch.spread, h.f
    ink = _ink(canvas, h, patch)
    u, v = patch.u / spread(narrow), patch.v
    skin = SKINS[f["skin"]].T
    traits = f["traits"].astype(np.float32)
    v = v - spread(0.10 + 0.16 * (traits[:, 9] - 0.5)) * u
    upper, lower = (spread(a) for a in lids(h))
    ru, rl = (1 + upper * upper) / (2 * upper), (1 + lower * lower) / (2 * lower)
    lid, floor = circle(u, v, 0, upper - ru, ru), circle(u, v, 0, rl - lower, rl)
    almond = np.maximum(lid, floor)
    crease = np.maximum(np.abs(lid - 0.20) - 0.015, np.abs(u) - 0.95)
    ink.paint(
        ellipse(u, v, 0, 0.1, 1.35, 0.95), skin * np.float32(0.74), PART["face"], soft=0.9, alpha=0.30, line=False
    )
    feet = np.minimum.reduce([segment(u, v, (1.12, a * 0.4), (1.52, a * 1.5), 0.03) for a in (-0.18, 0.02, 0.2)])
    ink.paint(feet, skin * np.float32(0.6), PART["face"], soft=0.16, alpha=spread(0.46 * h.old), line=False)
    ink.paint(almond - 0.05, skin * np.float32(0.66), PART["eye"], soft=0.10, alpha=0.45, line=False)
    ink.paint(almond, (0.97, 0.96, 0.95), PART["eye"], shade=1 - 0.28 * smooth((lid + 0.34) / 0.34), line=False)
    gaze_x, gaze_y = (spread(a) for a in gaze(h, sign))
    colour = np.array(list(EYES.values()), np.float32)[f["eye_colour"]].T
    r = np.sqrt((u - gaze_x) ** 2 + (v - gaze_y) ** 2)
    rays = 0.80 + 0.9 * (r - 0.2) * smooth((0.44 - r) / 0.1) + 0.25 * smooth((gaze_y - v) / 0.4)
    ink.paint(np.maximum(r - 0.44, almond), colour, PART["iris"], shade=rays, line=False)
    ink.paint(np.maximum(r - 0.20, almond), (0.05, 0.05, 0.06), PART["pupil"], line=False)
    spark = circle(
        patch.u, v, gaze_x - 0.14 * sign * spread(-np.sign(f["light_x"] + 1e-3).astype(np.float32)), gaze_y + 0.16, 0.10
    )
    ink.paint(np.maximum(spark, almond), (1.0, 1.0, 1.0), PART["iris"], alpha=0.92, line=False)
    lash = np.maximum(np.abs(lid) - 0.050 - 0.035 * smooth(u), np.maximum(np.abs(u) - 1.06, floor - 0.1))
    ink.paint(lash, skin * np.float32(0.18) + 0.02, PART["eye"], thin=0.05, alpha=0.9, line=False)
    ink.paint(crease, skin * np.float32(0.60), PART["face"], soft=0.06, alpha=0.4, line=False)
    low = np.maximum(np.abs(floor) - 0.02, np.maximum(np.abs(u) - 0.95, lid))
    ink.paint(low, skin * np.float32(0.5), PART["face"], soft=0.05, alpha=0.32, line=False)
    bags = np.maximum(np.abs(floor - 0.24) - 0.02, np.maximum(np.abs(u) - 0.8, v))
    ink.paint(
        bags,
        skin * np.float32(0.62),
        PART["face"],
        soft=0.10,
        alpha=spread((0.45 * h.old).astype(np.float32)),
        line=False,
    )
    _brow(ink, h, u, v)
    canvas.stamp(ink, 0, decal=True)


def _brow_ends(h: Head) -> tuple[tuple[float, Array], tuple[float, Array], tuple[float, Array]]:
    """Inner end, arch and outer end of a brow, in half widths of the eye."""
    f, traits = h.f, h.f["traits"].astype(np.float32)
    raised = 1.12 + 0.24 * (traits[:, 11] - 0.5) + 0.46 * f["brow"].astype(np.float32)
    worry = f["worry"].astype(np.float32)
    return (-1.02, raised - 0.08 + 0.36 * worry), (0.28, raised + 0.16), (1.25, raised - 0.18 - 0.24 * worry)


def _brow(ink: Ink, h: Head, u: Array, v: Array) -> None:
    patch, traits = ink.patch, h.f["traits"].astype(np.float32)
    spread = patch.spread
    thick = spread(0.10 + 0.09 * traits[:, 12] - 0.03 * h.young)
    inner, arch, outer = ((x, spread(y)) for x, y in _brow_ends(h))
    shape = np.minimum(segment(u, v, inner, arch, thick, thick * 0.95), segment(u, v, arch, outer, thick * 0.95, 0.03))
    skin, hair = SKINS[h.f["skin"]].T, _hair_colour(h)
    ink.paint(shape, hair * np.float32(0.80) + skin * np.float32(0.06), PART["brow"], soft=0.05, alpha=0.92, line=False)


def _nose(canvas: Canvas, h: Head) -> None:
    """The nose, from between the eyes to its tip, which stands out and so moves most with the yaw."""
    n = canvas.n
    f, traits = h.f, h.f["traits"].astype(np.float32)
    tip_x, tip_y, _ = h.place(0.0, tip(h), 1.24)
    top_x, top_y, _ = h.place(0.0, h.eye_y + 0.04, 1.02)
    patch = Patch(
        canvas, np.arange(n), h.x + tip_x * h.scale, h.y - tip_y * h.scale, h.scale, (-0.34, 0.34, -0.22, 0.62)
    )
    spread, u, v = patch.spread, patch.u, patch.v
    ink = _ink(canvas, h, patch)
    skin, side = SKINS[f["skin"]].T, spread(f["light_x"].astype(np.float32))
    wide = spread((0.085 + 0.05 * traits[:, 14]) * (1 - 0.15 * h.young))
    away = spread(0.10 * h.sin)
    bridge_x, bridge_y = spread(top_x - tip_x), spread(top_y - tip_y)
    ridge = segment(u, v, (bridge_x, bridge_y), (0.0, 0.03), 0.035, wide * 0.72)
    wings = np.minimum(
        ellipse(u, v, -wide * 1.02 - away, -0.015, wide * 0.62, 0.062),
        ellipse(u, v, wide * 1.02 - away, -0.015, wide * 0.62, 0.062),
    )
    ball = ellipse(u, v, 0, 0.0, wide * 0.95, 0.088)
    dark = skin * np.float32(0.66)
    ink.paint(
        ellipse(u, v, -away * 0.5, -0.06, wide * 1.7, 0.07), dark, PART["face"], soft=0.10, alpha=0.42, line=False
    )
    side_shade = 1.0 + 0.11 * side * u / wide + 0.05
    ink.paint(
        np.minimum(wings, np.minimum(ridge, ball)), skin, PART["nose"], shade=0.93 * side_shade, soft=0.07, line=False
    )
    ink.paint(ball + 0.035, np.minimum(skin * np.float32(1.10), 1), PART["nose"], soft=0.08, alpha=0.42, line=False)
    ink.paint(
        segment(u, v, (bridge_x * 0.8, bridge_y * 0.8), (0.0, 0.08), 0.012),
        np.minimum(skin * np.float32(1.12), 1),
        PART["nose"],
        soft=0.06,
        alpha=0.40,
        line=False,
    )
    for sign in (-1, 1):
        hole = ellipse(u, v, sign * wide * 0.58 - away * 0.8, -0.052, wide * 0.30, 0.022)
        ink.paint(hole, skin * np.float32(0.36), PART["nose"], soft=0.02, alpha=0.8, line=False)
    canvas.stamp(ink, 0, decal=True)


def tip(h: Head) -> Array:
    """How high the tip of the nose is."""
    found: Array = h.eye_y - 0.27 - 0.07 * h.f["traits"][:, 13].astype(np.float32) + 0.05 * h.young
    return found


def mouth_shape(h: Head) -> tuple[Array, Array, Array, Array]:
    """How much its corners are raised, how far it is open, how full the lips are above and below: half widths."""
    f, traits = h.f, h.f["traits"].astype(np.float32)
    full = (0.75 + 0.5 * traits[:, 15]) * (1 - 0.30 * h.old)
    return f["smile"].astype(np.float32) * 0.34, f["mouth_open"].astype(np.float32) * 0.62, 0.24 * full, 0.36 * full


def _mouth(canvas: Canvas, h: Head) -> None:
    """Lips, which part to show the mouth and the teeth, in half widths of the mouth; a moustache above."""
    n = canvas.n
    f = h.f
    x, y, narrow = h.place(0.0, h.mouth_y, 0.9)
    unit = h.scale * h.mouth
    patch = Patch(canvas, np.arange(n), h.x + x * h.scale, h.y - y * h.scale, unit, (-1.5, 1.5, -1.45, 1.3))
    spread = patch.spread
    ink = _ink(canvas, h, patch)
    u = patch.u / spread(narrow)
    curl, gap, above, below = (spread(a) for a in mouth_shape(h))
    bend = u * u
    v = patch.v - curl * (np.minimum(bend, np.float32(1.6)) - np.float32(0.35))
    skin = SKINS[f["skin"]].T
    lips = skin * np.array([[0.86], [0.56], [0.54]], np.float32) + np.array([[0.04], [0.0], [0.01]], np.float32)
    taper = np.maximum(1 - bend, 0)
    outer_top = (gap * 0.45 + above * (1 + 0.30 * smooth(1 - np.abs(np.abs(u) - 0.28) * 3.5) - 0.1)) * taper
    outer_low = (gap * 0.75 + below) * np.sqrt(taper)
    steep = np.sqrt(1 + 0.6 * bend)
    shape = np.maximum(np.maximum(v - outer_top, -outer_low - v) / steep, (np.abs(u) - 1))
    ink.paint(
        ellipse(u, v, 0, -below - gap * 0.75 - 0.16, 0.5, 0.10),
        skin * np.float32(0.68),
        PART["face"],
        soft=0.2,
        alpha=0.36,
        line=False,
    )
    shade = np.where(v > 0, np.float32(0.86), np.float32(1.02)) + 0.10 * smooth(
        1 - np.abs(v + gap * 0.6 + below * 0.6) * 5
    )
    ink.paint(shape, lips, PART["lips"], shade=shade, soft=0.03)
    inner = np.maximum(np.maximum(v - gap * 0.45 * taper, -gap * 0.75 * taper - v), np.abs(u) - 0.97)
    opened = np.where(gap > 0.04, inner, np.float32(9))
    ink.paint(opened, (0.36, 0.10, 0.12), PART["mouth"], line=False)
    teeth = np.maximum(opened + 0.02, (gap * 0.45 * taper - 0.30 * np.minimum(1, gap * 2)) - v)
    ink.paint(teeth, (0.97, 0.96, 0.93), PART["teeth"], shade=1 - 0.22 * bend, line=False)
    tongue = np.maximum(opened, ellipse(u, v, 0, -gap * 0.85, 0.55, gap * 0.45 + 0.01))
    ink.paint(tongue, (0.80, 0.36, 0.38), PART["mouth"], soft=0.04, line=False)
    closed = np.where(gap > 0.04, np.float32(9), np.maximum(np.abs(v) - 0.028, np.abs(u) - 1.02))
    ink.paint(closed, lips * np.float32(0.48), PART["lips"], thin=0.03, soft=0.02, alpha=0.85, line=False)
    grown = (f["beard"] > 0) & (f["age"] > 0.25)
    centre = spread(mouth_shape(h)[2] + 0.26) + gap * 0.45
    drooping = v + 0.28 * np.abs(u)
    tash = np.minimum(ellipse(u, drooping, -0.42, centre, 0.60, 0.17), ellipse(u, drooping, 0.42, centre, 0.60, 0.17))
    tash = np.where(spread(grown), tash, np.float32(9))
    ink.paint(
        tash,
        _hair_colour(h) * np.float32(0.92),
        PART["beard"],
        shade=_strands(patch, h, u, v, 6, False),
        soft=0.06,
        line=False,
    )
    canvas.stamp(ink, 0, decal=True)


def _front(canvas: Canvas, h: Head) -> None:
    """Hair over the forehead, then glasses."""
    for name in HAIR[1:]:
        rows = np.flatnonzero(h.f["hair"] == HAIR.index(name))
        if len(rows):
            _fringe(canvas, _some(h, rows), rows, name)
    _glasses(canvas, h)


def _fringe(canvas: Canvas, h: Head, rows: Array, name: str) -> None:
    """Hair over the head, down to its line across the forehead, which turns and nods with the face."""
    patch = Patch(canvas, rows, h.x, h.y, h.scale, (-1.12, 1.12, -1.05, 1.3))
    v, spread = patch.v, patch.spread
    ink = _ink(canvas, h, patch, 0.01)
    d, p, _ = outline(patch, h)
    face = p - spread(0.42 * h.sin)
    aside = np.abs(face)
    temple = smooth((aside - 0.66) / 0.34)
    sides = 0.9 * smooth((aside - 0.72) / 0.2)
    if name == "short":
        grow, line = 0.07, 0.60 - 0.62 * temple + 0.03 * noise(face * 9, v * 0)
    elif name == "parted":
        grow, line = 0.12, 0.36 + 0.34 * smooth((face + 0.7) / 1.2) - 0.66 * temple
    elif name == "long":
        grow, line = 0.10, 0.70 - 0.85 * face * face - sides
    elif name == "bob":
        grow, line = 0.13, 0.34 + 0.04 * noise(face * 12, v * 0) - sides
    elif name == "curly":
        grow, line = 0.20, 0.52 - 0.55 * temple + 0.14 * (noise(face * 6, v * 6) - 0.5)
        d = d + 0.08 * (noise(p * 6 + 3, v * 6) - 0.5)
    else:
        grow, line = 0.055, 0.62 - 0.25 * face * face - 0.35 * temple
    receding = 0.16 * h.old * (h.f["traits"][:, 0] < 0.5) if name in ("short", "parted") else 0 * h.old
    thick = grow if name in ("long", "bob") else grow * smooth((v + 0.30) / 0.5)
    shape = np.maximum(d - thick, line + spread((receding + 0.75 * h.nod).astype(np.float32)) - v)
    side = spread(h.f["light_x"].astype(np.float32))
    shine = 0.14 * smooth(1 - np.abs(v - 0.80 - 0.1 * p) * 3.2)
    shade = _strands(patch, h, p, v, 11, name == "curly") * (0.94 + 0.16 * side * p + shine)
    ink.paint(shape, _hair_colour(h), PART["hair"], shade=shade, dome=(0.0, 0.0, 0.85, 1.2), soft=0.015)
    canvas.stamp(ink, 0)


def _glasses(canvas: Canvas, h: Head) -> None:
    """Round, square or dark glasses, on some."""
    rows = np.flatnonzero(h.f["glasses"] > 0)
    if not len(rows):
        return
    h = _some(h, rows)
    eye_y = h.place(0.0, h.eye_y)[1]
    patch = Patch(canvas, rows, h.x, h.y - eye_y * h.scale, h.scale, (-1.0, 1.0, -0.42, 0.4))
    u, v, spread = patch.u, patch.v, patch.spread
    ink = _ink(canvas, h, patch)
    kind = spread(h.f["glasses"])
    lenses, rims, inner = [], [], []
    for sign in (-1, 1):
        x, y, narrow = h.place(sign * 0.335 * h.wide / 0.77, h.eye_y - 0.02, 1.10)
        a, b = spread(x), spread(y - eye_y)
        p = (u - a) / spread(narrow)
        lens = np.where(kind == 1, circle(p, v, 0, b, 0.235), box(p, v, 0, b, 0.25, 0.18, 0.09))
        hinge, ear = spread(x + sign * 0.24 * narrow), spread(sign * h.wide * h.cos - 0.14 * h.sin)
        temple = segment(u, v, (hinge, b + 0.06), (ear, b + 0.05), 0.02)
        lenses.append(lens)
        rims += [np.abs(lens) - 0.018, np.where(sign * (u - a) > 0, temple, np.float32(9))]
        inner.append((spread(x - sign * 0.235 * narrow), b))
    rims.append(segment(u, v, inner[0], inner[1], 0.017))
    lens = np.minimum(*lenses)
    dark, clear = (np.where((kind == 3) == sun, lens, np.float32(9)) for sun in (True, False))
    tinted = 1.0 + 1.6 * smooth(0.5 + v * 2.2)
    ink.paint(dark, (0.16, 0.15, 0.20), PART["glasses"], shade=tinted, alpha=0.93, line=False)
    glare = np.maximum(clear, np.abs(u - 0.9 * v - 0.22 * np.sign(u)) - 0.05)
    ink.paint(glare, (1.0, 1.0, 1.0), PART["glasses"], alpha=0.16, soft=0.03, line=False)
    frames = np.array([(0.16, 0.14, 0.16), (0.45, 0.28, 0.18), (0.10, 0.10, 0.12)], np.float32)
    frame = frames[h.f["glasses"] - 1].T
    ink.paint(np.minimum.reduce(rims), frame, PART["glasses"], thin=0.018, line=False)
    canvas.stamp(ink, 0, decal=True)


def landmarks(f: Factors) -> Array:
    """Twenty points of each face, in the order of LANDMARKS: (n, 20, 2) x, y in sides of the picture."""
    h = head(f)
    points: dict[str, tuple[Array, Array]] = {}
    inner, _, outer = _brow_ends(h)
    tilt = 0.10 + 0.16 * (f["traits"][:, 9].astype(np.float32) - 0.5)
    for name, sign in (("left", -1), ("right", 1)):
        x, y, narrow = eye_place(h, sign)
        unit = sign * narrow * h.eye
        points[f"{name} eye outer"], points[f"{name} eye inner"] = (
            (x + unit, y + tilt * h.eye),
            (x - unit, y - tilt * h.eye),
        )
        for end, (out, up) in (("outer", outer), ("inner", inner)):
            points[f"{name} brow {end}"] = (x + out * unit, y + (up + tilt * out) * h.eye)
        look_x, look_y = gaze(h, sign)
        points[f"{name} pupil"] = (x + look_x * unit, y + (look_y + tilt * look_x) * h.eye)
        x, y, _ = h.place(0.0, tip(h), 1.24)
        wide = (0.085 + 0.05 * f["traits"][:, 14]) * (1 - 0.15 * h.young)
        points[f"{name} nostril"] = (x + sign * wide * 0.58 - 0.08 * h.sin, y - 0.052)
        x, y, narrow = h.place(0.0, h.mouth_y, 0.9)
        curl, gap, above, below = mouth_shape(h)
        points[f"{name} mouth corner"] = (x + sign * narrow * h.mouth, y + 0.65 * curl * h.mouth)
    points["upper lip"] = (x, y + (gap * 0.45 + above * 0.9 - 0.35 * curl) * h.mouth)
    points["lower lip"] = (x, y - (gap * 0.75 + below + 0.35 * curl) * h.mouth)
    points["nose tip"], points["nose bridge"] = h.place(0.0, tip(h), 1.24)[:2], h.place(0.0, h.eye_y + 0.04, 1.02)[:2]
    chin = 1.0 + 0.10 * (f["traits"][:, 3] - 0.4) - 0.06 * h.young
    points["chin"], points["crown"] = (0.19 * h.sin, -chin), (0.07 * h.sin, np.ones_like(chin))
    x, y = (np.stack([points[name][i] for name in LANDMARKS], axis=1) for i in (0, 1))
    found: Array = np.stack([h.x[:, None] + x * h.scale[:, None], h.y[:, None] - y * h.scale[:, None]], axis=-1)
    return found
