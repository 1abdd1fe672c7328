"""`faces`: parametric portraits of a thousand people at any age, pose, expression and light, with the whole truth.

The five expressions, equally frequent, are the classes. Who it is (the bones, the skin, the eyes) depends on the
identity alone; everything else is drawn for each picture on its own.
"""

from functools import partial

import numpy as np

from ...errors import UserError, nearest
from .advection import motion
from .captions import face_captions
from .field import Array, uniform, wave
from .portrait import (
    BACKGROUNDS,
    BEARDS,
    CLOTHES,
    EXPRESSIONS,
    GLASSES,
    HAIR,
    HAIR_COLOURS,
    LEGEND,
    SKINS,
    draw,
    head,
    landmarks,
)
from .render import Canvas, Factors, Rendered
from .world import STYLES, World

IDENTITIES = 1000
TRAITS = 16
# by expression: smile, mouth open, brow raised, brows worried, eyes open
_MIMICRY = np.array([
    (0.08, 0.0, 0.0, 0.0, 1.0), (0.85, 0.0, 0.10, 0.0, 0.92), (1.0, 0.75, 0.25, 0.0, 0.72),
    (0.0, 0.85, 1.0, 0.15, 1.30), (-0.75, 0.0, 0.05, 1.0, 0.85),
])  # fmt: skip
CHOICES = {
    "expression": EXPRESSIONS, "hair": HAIR, "hair_colour": tuple(HAIR_COLOURS), "glasses": GLASSES, "beard": BEARDS,
    "background": tuple(BACKGROUNDS), "style": STYLES,
}  # fmt: skip
_RANGES = {"age": (0.0, 1.0), "yaw": (-40.0, 40.0), "pitch": (-20.0, 20.0), "light_x": (-1.0, 1.0)}


