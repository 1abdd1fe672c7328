"""Clips of pictures that turn into one another, or along a direction, and back to where they began.

Codes of Z go on great circles (White, Sampling Generative Networks, 2016, section 2.1,
https://arxiv.org/abs/1609.04468), all others on straight lines.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import chain
from math import pi, sin
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from ...data.pictures import to_bytes
from ...errors import UserError
from ...networks.stylegan.latents import StyleSpaces
from ..edit import Source, begin, change_of
from ..files.films import FILMS, code_film, write_gif
from ..files.photo import Photo, write_photo
from ..files.reels import Reel, Shot
from ..model import Model
from ..progress import Advance
from .codes import lift, only_layers, render
from .directions import Directions

SIDE = 256  # pixels that small pictures are enlarged to by whole factors, as players and coders blur them otherwise


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Points on the great circle between two codes, lengths in between: (z,), (z,), (n,) -> (n, z)."""
    angle = torch.acos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))
    if angle.sin() < 1e-4:  # in one line: there is no circle, or no single one
        return torch.lerp(a, b, t[:, None])
    return ((1 - t)[:, None] * angle).sin() / angle.sin() * a + (t[:, None] * angle).sin() / angle.sin() * b


def between(stops: Tensor, frames: int, space: str) -> Tensor:
    """Codes from each stop to the next, and from the last to the first, `frames` a leg: (n, …) -> (n · frames, …)."""
    t = torch.arange(frames, device=stops.device) / frames
    legs = zip(stops, torch.cat([stops[1:], stops[:1]]), strict=True)
    if space == "z":
        return torch.cat([slerp(a, b, t) for a, b in legs])
    return torch.cat([torch.lerp(a, b, t.view(-1, *[1] * a.dim())) for a, b in legs])


def along(code: Tensor, change: Tensor, frames: int) -> Tensor:
    """Codes from one to where the change leads, back, as far to the other side, and back again: -> (frames, …)."""
    swing = torch.tensor([sin(2 * pi * k / frames) for k in range(frames)], device=code.device)
    return code + swing.view(-1, *[1] * change.dim()) * change


def clip(
    model: Model,
    stops: Sequence[Source],
    directions: Mapping[str, float] | None = None,
    *,
    given: Directions | str | Path | None = None,
    layers: str = "all",
    space: str | None = None,
    frames: int = 40,
    rate: int = 20,
    seed: int = 0,
    steps: int = 200,
    out: str | Path | None = None,
    advance: Advance | None = None,
) -> Path:
    """A clip that goes through pictures (files, inversions, numbers of samples) and is looped, by `out` .mp4 or .gif.

    With directions it goes along them by their strengths, from one picture. `frames` are those from stop to stop, or
    of a swing. Raises UserError.
    """
    if directions and len(stops) != 1:
        raise UserError(f"a clip along a direction is of one picture, not of {len(stops)}")
    if not directions and len(stops) < 2:
        raise UserError("a clip needs two pictures or more, or one and a direction")
    if not 2 <= frames <= 10_000 or not 1 <= rate <= 240:
        raise UserError("give 2 to 10,000 frames from stop to stop, at 1 to 240 a second")
    target = Path(out) if out else (model.path if model.path and model.path.is_dir() else Path()) / "clip.mp4"
    if target.suffix.lower() not in (*FILMS, ".gif"):
        raise UserError(f"{target}: clips are written as {', '.join(FILMS)} or .gif")
    found = [begin(model, stop, seed=seed, space=space, steps=steps, advance=advance) for stop in stops]
    styled = isinstance(model.system, StyleSpaces)
    if space is None:
        edited = directions or any(start.space in ("w+", "s") for start in found)
        space = "z" if not styled else "w+" if edited else "w"
    codes = torch.cat([lift(model.system, start.code, start.space, space) for start in found])
    if directions:
        change = change_of(model, directions, space, given=given)
        change = change if layers == "all" else only_layers(model.system, change, space, layers)
        path = along(codes, change, frames)
    else:
        path = between(codes, frames, space)
    write_clip((render(model, part, space, found[0].noise) for part in path.split(32)), target, rate)
    return target


def write_clip(batches: Iterator[Tensor], target: Path, rate: int) -> None:
    """Pictures (b, c, h, w) in [-1, 1] as a film or a GIF that is repeated for ever. Raises UserError."""
    about = Reel(Fraction(1, rate), rate=Fraction(rate))
    photos = (Photo(_enlarged(pixels)) for pixels in chain.from_iterable(to_bytes(batch) for batch in batches))
    with TemporaryDirectory(prefix="sfumato-") as folder:
        if target.suffix.lower() == ".gif":
            paths = []
            for k, photo in enumerate(photos):
                paths.append(Path(folder) / f"{k:06}.png")
                write_photo(photo, paths[-1])
            write_gif(paths, list(range(len(paths))), about, target)
        else:
            shots = (Shot(k, partial(replace, photo)) for k, photo in enumerate(photos))
            code_film(Path("clip.gif"), target, about, shots, Path(folder))  # a source without sound


def _enlarged(pixels: np.ndarray) -> np.ndarray:
    times = max(1, SIDE // max(pixels.shape[:2]))
    return pixels.repeat(times, axis=0).repeat(times, axis=1)
