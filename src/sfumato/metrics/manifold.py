"""Kynkäänniemi et al. 2019, "Improved precision and recall metric for assessing generative models"."""

from typing import ClassVar

import torch
from torch import Tensor

from .base import Better, OfFeatures


def precision_recall(real: Tensor, fake: Tensor, k: int = 3, chunk: int = 1024) -> tuple[float, float]:
    """Share of fakes near a real picture, and of reals near a fake: (n, d), (m, d), each in [0, 1].

    Near: within the distance of that picture to its kth neighbour in its own set (eq. 1 and 2). Distances are taken
    `chunk` rows at a time. Raises ValueError unless both sets have more than k pictures.
    """
    if min(len(real), len(fake)) <= k:
        raise ValueError(f"precision and recall with k = {k} need more than {k} pictures in each set")
    centre = real.double().mean(0)  # distances through products lose least around the origin
    real, fake = (real - centre).float(), (fake - centre).float()
    return _covered(fake, real, k, chunk), _covered(real, fake, k, chunk)


def _covered(queries: Tensor, support: Tensor, k: int, chunk: int) -> float:
    """Share of the queries that lie in the ball of any support point."""
    radii = _radii(support, k, chunk)
    inside = [(_distances(part, support) <= radii).any(1) for part in queries.split(chunk)]
    return torch.cat(inside).double().mean().item()


def _radii(points: Tensor, k: int, chunk: int) -> Tensor:
    """Squared distance of each point to its kth neighbour other than itself: (n, d) -> (n,)."""
    found = []
    for i, part in enumerate(points.split(chunk)):
        distances = _distances(part, points)
        own = torch.arange(len(part))
        distances[own, own + i * chunk] = torch.inf
        found.append(distances.kthvalue(k, dim=1).values)
    return torch.cat(found)


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared Euclidean distances: (n, d), (m, d) -> (n, m)."""
    products = torch.addmm(b.square().sum(1), a, b.T, alpha=-2)
    return products.add_(a.square().sum(1, keepdim=True)).clamp_(min=0)


class PrecisionRecall(OfFeatures):
    """Precision and recall of features, k = 3."""

    name: ClassVar[str] = "precision-recall"
    better: ClassVar[Better] = "higher"

    def compute(self) -> dict[str, float]:
        """ "precision" and "recall"."""
        precision, recall = precision_recall(self.rows[True].tensor(), self.rows[False].tensor())
        return {"precision": precision, "recall": recall}
