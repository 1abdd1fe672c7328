"""Running mean and covariance of features."""

import torch
from torch import Tensor


class Moments:
    """Count, mean and covariance of rows that come in parts.

    Up to d rows are kept as they are, since n rows say as much as their d × d covariance, in less. Beyond that they
    are folded in, d and more at a time, about their own mean (Chan et al. 1979, "Updating formulae and a pairwise
    algorithm for computing sample variances", eq. 2.1). All of it in float64: float32 products save little beside
    the network that makes the features, and put the distance of singular covariances off by 1e-4.
    """

    def __init__(self) -> None:
        self.n = 0
        self._rows: list[Tensor] = []  # float32, not folded in yet
        self._folded = 0  # rows that are
        self._mean = torch.zeros(0, dtype=torch.float64)  # (d,)
        self._scatter = torch.zeros(0, dtype=torch.float64)  # (d, d), sum of outer products about the mean

    def update(self, features: Tensor) -> None:
        """Take in rows: (b, d). Raises ValueError if any is not finite."""
        if not features.isfinite().all():
            raise ValueError("the features hold NaN or infinity")
        if len(features) == 0:
            return
        self.n += len(features)
        self._rows.append(features.detach().float().cpu())
        if sum(map(len, self._rows)) > features.shape[1]:
            self._fold()

    def merge(self, other: "Moments") -> None:
        """Take in what another has seen."""
        if other._folded:
            self._fold()
            self._combine(other._folded, other._mean, other._scatter)
            self.n += other._folded
        for rows in other._rows:
            self.update(rows)

    @property
    def few(self) -> bool:
        """Whether there are at most d rows, so that the covariance is singular and `centred` is at hand."""
        return self._folded == 0

    @property
    def mean(self) -> Tensor:
        """(d,) float64."""
        if self.few:
            return torch.cat(self._rows).double().mean(0)
        self._fold()
        return self._mean

    @property
    def covariance(self) -> Tensor:
        """(d, d) float64, divided by n - 1."""
        if self.few:
            centred = self.centred()
            return centred.T @ centred / (self.n - 1)
        self._fold()
        return self._scatter / (self.n - 1)

    def centred(self) -> Tensor:
        """The rows less their mean, while they are few: (n, d) float64."""
        rows = torch.cat(self._rows).double()
        return rows - rows.mean(0)

    def _fold(self) -> None:
        """From rows to sums."""
        if self._rows:
            rows = torch.cat(self._rows).double()
            self._rows = []
            mean = rows.mean(0)
            rows -= mean
            self._combine(len(rows), mean, rows.T @ rows)

    def _combine(self, n: int, mean: Tensor, scatter: Tensor) -> None:
        if self._folded == 0:
            self._folded, self._mean, self._scatter = n, mean.clone(), scatter.clone()
            return
        apart, total = mean - self._mean, self._folded + n
        self._scatter += scatter + torch.outer(apart, apart) * (self._folded * n / total)
        self._mean += apart * (n / total)
        self._folded = total
