"""Where the pixels of a face go as its head turns and nods, its eyes wander and blink, and its mouth opens.

Each part moves as the head paints it: skin on the ellipsoid of `Head.place`, features in frames of their own, hair with
the outline. Coordinates are half heights of the head, x right, y up from its centre.
"""

import numpy as np

from .field import Array, smooth
from .portrait import DEEP, PART, Head, eye_place, gaze, lids, mouth_shape, tip

Moved = tuple[Array, Array]


def motion(now: Head, later: Head, parts: Array) -> Array:
    """How far each pixel moves: maps of parts (n, size, size) -> (n, size, size, 2), pixels right and down, float32."""
    size = parts.shape[1]
    axis = ((np.arange(size) + 0.5) / size).astype(np.float32)
    u, v = (axis - _c(now.x)) / _c(now.scale), (_c(now.y) - axis[:, None]) / _c(now.scale)
    u, v = np.broadcast_arrays(u, v)
    x, y = u.copy(), v.copy()
    for names, move in (
        (("face",), _skin), (("neck",), _neck), (("ear",), _ears), (("hair",), _outline), (("beard",), _beard),
        (("nose",), _nose), (("brow", "eye"), _eye), (("iris", "pupil"), _iris), (("glasses",), _glasses),
        (("lips",), _lips), (("teeth",), _teeth), (("mouth",), _inside),
    ):  # fmt: skip
        at = np.isin(parts, [PART[name] for name in names])
        if at.any():
            moved = move(now, later, u, v)
            x[at], y[at] = moved[0][at], moved[1][at]
    there = parts > 0
    right = np.where(there, _c(later.x - now.x) + x * _c(later.scale) - u * _c(now.scale), 0)
    down = np.where(there, _c(later.y - now.y) - y * _c(later.scale) + v * _c(now.scale), 0)
    still = parts == PART["clothes"]
    found: Array = np.stack([np.where(still, 0, a) for a in (right, down)], axis=-1) * np.float32(size)
    return found.astype(np.float32)


def _c(a: Array) -> Array:
    """(n,) -> (n, 1, 1) float32."""
    return np.asarray(a, np.float32)[:, None, None]


def _skin(a: Head, b: Head, u: Array, v: Array) -> Moved:
    """On the ellipsoid: the nearest point that is seen at (u, v), turned and nodded from one pose to the other."""
    wide, sin, cos, nod = (_c(k) for k in (a.wide, a.sin, a.cos, a.nod))
    level = np.sqrt(1 - nod * nod)
    p = sin * sin / wide**2 + cos * cos / DEEP**2 + (nod / level) ** 2
    q = u * sin * cos * (1 / DEEP**2 - 1 / wide**2) - v * nod / level**2
    r = u * u * (cos * cos / wide**2 + sin * sin / DEEP**2) + (v / level) ** 2 - 1
    out = (np.sqrt(np.maximum(q * q - p * r, 0)) - q) / p
    x, z, y = u * cos - out * sin, u * sin + out * cos, (v - out * nod) / level
    sin, cos, nod = (_c(k) for k in (b.sin, b.cos, b.nod))
    return x * cos + z * sin, y * np.sqrt(1 - nod * nod) + (z * cos - x * sin) * nod


def _neck(a: Head, b: Head, u: Array, v: Array) -> Moved:
    return u - np.float32(0.03) * _c(b.sin - a.sin), v


def _ears(a: Head, b: Head, u: Array, v: Array) -> Moved:
    side = np.sign(u + np.float32(0.16) * _c(a.sin))
    turned = side * _c(a.wide) * np.float32(0.99) * _c(b.cos - a.cos)
    return u - np.float32(0.16) * _c(b.sin - a.sin) + turned, v + np.float32(0.1) * _c(b.nod - a.nod)


def _outline(a: Head, b: Head, u: Array, v: Array) -> Moved:
    return u + _c(b.sin - a.sin) * (np.float32(0.07) + np.float32(0.12) * smooth(-v)), v


def _nose(a: Head, b: Head, u: Array, v: Array) -> Moved:
    """The tip stands out the most; what lies between it and the eyes follows in part."""
    (ax, ay, _), (bx, by, _) = (h.place(0.0, tip(h), 1.24) for h in (a, b))
    (cx, cy, _), (dx, dy, _) = (h.place(0.0, h.eye_y + 0.04, 1.02) for h in (a, b))
    t = np.clip((v - _c(ay)) / _c(cy - ay), 0, 1)
    return u + _c(bx - ax) * (1 - t) + _c(dx - cx) * t, v + _c(by - ay) * (1 - t) + _c(dy - cy) * t


