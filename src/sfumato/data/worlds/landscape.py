"""What scenes stand in: light and air by time of day and weather, sky, hills, ground, water, road, rain and snow."""

from dataclasses import dataclass

import numpy as np

from .field import Array, curve, noise, smooth, uniform
from .render import Canvas, Factors
from .things import PART

SCENES = (
    "meadow", "forest", "village", "road", "city", "mountains", "lake", "desert", "seaside", "farm",
)  # fmt: skip
TIMES = ("dawn", "day", "dusk", "night")
WEATHERS = ("clear", "cloudy", "rain", "snow", "fog")
EYE = 5.0  # height of the camera, metres: a point of the ground at depth 1/w is seen EYE·w below the horizon
HILLS = (0.0016, 0.0032, 0.0060)  # inverse depths of the three ranges of hills

# by time of day: sky at the zenith, halfway, at the horizon; the light on things; the tint of clouds
_TOP = np.array([(0.36, 0.48, 0.76), (0.22, 0.50, 0.86), (0.20, 0.19, 0.44), (0.035, 0.07, 0.19)], np.float32)
_MID = np.array([(0.82, 0.68, 0.78), (0.50, 0.74, 0.95), (0.72, 0.36, 0.48), (0.09, 0.15, 0.33)], np.float32)
_LOW = np.array([(1.00, 0.83, 0.66), (0.86, 0.93, 0.97), (1.00, 0.64, 0.36), (0.25, 0.32, 0.52)], np.float32)
_LIGHT = np.array([(0.98, 0.85, 0.80), (1.03, 1.01, 0.96), (0.84, 0.60, 0.58), (0.36, 0.42, 0.66)], np.float32)
_CLOUD = np.array([(1.00, 0.86, 0.82), (1.00, 1.00, 1.00), (0.96, 0.62, 0.56), (0.30, 0.35, 0.52)], np.float32)
_GLOW = np.array([(0.55, 0.34, 0.14), (0.26, 0.22, 0.14), (0.50, 0.24, 0.06), (0.10, 0.12, 0.18)], np.float32)
_OVERCAST = np.array([0.0, 0.40, 0.80, 0.72, 0.70], np.float32)  # by weather: how grey the sky is
_DENSITY = np.array([1.1, 1.6, 4.0, 5.0, 15.0], np.float32)  # by weather: haze per kilometre

