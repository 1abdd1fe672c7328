"""How well scores agree with what people said: correlations, and the logistic curve between the two scales.

Sheikh, Sabir and Bovik 2006, "A statistical evaluation of recent full reference image quality assessment algorithms",
IEEE Transactions on Image Processing 15(11), section V; the procedure of the Video Quality Experts Group.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Agreement:
    """Of scores with opinions. The two of ranks keep their sign; the two of values are taken after the curve."""

    plcc: float  # Pearson's linear correlation
    srcc: float  # Spearman's rank correlation
    krcc: float  # Kendall's τ_b
    rmse: float  # in units of the opinions

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


def agreement(scores: Tensor, opinions: Tensor) -> Agreement:
    """All four: (n,), (n,) -> Agreement.

    Raises ValueError for fewer than six pairs, NaN, or values that are all equal.
    """
    if scores.shape != opinions.shape or scores.ndim != 1 or len(scores) < 6:
        raise ValueError(f"a curve of five parameters needs six pairs or more, not {len(scores)} and {len(opinions)}")
    scores, opinions = scores.double(), opinions.double()
    if not (scores.isfinite().all() and opinions.isfinite().all()):
        raise ValueError("a score or opinion is no finite number")
    if scores.min() == scores.max() or opinions.min() == opinions.max():
        raise ValueError("all are equal, so that nothing can agree")
    fitted = logistic(scores, opinions)
    rmse = (fitted - opinions).square().mean().sqrt().item()
    return Agreement(pearson(fitted, opinions), spearman(scores, opinions), kendall(scores, opinions), rmse)


def pearson(x: Tensor, y: Tensor) -> float:
    """Linear correlation: (n,), (n,) -> [-1, 1]."""
    x, y = x.double() - x.double().mean(), y.double() - y.double().mean()
    return ((x @ y) / (x.norm() * y.norm())).item()


def spearman(x: Tensor, y: Tensor) -> float:
    """Rank correlation, equal values sharing their mean rank: (n,), (n,) -> [-1, 1]."""
    return pearson(ranks(x), ranks(y))


def kendall(x: Tensor, y: Tensor) -> float:
    """τ_b: concordant pairs less discordant ones, over the pairs that are untied in each: (n,), (n,) -> [-1, 1]."""
    together = untied_x = untied_y = 0
    for i in range(0, len(x), 1024):  # so that n² signs never lie in memory
        a, b = (torch.sign(v[i : i + 1024, None] - v).to(torch.int8) for v in (x, y))
        together += int((a * b).sum(dtype=torch.int64))
        untied_x += int(a.abs().sum(dtype=torch.int64))
        untied_y += int(b.abs().sum(dtype=torch.int64))
    return together / (untied_x * untied_y) ** 0.5


def ranks(x: Tensor) -> Tensor:
    """Ranks from 1 for the least, equal values sharing their mean: (n,) -> (n,) float64."""
    _, group, sizes = x.unique(sorted=True, return_inverse=True, return_counts=True)
    last = sizes.cumsum(0).double()
    return (last - (sizes - 1) / 2)[group]


def logistic(scores: Tensor, opinions: Tensor) -> Tensor:
    """Scores on the scale of opinions, by the curve that fits best: (n,), (n,) -> (n,) float64.

    β1 (1/2 - 1 / (1 + exp(β2 (x - β3)))) + β4 x + β5, least squares. Given β2 and β3 the others are linear, so that a
    search over two numbers, ever finer around the best, replaces a descent that depends on where it starts.
    """
    x = (scores.double() - scores.double().mean()) / scores.double().std()
    y = opinions.double()
    steepness, place = torch.linspace(-3, 5, 17).double(), torch.quantile(x, torch.linspace(0, 1, 17).double())
    width = torch.stack([torch.tensor(0.5).double(), (x.max() - x.min()) / 16])
    least, best = torch.inf, (torch.zeros(2).double(), y)
    for _ in range(12):
        for curves in torch.cartesian_prod(steepness, place).split(max(1, 1_000_000 // len(x))):
            fitted = _linear_part(x, y, curves)
            errors = (fitted - y).square().sum(1)
            if errors.min() < least:
                least, i = errors.min().item(), errors.argmin()
                best = curves[i], fitted[i]
        steepness, place = (best[0][:, None] + width[:, None] * torch.linspace(-1, 1, 7).double()).unbind(0)
        width = width / 2.5
    return best[1]


def _linear_part(x: Tensor, y: Tensor, curves: Tensor) -> Tensor:
    """The best fits for k pairs of log₂ β2 and β3: (n,), (n,), (k, 2) -> (k, n)."""
    steepness, place = curves[:, :1].exp2(), curves[:, 1:]
    columns = torch.sigmoid(steepness * (x - place)) - 0.5
    basis = torch.linalg.qr(torch.stack([columns, x.expand_as(columns), torch.ones_like(columns)], 2)).Q
    return (basis @ (basis.mT @ y)[..., None])[..., 0]
