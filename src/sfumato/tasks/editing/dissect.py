"""What each unit of a generator draws: where it is high against where a reader sees each class of pixels.

Bau et al., GAN Dissection: Visualizing and Understanding Generative Adversarial Networks, 2018, section 3.1.
https://arxiv.org/abs/1811.10597

Deviations: classes of pixels are those of the reader of a rendered world, and thresholds are ten quantiles of a unit's
responses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ...data.pictures import save_grid
from ...errors import UserError, nearest
from ...networks.pretrained.world_reader import WorldReader
from ..model import Model
from .told import read, world_reader
from .units import layers, watched

QUANTILES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995)
DRAWN = 0.05  # the overlap from which a unit counts as one that draws a class
BATCH = 32
SHOWN = 8  # units of the picture, and samples of each


@dataclass(frozen=True)
class Dissection:
    """How units of a layer and classes of pixels agree."""

    layer: str
    classes: tuple[str, ...]
    overlaps: Tensor  # (units, classes): intersection over union, on samples that thresholds were not chosen by
    thresholds: Tensor  # (units, classes): above which a unit says the class
    levels: Tensor  # (units, classes): a unit's mean response where the class is seen
    shares: Tensor  # (classes,) of all pixels
    path: Path | None = None

    def best(self) -> list[tuple[int, str, float]]:
        """Each unit with the class that it agrees with most, and their overlap, from the most on."""
        overlaps, classes = self.overlaps.max(1)
        order = overlaps.argsort(descending=True).tolist()
        return [(u, self.classes[int(classes[u])], overlaps[u].item()) for u in order]

    def drawn(self) -> dict[str, list[int]]:
        """Classes that units draw, and the units of each, those that agree most first."""
        found: dict[str, list[int]] = {}
        for unit, name, overlap in self.best():
            if overlap >= DRAWN:
                found.setdefault(name, []).append(unit)
        return found


def dissect(
    model: Model,
    *,
    layer: str | None = None,
    n: int = 256,
    seed: int = 0,
    world: str | None = None,
    out: str | Path | None = None,
) -> Dissection:
    """Compare the units of a layer with what a reader sees in n samples; the last of a quarter of the side if not said.

    Thresholds are those at which a unit and a class tell most of one another beside what both tell, I / H (eq. 2), on
    one half of the samples; overlaps (eq. 1) are of the other. Writes a picture of the unit that agrees most with each
    class: samples in which it is highest, light where it is above the threshold. Raises UserError.
    """
    reader = world_reader(model, world)
    codes = model.prior(n, seed=seed)
    if n < 4:
        raise UserError(f"{n} samples cannot be cut in halves that tell anything; give a larger --n")
    layer = choose_layer(model, codes, layer)
    with watched(model.system, layer) as kept:
        model.decode(codes[: min(n, 2 * BATCH)])
    values = torch.cat(kept).transpose(0, 1).flatten(1).float()
    chosen = values[:, torch.linspace(0, values.shape[1] - 1, min(values.shape[1], 50_000)).long()]
    edges = torch.quantile(chosen, torch.tensor(QUANTILES, device=values.device), dim=1).T.contiguous()  # (units, q)
    classes = len(reader.spec.parts)
    counts = torch.zeros(2, *edges.shape[:1], edges.shape[1] + 1, classes, dtype=torch.double, device=edges.device)
    sums = torch.zeros(len(edges), classes, dtype=torch.double, device=edges.device)
    for k, (maps, seen) in enumerate(_pairs(model, layer, codes, reader)):
        counts[k % 2] += _counted(maps, seen, edges, classes)
        sums += maps.double() @ F.one_hot(seen, classes).double()
    found = _agreed(counts, edges)
    total = counts.sum((0, 2))[0]
    levels = (sums / total.clamp(min=1)).float()
    home = model.path if model.path and model.path.is_dir() else None
    path = Path(out) if out else home / "dissection.png" if home else None
    made = Dissection(layer, reader.spec.parts, *found, levels, (total / total.sum()).float(), path)
    if path:
        save_grid(_picture(model, made, codes[: 4 * BATCH]), path, columns=SHOWN)
    return made


def choose_layer(model: Model, codes: Tensor, layer: str | None) -> str:
    """The layer of that name, else the last whose maps are a quarter of the picture's side, or the nearest to it."""
    known = layers(model, codes)
    if layer:
        return nearest(layer, known, "layer")
    return min(reversed(known), key=lambda name: abs(known[name][1] - model.facts.sides[1] / 4))


