"""Pictures of the rendered worlds with what can be seen in them, pictures spoilt in known ways, and strangers.

What a picture doesn't show has no truth: −1 for a class, NaN for a number. So a sun behind clouds has no place, and
eyes behind dark glasses no colour.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from sfumato.data.worlds import Faces, Factors, Scenes, faces, scenes
from sfumato.data.worlds.field import uniform
from sfumato.data.worlds.landscape import SCENES, TIMES, WEATHERS
from sfumato.data.worlds.portrait import (
    BACKGROUNDS,
    BEARDS,
    CLOTHES,
    EXPRESSIONS,
    EYES,
    GLASSES,
    HAIR,
    HAIR_COLOURS,
    LANDMARKS,
    SKINS,
)
from sfumato.data.worlds.portrait import LEGEND as FACE
from sfumato.data.worlds.render import Rendered
from sfumato.data.worlds.things import KIND, KINDS
from sfumato.data.worlds.things import LEGEND as SCENE
from sfumato.networks.pretrained.world_reader import Spec

SIDE = 64
CHUNK = 1000  # pictures rendered at a time
STRANGERS = 950  # the people from this one on have no name in training
_YES = ("no", "yes")
_SHOWN = tuple(kind for kind in KINDS if kind.name != "bird")  # which is smaller than a pixel of 64
_FEWEST = 6  # pixels at 64 px that make a thing visible
_COLOURED = {"house": 24, "car": 16, "sailing boat": 12, "oak": 24}  # pixels from which the colour can be told
_COUNTED = {
    "houses": ("house",), "towers": ("tower",), "cars": ("car",), "boats": ("sailing boat",),
    "trees": ("oak", "fir", "poplar", "palm tree"),
}  # fmt: skip

SPECS = {
    "scenes": Spec(
        "scenes",
        {"scene": SCENES, "time": TIMES, "weather": WEATHERS, "style": scenes.STYLES}
        | {kind.name: _YES for kind in _SHOWN}
        | {"sun": _YES, "moon": _YES}
        | {f"{name} colour": KINDS[KIND[name]].colours for name in _COLOURED}
        | {"horizon": (), "sun_x": (), "sun_y": ()}
        | dict.fromkeys(_COUNTED, ()),
        points=(), parts=SCENE, identity=0,
    ),
    "faces": Spec(
        "faces",
        {"expression": EXPRESSIONS, "hair": HAIR, "hair_colour": tuple(HAIR_COLOURS), "glasses": GLASSES,
         "beard": BEARDS, "background": tuple(BACKGROUNDS), "style": faces.STYLES,
         "skin": tuple(map(str, range(len(SKINS)))), "eye_colour": tuple(EYES),
         "clothes": tuple(map(str, range(len(CLOTHES))))}
        | dict.fromkeys(("yaw", "pitch", "age", "light_x", "smile", "mouth_open", "brow", "worry", "eyes_open"), ()),
        points=LANDMARKS, parts=FACE, identity=16, aside=48,
    ),
}  # fmt: skip
HELD_OUT: dict[str, Callable[[Factors], np.ndarray]] = {"scenes": scenes.held_out, "faces": faces.held_out}


@dataclass
class Seen:
    """n pictures and what can be seen in them."""

    images: Tensor  # (n, 3, side, side) uint8
    parts: Tensor  # (n, side, side) uint8
    truth: dict[str, Tensor]  # by factor (n,): int64 or float32; "points" (n, p, 2), "who" (n,), "bones" (n, 16)
    held_out: Tensor  # (n,) bool: a combination that no picture of training shows

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Tensor | slice) -> "Seen":
        truth = {name: value[rows] for name, value in self.truth.items()}
        return Seen(self.images[rows], self.parts[rows], truth, self.held_out[rows])


def source_of(world: str) -> Scenes | Faces:
    """The world by name."""
    return Scenes() if world == "scenes" else Faces()


def scaled(images: Tensor) -> Tensor:
    """uint8 -> float32 in [-1, 1]."""
    return images.float() / 127.5 - 1


def pictures(
    world: str, indices: np.ndarray, change: Callable[[Factors, int], Factors] | None = None, size: int = SIDE
) -> Seen:
    """Rendered pictures, a chunk at a time; `change` gets the factors of a chunk and its number."""
    source = source_of(world)
    parts = []
    for number, first in enumerate(range(0, len(indices), CHUNK)):
        f = source.factors(indices[first : first + CHUNK])
        if change:
            f = change(f, number)
        seen = source.render(f, size, truth=True)
        assert seen.semantic is not None
        truth = _scene_truth(f, seen) if world == "scenes" else _face_truth(f, seen)
        parts.append(
            Seen(
                torch.from_numpy(seen.image).permute(0, 3, 1, 2).contiguous(),
                torch.from_numpy(seen.semantic),
                {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in truth.items()},
                torch.from_numpy(HELD_OUT[world](f)),
            )
        )
    return Seen(
        torch.cat([p.images for p in parts]),
        torch.cat([p.parts for p in parts]),
        {name: torch.cat([p.truth[name] for p in parts]) for name in parts[0].truth},
        torch.cat([p.held_out for p in parts]),
    )


def for_training(world: str, n: int, first: int = 0) -> Seen:
    """n pictures from an index on that show no held-out combination, of ten thousand each varied in its way."""
    source = source_of(world)
    indices = np.arange(first, first + n + n // 4)
    indices = indices[~HELD_OUT[world](source.factors(indices))][:n]
    return pictures(world, indices, _varied_scenes if world == "scenes" else _varied_faces)


def _varied_scenes(f: Factors, number: int) -> Factors:
    """Of ten chunks one in ink, one without things, two some seconds later."""
    world = Scenes()
    match number % 10:
        case 0:
            return world.vary(f, style="ink")
        case 1:
            return f | {"kind": np.full_like(f["kind"], -1)}
        case 2 | 3 as seconds:
            return world.at(f, seconds - 1.0)
    return f


def _varied_faces(f: Factors, number: int) -> Factors:
    """Of ten chunks one in ink, three of any pose and age, one of these with eyes that close."""
    world = Faces()
    if number % 10 == 0:
        return world.vary(f, style="ink")
    if number % 10 > 3:
        return f
    yaw, pitch, age, shut = uniform(f["index"], "reader", 4).T
    f = f | {"yaw": 80 * (yaw - 0.5), "pitch": 40 * (pitch - 0.5), "age": age}
    return f | {"eyes_open": f["eyes_open"] * shut} if number % 10 == 3 else f


def _scene_truth(f: Factors, seen: Rendered) -> dict[str, np.ndarray]:
    assert seen.instance is not None and seen.semantic is not None
    n, slots = f["kind"].shape
    rows = np.arange(n)
    flat = seen.instance.reshape(n, -1) + rows[:, None] * (slots + 1)
    pixels = np.bincount(flat.ravel(), minlength=n * (slots + 1)).reshape(n, -1)[:, 1:]
    scale = seen.semantic[0].size / SIDE**2
    visible, hidden = pixels >= _FEWEST * scale, (pixels > 0) & (pixels < _FEWEST * scale)
    truth = {name: f[name] for name in ("scene", "time", "weather", "style")}
    for kind in _SHOWN:
        own = f["kind"] == KIND[kind.name]
        truth[kind.name] = np.where((own & visible).any(1), 1, np.where(own.any(1), -1, 0))
    for name in ("sun", "moon"):
        lit = (seen.semantic == SCENE.index(name)).sum((1, 2)) / scale
        truth[name] = np.where(lit >= 3, 1, np.where(lit > 0, -1, 0))
    for name, enough in _COLOURED.items():
        size = np.where(f["kind"] == KIND[name], pixels, 0)
        largest = size.argmax(1)
        truth[f"{name} colour"] = np.where(size.max(1) >= enough * scale, f["colour"][rows, largest], -1)
    shining = (truth["sun"] == 1) | (truth["moon"] == 1)
    truth["horizon"] = f["horizon"]
    truth |= {name: np.where(shining, f[name], np.nan) for name in ("sun_x", "sun_y")}
    for name, kinds in _COUNTED.items():
        own = np.isin(f["kind"], [KIND[kind] for kind in kinds])
        truth[name] = np.where((own & hidden).any(1), np.nan, (own & visible).sum(1))
    return _typed(truth, "scenes") | {"points": np.zeros((n, 0, 2), np.float32)}


def _face_truth(f: Factors, seen: Rendered) -> dict[str, np.ndarray]:
    assert seen.semantic is not None
    truth = {name: f[name] for name in SPECS["faces"].factors}
    dark, named = f["glasses"] == GLASSES.index("sun"), f["identity"] < STRANGERS
    iris = np.isin(seen.semantic, [FACE.index("iris"), FACE.index("pupil")]).sum((1, 2))
    truth["beard"] = np.where(f["age"] > 0.25, f["beard"], 0)
    truth["hair_colour"] = np.where((f["hair"] == 0) | (f["age"] > 0.75), -1, f["hair_colour"])
    truth["eye_colour"] = np.where(dark | (iris * SIDE**2 < 4 * seen.semantic[0].size), -1, f["eye_colour"])
    truth["light_x"] = np.where(f["style"] == 1, np.nan, f["light_x"])
    truth["eyes_open"] = np.where(dark, np.nan, f["eyes_open"])
    points = Faces().landmarks(f).astype(np.float32)
    hidden = np.array(["pupil" in name for name in LANDMARKS])
    points[dark[:, None] & hidden] = np.nan
    return _typed(truth, "faces") | {
        "points": points,
        "identity": f["identity"],
        "who": np.where(named, f["identity"], -1),
        "bones": np.where(named[:, None], f["traits"], np.nan).astype(np.float32),
    }


def _typed(truth: dict[str, np.ndarray], world: str) -> dict[str, np.ndarray]:
    factors = SPECS[world].factors
    return {name: value.astype(np.int64 if factors[name] else np.float32) for name, value in truth.items()}


def moved(x: Tensor, right: int, down: int) -> Tensor:
    """Shifted by whole pixels, the border repeated: (b, c, h, w)."""
    h, w = x.shape[-2:]
    rows, columns = (torch.arange(h) - down).clamp(0, h - 1), (torch.arange(w) - right).clamp(0, w - 1)
    return x[..., rows, :][..., columns]


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur: (b, c, h, w), pixels."""
    reach = max(1, round(3 * sigma))
    kernel = (-0.5 * (torch.arange(-reach, reach + 1) / sigma).square()).exp()
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1)
    x = F.pad(x, [reach] * 4, mode="replicate")
    x = F.conv2d(x, kernel[:, None, None, :], groups=x.shape[1])
    return F.conv2d(x, kernel[:, None, :, None], groups=x.shape[1])


