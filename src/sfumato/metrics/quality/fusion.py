"""One score from several measures without any opinion: aggregation of ranks.

Ye, Kumar and Doermann 2014, "Beyond human opinion scores: blind image quality assessment based on synthetic scores",
section 3. Reciprocal rank fusion: Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet and
individual rank learning methods". Athar and Wang 2019, "A comprehensive performance evaluation of image quality
assessment algorithms", found such fusions ahead of every single measure and call them RAS.
"""

import torch
from torch import Tensor


def reciprocal_rank(scores: Tensor, k: float = 60) -> Tensor:
    """Σ 1 / (k + rank) over measures, more for better pictures: (n, m), higher is better in each column, -> (n,).

    The best picture of a measure has rank 1. Equal scores share the mean of what their places would earn.
    """
    n = len(scores)
    earned = 1 / (k + torch.arange(n, 0, -1, dtype=torch.float64, device=scores.device))  # by place from the worst
    total = torch.zeros(n, dtype=torch.float64, device=scores.device)
    for column in scores.unbind(1):
        _, group, sizes = column.unique(sorted=True, return_inverse=True, return_counts=True)
        shares = torch.zeros(len(sizes), dtype=torch.float64, device=scores.device)
        order = group.argsort()
        shares.index_add_(0, group[order], earned)
        total += (shares / sizes)[group]
    return total


def rank_adjusted(base: Tensor, order: Tensor, weight: float = 4.0) -> Tensor:
    """Scores of one measure moved towards an order, so that both agree: (n,), (n,), higher is better, -> (n,).

    Each gains λ / 2 for every picture that the order has below it and loses as much for every one above; λ is `weight`
    times the scores' range over n. The synthetic score of Ye et al. takes the order from `reciprocal_rank`.
    """
    below = torch.searchsorted(order.sort().values, order, side="left")
    above = len(order) - torch.searchsorted(order.sort().values, order, side="right")
    step = weight * (base.max() - base.min()) / len(base)
    return base.double() + step / 2 * (below - above)


def ras(scores: Tensor, base: int = 0, k: float = 60, weight: float = 4.0) -> Tensor:
    """The rank-aggregated score: one measure's scores adjusted to the fused ranks of all: (n, m) -> (n,).

    Higher is better in each column and in the result; `base` is the column whose scale is kept.
    """
    return rank_adjusted(scores[:, base], reciprocal_rank(scores, k), weight)