# by scene: three ranges of hills, from far to near, and the ground, far and near
_RANGES = np.array([
    [(0.47, 0.62, 0.56), (0.46, 0.64, 0.42), (0.50, 0.68, 0.36)],
    [(0.36, 0.52, 0.50), (0.28, 0.46, 0.38), (0.25, 0.42, 0.32)],
    [(0.50, 0.62, 0.52), (0.52, 0.66, 0.40), (0.56, 0.68, 0.38)],
    [(0.55, 0.62, 0.55), (0.60, 0.64, 0.42), (0.64, 0.66, 0.40)],
    [(0.48, 0.56, 0.64), (0.46, 0.54, 0.58), (0.48, 0.56, 0.52)],
    [(0.46, 0.52, 0.64), (0.40, 0.46, 0.56), (0.36, 0.50, 0.42)],
    [(0.44, 0.54, 0.64), (0.38, 0.54, 0.52), (0.32, 0.50, 0.40)],
    [(0.80, 0.52, 0.40), (0.90, 0.66, 0.44), (0.95, 0.75, 0.50)],
    [(0.52, 0.62, 0.66), (0.48, 0.62, 0.56), (0.50, 0.62, 0.46)],
    [(0.52, 0.64, 0.56), (0.58, 0.68, 0.42), (0.66, 0.72, 0.40)],
], np.float32)  # fmt: skip
_GROUND = np.array([
    [(0.60, 0.76, 0.38), (0.40, 0.60, 0.26)], [(0.36, 0.52, 0.30), (0.26, 0.40, 0.22)],
    [(0.64, 0.76, 0.42), (0.46, 0.62, 0.30)], [(0.72, 0.72, 0.42), (0.58, 0.62, 0.32)],
    [(0.66, 0.67, 0.68), (0.54, 0.55, 0.58)], [(0.52, 0.62, 0.38), (0.38, 0.50, 0.28)],
    [(0.54, 0.68, 0.36), (0.36, 0.54, 0.26)], [(0.96, 0.80, 0.56), (0.88, 0.66, 0.42)],
    [(0.97, 0.90, 0.72), (0.92, 0.80, 0.58)], [(0.74, 0.76, 0.42), (0.50, 0.62, 0.28)],
], np.float32)  # fmt: skip
_RISE = np.array([  # how high the ranges stand, sides of the picture
    (0.13, 0.10, 0.06), (0.12, 0.10, 0.08), (0.12, 0.08, 0.05), (0.09, 0.06, 0.04), (0.07, 0.04, 0.03),
    (0.34, 0.22, 0.08), (0.24, 0.11, 0.04), (0.12, 0.10, 0.06), (0.05, 0.03, 0.0), (0.09, 0.06, 0.04),
], np.float32)  # fmt: skip
_CROPS = np.array([
    (0.86, 0.30, 0.32), (0.98, 0.78, 0.30), (0.93, 0.58, 0.68), (0.60, 0.46, 0.74), (0.56, 0.68, 0.32),
    (0.98, 0.92, 0.86), (0.90, 0.80, 0.40),
], np.float32)  # fmt: skip
_SURFACE = ("grass", "grass", "grass", "grass", "pavement", "grass", "grass", "sand", "sand", "crops")
JAGGED, WATER, ROAD, CROPS = (5, 6), (6, 8), (3, 4), (9,)  # scenes


@dataclass
class Air:
    """Light and air of n pictures: colours are (3, n) float32, the rest (n,)."""

    top: Array
    mid: Array
    low: Array
    light: Array
    cloud: Array
    haze: Array
    glow: Array
    density: Array  # per metre
    grey: Array  # 0 … 1 overcast
    night: Array  # 0 … 1: how much windows are lit
    snow: Array  # 0 … 1
    ink: Array  # bool
    soft: Array  # 1 where painted, 0 in ink

    def amount(self, w: Array | float) -> Array:
        """How much of the air is seen before something at inverse depth w: (n,) -> (n,) in [0, 1]."""
        x = self.density / np.maximum(w, np.float32(1e-5))
        return x / (1 + x)

    def seen(self, colour: Array, w: float) -> Array:
        """Lit colours (3, n) through the air at inverse depth w."""
        through = colour * self.light
        return through + (self.haze - through) * self.amount(w)


def air(f: Factors) -> Air:
    """The air of some scenes."""
    time, weather = f["time"], f["weather"]
    grey = _OVERCAST[weather]
    at_night = np.array([1, 1, 1, 0.5], np.float32)[time]  # clouds are blue then, not grey
    warm = ((f["tone"] - 0.5) * 0.10).astype(np.float32)
    tint = np.stack([1 + warm, np.ones_like(warm), 1 - warm])

    def overcast(colour: Array, strength: float) -> Array:
        level = colour[0] * np.float32(0.3) + colour[1] * np.float32(0.5) + colour[2] * np.float32(0.2)
        drab = level * np.array([[0.95], [1.0], [1.06]], np.float32) * np.float32(0.94)
        return colour + (drab - colour) * (grey * at_night * np.float32(strength))

    top, mid, low = (overcast((table[time].T * tint).astype(np.float32), 0.9) for table in (_TOP, _MID, _LOW))
    top = top + (mid - top) * (grey * np.float32(0.6))
    snow = (weather == WEATHERS.index("snow")).astype(np.float32)
    light = overcast(_LIGHT[time].T, 0.6) * (1 - np.float32(0.14) * grey + np.float32(0.20) * snow)
    return Air(
        top=top, mid=mid, low=low, light=light, cloud=overcast(_CLOUD[time].T, 0.7) * (1 - np.float32(0.12) * grey),
        haze=low * np.float32(0.85) + mid * np.float32(0.15), glow=_GLOW[time].T * (1 - np.float32(0.75) * grey),
        density=_DENSITY[weather] / np.float32(1000), grey=grey,
        night=np.array([0.25, 0.0, 0.75, 1.0], np.float32)[time], snow=snow,
        ink=f["style"] == 1, soft=(f["style"] == 0).astype(np.float32),
    )  # fmt: skip


