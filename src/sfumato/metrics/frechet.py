"""The Fréchet distance between two Gaussians fitted to features.

Dowson and Landau 1982, "The Fréchet distance between multivariate normal distributions". As a measure of generated
pictures: Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash equilibrium",
section 3, "Performance measure".
"""

from typing import ClassVar

import torch
from torch import Tensor

from ..networks.pretrained import Observed
from .base import Better, Metric
from .moments import Moments


def frechet_distance(real: Moments | Tensor, fake: Moments | Tensor) -> float:
    """Squared distance of the means plus that of the covariances, of moments or of rows of features (n, d).

    |μ - ν|² + tr Σ + tr Τ - 2 tr (Σ Τ)^½. The last trace is the sum of the singular values of A Bᵀ for any
    factors Σ = Aᵀ A, Τ = Bᵀ B, so that n < d rows cost n × n and no matrix square root is taken.
    Raises ValueError for fewer than two rows or values that are not finite.
    """
    real, fake = _moments(real), _moments(fake)
    means = (real.mean - fake.mean).square().sum()
    if real.few or fake.few:
        a, b = _factor(real), _factor(fake)
        distance = means + a.square().sum() + b.square().sum() - 2 * torch.linalg.svdvals(a @ b.T).sum()
    else:
        s, t = real.covariance, fake.covariance
        distance = means + s.trace() + t.trace() - 2 * _root_trace(s, t)
    return max(distance.item(), 0.0)  # rounding may leave -1e-12 between equal sets


def _moments(features: Moments | Tensor) -> Moments:
    if isinstance(features, Tensor):
        rows, features = features, Moments()
        features.update(rows)
    if features.n < 2:
        raise ValueError(f"a covariance needs two pictures or more, not {features.n}")
    return features


def _factor(moments: Moments) -> Tensor:
    """A with Aᵀ A the covariance: (n or d, d)."""
    if moments.few:
        return moments.centred() / (moments.n - 1) ** 0.5
    return _root(moments.covariance)


def _root(covariance: Tensor) -> Tensor:
    """Its Cholesky factor if it has one, else one from its eigenvectors: A with Aᵀ A = covariance, (d, d)."""
    lower, info = torch.linalg.cholesky_ex(covariance)
    if info == 0:
        return lower.T
    values, vectors = torch.linalg.eigh(covariance)
    return values.clamp(min=0).sqrt()[:, None] * vectors.T


def _root_trace(s: Tensor, t: Tensor) -> Tensor:
    """tr (S T)^½, from the eigenvalues of A T Aᵀ with S = Aᵀ A."""
    a = _root(s)
    return torch.linalg.eigvalsh(a @ t @ a.T).clamp(min=0).sqrt().sum()


class Frechet(Metric):
    """Fréchet distance of features."""

    name: ClassVar[str] = "frechet"
    better: ClassVar[Better] = "lower"
    needs: ClassVar[tuple[str, ...]] = ("features",)

    def __init__(self) -> None:
        self.moments = {True: Moments(), False: Moments()}

    def update(self, observed: Observed, real: bool) -> None:
        """Take in a batch."""
        self.moments[real].update(observed.features)

    def compute(self) -> dict[str, float]:
        """ "frechet", squared units of the features."""
        return {"frechet": frechet_distance(self.moments[True], self.moments[False])}