def _sides(a: Head, u: Array) -> tuple[tuple[int, Array], tuple[int, Array]]:
    """Left and right, and where each is."""
    right = u > _c(a.place(0.0, a.eye_y, 1.0)[0])
    return (-1, ~right), (1, right)


def _eye(a: Head, b: Head, u: Array, v: Array, look: bool = False) -> Moved:
    """In half widths of the eye, of which the lids are scaled as they open and close; the iris goes its own way."""
    x, y = u.copy(), v.copy()
    for sign, at in _sides(a, u):
        (ax, ay, an), (bx, by, bn) = eye_place(a, sign), eye_place(b, sign)
        tilt = _c(0.10 + 0.16 * (a.f["traits"][:, 9] - 0.5))
        p = (u - _c(ax)) * sign / _c(a.eye * an)
        q = (v - _c(ay)) / _c(a.eye) - tilt * p
        if look:
            (ag, ah), (bg, bh) = gaze(a, sign), gaze(b, sign)
            p, q = p + _c(bg - ag), q + _c(bh - ah)
        else:
            (au, al), (bu, bl) = lids(a), lids(b)
            lid = np.where(q > 0, _c(bu / au), _c(bl / al))
            q = np.where((q < _c(au) * np.float32(1.1)) & (np.abs(p) < 1.1), q * lid, q)
        x[at] = (_c(bx) + p * sign * _c(b.eye * bn))[at]
        y[at] = (_c(by) + (q + tilt * p) * _c(b.eye))[at]
    return x, y


def _iris(a: Head, b: Head, u: Array, v: Array) -> Moved:
    return _eye(a, b, u, v, look=True)


def _glasses(a: Head, b: Head, u: Array, v: Array) -> Moved:
    x, y = u.copy(), v.copy()
    for sign, at in _sides(a, u):
        (ax, ay, an), (bx, by, bn) = (h.place(sign * 0.335 * h.wide / 0.77, h.eye_y - 0.02, 1.10) for h in (a, b))
        x[at] = (_c(bx) + (u - _c(ax)) * _c(bn / an))[at]
        y[at] = (v + _c(by - ay))[at]
    return x, y


def _mouth(a: Head, b: Head, u: Array, v: Array, share: Array | float | None) -> Moved:
    """In half widths of the mouth; `share` of its opening is added, None: what is in it is scaled with it."""
    (ax, ay, an), (bx, by, bn) = (h.place(0.0, h.mouth_y, 0.9) for h in (a, b))
    p, q = (u - _c(ax)) / _c(a.mouth * an), (v - _c(ay)) / _c(a.mouth)
    gap, then = _c(mouth_shape(a)[1]), _c(mouth_shape(b)[1])
    taper = np.maximum(1 - p * p, 0)
    if share is None:
        q = q * np.where(gap > 0.04, then / np.maximum(gap, np.float32(0.04)), 1)
    else:
        q = q + (then - gap) * share * taper
    return _c(bx) + p * _c(b.mouth * bn), _c(by) + q * _c(b.mouth)


def _lips(a: Head, b: Head, u: Array, v: Array) -> Moved:
    middle = _c(a.place(0.0, a.mouth_y, 0.9)[1]) - np.float32(0.15) * _c(mouth_shape(a)[1] * a.mouth)
    return _mouth(a, b, u, v, np.where(v > middle, np.float32(0.45), np.float32(-0.75)))


def _teeth(a: Head, b: Head, u: Array, v: Array) -> Moved:
    return _mouth(a, b, u, v, 0.45)


def _inside(a: Head, b: Head, u: Array, v: Array) -> Moved:
    return _mouth(a, b, u, v, None)


def _beard(a: Head, b: Head, u: Array, v: Array) -> Moved:
    """A moustache goes with the upper lip, a beard with the outline."""
    over = v > _c(a.place(0.0, a.mouth_y, 0.9)[1])
    return tuple(np.where(over, m, o) for m, o in zip(_mouth(a, b, u, v, 0.45), _outline(a, b, u, v), strict=True))  # type: ignore[return-value]