def _column(a: Array) -> Array:
    """(n,) -> (n, 1, 1) float32."""
    return a.astype(np.float32)[:, None, None]


def sky(canvas: Canvas, f: Factors, a: Air) -> None:
    """From the zenith to the horizon, with the glow of the sun or moon, veils of cloud and, on clear nights, stars."""
    x, y = canvas.axis[None, None, :], canvas.axis[None, :, None]
    end = int(np.ceil((float(f["horizon"].max()) + 0.03) * canvas.size)) + 1
    y = y[:, :end]
    t = y / _column(f["horizon"] + 0.02)
    if a.ink.any():
        edge = _column(f["horizon"]) * canvas.size
        bands: Array = np.zeros_like(t)
        for b in (0.3, 0.52, 0.72, 0.88):
            bands += np.clip(0.5 + (t - b) * edge, 0, 1) * np.float32(0.25)
        t[a.ink] = bands[a.ink]
    first, second = smooth(t / np.float32(0.62)), smooth((t - np.float32(0.4)) / np.float32(0.6))
    dx, dy = x - _column(f["sun_x"]), y - _column(f["sun_y"])
    glow = _column(a.soft) / (1 + (dx * dx + dy * dy) * np.float32(22))
    drift, lift = (_column(f["grain"][:, i] * 60) for i in (0, 1))
    u, v = x * np.float32(2.6) + drift, y * np.float32(8) + lift
    veil: Array = noise(u, v) * np.float32(0.6) + noise(u * np.float32(2.3), v * np.float32(2.1)) * np.float32(0.4)
    bare = _column(np.array([0.56, 0.42, 0.30, 0.34, 0.40], np.float32)[f["weather"]])
    veil = (
        smooth((veil - bare) * np.float32(2.2)) * (_column(a.soft) * np.float32(0.55)) * (1 - second * np.float32(0.7))
    )
    for c in range(3):
        top, mid, low = (_column(colour[c]) for colour in (a.top, a.mid, a.low))
        column = top + (mid - top) * first
        column = column + (low - column) * second
        plane = glow * _column(a.glow[c])
        plane += column
        plane += (_column(a.cloud[c]) * np.float32(0.9) + column * np.float32(0.1) - plane) * veil
        canvas.planes[c, :, :end] = plane
        canvas.planes[c, :, end:] = plane[:, -1:]
    _stars(canvas, f)


def _stars(canvas: Canvas, f: Factors) -> None:
    rows = np.flatnonzero((f["time"] == 3) & (f["weather"] == 0))
    if not len(rows):
        return
    k = 40
    x, y, bright = (uniform(f["index"][rows], f"star {name}", k) for name in ("x", "y", "light"))
    at, y = np.repeat(rows, k), (y * f["horizon"][rows, None]).ravel()
    veil = canvas.specks(at, x.ravel(), y, 0.0004, 0.0, 0.0026)
    fine = canvas.specks(at[bright.ravel() > 0.7], x[bright > 0.7], y[bright.ravel() > 0.7], 0.0004, 0.0, 0.0042)
    light = np.maximum(veil * np.float32(0.7), fine)[rows]
    for c in range(3):
        plane = canvas.planes[c, rows]
        canvas.planes[c, rows] = plane + (1 - plane) * light


