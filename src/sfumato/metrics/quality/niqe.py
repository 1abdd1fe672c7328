"""The natural image quality evaluator, and the perceptual index.

Mittal, Soundararajan and Bovik 2013, "Making a 'completely blind' image quality analyzer", IEEE Signal Processing
Letters 20(3). Blau et al. 2018, "The 2018 PIRM challenge on perceptual image super-resolution", section 2.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ...resample import imresize
from .models import arrays
from .pixels import Convention, Y, extended, gaussian, windowed

BLOCK, FEATURES = 96, 36
SHARP = 0.75  # of the sharpest block of a picture: blocks below it don't count as natural
SHIPPED = Path(__file__).with_name("niqe.safetensors")


@dataclass(frozen=True)
class Natural:
    """Mean and covariance of the features of natural pictures."""

    mean: Tensor  # (36,) float64
    covariance: Tensor  # (36, 36) float64


def niqe(images: Tensor, convention: Convention = Y, model: Natural | None = None) -> Tensor:
    """How far a picture's statistics are from natural ones, lower is better: (b, 1 | 3, h, w) in [-1, 1] -> (b,).

    `model` is that of natural pictures: a shipped one, of the Kodak photographs, if not given. Published values need
    the authors' (`load_natural`); values of two models aren't comparable. In float64. Raises ValueError for a plane
    other than one, or if fewer than two blocks of 96 pixels fit.
    """
    natural = shipped_natural() if model is None else model
    distances = []
    for plane in _plane(images, convention):
        rows = features(plane[None])[0]
        complete = rows[~rows.isnan().any(1)]  # a flat block has no features
        if len(complete) < 2:
            raise ValueError("NIQE needs two blocks of 96×96 pixels that aren't flat, or more")
        away = natural.mean.to(rows) - rows.nanmean(0)
        pooled = (natural.covariance.to(rows) + torch.cov(complete.T)) / 2
        distances.append((away @ torch.linalg.pinv(pooled) @ away).sqrt())
    return torch.stack(distances)


def _plane(images: Tensor, convention: Convention) -> Tensor:
    plane = convention(images.double())
    if plane.shape[1] != 1:
        raise ValueError("NIQE judges one plane; choose luma or grey")
    h, w = (side // BLOCK * BLOCK for side in plane.shape[-2:])
    if min(h, w) == 0:
        raise ValueError(f"NIQE needs 96 pixels or more, not {plane.shape[-1]}×{plane.shape[-2]}")
    return plane[..., :h, :w]


def features(plane: Tensor) -> Tensor:
    """Section II of blocks, column by column, at two scales: (b, 1, 96 m, 96 n) in [0, 255] -> (b, m n, 36).

    NaN where a block is flat.
    """
    found = []
    for block in (BLOCK, BLOCK // 2):
        normalised, _ = _normalised(plane)
        found.append(_block_features(_blocks(normalised, block)))
        plane = imresize(plane, 0.5)
    return torch.cat(found, 2)


def _normalised(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Less the local mean and over the local deviation (eqs. 1 to 3), and the deviation."""
    window = gaussian(7, 7 / 6)
    mean, squares = windowed(extended(torch.stack([plane, plane * plane]), 3, 3, "repeat"), window)
    deviation = (squares - mean * mean).abs().sqrt()
    return (plane - mean) / (deviation + 1), deviation


def _blocks(plane: Tensor, side: int) -> Tensor:
    """(b, 1, m · side, n · side) -> (b, n · m, side, side), down the columns first."""
    b, _, h, w = plane.shape
    return plane.view(b, h // side, side, w // side, side).permute(0, 3, 1, 2, 4).reshape(b, -1, side, side)


def _block_features(blocks: Tensor) -> Tensor:
    """Shape and width of coefficients, and of products of neighbours four ways: (b, n, s, s) -> (b, n, 18)."""
    alpha, left, right, _ = _fitted(blocks.flatten(2))
    columns = [alpha, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        alpha, left, right, mean = _fitted((blocks * blocks.roll(shift, (2, 3))).flatten(2))
        columns += [alpha, mean, left, right]
    return torch.stack(columns, 2)


def _fitted(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """An asymmetric generalised Gaussian's shape, two widths and mean (eqs. 4 to 8): (…, n) -> (…,) each."""
    left = ((x.square() * (x < 0)).sum(-1) / (x < 0).sum(-1)).sqrt()
    right = ((x.square() * (x > 0)).sum(-1) / (x > 0).sum(-1)).sqrt()
    ratio = left / right
    r = x.abs().mean(-1).square() / x.square().mean(-1)
    r = r * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1).square()
    shapes, ratios = _shapes()
    shapes, ratios = shapes.to(x), ratios.to(x)
    after = torch.searchsorted(ratios, r.contiguous()).clamp(1, len(ratios) - 1)
    nearest = torch.where(r - ratios[after - 1] <= ratios[after] - r, after - 1, after)
    alpha = torch.where(r.isnan(), torch.nan, shapes[nearest])
    width = ((1 / alpha).lgamma() - (3 / alpha).lgamma()).mul(0.5).exp()
    mean = (right - left) * width * ((2 / alpha).lgamma() - (1 / alpha).lgamma()).exp()
    return alpha, left * width, right * width, mean


@lru_cache
def _shapes() -> tuple[Tensor, Tensor]:
    """Shapes 0.2, 0.201, …, 10 and the ratio (E |x|)² / E x² of each, which grows with the shape."""
    shapes = 0.2 + 0.001 * torch.arange(9801, dtype=torch.float64)
    ratios = (2 * (2 / shapes).lgamma() - (1 / shapes).lgamma() - (3 / shapes).lgamma()).exp()
    return shapes, ratios


def fit_natural(images: list[Tensor], convention: Convention = Y) -> Natural:
    """The model of natural pictures, each (1, 1 | 3, h, w) in [-1, 1]: section II-C.

    Of each, the blocks count that are more than 3/4 as sharp as its sharpest. Raises ValueError for fewer than 37 such
    blocks, whose covariance is singular.
    """
    kept = []
    for image in images:
        plane = _plane(image, convention)
        _, deviation = _normalised(plane)
        sharpness = F.avg_pool2d(deviation, BLOCK).mT.flatten()
        kept.append(features(plane)[0][sharpness > SHARP * sharpness.max()])
    rows = torch.cat(kept)
    rows = rows[~rows.isnan().any(1)]
    if len(rows) <= FEATURES:
        raise ValueError(f"natural pictures need more than {FEATURES} sharp blocks of 96 pixels, not {len(rows)}")
    return Natural(rows.mean(0), torch.cov(rows.T))


def load_natural(source: str | Path) -> Natural:
    """A model from a path or URL of the authors' modelparameters.mat, its copies as .npz, or .safetensors.

    Raises UserError.
    """
    names = {"mean|mu_prisparam|mu_pris_param": (FEATURES,), "covariance|cov_prisparam|cov_pris_param": (FEATURES,) * 2}
    found = arrays(source, names)
    return Natural(found["mean"], found["covariance"])


@lru_cache
def shipped_natural() -> Natural:
    """The model of the Kodak photographs."""
    return load_natural(SHIPPED)


def perceptual_index(niqe: Tensor, ma: Tensor) -> Tensor:
    """½ ((10 - Ma) + NIQE), lower is better, from the scores of Ma et al. (0 to 10) and NIQE: (b,), (b,) -> (b,)."""
    return ((10 - ma) + niqe) / 2
