"""What the worlds know of their pictures, as the views ask for it. An item's name is the index of its picture."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ...errors import UserError
from ..decode import Fitting, decode
from ..truth import FRAMES
from .faces import CHOICES, IDENTITIES, Faces
from .field import Array
from .landscape import SCENES, TIMES, WEATHERS
from .portrait import CLOTHES, EYES, LANDMARKS, SKINS
from .render import Factors, Rendered
from .scenes import SLOTS, Scenes
from .world import World

REMEMBERED = 2**15  # pictures whose sentences are kept
MAPS = ("semantic", "instance", "edges", "depth", "normals", "matte", "keypoints", "boxes")
CLIPS = {"clip": "image", "motion": "motion", "clip depth": "depth", "back": "motion"}
_STYLES: dict[str, dict[str, str | float]] = {"painted": {"style": "painted"}, "ink": {"style": "ink"}}

SCENE_PALETTE = np.array([
    (158, 202, 235), (255, 214, 70), (222, 222, 196), (236, 240, 246), (122, 132, 158), (108, 152, 122),
    (122, 190, 84), (218, 96, 132), (240, 214, 150), (176, 178, 184), (58, 126, 190), (84, 86, 96), (120, 84, 58),
    (40, 120, 62), (30, 150, 110), (232, 190, 150), (184, 66, 52), (140, 60, 70), (110, 56, 30), (64, 214, 226),
    (226, 44, 60), (30, 30, 34), (120, 70, 140), (250, 150, 60), (206, 160, 210), (160, 110, 200), (20, 40, 110),
], np.uint8)  # fmt: skip
FACE_PALETTE = np.array([
    (206, 216, 228), (86, 112, 168), (214, 150, 118), (232, 128, 96), (244, 194, 160), (96, 66, 52), (140, 104, 70),
    (60, 36, 30), (255, 255, 255), (60, 150, 190), (14, 18, 26), (224, 164, 120), (206, 70, 84), (110, 16, 34),
    (250, 246, 214), (128, 70, 170),
], np.uint8)  # fmt: skip


@dataclass
class WorldTruth:
    """Everything, rendered when it is asked for."""

    name: str
    world: World
    channels: int
    palette: Array
    points: tuple[str, ...]
    near: float
    factors: Mapping[str, tuple[str, ...]]
    variants: Mapping[str, Mapping[str, str | float]]  # field -> the factors that make it
    locate: Callable[[Factors, Rendered], tuple[Array, Array]]  # keypoints and boxes
    fields: frozenset[str] = field(init=False)
    legend: tuple[str, ...] = field(init=False)
    _said: dict[int, list[str]] = field(default_factory=dict, repr=False)
    _last: tuple[tuple[str, ...], Factors] = field(default=((), {}), repr=False)

    def __post_init__(self) -> None:
        self.fields = frozenset((*MAPS, *CLIPS, *self.variants, *self.factors, "empty", "captions"))
        self.legend = self.world.legend

    def get(self, fields: Sequence[str], names: Sequence[str], size: int) -> dict[str, Array]:
        """See `Truth.get`: whatever the fields, a picture is drawn once for all maps, and once for each variant."""
        for name in fields:
            if name not in self.fields:
                raise UserError(self.lacks(name))
        f = self._known(names)
        found = self._maps(f, size) if any(name in MAPS for name in fields) else {}
        if any(name in CLIPS for name in fields):
            found |= self._clips(f["index"], [name for name in fields if name in CLIPS], size)
        for name in fields:
            if name in self.variants:
                found[name] = self._grey(self.world.render(self.world.vary(f, **self.variants[name]), size).image)
            elif name == "empty":
                found[name] = self._grey(self.world.render(f, size, things=False).image)
        return {name: found[name] for name in fields}

    def _maps(self, f: Factors, size: int) -> dict[str, Array]:
        seen = self.world.render(f, size, truth=True)
        assert seen.instance is not None
        points, boxes = self.locate(f, seen)
        return {name: getattr(seen, name) for name in ("semantic", "depth", "normals", "matte")} | {
            "instance": seen.instance.astype(np.int32),
            "edges": seen.edges(),
            "keypoints": points.astype(np.float32),
            "boxes": boxes,
        }

    def _clips(self, indices: Array, names: Sequence[str], size: int) -> dict[str, Array]:
        """What is asked of clips: drawn once, or twice if both motions are."""
        found: dict[str, Array] = {}
        for motion in [name for name in ("motion", "back") if name in names] or ["motion"]:
            seen = self.world.clip(indices, FRAMES, size, back=motion == "back")
            seen.image = self._grey(seen.image)
            for name in names:
                if name == motion or CLIPS[name] != "motion":
                    values = getattr(seen, CLIPS[name])
                    found[name] = values.reshape(len(indices), FRAMES, *values.shape[1:])
        return found

    def _grey(self, images: Array) -> Array:
        """Pictures with as many channels as the source was prepared with."""
        if self.channels == 3:
            return images
        return np.stack([decode(image, Fitting(len(image), self.channels)).pixels for image in images])

    def _known(self, names: Sequence[str]) -> Factors:
        """The factors of some pictures; those of the last ones asked for are kept."""
        last, known = self._last
        if last != (wanted := tuple(names)):
            known = self.world.factors(_indices(names))
            self._last = wanted, known
        return known

    def factor(self, name: str, names: Sequence[str]) -> Array:
        """See `Truth.factor`."""
        if name not in self.factors:
            raise UserError(self.lacks(name))
        f = self._known(names)
        values = (f["kind"] >= 0).sum(axis=1) if name == "things" else f[name]
        return values.astype(np.int64 if self.factors[name] else np.float32)

    def captions(self, names: Sequence[str]) -> list[list[str]]:
        """Five sentences about each picture; those of the last REMEMBERED ones are not worked out again."""
        wanted = _indices(names).tolist()
        known = {i: self._said[i] for i in wanted if i in self._said}
        new = [i for i in dict.fromkeys(wanted) if i not in known]
        known |= dict(zip(new, self.world.captions(np.array(new, np.int64)), strict=True)) if new else {}
        if len(self._said) + len(new) > REMEMBERED:
            self._said.clear()
        self._said.update((i, known[i]) for i in new)
        return [known[i] for i in wanted]

    def lacks(self, field: str) -> str:
        """Which world has it, if one does."""
        other = next((w.name for w in (scene_truth(), face_truth()) if field in w.fields), None)
        return f"{self.name} has nothing that tells {field!r}" + (f"; {other} has: --data {other}" if other else "")


def _indices(names: Sequence[str]) -> Array:
    return np.array([int(name) for name in names], np.int64)


def _named(n: int) -> tuple[str, ...]:
    return tuple(str(i) for i in range(n))


def _stand(world: Scenes, f: Factors, seen: Rendered) -> tuple[Array, Array]:
    boxes, points = seen.boxes(SLOTS), world.anchors(f)
    points[np.isnan(boxes[..., 0])] = np.nan
    return points.reshape(len(points), 2 * SLOTS, 2), boxes


def _look(world: Faces, f: Factors, seen: Rendered) -> tuple[Array, Array]:
    return world.landmarks(f), seen.boxes(1)


def scene_truth(world: Scenes | None = None, channels: int = 3) -> WorldTruth:
    """About landscapes. Keypoints are foot and top of each of the twelve things, as far as any of it can be seen."""
    shown = world or Scenes()
    numbers = ("horizon", "sun_x", "sun_y", "phase", "tone", "pan_speed", "things")
    return WorldTruth(
        "scenes", shown, channels, SCENE_PALETTE,
        points=tuple(f"{end} {slot}" for slot in range(1, SLOTS + 1) for end in ("foot", "top")),
        near=9.0,
        factors={"scene": SCENES, "time": TIMES, "weather": WEATHERS} | dict.fromkeys(numbers, ()),
        variants=_STYLES | {time: {"time": time} for time in ("day", "dusk", "night")},
        locate=partial(_stand, shown),
    )  # fmt: skip


def face_truth(world: Faces | None = None, channels: int = 3) -> WorldTruth:
    """About portraits. Keypoints are the twenty landmarks, boxes the one of the person."""
    shown = world or Faces()
    numbers = (
        "age", "yaw", "pitch", "light_x", "warmth", "smile", "mouth_open", "brow", "worry", "eyes_open", "gaze_x",
        "gaze_y",
    )  # fmt: skip
    return WorldTruth(
        "faces", shown, channels, FACE_PALETTE,
        points=LANDMARKS,
        near=0.3,
        factors={name: values for name, values in CHOICES.items() if name != "style"}
        | {"identity": _named(IDENTITIES), "skin": _named(len(SKINS)), "clothes": _named(len(CLOTHES))}
        | {"eye_colour": tuple(EYES)}
        | dict.fromkeys(numbers, ()),
        variants=_STYLES | {"young": {"age": 0.25}, "old": {"age": 0.9}},
        locate=partial(_look, shown),
    )  # fmt: skip
