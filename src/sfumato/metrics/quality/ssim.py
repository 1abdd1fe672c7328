"""Structural similarity of one and of several scales.

Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity", IEEE Transactions on Image
Processing 13(4). Wang, Simoncelli and Bovik 2003, "Multiscale structural similarity for image quality assessment".
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .pixels import RGB, Convention, gaussian, thinned, viewing_factor, windowed

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, finest first
STRIP = 64  # rows at a time, so that the maps of a strip stay in the cache


@dataclass(frozen=True)
class Moments:
    """What a window sees at each place of two pictures: maps (b, c, h', w')."""

    mean_x: Tensor
    mean_y: Tensor
    variances: Tensor  # their sum
    covariance: Tensor

    def luminance(self) -> Tensor:
        """Equation 6."""
        x, y = self.mean_x, self.mean_y
        return (2 * x * y + C1) / (x * x + y * y + C1)

    def contrast_structure(self) -> Tensor:
        """Equations 9 and 10 multiplied, for C3 = C2 / 2."""
        return (2 * self.covariance + C2) / (self.variances + C2)

    def similarity(self) -> Tensor:
        """Equation 13."""
        return self.luminance() * self.contrast_structure()


def moments(x: Tensor, y: Tensor, window: Tensor) -> Moments:
    """Means, variances and covariance under a window of n taps: (b, c, h, w) twice -> (b, c, h - n + 1, w - n + 1).

    Four maps are enough. They are taken about 128, since E x² - (E x)² loses in float32 what a large mean leaves of it.
    """
    x, y = x - 128, y - 128
    mean_x, mean_y, squares, product = windowed(torch.stack([x, y, x * x + y * y, x * y]), window)
    variances = squares - mean_x * mean_x - mean_y * mean_y
    return Moments(mean_x + 128, mean_y + 128, variances, product - mean_x * mean_y)


def average(x: Tensor, y: Tensor, window: Tensor, measure: Callable[[Moments], Tensor]) -> Tensor:
    """The mean of a map over all places where the window lies inside: (b, c, h, w) twice -> (b, c).

    Raises ValueError if the window doesn't fit.
    """
    h, w = (side - len(window) + 1 for side in x.shape[-2:])
    if min(h, w) < 1:
        raise ValueError(f"{x.shape[-1]}×{x.shape[-2]} pixels are fewer than the window's {len(window)}")
    total = torch.zeros(x.shape[:2], dtype=x.dtype, device=x.device)
    for top in range(0, h, STRIP):
        rows = slice(top, min(top + STRIP, h) + len(window) - 1)
        total = total + measure(moments(x[..., rows, :], y[..., rows, :], window)).sum((2, 3))
    return total / (h * w)


def ssim(
    reference: Tensor,
    image: Tensor,
    convention: Convention = RGB,
    *,
    window: Tensor | None = None,
    thin: bool = False,
) -> Tensor:
    """Structural similarity, 1 for equal pictures: (b, c, h, w) in [-1, 1] -> (b,).

    The window is 11 taps of a Gaussian of 1.5 pixels unless another, symmetric, (n,) with sum 1, is given. `thin` first
    makes pictures smaller by the whole factor that leaves about 256 pixels, as the authors' later code does. Planes
    are averaged. Raises ValueError for pictures that are smaller than the window.
    """
    x, y = _planes(reference, image, convention, thin)
    return average(x, y, gaussian() if window is None else window, Moments.similarity).mean(1)


def ssim_parts(
    reference: Tensor,
    image: Tensor,
    convention: Convention = RGB,
    *,
    window: Tensor | None = None,
    thin: bool = False,
) -> dict[str, Tensor]:
    """Means of luminance, contrast and structure (eqs. 6, 9, 10) by name: (b, c, h, w) in [-1, 1] -> (b,) each.

    In float64, since a deviation is the root of a difference. Arguments and errors as for `ssim`.
    """
    x, y = (v.double() for v in _planes(reference, image, convention, thin))
    window = gaussian() if window is None else window

    def variance(v: Tensor) -> Tensor:
        return moments(v, v, window).covariance.clamp(min=0)

    luminance = average(x, y, window, Moments.luminance)
    m, deviations = moments(x, y, window), (variance(x) * variance(y)).sqrt()
    return {
        "luminance": luminance.mean(1),
        "contrast": ((2 * deviations + C2) / (m.variances + C2)).mean((1, 2, 3)),
        "structure": ((m.covariance + C2 / 2) / (deviations + C2 / 2)).mean((1, 2, 3)),
    }


def ms_ssim(reference: Tensor, image: Tensor, convention: Convention = RGB) -> Tensor:
    """Structural similarity of five scales, each half as large: (b, c, h, w) in [-1, 1] -> (b,).

    Eq. 7 with the paper's weights: contrast and structure of each scale, luminance of the coarsest, averaged over
    places, raised to the weights and multiplied; then the mean over planes. A negative mean, whose power isn't real,
    counts as zero. Raises ValueError below 161 pixels, where the window doesn't fit into the coarsest scale.
    """
    x, y = convention(reference), convention(image)
    if min(x.shape[-2:]) <= 10 * 2 ** (len(WEIGHTS) - 1):
        raise ValueError(f"five scales need 161 pixels or more, not {x.shape[-1]}×{x.shape[-2]}")
    window = gaussian()
    result = torch.ones(x.shape[:2], dtype=x.dtype, device=x.device)
    for weight in WEIGHTS[:-1]:
        result = result * average(x, y, window, Moments.contrast_structure).clamp(min=0) ** weight
        x, y = thinned(x, 2, "mirror"), thinned(y, 2, "mirror")
    return (result * average(x, y, window, Moments.similarity).clamp(min=0) ** WEIGHTS[-1]).mean(1)


def _planes(reference: Tensor, image: Tensor, convention: Convention, thin: bool) -> tuple[Tensor, Tensor]:
    x, y = convention(reference), convention(image)
    factor = viewing_factor(x) if thin else 1
    return thinned(x, factor, "mirror"), thinned(y, factor, "mirror")