def hills(canvas: Canvas, f: Factors, a: Air, nearer: Factors | None) -> None:
    """Three ranges, each lit by its slopes; jagged and with snow on the peaks in the mountains."""
    size, scene = canvas.size, f["scene"]
    jagged = np.isin(scene, JAGGED)[:, None]
    away = _column(f["horizon"])[:, 0]
    side = np.float32(2) * (0.5 - f["sun_x"].astype(np.float32))[:, None]
    flat = a.ink[:, None]
    end = int(np.ceil(float(f["horizon"].max()) * size)) + 1  # the ground hides what is lower
    for i, w in enumerate(HILLS):
        shift = (f["pan"] * w).astype(np.float32)[:, None]
        x = canvas.axis[None] + shift
        cells = np.where(jagged & (i < 2), np.float32(3.4), np.float32(2.2)) + np.float32(0.5 * i)
        lattice = f["hills"][:, i].astype(np.float32)
        sharp = jagged & (i < 2)
        h, slope = curve(lattice, x * cells, sharp)
        slope = slope * cells
        for octave, strength in ((2, 0.42), (4, 0.20), (8, 0.10)):
            more, turn = curve(lattice[:, ::-1], x * (cells * np.float32(octave)) + np.float32(octave), sharp)
            weight = np.where(jagged, np.float32(strength * (1.0 if i < 2 else 0.5)), np.float32(strength * 0.25))
            h, slope = h + weight * more, slope + (weight * octave) * cells * turn
        rise = _RISE[scene, i][:, None]
        ridge = away + np.float32(0.012 * (i - 1)) - rise * (h - np.float32(0.25))
        down = -rise * slope  # of the ridge, to the right
        top = max(0, int(np.floor(float(ridge.min()) * size)) - 1)
        if top >= end:  # all of it is behind the ground
            continue
        below = canvas.axis[None, top:end, None] - ridge[:, None]
        cover = np.clip(below * (size / np.sqrt(1 + down * down))[:, None] + np.float32(0.5), 0, 1)
        shade = np.clip(np.where(flat | sharp, np.float32(1), 1 + np.float32(0.85) * down * side), 0.7, 1.25)[:, None]
        rocky = np.flatnonzero(sharp[:, 0] & ~a.ink)
        if sharp.any():
            shade = np.repeat(shade, below.shape[1], axis=1)
            shade[rocky] += _facets(f["grain"][rocky], x[rocky], below[rocky], side[rocky], w)
        capped = np.flatnonzero((scene == JAGGED[0]) & (i < 2))
        white = _whiteness(f["grain"][capped], i, x[capped], below[capped], rise[capped])
        colour = np.swapaxes(_RANGES[scene, i], 0, 1)
        snowy = colour + (np.array([[0.93], [0.95], [1.0]], np.float32) - colour) * (a.snow * np.float32(0.72))
        lit, peak = a.seen(snowy, w), a.seen(np.full_like(colour, 0.97), w)
        mist = smooth(below * np.float32(5.0)) * (_column(a.soft) * np.float32(0.30 - 0.06 * i))
        channels = []
        for c in range(3):
            value = _column(lit[c]) * shade
            if len(capped):
                value[capped] += (_column(peak[c, capped]) * shade[capped] - value[capped]) * white
            channels.append(value + (_column(a.haze[c]) - value) * mist)
        if a.ink.any():
            line = np.clip(np.float32(1.1) - np.abs(below - np.float32(0.003)) * size, 0, 1) * np.float32(
                min(1, size / 150)
            )
            line = line * _column(a.ink)
            channels = [value + (np.float32(0.25) * (1 + _column(a.haze[c])) - value) * line
                        for c, value in enumerate(channels)]  # fmt: skip
        tilt = 0.25 * w
        canvas.layer(
            cover, channels, PART["mountain" if i == 0 else "hill"], top=top, end=end, w=w + tilt * below,
            slope=(-tilt * down[:, None], tilt), motion=_column(_panned(f, nearer) * w),
        )  # fmt: skip


