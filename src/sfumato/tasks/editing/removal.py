"""Units that make a class of pixels appear: removing it from pictures by them, and painting it where it was not.

Bau et al., GAN Dissection, 2018, sections 3.2, 4.3 and 4.4 ("GANPaint"). https://arxiv.org/abs/1811.10597
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ...data.pictures import save_grid
from ...errors import UserError, nearest
from ...networks.pretrained.world_reader import WorldReader
from ..model import Model
from .codes import picture
from .dissect import SHOWN, Dissection, dissect, segmented
from .told import world_reader
from .units import changed, dropped, placed

FEWEST = 0.002  # share of pixels that a class must have before its units are looked for
FEW = 0.1  # weight of the squared shares of units, which keeps them few


@dataclass(frozen=True)
class Removal:
    """What zeroing some units did, judged on samples that they were not chosen by."""

    object: str
    layer: str
    units: tuple[int, ...]
    of: int  # units that the layer has
    removed: float  # the share of the class's pixels that is gone
    kept: float  # of the pixels of other classes, the share that are what they were
    before: dict[str, float]  # shares of all pixels by class
    after: dict[str, float]
    images: Tensor  # SHOWN samples with the object, and the same without
    path: Path | None = None

    def __str__(self) -> str:
        return (
            f"{len(self.units)} of {self.of} units of {self.layer} dropped: {self.removed:.1%} of {self.object} is "
            f"gone, {self.kept:.1%} of the rest is what it was"
        )


def remove(
    model: Model,
    dissection: Dissection,
    object: str,
    *,
    n: int = 128,
    steps: int = 30,
    seed: int = 1,
    world: str | None = None,
    out: str | Path | None = None,
) -> Removal:
    """Zero the units that make a class of pixels appear.

    Units are ordered by `effects`; how many are zeroed is chosen on one half of n samples and judged on the other.
    Writes a picture of samples before and after. Raises UserError if the class is unknown or hardly drawn.
    """
    reader = world_reader(model, world)
    target = _target(dissection, object)
    order = effects(model, dissection, object, steps=steps, seed=seed, world=world).argsort(descending=True).tolist()
    codes = model.prior(n, seed=seed)
    images = model.decode(codes)
    before = segmented(reader, images)
    half, best = n // 2, (0.0, 1)
    for k in sorted(
        {1, 2, 3, *(round(len(order) * share) for share in (0.06, 0.09, 0.13, 0.18, 0.25, 0.35, 0.5))} - {0}
    ):
        after = _without(model, reader, dissection.layer, order[:k], codes[:half])[1]
        best = max(best, (sum(_judged(before[:half], after, target)), k))
    units = tuple(order[: best[1]])
    changed_images, after = _without(model, reader, dissection.layer, units, codes[half:])
    removed, kept = _judged(before[half:], after, target)
    shown = (before[half:] == target).sum((1, 2)).argsort(descending=True)[:SHOWN]
    pair = torch.cat([images[half:][shown], changed_images[shown]])
    home = model.path if model.path and model.path.is_dir() else None
    name = "removal-" + re.sub(r"[^\w]+", "-", object) + ".png"
    path = Path(out) if out else home / name if home else None
    if path:
        save_grid(pair, path, columns=SHOWN)
    first, then = (_shares(seen, dissection.classes) for seen in (before[half:], after))
    return Removal(object, dissection.layer, units, len(order), removed, kept, first, then, pair, path)


def effects(
    model: Model, dissection: Dissection, object: str, *, steps: int = 30, seed: int = 0, world: str | None = None
) -> Tensor:
    """How much each unit makes a class appear, the α of eq. 6-8, in [0, 1]: (units,).

    Shares of units are drawn to 0 everywhere, and to the class's level within a random rectangle; that the reader sees
    the class there after the one but not after the other is made large by descent, which begins at the overlaps.
    """
    reader, target = world_reader(model, world), _target(dissection, object)
    system, level = model.system, dissection.levels[:, target]
    share = dissection.overlaps[:, target].clone().requires_grad_(True)
    optimizer = torch.optim.Adam([share], 0.05)
    draws = torch.Generator().manual_seed(seed)
    held = [p for p in system.parameters() if p.requires_grad]
    codes = model.prior(8 * steps, seed=seed + 1)
    for p in held:
        p.requires_grad_(False)
    try:
        with torch.enable_grad():
            for some in codes.split(8):
                side = reader.side * 3 // 8
                top, left = torch.randint(0, reader.side - side, (2,), generator=draws).tolist()
                place = torch.zeros(1, 1, reader.side, reader.side, device=model.device)
                place[..., top : top + side, left : left + side] = 1
                alone = _chance(model, reader, dissection.layer, some, share, torch.zeros_like(level), None, target)
                there = _chance(model, reader, dissection.layer, some, share, level, place, target)
                loss = alone / dissection.shares[target] - there + FEW * share.square().sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                with torch.no_grad():
                    share.clamp_(0, 1)
    finally:
        for p in held:
            p.requires_grad_(True)
    return share.detach()


def paint(
    model: Model, dissection: Dissection, object: str, code: Tensor, place: Tensor, *, units: Sequence[int]
) -> Tensor:
    """Pictures with a class painted where a map says so: codes z (b, z), (h, w) in [0, 1] -> (b, c, h, w).

    The units there are set to the level that they have where the class is seen.
    """
    level = dissection.levels[:, _target(dissection, object)]
    chosen = torch.zeros_like(level)
    chosen[list(units)] = 1

    def move(output: Tensor) -> Tensor:
        return placed(output, _smaller(place[None, None], output) * chosen[:, None, None], level)

    with changed(model.system, dissection.layer, move):
        return model.decode(code)


def disc(size: int, text: str, device: torch.device | str = "cpu") -> Tensor:
    """A place "x,y,radius" in sides of the picture as a map: (size, size), 1 inside. Raises UserError."""
    try:
        x, y, radius = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--at {text}: give x,y,radius in sides of the picture, as 0.3,0.6,0.15") from None
    axis = (torch.arange(size, device=device) + 0.5) / size
    found = ((axis - x).square() + (axis[:, None] - y).square() <= radius**2).float()
    if not found.any():
        raise UserError(f"--at {text}: there is no pixel within the radius")
    return found


def dissected(
    model: Model,
    *,
    layer: str | None = None,
    ablate: str | None = None,
    insert: str | None = None,
    at: str = "0.5,0.5,0.2",
    n: int = 256,
    seed: int = 0,
    world: str | None = None,
    out: Path,
) -> Iterator[str]:
    """Dissect a layer, and ablate or insert a class if asked: what there is to say, line by line. Raises UserError."""
    if model.oblong:
        raise UserError(f"dissect works on squares alone, and {model.name} draws {model.facts.shown} pixels")
    made = dissect(model, layer=layer, n=n, seed=seed, world=world, out=None if ablate or insert else out)
    place = disc(model.facts.size, at, model.device)
    yield f"{made.layer}: {len(made.overlaps)} units"
    for name, units in made.drawn().items():
        best = made.overlaps[units[0], made.classes.index(name)].item()
        numbers = " ".join(map(str, units[:10])) + (" …" if len(units) > 10 else "")
        yield f"{name:12}{len(units):4} units, overlap up to {best:.2f}: {numbers}"
    if ablate:
        removal = remove(model, made, ablate, n=max(16, n // 2), seed=seed + 1, world=world, out=out)
        yield str(removal)
    if insert:
        order = effects(model, made, insert, seed=seed + 1, world=world).argsort(descending=True)
        units = order[: max(1, len(order) * 3 // 10)].tolist()
        codes = model.prior(SHOWN, seed=seed + 1)
        before, after = model.decode(codes), paint(model, made, insert, codes, place, units=units)
        seen = [
            segmented(world_reader(model, world), images) == made.classes.index(insert) for images in (before, after)
        ]
        there = F.interpolate(place[None, None], seen[0].shape[1:])[0, 0] > 0
        shares = [s[:, there].float().mean().item() for s in seen]
        yield f"{insert} is {shares[0]:.1%} of the place before and {shares[1]:.1%} after, by {len(units)} units"
        save_grid(torch.cat([before, after]), out, columns=SHOWN)
    yield str(out)


def _chance(
    model: Model, reader: WorldReader, layer: str, codes: Tensor, share: Tensor, level: Tensor, place: Tensor | None,
    target: int,
) -> Tensor:  # fmt: skip
    """The mean chance that the reader gives a class, at a place or everywhere, with units drawn to a level there."""

    def move(output: Tensor) -> Tensor:
        there = output.new_ones(1, 1, *output.shape[2:]) if place is None else _smaller(place, output)
        return placed(output, there * share[:, None, None], level)

    with changed(model.system, layer, move):
        parts = reader.read(picture(model.system, codes, "z").clamp(-1, 1)).parts[:, target]
    return parts.mean() if place is None else (parts * place[0]).sum() / (place.sum() * len(codes))


def _smaller(place: Tensor, output: Tensor) -> Tensor:
    """A map of a place at the side of a layer: (1, 1, h, w) -> (1, 1, ·, ·)."""
    return F.interpolate(place, output.shape[2:], mode="bilinear", antialias=True)


def _target(dissection: Dissection, object: str) -> int:
    target = dissection.classes.index(nearest(object, dissection.classes, "class of pixels"))
    if dissection.shares[target] < FEWEST:
        raise UserError(f"{object} is {dissection.shares[target]:.2%} of what is drawn: too little to learn from")
    return target


def _without(
    model: Model, reader: WorldReader, layer: str, units: Sequence[int], codes: Tensor
) -> tuple[Tensor, Tensor]:
    with dropped(model.system, layer, units):
        images = model.decode(codes)
    return images, segmented(reader, images)


def _judged(before: Tensor, after: Tensor, target: int) -> tuple[float, float]:
    had = before == target
    removed = 1 - (after == target).sum().item() / max(1, had.sum().item())
    return removed, (after[~had] == before[~had]).float().mean().item()


def _shares(seen: Tensor, classes: Sequence[str]) -> dict[str, float]:
    counts = torch.bincount(seen.flatten(), minlength=len(classes)) / seen.numel()
    return dict(zip(classes, counts.tolist(), strict=True))
