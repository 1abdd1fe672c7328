"""3×3 convolutions by minimal filtering: a quarter of the multiplications, in matrix products.

Lavin & Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, section 4.3, F(4×4, 3×3).
https://arxiv.org/abs/1509.09308
Here the points are 0, ±2/3, ±3/2 and infinity, whose error is that of a convolution; the paper's give five times more.
"""

from functools import lru_cache
from math import prod, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_POINTS = (0.0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)
_TILE = 4  # pixels of the result that 6 of the picture give


def winograd(x: Tensor, weight: Tensor) -> Tensor:
    """What `conv2d` gives without padding: (b, n, h + 2, w + 2), (m, n, 3, 3) -> (b, m, h, w), differentiable."""
    b, n = x.shape[:2]
    h, w = x.shape[-2] - 2, x.shape[-1] - 2
    if h % _TILE or w % _TILE:
        x = F.pad(x, (0, -w % _TILE, 0, -h % _TILE))
    into, kernel, out = (t.to(x) for t in _transforms())
    tiles = x.unfold(2, 6, _TILE).unfold(3, 6, _TILE)  # (b, n, rows, columns, 6, 6), a view
    rows, columns = tiles.shape[2:4]
    seen = into @ tiles.permute(4, 5, 1, 0, 2, 3).reshape(36, -1)
    known = kernel @ weight.permute(2, 3, 0, 1).reshape(9, -1)
    product = known.view(36, -1, n) @ seen.view(36, n, -1)
    made = (out @ product.view(36, -1)).view(_TILE, _TILE, -1, b, rows, columns)
    return made.permute(3, 2, 4, 0, 5, 1).reshape(b, -1, _TILE * rows, _TILE * columns)[..., :h, :w]


@lru_cache(maxsize=1)
def _transforms() -> tuple[Tensor, Tensor, Tensor]:
    """Of 6×6 pixels, of 3×3 weights, and back to 4×4 pixels: (36, 36), (36, 9), (16, 36), float64.

    In one direction, with points a and N_i = Π (a_i - a_j), j ≠ i: weights become Σ w_k a_i^k / N_i, their products
    with pixels y = Σ p_i a_i^j, and pixels are weighted by the coefficients of Π (x - a_j), j ≠ i.
    """
    into, kernel, out = (torch.zeros(shape, dtype=torch.float64) for shape in ((6, 6), (6, 3), (_TILE, 6)))
    for i, a in enumerate(_POINTS):
        others = _POINTS[:i] + _POINTS[i + 1 :]
        polynomial = _coefficients(others)
        scale = sqrt(prod(a - o for o in others) ** 2) ** 0.5  # shared by both, so that neither is much larger
        into[i, :5] = polynomial / scale
        kernel[i] = torch.tensor([a**k for k in range(3)], dtype=torch.float64) * scale / prod(a - o for o in others)
        out[:, i] = torch.tensor([a**j for j in range(_TILE)], dtype=torch.float64)
    into[5], kernel[5, 2], out[-1, 5] = _coefficients(_POINTS), 1, 1  # infinity
    return torch.kron(into, into), torch.kron(kernel, kernel), torch.kron(out, out)


def _coefficients(roots: tuple[float, ...]) -> Tensor:
    """Of Π (x - root), the constant first."""
    found = torch.ones(1, dtype=torch.float64)
    for root in roots:
        found = F.pad(found, (1, 0)) - root * F.pad(found, (0, 1))
    return found


class Conv3x3(nn.Conv2d):
    """A 3×3 convolution without padding or bias, in the way that is quickest: (b, n, h + 2, w + 2) -> (b, m, h, w).

    On a CPU in float32 that is `winograd` where both channels and places are many.
    """

    def __init__(self, n: int, m: int) -> None:
        super().__init__(n, m, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        many = min(self.weight.shape[:2]) >= 128 and x[:, 0].numel() >= 4096
        if many and x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu"):
            return winograd(x, self.weight)
        return super().forward(x)
