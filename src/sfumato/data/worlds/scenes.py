"""`scenes`: landscapes with houses, trees, cars, boats and birds by any time of day and weather, with the whole truth.

Ten scenes, equally frequent, are the classes; time, weather and everything else is independent of them. Ground, water
and road are a plane seen from 5 m above; things stand on it like cut-outs, in order of depth, trees with round crowns.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import partial

import numpy as np

from ...errors import nearest
from .captions import REFERENCE, scene_captions
from .field import Array, uniform
from .landscape import EYE, SCENES, TIMES, WATER, WEATHERS, Air, air, falling, ground, hills, shore, sky
from .render import Canvas, Factors, Ink, Lights, Patch, Rendered
from .things import KIND, KINDS, LEGEND, Look, cloud, moon, sun
from .world import STYLES, World

SLOTS, CLOUDS = 12, 3

# by scene: groups of (kinds, fewest, most, nearest and farthest foot as a share of the ground's height)
_Group = tuple[tuple[str, ...], int, int, float, float]
_LAYOUT: tuple[tuple[_Group, ...], ...] = (
    ((("oak", "oak", "poplar"), 1, 4, 0.10, 0.62), (("bush",), 1, 4, 0.35, 0.95)),
    ((("fir", "fir", "fir", "oak"), 7, 10, 0.05, 0.62),),
    ((("house",), 2, 4, 0.16, 0.50), (("oak", "poplar", "fir"), 1, 3, 0.10, 0.60), (("bush",), 0, 2, 0.6, 0.92)),
    ((("oak", "poplar", "fir"), 2, 4, 0.10, 0.38), (("car",), 1, 3, 0.0, 0.0), (("bush",), 0, 2, 0.88, 0.98)),
    ((("tower",), 5, 7, 0.08, 0.22), (("oak", "bush"), 0, 2, 0.30, 0.42), (("car",), 0, 2, 0.0, 0.0)),
    ((("fir", "fir", "oak"), 2, 5, 0.12, 0.70),),
    ((("sailing boat",), 0, 2, 0.10, 0.35), (("fir", "oak", "bush"), 2, 4, 0.66, 0.92)),
    ((("cactus",), 2, 5, 0.14, 0.85),),
    ((("sailing boat",), 1, 2, 0.08, 0.36), (("palm tree",), 1, 3, 0.66, 0.92)),
    ((("windmill",), 1, 1, 0.16, 0.34), (("house",), 0, 1, 0.16, 0.34), (("oak", "bush"), 0, 3, 0.10, 0.36)),
)  # fmt: skip


class Scenes(World):
    """The world of landscapes. Pictures are a function of the seed and their index alone."""

    classes = SCENES
    legend = LEGEND
    slots = SLOTS

    def factors(self, indices: Array) -> Factors:
        """Everything that is known about pictures before they are drawn: (n,) -> name: (n,) or (n, …).

        `scene`, `time`, `weather`, `style` index SCENES, TIMES, WEATHERS, STYLES. `horizon`, `sun_x`, `sun_y` (also the
        moon's), the foot `x`, `y` of each thing and its drawn `height` are in sides of the picture. `kind` (n, 12)
        indexes KINDS, −1 is nothing; `colour` its kind's colours. `w` is the inverse depth (1/m). `pan` and `moved` are
        metres that the camera and each thing have moved to the right after `seconds`, `turn` that of the mill's blades.
        """
        return _factors(np.asarray(indices, np.int64), self.seed)

    def _draw(self, factors: Factors, size: int, truth: bool, nearer: Factors | None, things: bool) -> Rendered:
        return _draw(factors, size, truth, nearer, things)

    def vary(self, factors: Factors, **changes: str | float) -> Factors:
        """The same scenes at another `time`, in another `weather` or `style`, by name: a hidden pair.

        Raises LookupError for an unknown name.
        """
        names = {"time": TIMES, "weather": WEATHERS, "style": STYLES}
        varied = dict(factors)
        for name, value in changes.items():
            known = names[nearest(name, names, "factor to vary")]
            varied[name] = np.full_like(factors[name], known.index(nearest(str(value), known, name)))
        return varied

    def at(self, factors: Factors, seconds: float) -> Factors:
        """The same scenes some seconds later: the camera, cars, boats, birds, clouds and blades have moved on."""
        later = dict(factors)
        later["seconds"] = factors["seconds"] + seconds
        later["pan"] = factors["pan"] + factors["pan_speed"] * seconds
        later["moved"] = factors["moved"] + factors["speed"] * seconds
        later["turn"] = factors["turn"] + 0.10 * seconds
        later["cloud_x"] = factors["cloud_x"] + 0.006 * seconds
        return later

    def captions(self, given: Array | Factors) -> list[list[str]]:
        """Five sentences about each picture, by index (n,) or by factors: they name what can be seen, nothing else."""
        f = self.known(given)
        return scene_captions(f, self.render(f, REFERENCE, truth=True))

    def anchors(self, factors: Factors) -> Array:
        """Keypoints: foot and top of every thing, (n, 12, 2, 2) x, y in sides of the picture; NaN where none."""
        x = factors["x"] + (factors["moved"] - factors["pan"][:, None]) * factors["w"]
        foot = np.stack([x, factors["y"]], axis=-1)
        top = np.stack([x, factors["y"] - factors["height"]], axis=-1)
        points = np.stack([foot, top], axis=2)
        points[factors["kind"] < 0] = np.nan
        return points


def held_out(factors: Factors) -> Array:
    """Which pictures show a combination of scene, time and weather kept for tests of generalisation: (n,) bool.

    20 of the 200 combinations: one scene for each time and weather, two of each scene.
    """
    found: Array = (factors["scene"] + 5 * factors["time"] + factors["weather"]) % 10 == 0
    return found


def _factors(indices: Array, seed: int) -> Factors:
    u = partial(uniform, indices, seed=seed)
    scene = (indices % len(SCENES)).astype(np.int64)
    f: Factors = {"index": indices, "scene": scene}
    f["time"] = np.floor(u("time") * len(TIMES)).astype(np.int64)
    f["weather"] = np.searchsorted([0.36, 0.60, 0.74, 0.88], u("weather"), side="right")
    f["style"] = np.zeros(len(indices), np.int64)
    f["horizon"] = np.where(scene == SCENES.index("city"), 0.60, 0.47) + 0.12 * u("horizon")
    f["sun_x"] = 0.1 + 0.8 * u("sun x")
    f["sun_y"] = f["horizon"] - 0.15 - 0.25 * u("sun y")
    f["sun_size"] = 0.035 + 0.02 * u("sun size")
    f["phase"] = u("phase")
    f["tone"] = u("tone")
    f["hills"] = u("hills", 3 * 16).reshape(-1, 3, 16)
    f["grain"] = u("grain", 2)
    ground_height = 1 - f["horizon"]
    f["bank"] = ground_height * (0.48 + 0.10 * u("bank"))
    f["lane"] = ground_height[:, None] * np.stack([0.50 + 0.04 * u("lane"), 0.80 + 0.03 * u("lane")], axis=1)
    many = np.array([0.9, 2.6, 1.5, 1.5, 1.0])[f["weather"]]
    f["cloud_x"] = (np.arange(CLOUDS) + u("cloud x", CLOUDS)) / CLOUDS * 1.3 - 0.15
    f["cloud_y"] = f["horizon"][:, None] * (0.20 + 0.52 * u("cloud y", CLOUDS))
    f["cloud_size"] = np.where(
        u("cloud", CLOUDS) * CLOUDS < many[:, None] + 0.3, 0.05 + 0.07 * u("cloud size", CLOUDS), 0
    )
    f["cloud_form"] = u("cloud form", CLOUDS)
    f["seconds"], f["pan"], f["turn"] = np.zeros(len(indices)), np.zeros(len(indices)), u("turn")
    f["pan_speed"] = (u("pan") - 0.5) * 1.6
    _populate(f, u)
    return f


def _populate(f: Factors, u: Callable[..., Array]) -> None:
    """Choose the things of each scene and their places, farthest first."""
    n = len(f["index"])
    kind = np.full((n, SLOTS), -1)
    x, share = np.zeros((n, SLOTS)), np.zeros((n, SLOTS))
    which, deep, beside, many = u("kind", SLOTS), u("depth", SLOTS), u("beside", SLOTS), u("many", 4)
    start = u("start", 4)
    for scene, groups in enumerate(_LAYOUT):
        rows = np.flatnonzero(f["scene"] == scene)
        slot = 0
        for g, (names, fewest, most, near, far) in enumerate(groups):
            ids = np.array([KIND[name] for name in names])
            count = fewest + np.floor(many[rows, g] * (most - fewest + 1)).astype(np.int64)
            for j in range(most):
                s = slot + j
                kind[rows, s] = np.where(j < count, ids[np.floor(which[rows, s] * len(ids)).astype(np.int64)], -1)
                place = (j + 0.15 + 0.7 * beside[rows, s]) / np.maximum(count, 1) + start[rows, g]
                x[rows, s] = 0.04 + 0.92 * (place - np.floor(place))
                share[rows, s] = near + (far - near) * (deep[rows, s])
            slot += most
    _birds(f, u, kind)
    _place(f, u, kind, x, share, deep)


def _birds(f: Factors, u: Callable[..., Array], kind: Array) -> None:
    """Up to three birds, in free slots."""
    count = np.floor(u("birds") * 6).astype(np.int64) - 2
    for j in range(3):
        free = (count > j) & (kind[:, SLOTS - 1 - j] < 0)
        kind[free, SLOTS - 1 - j] = KIND["bird"]


def _place(f: Factors, u: Callable[..., Array], kind: Array, x: Array, share: Array, deep: Array) -> None:
    """Stand the things on ground, water, road or in the air, and put them in order, the farthest first."""
    horizon = f["horizon"][:, None]
    height, variant = u("height", SLOTS), u("variant", SLOTS)
    right = u("facing", SLOTS) < 0.5
    y = horizon + (1 - horizon) * share
    near_lane = deep < 0.5
    lane = horizon + f["lane"][:, :1] + (f["lane"][:, 1:] - f["lane"][:, :1]) * np.where(near_lane, 0.86, 0.40)
    is_car, is_bird = kind == KIND["car"], kind == KIND["bird"]
    y = np.where(is_car, lane, y)
    right = np.where(is_car, near_lane, right)
    afloat = kind == KIND["sailing boat"]
    ashore = np.isin(f["scene"], WATER)[:, None] & ~afloat & (kind >= 0)
    bank = shore(f, x.astype(np.float32)).astype(np.float64)
    y = np.where(ashore, horizon + np.maximum(y - horizon, bank + 0.03), y)
    y = np.where(afloat, horizon + np.minimum(y - horizon, bank - 0.05), y)
    w = (y - horizon) / EYE
    flock = np.arange(SLOTS) - SLOTS + 3
    bird_x = 0.15 + 0.6 * u("flock x")[:, None] + 0.09 * flock + 0.05 * u("bird x", SLOTS)
    bird_y = horizon * (0.22 + 0.4 * u("flock y")[:, None] + 0.16 * u("bird y", SLOTS))
    x, y, w = np.where(is_bird, bird_x, x), np.where(is_bird, bird_y, y), np.where(is_bird, 0.018 + 0.01 * variant, w)
    metres = np.array([k.metres for k in KINDS])[kind] * (0.82 + 0.36 * height)
    order = np.argsort(np.where(kind < 0, 9.0, w), axis=1, kind="stable")
    speeds = np.array([0.0] * len(KINDS))
    speeds[[KIND["car"], KIND["sailing boat"], KIND["bird"]]] = 4.0, 1.5, 3.0
    facing = np.where(right, 1, -1)
    colours = np.array([len(k.colours) for k in KINDS])[kind]
    values = {
        "kind": kind, "x": x, "y": y, "w": w, "height": np.minimum(metres * w, 0.56),
        "facing": facing, "variant": variant,
        "colour": np.floor(u("colour", SLOTS) * colours).astype(np.int64),
        "speed": np.where(kind >= 0, speeds[kind], 0) * facing * (0.7 + 0.6 * height), "moved": np.zeros_like(x),
    }  # fmt: skip
    for name, value in values.items():
        f[name] = np.take_along_axis(value, order, axis=1)


def _draw(f: Factors, size: int, truth: bool, nearer: Factors | None, things: bool) -> Rendered:
    """Some pictures, from the sky to what is nearest."""
    canvas = Canvas(len(f["index"]), size, truth)
    a = air(f)
    sky(canvas, f, a)
    _heaven(canvas, f, a)
    _clouds(canvas, f, a, nearer)
    hills(canvas, f, a, nearer)
    ground(canvas, f, a, nearer)
    if things:
        _things(canvas, f, a, nearer)
    falling(canvas, f, a)
    return canvas.rendered(motion=nearer is not None)


def _look(n: int, **given: Array) -> Look:
    """A look whose other traits are 0."""
    traits = {f.name: np.zeros(n, np.float32) for f in fields(Look)} | {"colour": np.zeros(n, np.int64)} | given
    return Look(**traits)


def _heaven(canvas: Canvas, f: Factors, a: Air) -> None:
    """The sun by day, the moon at night, where the weather lets them through."""
    seen = f["weather"] <= 1
    for paint, when in ((sun, f["time"] < 3), (moon, f["time"] == 3)):
        rows = np.flatnonzero(seen & when)
        m = len(rows)
        low = np.where(f["time"][rows] == 1, 1.0, 1.35)
        patch = Patch(
            canvas, rows, f["sun_x"][rows], f["sun_y"][rows], f["sun_size"][rows] * low, (-1.1, 1.1, -1.1, 1.1)
        )
        warm = np.array([(1.0, 0.90, 0.72), (1.02, 1.0, 0.94), (1.0, 0.82, 0.58), (1.0, 1.0, 1.0)], np.float32)
        lights = Lights(warm[f["time"][rows]].T, a.mid[:, rows], 0.25 * (f["weather"][rows] == 1), a.ink[rows])
        ink = Ink(patch, lights, np.zeros(m), canvas.truth)
        paint(ink, _look(m, variant=f["phase"][rows]))
        canvas.stamp(ink, 0, thing=0)


def _clouds(canvas: Canvas, f: Factors, a: Air, nearer: Factors | None) -> None:
    slot, rows = np.nonzero(f["cloud_size"].T > 0)
    at = (rows, slot)
    side = np.clip((f["sun_x"][rows] - f["cloud_x"][at]) * 2, -1, 1)
    patch = Patch(
        canvas, rows, f["cloud_x"][at], f["cloud_y"][at], f["cloud_size"][at], (-1.8, 1.8, -0.1, 1.2), slot=slot
    )
    far = 1 - f["cloud_y"][at] / f["horizon"][rows]
    lights = Lights(a.cloud[:, rows], a.low[:, rows], 0.35 - 0.25 * far + 0.25 * a.grey[rows], a.ink[rows])
    ink = Ink(patch, lights, np.zeros(len(rows)), canvas.truth)
    cloud(ink, _look(len(rows), variant=f["cloud_form"][at], side=side.astype(np.float32)))
    move = np.zeros(len(rows)) if nearer is None else nearer["cloud_x"][at] - f["cloud_x"][at]
    for s in range(CLOUDS):
        canvas.stamp(ink, s, (move, 0 * move), thing=0)


def _things(canvas: Canvas, f: Factors, a: Air, nearer: Factors | None) -> None:
    """Paint the things of each kind all at once, then lay them down slot by slot, the farthest first."""
    x = f["x"] + (f["moved"] - f["pan"][:, None]) * f["w"]
    move = np.zeros_like(x)
    turned = np.zeros(len(x), np.float32)
    if nearer is not None:
        move = ((nearer["moved"] - nearer["pan"][:, None]) - (f["moved"] - f["pan"][:, None])) * f["w"]
        turned = (nearer["turn"] - f["turn"]).astype(np.float32)
    painted = []
    for k in np.unique(f["kind"][f["kind"] >= 0]).tolist():
        slot, rows = np.nonzero(k == f["kind"].T)
        at = (rows, slot)
        facing, w = f["facing"][at], f["w"][at].astype(np.float32)
        patch = Patch(canvas, rows, x[at], f["y"][at], f["height"][at], KINDS[k].reach, facing, slot)
        density = a.density[rows] / w
        lights = Lights(a.light[:, rows], a.haze[:, rows], density / (1 + density), a.ink[rows])
        side = np.clip((f["sun_x"][rows] - x[at]) * 2.2, -1, 1) * facing * (1 - 0.7 * a.grey[rows])
        look = _look(
            len(rows), colour=f["colour"][at], variant=f["variant"][at].astype(np.float32),
            side=side.astype(np.float32), night=a.night[rows], snow=a.snow[rows], turn=f["turn"][rows],
            turned=turned[rows] * facing,
        )  # fmt: skip
        ink = Ink(patch, lights, w, canvas.truth)
        KINDS[k].paint(ink, look)
        painted.append((ink, move[at]))
    for s in range(SLOTS):
        for ink, right in painted:
            canvas.stamp(ink, s, (right, 0 * right))
