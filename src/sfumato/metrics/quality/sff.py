"""Sparse feature fidelity.

Chang, Yang, Gan and Wang 2013, "Sparse feature fidelity for perceptual image quality assessment", IEEE Transactions on
Image Processing 22(10). Features are learnt by FastICA: Hyvärinen 1999, "Fast and robust fixed-point algorithms for
independent component analysis", IEEE Transactions on Neural Networks 10(3).
"""

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from .models import arrays
from .pixels import scaled

PATCH, FEATURES = 8, 8
SHIPPED = Path(__file__).with_name("sff.safetensors")
LUMINANCE = 0.8  # its share in the score, λ
VISIBLE = 0.4  # of the mean response: below it no feature is seen, Tv
STEADY_FEATURES, STEADY_MEANS = 0.08, 0.001  # constants that keep quotients steady


def sff(reference: Tensor, image: Tensor, detector: Tensor | None = None) -> Tensor:
    """Fidelity of sparse features and of means, of patches that differ most: (b, 1 | 3, h, w) in [-1, 1] -> (b,).

    `detector`, (8, 192), maps a patch of 8×8 RGB in [0, 255] to features; a shipped one, learnt from the Kodak
    photographs, if not given. Values of two detectors aren't comparable. 1 for equal pictures. In float64. Patches
    don't overlap, and as in the authors' code the last whole one of a line is left out where it ends the line.
    Raises ValueError below 9 pixels.
    """
    if min(reference.shape[-2:]) <= PATCH:
        raise ValueError(f"patches of 8×8 need 9 pixels or more, not {reference.shape[-1]}×{reference.shape[-2]}")
    W = (shipped_detector() if detector is None else detector).to(reference.device, torch.float64)
    x, y = (patches(scaled(v.double())) for v in (reference, image))
    return torch.stack([_fidelity(*pair, W) for pair in zip(x, y, strict=True)])


def patches(images: Tensor) -> Tensor:
    """Patches as rows, plane by plane and column by column: (b, 1 | 3, h, w) -> (b, n, 192)."""
    h, w = ((side - 1) // PATCH * PATCH for side in images.shape[-2:])
    images = images.expand(-1, 3, -1, -1)[..., :h, :w]
    return F.unfold(images.mT, PATCH, stride=PATCH).mT


def _fidelity(x: Tensor, y: Tensor, W: Tensor) -> Tensor:
    """Equations 6 to 12 for the patches of one picture: (n, 192) twice -> ()."""
    mean_x, mean_y = x.mean(1), y.mean(1)
    x, y = x - mean_x[:, None], y - mean_y[:, None]
    worse = _upper_half((x - y).abs().mean(1))
    a, b = x[worse] @ W.T, y[worse] @ W.T
    response = a.square().sum(1)
    seen = response > VISIBLE * response.mean()
    seen = seen if seen.any() else torch.ones_like(seen)
    a, b = a[seen], b[seen]
    features = ((2 * a * b + STEADY_FEATURES) / (a.square() + b.square() + STEADY_FEATURES)).mean()
    worse = _upper_half((mean_x - mean_y).abs())
    p, q = (v[worse] - v[worse].mean() for v in (mean_x, mean_y))
    means = ((p * q).sum() + STEADY_MEANS) / ((p.square().sum() * q.square().sum()).sqrt() + STEADY_MEANS)
    return LUMINANCE * means + (1 - LUMINANCE) * features


def _upper_half(values: Tensor) -> Tensor:
    """Whether each is at the median or above; a median between two is their mean."""
    ordered = values.sort().values
    return values >= (ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2


@lru_cache
def shipped_detector() -> Tensor:
    """The detector learnt from the Kodak photographs: (8, 192) float64."""
    return load_detector(SHIPPED)


def load_detector(source: str | Path) -> Tensor:
    """A detector from a path or URL of .safetensors, .npz or .mat (the authors' `W.mat`). Raises UserError."""
    return arrays(source, {"W": (FEATURES, 3 * PATCH**2)})["W"]


def learn_detector(rows: Tensor, seed: int = 0, iterations: int = 2000) -> Tensor:
    """A detector from patches by FastICA, section III-A: (n, 192) in [0, 255] -> (8, 192) float64.

    Patches lose their mean, are whitened and kept in the 8 directions of the greatest variance, in which the fixed
    point with the nonlinearity tanh and symmetric orthogonalisation finds independent components.
    Raises ValueError if it doesn't settle.
    """
    rows = rows.double() - rows.double().mean(1, keepdim=True)
    values, vectors = torch.linalg.eigh(rows.T @ rows / len(rows))
    whitening = (vectors[:, -FEATURES:] / values[-FEATURES:].sqrt()).T
    z = rows @ whitening.T
    W = _orthogonal(torch.randn(FEATURES, FEATURES, generator=torch.Generator().manual_seed(seed)).double())
    for _ in range(iterations):
        g = torch.tanh(z @ W.T)
        following = _orthogonal(g.T @ z / len(z) - (1 - g.square()).mean(0)[:, None] * W)
        turned = ((following @ W.T).abs() - torch.eye(FEATURES).double()).norm()
        W = following
        if turned < 1e-8 * FEATURES:
            return W @ whitening
    raise ValueError(f"FastICA has not settled in {iterations} iterations; give more patches")


def _orthogonal(W: Tensor) -> Tensor:
    """(W Wᵀ)^-½ W."""
    u, _, v = torch.linalg.svd(W)
    return u @ v
