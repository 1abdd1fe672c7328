"""What the colours of a sheet mean."""

import numpy as np
import torch
from PIL import Image, ImageDraw

from ...data.truth import Truth
from ...system import Batch
from . import shades
from .paper import FAINT, GAP, INK, PAPER, SMALL, font

WIDTH = 600  # pixels of a legend
DISC = 44  # pixels across
ARROWS = ("motion", "back")  # fields that lead from each pixel to another: (b, t, 2, h, w)


def legends(batch: Batch, truth: Truth) -> list[Image.Image]:
    """For each field that is drawn in colours of its own."""
    found = []
    if "semantic" in batch and truth.legend:
        seen = [k for k in batch.semantic.unique().tolist() if k < len(truth.legend)]
        found.append(_classes([truth.legend[k] for k in seen], truth.palette[seen]))
    if "depth" in batch:
        found.append(_depth(truth.near))
    if "normals" in batch:
        found.append(_disc(_sphere(), "normals: red to the right, green up, blue to the viewer"))
    if any(name in batch for name in ARROWS):
        found.append(
            _disc(_wheel(), f"motion: the hue is its direction, full colour {fastest(batch):.1f} pixels a frame")
        )
    return found


def fastest(batch: Batch) -> float:
    """What motion is drawn in full colour, pixels a frame: what one in 200 exceeds, and half a pixel at least."""
    arrows = next(batch.fields[name] for name in ARROWS if name in batch)
    return max(0.5, float(np.quantile(arrows.square().sum(dim=2).sqrt().numpy(), 0.995)))


def _classes(names: list[str], colours: np.ndarray) -> Image.Image:
    """Squares in the colours of the classes, with their names."""
    places, x, y = [], 0, 0
    for name in names:
        wide = 16 + int(font(SMALL).getlength(name)) + 14
        if x + wide > WIDTH:
            x, y = 0, y + SMALL + 9
        places.append((x, y))
        x += wide
    found = Image.new("RGB", (WIDTH, y + SMALL + 9), PAPER)
    pen = ImageDraw.Draw(found)
    for name, colour, (x, y) in zip(names, colours.tolist(), places, strict=True):
        pen.rectangle([x, y + 2, x + 11, y + 13], tuple(colour), FAINT)
        pen.text((x + 16, y + 1), name, INK, font(SMALL))
    return found


def _depth(near: float) -> Image.Image:
    """The scale of depth, in metres."""
    long = 240
    scale = torch.linspace(-1, 1, long).view(1, 1, 1, -1).expand(1, 1, 12, -1)
    found = Image.new("RGB", (WIDTH, 34), PAPER)
    found.paste(Image.fromarray(shades.depth(scale)[0]), (50, 2))
    pen = ImageDraw.Draw(found)
    pen.text((0, 2), "depth", INK, font(SMALL))
    for metres, text in ((near, f"{near:g} m"), (2 * near, f"{2 * near:g}"), (4 * near, f"{4 * near:g}"), (1e9, "far")):
        pen.text((50 + long * near / metres, 17), text, FAINT, font(SMALL), anchor="ma")
    return found


def _disc(values: np.ndarray, text: str) -> Image.Image:
    found = Image.new("RGB", (WIDTH, DISC), PAPER)
    found.paste(Image.fromarray(values))
    ImageDraw.Draw(found).text((DISC + GAP, DISC / 2), text, INK, font(SMALL), anchor="lm")
    return found


def _axes() -> tuple[torch.Tensor, torch.Tensor]:
    """Right and down over a disc of radius 1."""
    axis = (torch.arange(DISC) + 0.5) / DISC * 2 - 1
    return axis.expand(DISC, -1), axis[:, None].expand(-1, DISC)


def _wheel() -> np.ndarray:
    x, y = _axes()
    found = shades.motion(torch.stack([x, y])[None], 1.0)[0]
    found[(x * x + y * y > 1).numpy()] = PAPER
    return found


def _sphere() -> np.ndarray:
    x, y = _axes()
    found = shades.normals(torch.stack([x, -y, (1 - x * x - y * y).clamp(min=0).sqrt()])[None])[0]
    found[(x * x + y * y > 1).numpy()] = PAPER
    return found
