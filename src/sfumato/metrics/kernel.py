"""The kernel distance (KID) of Bińkowski et al. 2018, "Demystifying MMD GANs", section 4."""

from typing import ClassVar

import torch
from torch import Tensor

from .base import Better, OfFeatures


def kernel_distance(
    real: Tensor, fake: Tensor, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Mean and standard deviation over random subsets of the unbiased squared MMD: (n, d), (m, d).

    Kernel (x·y / d + 1)³. Unlike the Fréchet distance it has no bias for few pictures; it may be below zero.
    Subsets have `subset_size` pictures or as many as the smaller set. Raises ValueError for fewer than two.
    """
    size = min(subset_size, len(real), len(fake))
    if size < 2:
        raise ValueError(f"the kernel distance needs two pictures or more, not {size}")
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(subsets):
        x = real[torch.randperm(len(real), generator=generator)[:size]].float()
        y = fake[torch.randperm(len(fake), generator=generator)[:size]].float()
        values.append(_mmd(x, y))
    found = torch.stack(values)
    return found.mean().item(), found.std(correction=0).item()


def _mmd(x: Tensor, y: Tensor) -> Tensor:
    """Unbiased squared MMD of two sets of one size: (n, d), (n, d) -> ()."""
    n, d = x.shape

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T).double().div_(d).add_(1).pow_(3)

    xx, yy, xy = kernel(x, x), kernel(y, y), kernel(x, y)
    within = (xx.sum() - xx.trace() + yy.sum() - yy.trace()) / (n * (n - 1))
    return within - 2 * xy.mean()


class Kernel(OfFeatures):
    """Kernel distance of features."""

    name: ClassVar[str] = "kernel"
    better: ClassVar[Better] = "lower"

    def compute(self) -> dict[str, float]:
        """ "kernel" and its deviation over subsets."""
        mean, std = kernel_distance(self.rows[True].tensor(), self.rows[False].tensor())
        return {"kernel": mean, "kernel std": std}
