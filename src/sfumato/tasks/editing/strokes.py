"""Brushes from files: what was painted over a picture as wishes of it (see `brush`)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...data.decode import BrokenError
from ...data.pictures import save_grid
from ...errors import UserError
from ..edit import Source, begin
from ..files.photo import Photo, eight_bits, read_photo
from ..model import Model
from .brush import Colour, Session, Sketch, Warp


@dataclass(frozen=True)
class Painted:
    """A picture before and after painting: images (2, c, h, w), and how far each is from what was wished."""

    images: Tensor
    before: float
    after: float
    session: Session
    path: Path | None = None


def brush(
    model: Model,
    source: Source = 0,
    *,
    colour: Path | None = None,
    sketch: Path | None = None,
    drag: Path | None = None,
    by: str = "0,0",
    seconds: float = 2.0,
    space: str | None = None,
    seed: int = 0,
    steps: int = 200,
    out: str | Path | None = None,
) -> Painted:
    """Find what a generator can draw that fulfils the wishes painted over a picture, for so many seconds.

    Wishes are pictures that are transparent where nothing is wished: `colour` has the colours, `sketch` lines, and what
    `drag` covers goes `by` pixels down and right. Raises UserError.
    """
    if not (colour or sketch or drag):
        raise UserError("nothing is wished: give --colour, --sketch or --drag a picture")
    start = begin(model, source, seed=seed, space=space, steps=steps)
    session = Session(model, start.code, start.space, noise=start.noise)
    if colour:
        mask, image = read_strokes(colour, model)
        session.wishes.append(Colour(mask, image[0]))
    if sketch:
        session.wishes.append(Sketch(*read_strokes(sketch, model)))
    if drag:
        session.wishes.append(Warp(read_strokes(drag, model)[0], session.image, _moved(by)))
    before, first = session.unmet(), session.image
    session.solve(seconds, steps=100_000)
    images = torch.cat([first, session.image])
    if out:
        save_grid(images, Path(out), columns=2)
    return Painted(images, before, session.unmet(), session, Path(out) if out else None)


def read_strokes(path: Path, model: Model) -> tuple[Tensor, Tensor]:
    """Where a picture is opaque, and its colours: (h, w) in [0, 1], (1, c, h, w) in [-1, 1].

    It is stretched to the model's sides. Raises UserError if it can't be read, or hides nothing or everything.
    """
    try:
        photo: Photo = eight_bits(read_photo(path))
    except BrokenError as error:
        raise UserError(f"{path} can't be read: {error}") from None
    if photo.alpha is None or not photo.alpha.any():
        raise UserError(f"{path}: what is painted must be opaque, and all else transparent; save it as PNG with alpha")
    (high, across), channels = model.facts.sides, model.facts.channels
    wide = np.broadcast_to(photo.colour, (*photo.colour.shape[:2], 3))
    picture = Image.fromarray(np.concatenate([wide, photo.alpha], 2)).resize((across, high), Image.Resampling.BOX)
    pixels = torch.tensor(np.asarray(picture), dtype=torch.float32, device=model.device).permute(2, 0, 1) / 255
    colour = pixels[:3] * 2 - 1 if channels == 3 else pixels[:3].mean(0, keepdim=True) * 2 - 1
    return pixels[3], colour[None]


def _moved(text: str) -> tuple[int, int]:
    try:
        down, right = (int(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--by {text}: give pixels down and right, as 4,-2") from None
    return down, right
