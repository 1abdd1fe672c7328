"""How well factors, parts and people are read, as pure functions of what was read and of the truth."""

from collections.abc import Mapping

import torch
from torch import Tensor

UNKNOWN = 255  # in a map of classes: nobody said what this is


def factor_scores(found: Mapping[str, Tensor], truth: Mapping[str, Tensor]) -> dict[str, float]:
    """The share of each class read rightly and R² of each number, for the factors that both know, of what can be seen.

    A class is found as probabilities (b, k) and true as int64 (b,), −1 where it can't be seen; a number is found and
    true as float (b, …), NaN where it can't be seen. R² is 1 − the mean squared error over the variance of the truth:
    1 is perfect, 0 no better than the mean. NaN where nothing can be seen, or every number is the same.
    """
    return {
        name: _right(found[name], truth[name]) if not truth[name].is_floating_point() else _r2(found[name], truth[name])
        for name in found
        if name in truth
    }


def _right(probabilities: Tensor, truth: Tensor) -> float:
    return (probabilities.argmax(1) == truth)[truth >= 0].double().mean().item()


def _r2(found: Tensor, truth: Tensor) -> float:
    seen = ~truth.isnan()
    x, y = found[seen].double(), truth[seen].double()
    spread = (y - y.mean()).square().mean()
    return (1 - (x - y).square().mean() / spread).item() if spread > 0 else float("nan")


def confusion(found: Tensor, truth: Tensor, k: int) -> Tensor:
    """How many pixels of each true class were read as each: integers (…), (…) below k -> (k, k) int64, to be added up.

    Pixels whose truth is 255 don't count.
    """
    known = truth != UNKNOWN
    pairs = truth[known].long() * k + found[known].long()
    return torch.bincount(pairs, minlength=k * k).view(k, k)


def overlaps(counts: Tensor) -> Tensor:
    """Intersection over union of each class from its confusion: (k, k) -> (k,) float64, NaN where there is none of it.

    Everingham et al. 2015, "The Pascal visual object classes challenge: a retrospective", section 3.2.
    """
    both = counts.diag().double()
    of_either = counts.sum(0) + counts.sum(1) - both
    return torch.where(counts.sum(1) > 0, both / of_either, torch.nan)


def verification(vectors: Tensor, who: Tensor) -> dict[str, float]:
    """Whether two pictures show the same one, told from the distance of their vectors (b, i), by all pairs of them.

    "equal error rate" is where as many of the same are refused as of the others taken; "accuracy" the best that one
    threshold reaches when both are equally frequent; "threshold" that one. Raises ValueError without both kinds.
    """
    distance = torch.cdist(vectors.double(), vectors.double(), compute_mode="donot_use_mm_for_euclid_dist")
    pairs = torch.ones_like(distance, dtype=torch.bool).triu(1)
    same = (who[:, None] == who)[pairs]
    if same.all() or not same.any():
        raise ValueError("verification needs pairs of the same and pairs of others")
    found, order = distance[pairs].sort()
    start = torch.zeros(1, dtype=torch.double)
    taken = torch.cat([start, same[order].double().cumsum(0) / same.sum()])  # of the same, up to each distance
    wrong = torch.cat([start, (~same[order]).double().cumsum(0) / (~same).sum()])
    excess = taken + wrong - 1  # of what is wrongly taken over what is refused
    after = int((excess >= 0).double().argmax())
    share = excess[after - 1] / (excess[after - 1] - excess[after])
    best = (taken - wrong)[1:].argmax()
    return {
        "equal error rate": (wrong[after - 1] + share * (wrong[after] - wrong[after - 1])).item(),
        "accuracy": ((taken[1:][best] + 1 - wrong[1:][best]) / 2).item(),
        "threshold": found[best].item(),
    }


def separation(own: Tensor, others: Tensor) -> float:
    """The area under the curve of the receiver: how often one's own score beats another's, ties by half."""
    order = torch.cat([own, others]).double()
    _, place, count = order.unique(return_inverse=True, return_counts=True)
    ranks = (count.cumsum(0) - (count - 1) / 2)[place]  # the mean rank of ties, from 1
    n, m = len(own), len(others)
    return ((ranks[:n].sum() - n * (n + 1) / 2) / (n * m)).item()
