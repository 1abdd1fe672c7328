"""Moving in the latent space of a generator: walks, arithmetic, and the direction that changes one thing.

Radford, Metz & Chintala, Unsupervised Representation Learning with DCGANs, 2015, sections 6.1 and 6.3.2.
https://arxiv.org/abs/1511.06434
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..data.pictures import save_grid
from ..errors import UserError, nearest
from ..evaluation import observe
from ..networks.pretrained import Extractor
from .evaluate import reader
from .factors import FACTORS
from .model import Model

POOL = 1024  # samples among which those of a class, or with most and least of a factor, are looked for
EXEMPLARS = 3  # codes that are averaged in arithmetic; single ones were unstable (section 6.3.2)


@dataclass(frozen=True)
class Picture:
    """What a verb made: images (rows * columns, c, h, w), the codes behind them, figures, and the file if any."""

    images: Tensor
    codes: Tensor
    columns: int
    figures: dict[str, float]
    path: Path | None = None


def interpolate(
    model: Model, n: int = 8, *, columns: int = 10, seed: int = 0, out: str | Path | None = None
) -> Picture:
    """Rows of images between two samples each, on a straight line between their codes (figure 4)."""
    ends = model.prior(2 * n, seed=seed)
    along = torch.linspace(0, 1, columns, device=ends.device)
    codes = torch.cat([torch.lerp(a, b, along[:, None]) for a, b in ends.view(n, 2, -1)])
    return _kept(model, codes, columns, {}, out, f"interpolation-seed{seed}.png")


def arithmetic(
    model: Model, expression: str, *, seed: int = 0, extractor: str | None = None, out: str | Path | None = None
) -> Picture:
    """Sums and differences of mean codes, as 'man with glasses - man + woman' (figure 7).

    Terms are classes of the extractor ("3", "red circle") or numbers of samples ("3,7,9"), each the mean of
    their codes. The picture has a row for each term (its exemplars, then the image of their mean code) and last a
    row of the result with uniform noise of ±0.25 around it. `figures` has the probability of each class named.
    """
    terms = _terms(expression)
    codes = model.prior(POOL, seed=seed)
    look = None if all(_numbers(t) for _, t in terms) else reader(model, extractor)
    seen = None if look is None else _probabilities(look, model.decode(codes))
    rows, total = [], torch.zeros_like(codes[0])
    for sign, text in terms:
        chosen = _numbers(text)
        if chosen is None:
            assert look is not None and seen is not None
            chosen = seen[:, look.classes.index(nearest(text, look.classes, "class"))].topk(EXEMPLARS).indices.tolist()
        if max(chosen) >= POOL:
            raise UserError(
                f"{text}: samples are numbered 0 to {POOL - 1} (as `sfumato sample --seed {seed}` draws them)"
            )
        mean = codes[chosen].mean(0)
        total = total + sign * mean
        rows.append(torch.stack([*codes[chosen[:EXEMPLARS]], *[mean] * (EXEMPLARS + 1 - len(chosen[:EXEMPLARS]))]))
    spread = torch.rand(EXEMPLARS, len(total), generator=torch.Generator().manual_seed(seed)).to(total.device) - 0.5
    rows.append(torch.cat([total[None], total + 0.5 * spread]))
    figures = {}
    if look is not None:
        result = _probabilities(look, model.decode(total[None]))[0]
        figures = {f"P({c})": p for c, p in zip(look.classes, result.tolist(), strict=True) if p > 0.05}
    name = "arithmetic-" + re.sub(r"[^\w]+", "-", expression) + ".png"
    return _kept(model, torch.cat(rows), EXEMPLARS + 1, figures, out, name)


def turn(
    model: Model,
    factor: str,
    *,
    n: int = 8,
    columns: int = 9,
    seed: int = 0,
    extractor: str | None = None,
    out: str | Path | None = None,
) -> Picture:
    """Samples moved along the direction that changes one factor: the "turn" vector (figure 8).

    The direction is the difference of the mean codes of the samples with most and with least of the factor, which
    is one measured from the pixels ("x", "y", "area", "lightness", "slant", "saturation") or two classes of the
    extractor, "A:B". `figures` tells how the factor moves along it: the share of rows where the end has more of it
    than the start, and the mean rank correlation of factor and position.
    """
    codes = model.prior(POOL, seed=seed)
    measure = _factor(model, factor, extractor)
    values = measure(model.decode(codes))
    usable = values.isfinite()
    order = values.masked_fill(~usable, values[usable].median() if usable.any() else 0).argsort()
    few = POOL // 10
    direction = codes[order[-few:]].mean(0) - codes[order[:few]].mean(0)
    if not usable.any() or not direction.norm() > 0:
        raise UserError(f"the samples do not differ in {factor}")
    starts = model.prior(max(n, 64), seed=seed + 1)
    along = torch.linspace(-1, 1, columns, device=codes.device)
    length = direction.norm()
    scale = (starts.norm(dim=1).mean() / length).clamp(max=2)  # as far as a sample is from the middle
    centred = starts - (starts @ direction / length**2)[:, None] * direction
    moved = centred[:, None] + (along * scale)[:, None] * direction
    path = measure(model.decode(moved.flatten(0, 1))).view(len(starts), columns)
    return _kept(
        model, moved[:n].flatten(0, 1), columns, _figures(path, along), out, f"turn-{factor.replace(':', '-')}.png"
    )


def _figures(path: Tensor, along: Tensor) -> dict[str, float]:
    """How a factor follows the position: (rows, columns)."""
    path = path[path.isfinite().all(1)]
    ranks = path.argsort(1).argsort(1).float()
    place = torch.arange(len(along), device=path.device).float()
    correlation = torch.corrcoef(torch.cat([place[None], ranks]))[0, 1:]
    return {
        "rises in": (path[:, -1] > path[:, 0]).float().mean().item(),
        "rank correlation": correlation.nanmean().item(),
        "from": path[:, 0].mean().item(),
        "to": path[:, -1].mean().item(),
    }


def _factor(model: Model, factor: str, extractor: str | None) -> Callable[[Tensor], Tensor]:
    """A function from images to how much of the factor is in them: (b, c, h, w) -> (b,)."""
    if ":" not in factor:
        return FACTORS[nearest(factor, FACTORS, "factor")]
    look = reader(model, extractor)
    less, more = (look.classes.index(nearest(c.strip(), look.classes, "class")) for c in factor.split(":", 1))

    def odds(images: Tensor) -> Tensor:
        p = _probabilities(look, images)
        return p[:, more] - p[:, less]

    return odds


def _probabilities(look: Extractor, images: Tensor) -> Tensor:
    p = observe(images, look).probabilities
    if p is None:
        raise UserError("this extractor names no classes; give --extractor reader:digits or reader:shapes")
    return p.clone()


def _terms(expression: str) -> list[tuple[float, str]]:
    """ "a - b + c" as signed terms."""
    parts = re.split(r"\s+([+-])\s+", expression.strip())
    terms = [(1.0, parts[0])] + [(1.0 if s == "+" else -1.0, t) for s, t in zip(parts[1::2], parts[2::2], strict=True)]
    if not all(t for _, t in terms):
        raise UserError(
            f"{expression!r} is no sum; write 'red circle - blue circle + blue square', with spaces around signs"
        )
    return terms


def _numbers(text: str) -> list[int] | None:
    """ "3,7,9" as numbers of samples; a single number is one only with a comma behind it ("3,")."""
    return (
        [int(t) for t in text.split(",") if t.strip()]
        if re.fullmatch(r"\d+(\s*,\s*\d+)*\s*,?", text) and "," in text
        else None
    )


def _kept(
    model: Model, codes: Tensor, columns: int, figures: dict[str, float], out: str | Path | None, name: str
) -> Picture:
    images = model.decode(codes)
    home = model.path if model.path and model.path.is_dir() else None
    path = Path(out) if out else home / name if home else None
    if path:
        save_grid(images, path, columns=columns)
    return Picture(images, codes, columns, figures, path)