class Faces(World):
    """The world of portraits. Pictures are a function of the seed and their index alone."""

    classes = EXPRESSIONS
    legend = LEGEND

    def factors(self, indices: Array) -> Factors:
        """Everything that is known about pictures before they are drawn: (n,) -> name: (n,) or (n, …).

        `expression`, `hair`, `hair_colour`, `glasses`, `beard`, `background`, `style`, `skin`, `eye_colour`, `clothes`
        are indices; `identity` is 0 … 999 and `traits` (n, 16) in [0, 1) its bones. `age` is 0 (a child) … 1 (old),
        yaw and pitch are degrees to the right and up, `light_x` −1 … 1 is where the light is; `smile`, `mouth_open`,
        `brow`, `worry`, `eyes_open` are how strong each is.
        """
        indices = np.asarray(indices, np.int64)
        u = partial(uniform, indices, seed=self.seed)
        f: Factors = {"index": indices, "expression": indices % len(EXPRESSIONS)}
        f["identity"] = np.floor(u("identity") * IDENTITIES).astype(np.int64)
        f["age"] = 0.04 + 0.94 * u("age")
        f["yaw"] = 62 * (0.5 * u("yaw") + 0.5 * u("yaw too") - 0.5) * 1.2
        f["pitch"] = 28 * (0.5 * u("pitch") + 0.5 * u("pitch too") - 0.5)
        weights = np.array([0.05, 0.20, 0.19, 0.18, 0.14, 0.12, 0.12])
        f["hair"] = np.searchsorted(np.cumsum(weights)[:-1], u("hair"), side="right")
        f["hair_colour"] = np.searchsorted([0.22, 0.48, 0.64, 0.76, 0.93], u("hair colour"), side="right")
        f["glasses"] = np.searchsorted([0.60, 0.76, 0.91], u("glasses"), side="right")
        f["beard"] = np.searchsorted([0.78, 0.88], u("beard"), side="right")
        for name, k in (("clothes", len(CLOTHES)), ("background", len(BACKGROUNDS))):
            f[name] = np.floor(u(name) * k).astype(np.int64)
        f["light_x"] = 2 * u("light") - 1
        f["warmth"], f["grain"], f["mimicry"] = u("warmth"), u("grain", 2), u("mimicry", 5) - 0.5
        f["gaze_x"], f["gaze_y"] = u("gaze x") - 0.5, u("gaze y") - 0.5
        f["x"], f["y"] = 0.5 + 0.06 * (u("x") - 0.5), 0.47 + 0.04 * (u("y") - 0.5)
        f["scale"] = 0.27 + 0.04 * u("scale")
        f["style"] = np.zeros(len(indices), np.int64)
        return _mimicked(_identified(f, self.seed))

    def _draw(self, factors: Factors, size: int, truth: bool, nearer: Factors | None, things: bool) -> Rendered:
        canvas = Canvas(len(factors["index"]), size, truth)
        draw(canvas, factors, things)
        seen = canvas.rendered()
        if nearer is not None:
            assert seen.semantic is not None
            seen.motion = motion(head(factors), head(nearer), seen.semantic)
        return seen

    def vary(self, factors: Factors, **changes: str | float) -> Factors:
        """The same pictures with other factors: names by name, numbers by value; a hidden pair.

        Raises LookupError for an unknown name, UserError for a number out of range.
        """
        varied = dict(factors)
        for name, value in changes.items():
            known = nearest(name, (*CHOICES, *_RANGES, "identity"), "factor to vary")
            if isinstance(value, str):
                choices = CHOICES.get(known)
                if choices is None:
                    raise UserError(f"{known} is a number, not {value!r}")
                value = choices.index(nearest(value, choices, known))
            elif known in _RANGES and not _RANGES[known][0] <= value <= _RANGES[known][1]:
                raise UserError(f"{known} is {_RANGES[known][0]:g} to {_RANGES[known][1]:g}, not {value:g}")
            varied[known] = np.full_like(factors[known], value)
        if "identity" in changes:
            varied = _identified(varied, self.seed)
        return _mimicked(varied) if "expression" in changes else varied

    def landmarks(self, factors: Factors) -> Array:
        """Keypoints of each face: (n, 20, 2) x, y in sides of the picture."""
        return landmarks(factors)

    def captions(self, given: Array | Factors) -> list[list[str]]:
        """Five sentences about each picture, by index (n,) or by factors."""
        return face_captions(self.known(given))

    def at(self, factors: Factors, seconds: float) -> Factors:
        """The same people some seconds later: the head turns and nods, the eyes wander and blink, the mouth moves."""
        t = seconds / 4 + factors["grain"][:, 0]
        start = factors["grain"][:, 0]

        def swing(turns: float) -> Array:
            return wave(turns * t) - wave(turns * start)

        later = dict(factors)
        later["yaw"] = np.clip(factors["yaw"] + 14 * swing(1), -40, 40)
        later["pitch"] = np.clip(factors["pitch"] + 5 * swing(2), -20, 20)
        later["gaze_x"] = np.clip(factors["gaze_x"] + 0.3 * swing(3), -0.6, 0.6)
        phase = (seconds / 3 + 0.6) % 1.0
        later["eyes_open"] = factors["eyes_open"] * (1 - max(0.0, 1 - abs(phase - 0.9) * 18) * 0.94)
        later["mouth_open"] = np.clip(factors["mouth_open"] + 0.18 * swing(5), 0, 1)
        return later


def held_out(factors: Factors) -> Array:
    """Which pictures show a combination of expression, hair and glasses kept for tests of generalisation: (n,) bool."""
    found: Array = (factors["expression"] + 2 * factors["hair"] + 3 * factors["glasses"]) % 10 == 0
    return found


def _identified(f: Factors, seed: int) -> Factors:
    """With what depends on the identity alone."""
    u = partial(uniform, f["identity"], seed=seed)
    return f | {
        "traits": u("traits", TRAITS),
        "skin": np.floor(u("skin") * len(SKINS)).astype(np.int64),
        "eye_colour": np.searchsorted([0.42, 0.58, 0.74, 0.90], u("eye colour"), side="right"),
    }


def _mimicked(f: Factors) -> Factors:
    """With the face that the expression makes, each a little differently."""
    strength = _MIMICRY[f["expression"]] * (1 + 0.5 * f["mimicry"]) + 0.08 * f["mimicry"] * np.array([1, 0, 1, 1, 0.5])
    names = ("smile", "mouth_open", "brow", "worry", "eyes_open")
    return f | {name: strength[:, i] for i, name in enumerate(names)}