def _facets(grain: Array, x: Array, below: Array, side: Array, w: float) -> Array:
    """Light and shadow on the faces of mountains, which fall away from their ridges: (n, h, size) about 0."""
    seed = np.float32(60) * grain[:, 1].astype(np.float32)[:, None, None] + np.float32(w * 1000)
    lean = np.where(side > 0, np.float32(0.55), np.float32(-0.55))[:, None]
    u, v = x[:, None] + lean * below, below + np.float32(0.02) * noise(x * np.float32(30), seed[:, 0])[:, None]
    face = noise(u * np.float32(13), v * np.float32(7) + seed) * np.float32(0.65)
    face += noise(u * np.float32(31), v * np.float32(17) + seed) * np.float32(0.35)
    return (smooth((face - np.float32(0.38)) * np.float32(5)) - np.float32(0.62)) * np.float32(0.34)


def _whiteness(grain: Array, i: int, x: Array, below: Array, rise: Array) -> Array:
    """The snow on high peaks, down to a ragged line: (n, h, size) in [0, 1]."""
    seed = np.float32(7 * i) + np.float32(60) * grain[:, :1].astype(np.float32)
    ragged, broad = noise(x * np.float32(21), seed), noise(x * np.float32(9), seed + 3)
    line = rise * (np.float32(0.16) + np.float32(0.20) * ragged + np.float32(0.16) * broad)
    return np.clip((line[:, None] - below) * np.float32(90), 0, 1)


def _panned(f: Factors, nearer: Factors | None) -> Array:
    """What the camera moves to the left, metres, until the next frame: (n,) float32."""
    return (f["pan"] - nearer["pan"] if nearer is not None else 0 * f["pan"]).astype(np.float32)


def ground(canvas: Canvas, f: Factors, a: Air, nearer: Factors | None) -> None:
    """The plane that everything stands on, with its grain, crops, water and road."""
    size, scene = canvas.size, f["scene"]
    top = max(0, int(np.floor(float(f["horizon"].min()) * size)) - 1)
    y = canvas.axis[None, top:, None] - _column(f["horizon"])
    w = np.maximum(y, np.float32(1e-4)) / np.float32(EYE)
    depth = 1 / w
    across = (canvas.axis[None, None] - np.float32(0.5)) * depth + _column(f["pan"])
    offset = [_column(f["grain"][:, i] * 64) for i in (0, 1)]
    fade = np.clip(w * np.float32(size * 3.0) - np.float32(0.5), 0, 1) * _column(a.soft)
    grain = noise(across * np.float32(0.32) + offset[0], depth * np.float32(0.22) + offset[1]) - np.float32(0.5)
    patchy = noise(across * np.float32(0.07) + offset[1], depth * np.float32(0.05) + offset[0]) - np.float32(0.5)
    shade = 1 + grain * (fade * np.float32(0.13)) + patchy * (_column(a.soft) * np.float32(0.20))
    t = np.clip(y / _column(1 - f["horizon"]), 0, 1)
    amount = a.density[:, None, None] * depth
    amount = amount / (1 + amount)
    cover = np.clip(y * size + np.float32(0.5), 0, 1)
    motion = _column(_panned(f, nearer)) * w
    farms = np.flatnonzero(np.isin(scene, CROPS))
    sown, crops = _crops(f["grain"][farms], across[farms], w[farms], size)
    sown *= 1 - np.float32(0.8) * _column(a.snow[farms])
    near, far = (np.swapaxes(_GROUND[scene, i], 0, 1) for i in (1, 0))
    white = np.array([[0.93], [0.95], [1.0]], np.float32)
    near, far = (colour + (white - colour) * (a.snow * np.float32(0.84)) for colour in (near, far))
    channels = []
    for c in range(3):
        value: Array = _column(far[c]) + _column(near[c] - far[c]) * t
        value = np.repeat(value, size, axis=2)
        value[farms] += (crops[c] - value[farms]) * sown
        value = value * shade * _column(a.light[c])
        channels.append(value + (_column(a.haze[c]) - value) * amount)
    inverse, slope = w, (0.0, 1 / EYE)
    for surface in dict.fromkeys(_SURFACE):
        rows = np.flatnonzero(np.array([_SURFACE[s] == surface for s in scene]))
        if len(rows):
            part = [channel[rows] for channel in channels]
            canvas.layer(
                cover[rows], part, PART[surface], top=top, rows=rows, w=inverse[rows], slope=slope, motion=motion[rows]
            )
    _water(canvas, f, a, top, motion)
    _road(canvas, f, a, top, motion)