def coarse(x: Tensor, side: int) -> Tensor:
    """Brought to `side` pixels and back, as a smaller picture is before it is read."""
    small = F.interpolate(x, size=(side, side), mode="bilinear", antialias=True)
    return F.interpolate(small, size=x.shape[-2:], mode="bilinear", antialias=True)


def compressed(x: Tensor, qualities: Sequence[int]) -> Tensor:
    """Written as JPEG and read again: (b, 3, h, w) in [-1, 1], a quality each."""
    out = []
    for image, quality in zip(((x + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy(), qualities, strict=True):
        held = io.BytesIO()
        Image.fromarray(image).save(held, "JPEG", quality=quality)
        out.append(torch.from_numpy(np.array(Image.open(held))))
    return scaled(torch.stack(out).permute(0, 3, 1, 2))


def tiled(x: Tensor, k: int, order: Tensor) -> Tensor:
    """Cut into k × k tiles that are put together in the order (k²,)."""
    b, c, h, w = x.shape
    tiles = x.view(b, c, k, h // k, k, w // k).permute(2, 4, 0, 1, 3, 5).flatten(0, 1)[order]
    return tiles.unflatten(0, (k, k)).permute(2, 3, 0, 4, 1, 5).reshape(b, c, h, w)


def strangers(x: Tensor, other: Tensor, random: torch.Generator) -> Tensor:
    """Eight pictures that are none of the world, of 16 of the world's and 2 of another's: (8, 3, h, w)."""

    def u(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=random).item()

    noise = torch.randn(x[:2].shape, generator=random)
    order = torch.randperm(16, generator=random)
    share = u(0.35, 0.65)
    board = torch.arange(4)
    board = ((board[:, None] + board) % 2).repeat_interleave(16, 0).repeat_interleave(16, 1).bool()
    return torch.cat([
        u(-0.5, 0.5) + u(0.1, 0.8) * noise[:1], x[:1] + u(0.7, 1.5) * noise[1:], blurred(x[1:2], u(4, 8)),
        tiled(x[2:3], 4, order), share * x[3:4] + (1 - share) * x[4:5], torch.where(board, x[5:6], x[6:7]), other,
    ]).clamp(-1, 1)  # fmt: skip
