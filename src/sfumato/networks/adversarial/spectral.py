"""Spectral normalisation that survives averaged weights: what it needs is worked out from the weights at hand.

Miyato et al., Spectral Normalization for GANs, 2018, algorithm 1. https://arxiv.org/abs/1802.05957
PyTorch's own keeps both singular vectors and trusts them outside of training. A moving average of a network's state
averages them apart; here one is kept, and the other and its length are made anew each time.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization


class Spectral(nn.Module):
    """Weights divided by their largest singular value, rows being outputs; a step of power iteration in training."""

    u: Tensor

    def __init__(self, weight: Tensor, steps: int = 15) -> None:
        super().__init__()
        self.register_buffer("u", F.normalize(torch.randn(len(weight)), dim=0))
        for _ in range(steps):
            self.u.copy_(self.vectors(weight.detach().flatten(1))[0])

    def vectors(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The singular vectors after one more step: (m, n) -> (m,), (n,)."""
        v = F.normalize(rows.T @ self.u, dim=0)
        return F.normalize(rows @ v, dim=0), v

    def forward(self, weight: Tensor) -> Tensor:
        """The same shape, float32 whatever the autocast around it."""
        with torch.autocast(weight.device.type, enabled=False):
            rows = weight.flatten(1)
            with torch.no_grad():
                u, v = self.vectors(rows)
                if self.training:
                    self.u.copy_(u)
            return weight / (u @ (rows @ v)).clamp(min=1e-6)


def spectral(layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
    """The layer with weights of spectral norm one."""
    register_parametrization(layer, "weight", Spectral(layer.weight), unsafe=True)  # runs nothing: "meta" will do
    return layer
