"""Which channels of a generator draw one class of objects, and what is left without them.

Radford, Metz & Chintala, Unsupervised Representation Learning with DCGANs, 2015, section 6.3.1.
https://arxiv.org/abs/1511.06434
There, logistic regression found the feature maps that respond to windows, and dropping those with positive weights
removed most windows. Here the regression is the same, on the mean response of each channel; how many of the best
channels are dropped, and in which layer, is chosen on one half of the samples and judged on the other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..data.pictures import save_grid
from ..errors import UserError, nearest
from ..evaluation import observe
from ..networks.pretrained import Extractor
from .editing.boundaries import boundary
from .editing.units import dropped, layers, watched
from .evaluate import reader
from .model import Model

SHOWN = 8  # samples of a row of the picture


@dataclass(frozen=True)
class Ablation:
    """What dropping channels did, judged on samples that it was not chosen by."""

    layer: str
    channels: tuple[int, ...]
    of: int  # channels that the layer has
    removed: float  # of the samples with the object, the share that lost it
    kept: float  # of the samples of other classes, the share that still are what they were
    images: Tensor  # rows of SHOWN: with the object, the same without, others, the same without
    path: Path | None = None

    def __str__(self) -> str:
        return (
            f"{len(self.channels)} of {self.of} channels of {self.layer} dropped: {self.removed:.1%} of the objects "
            f"are gone, {self.kept:.1%} of the others are what they were"
        )


def ablate(
    model: Model,
    object: str,
    *,
    layer: str | None = None,
    n: int = 1024,
    seed: int = 0,
    extractor: str | None = None,
    out: str | Path | None = None,
) -> Ablation:
    """Drop the channels of G that are tied to one class of objects, as the extractor names it.

    Without `layer` every layer before the last is tried. Writes a picture of samples before and after. Raises
    UserError if the class is unknown or never drawn.
    """
    look = reader(model, extractor)
    target = look.classes.index(nearest(object, look.classes, "class"))
    codes = model.prior(n, seed=seed)
    before = _classes(look, model.decode(codes))
    has = before == target
    if has.sum() < 8:
        raise UserError(f"only {int(has.sum())} of {n} samples are {object}: too few to learn from; give a larger --n")
    half = torch.arange(n, device=codes.device) < n // 2
    best: tuple[float, str, list[int], int] | None = None
    known = layers(model, codes)
    for name in [nearest(layer, known, "layer")] if layer else known:
        order, width = _tied(_responses(model, codes[half], name), has[half])
        for k in sorted({1, 2, 3, *(round(width * s) for s in (0.04, 0.06, 0.09, 0.13, 0.18, 0.25, 0.35, 0.5))} - {0}):
            with dropped(model.system, name, order[:k]):
                after = _classes(look, model.decode(codes[half]))
            removed, kept = _judge(before[half], after, target)
            if best is None or removed + kept > best[0]:
                best = removed + kept, name, order[:k], width
    assert best is not None
    _, name, channels, width = best
    with dropped(model.system, name, channels):
        after = _classes(look, model.decode(codes[~half]))
    removed, kept = _judge(before[~half], after, target)
    images = _rows(model, codes[~half], has[~half], name, channels)
    home = model.path if model.path and model.path.is_dir() else None
    name_of_file = "ablation-" + re.sub(r"[^\w]+", "-", object) + ".png"
    path = Path(out) if out else home / name_of_file if home else None
    if path:
        save_grid(images, path, columns=SHOWN)
    return Ablation(name, tuple(channels), width, removed, kept, images, path)


def _responses(model: Model, codes: Tensor, layer: str) -> Tensor:
    """Mean response of each channel of a layer over the places: (n, channels)."""
    with watched(model.system, layer, lambda output: output.mean((2, 3)).float()) as kept:
        model.decode(codes)
    return torch.cat(kept)


def _tied(responses: Tensor, has: Tensor) -> tuple[list[int], int]:
    """Channels from the most tied to the object on, by logistic regression on standardised responses."""
    weight = boundary((responses - responses.mean(0)) / responses.std(0).clamp(min=1e-6), has)
    positive = int((weight > 0).sum())
    return weight.argsort(descending=True)[: max(positive, 1)].tolist(), len(weight)


def _judge(before: Tensor, after: Tensor, target: int) -> tuple[float, float]:
    had = before == target
    removed = (after[had] != target).float().mean().item() if had.any() else 0.0
    return removed, (after[~had] == before[~had]).float().mean().item()


def _classes(look: Extractor, images: Tensor) -> Tensor:
    p = observe(images, look).probabilities
    if p is None:
        raise UserError(f"{look.name} names no classes; give --extractor reader:digits or reader:shapes")
    return p.argmax(1)


def _rows(model: Model, codes: Tensor, has: Tensor, layer: str, channels: Sequence[int]) -> Tensor:
    rows = []
    for chosen in (codes[has][:SHOWN], codes[~has][:SHOWN]):
        with dropped(model.system, layer, channels):
            without = model.decode(chosen)
        for images in (model.decode(chosen), without):
            blank = images.new_ones(SHOWN - len(images), *images.shape[1:])
            rows.append(torch.cat([images, blank]))
    return torch.cat(rows)