def segmented(reader: WorldReader, images: Tensor) -> Tensor:
    """The likeliest class of each pixel: (b, c, h, w) -> (b, side, side) of the reader."""
    return read(reader, images).parts.argmax(1)


def _pairs(model: Model, layer: str, codes: Tensor, reader: WorldReader) -> Iterator[tuple[Tensor, Tensor]]:
    """Responses and classes of all pixels, of some samples at a time: (units, pixels), (pixels,)."""
    parts = codes.chunk(max(2, len(codes) // BATCH))
    for part in parts:
        with watched(model.system, layer) as kept:
            seen = segmented(reader, model.decode(part))
        maps = F.interpolate(torch.cat(kept).float(), seen.shape[1:], mode="bilinear")
        yield maps.transpose(0, 1).flatten(1), seen.flatten()


def _counted(maps: Tensor, seen: Tensor, edges: Tensor, classes: int) -> Tensor:
    """How many pixels of each class lie between edges: (u, p), (p,), (u, q) -> (u, q + 1, classes)."""
    units, q = edges.shape
    between = torch.searchsorted(edges, maps.contiguous())
    row = torch.arange(units, device=maps.device)[:, None] * (q + 1)
    found = torch.bincount(((row + between) * classes + seen).flatten(), minlength=units * (q + 1) * classes)
    return found.view(units, q + 1, classes)


def _agreed(counts: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
    """Overlaps and thresholds, (units, classes) each, of counts (2, units, q + 1, classes)."""
    chosen = information_quality(*_sides(counts[0])).argmax(1)  # (units, classes)
    both, unit, pixels, _ = _sides(counts[1])
    overlaps = both / (unit + pixels - both).clamp(min=1)
    return overlaps.gather(1, chosen[:, None])[:, 0].float(), edges.gather(1, chosen)


def _sides(counts: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pixels above each edge in a class, above at all, in the class, and all: (u, q + 1, c) -> four that broadcast."""
    above = counts.flip(1).cumsum(1).flip(1)[:, 1:]
    return above, above.sum(2, keepdim=True), counts.sum(1, keepdim=True), counts.sum((1, 2), keepdim=True)


def information_quality(both: Tensor, one: Tensor, other: Tensor, all: Tensor) -> Tensor:
    """Mutual information over joint entropy, in [0, 1], of two events that occur so often together and alone. Eq. 2."""

    def entropy(*counts: Tensor) -> Tensor:
        shares = [c / all for c in counts]
        return -sum((torch.special.xlogy(p, p) for p in shares), torch.zeros(()))

    joint = entropy(both, one - both, other - both, all - one - other + both)
    alone = entropy(one, all - one) + entropy(other, all - other)
    return torch.where(joint > 1e-12, (alone - joint) / joint.clamp(min=1e-12), 0.0)


def _picture(model: Model, made: Dissection, codes: Tensor) -> Tensor:
    """For each class's best unit, samples where it is high: lit where it says its class."""
    first = {name: unit for unit, name, _ in reversed(made.best())}
    rows = []
    with watched(model.system, made.layer) as kept:
        images = model.decode(codes)
    maps = torch.cat(kept).float()
    for unit, name in [(unit, name) for unit, name, _ in made.best() if first[name] == unit][:SHOWN]:
        order = maps[:, unit].amax((1, 2)).argsort(descending=True)[:SHOWN]
        high = F.interpolate(maps[order, unit, None], images.shape[2:], mode="bilinear")
        lit = high > made.thresholds[unit, made.classes.index(name)]
        rows.append(torch.where(lit, images[order], images[order] * 0.3 - 0.7))
    return torch.cat(rows)