def _crops(grain: Array, across: Array, w: Array, size: int) -> tuple[Array, list[Array]]:
    """Rows of crops that run to the horizon: coverage and three channels."""
    p = across * np.float32(1 / 2.6)
    i = np.floor(p)
    per = w * np.float32(size * 2.6)  # pixels to a row
    cover = np.clip((np.float32(0.36) - np.abs(p - i - np.float32(0.5))) * per + np.float32(0.5), 0, 1)
    cover = np.where(per > 2, cover, np.float32(0.72)) * np.clip(per - 1, 0, 1)
    first = _column(np.floor(grain[:, 0] * 7))
    kind = (i + first * 3 + np.float32(1000)).astype(np.int64) % 3
    kind = (kind * 2 + first.astype(np.int64)) % len(_CROPS)
    return cover, [_CROPS[:, c].take(kind) for c in range(3)]


def shore(f: Factors, x: Array) -> Array:
    """How far below the horizon the near bank begins: (n, s) from x (n, s) or (1, s)."""
    h, _ = curve(f["hills"][:, 1].astype(np.float32), x * np.float32(2.0))
    found: Array = f["bank"].astype(np.float32)[:, None] + np.float32(0.05) * (h - np.float32(0.5))
    return found


def _water(canvas: Canvas, f: Factors, a: Air, top: int, motion: Array) -> None:
    """A lake or the sea up to its bank: the sky mirrored, ripples, and the path of the light."""
    rows = np.flatnonzero(np.isin(f["scene"], WATER))
    if not len(rows):
        return
    f = {name: values[rows] for name, values in f.items()}
    size = canvas.size
    x = canvas.axis[None]
    y = canvas.axis[None, top:, None] - _column(f["horizon"])
    w = np.maximum(y, np.float32(1e-4)) / np.float32(EYE)
    bank = shore(f, x + (f["pan"] * f["bank"] / EYE).astype(np.float32)[:, None])[:, None]
    cover = np.clip((bank - y) * size + np.float32(0.5), 0, 1) * np.clip(y * size + np.float32(0.5), 0, 1)
    t = np.clip(y / _column(f["bank"]), 0, 1)
    depth = np.minimum(1 / w, np.float32(400))
    across = (x[:, None] - np.float32(0.5)) * depth + _column(f["pan"])
    seed = _column(f["grain"][:, 0] * 64)
    soft = _column(a.soft[rows])
    fine = np.clip(w * np.float32(size * 0.9) - np.float32(0.3), 0, 1)
    ripple = (noise(across * np.float32(0.22), depth * np.float32(0.7) + seed) - np.float32(0.5)) * fine * soft
    dx = (x - f["sun_x"].astype(np.float32)[:, None])[:, None]
    path = 1 / (1 + dx * dx * (np.float32(160) / (np.float32(0.25) + t))) * soft
    path = path * (np.float32(0.4) + np.clip(ripple * 4, -0.3, 0.9)) * np.float32(0.9)
    foam = np.clip(1 - np.abs(bank - y - np.float32(0.006)) * np.float32(160), 0, 1) * np.float32(0.6)
    channels = []
    for c, deep in enumerate((0.10, 0.34, 0.46)):
        low, mid = a.low[c, rows], a.mid[c, rows]
        body = _column(low * np.float32(0.72) + mid * np.float32(0.2))
        value = body + (_column(np.float32(0.45) * mid + np.float32(0.62 * deep) * a.light[c, rows]) - body) * smooth(
            t * np.float32(1.1)
        )
        value = value * (1 + ripple * np.float32(0.5)) + path * _column(a.glow[c, rows] * np.float32(1.5))
        channels.append(value + (_column(a.light[c, rows]) * np.float32(0.95) - value) * foam)
    canvas.layer(cover, channels, PART["water"], top=top, rows=rows, w=w, slope=(0.0, 1 / EYE), motion=motion[rows])


def _road(canvas: Canvas, f: Factors, a: Air, top: int, motion: Array) -> None:
    """A road across the picture with a broken line along its middle."""
    rows = np.flatnonzero(np.isin(f["scene"], ROAD))
    if not len(rows):
        return
    f = {name: values[rows] for name, values in f.items()}
    size = canvas.size
    y = canvas.axis[None, top:, None] - _column(f["horizon"])
    w = np.maximum(y, np.float32(1e-4)) / np.float32(EYE)
    first, last = (_column(f["lane"][:, i]) for i in (0, 1))
    cover = np.minimum(np.clip((y - first) * size + 0.5, 0, 1), np.clip((last - y) * size + 0.5, 0, 1))
    middle, wide = (first + last) / 2, (last - first) * np.float32(0.022)
    half = wide * size

    def stroke(centre: Array, thick: Array) -> Array:
        peak = np.minimum(1, 2 * thick / (thick + np.float32(0.5)))
        return np.clip(thick + np.float32(0.5) - np.abs(y - centre) * size, 0, 1) * peak

    across = (canvas.axis[None, None] - np.float32(0.5)) / w + _column(f["pan"])
    p = across * np.float32(1 / 5.0)
    dash = np.clip(
        (np.float32(0.27) - np.abs(p - np.floor(p) - np.float32(0.5))) * w * np.float32(5 * size) + 0.5, 0, 1
    )
    border = np.maximum(
        stroke(first + 3 * wide, half * np.float32(0.6)), stroke(last - 3 * wide, half * np.float32(0.8))
    )
    marks = np.maximum(stroke(middle, half) * dash, border) * np.float32(0.85)
    wet = (f["weather"] == 2).astype(np.float32)
    snow = a.snow[rows] * np.float32(0.35)
    amount = a.density[rows][:, None, None] / w
    amount = amount / (1 + amount)
    channels = []
    for c, (tar, line) in enumerate(((0.38, 0.97), (0.38, 0.95), (0.42, 0.88))):
        base = _column((tar + (np.float32(0.9) - tar) * snow) * (1 - np.float32(0.2) * wet))
        value = (base + (np.float32(line) - base) * marks) * _column(a.light[c, rows])
        channels.append(value + (_column(a.haze[c, rows]) - value) * amount)
    canvas.layer(cover, channels, PART["road"], top=top, rows=rows, w=w, slope=(0.0, 1 / EYE), motion=motion[rows])


def falling(canvas: Canvas, f: Factors, a: Air) -> None:
    """Rain or snow before everything; no map knows of it."""
    for weather, k, radius, strength in ((2, 60, 0.0016, 0.38), (3, 70, 0.0055, 0.9)):
        rows = np.flatnonzero(f["weather"] == weather)
        if not len(rows):
            continue
        x, y, long = (uniform(f["index"][rows], f"drop {name}", k) for name in ("x", "y", "length"))
        speed = (1.6 if weather == 2 else 0.22) * (0.7 + 0.6 * long)
        y = y * 1.1 + f["seconds"][rows, None] * speed
        y = (y - np.floor(y / 1.1) * 1.1) - 0.08
        length = ((0.03 + 0.035 * long) if weather == 2 else 0.0005 + 0 * long).ravel()
        bright = np.float32(strength)
        veil = canvas.specks(np.repeat(rows, k), x.ravel() * 1.1 - 0.05, y.ravel(), length, -0.16 * length, radius)[
            rows
        ]
        light = a.light[:, rows] * np.float32(0.72) + np.float32(0.26)
        for c in range(3):
            plane = canvas.planes[c, rows]
            canvas.planes[c, rows] = plane + (_column(light[c]) - plane) * (veil * bright)
