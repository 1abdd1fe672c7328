"""Enlarged pictures against those that they were made of, and bicubic ones beside them."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from ..errors import UserError
from ..resample import imresize
from .base import Result
from .quality import Convention, psnr, ssim

PAIRED: dict[str, Callable[[Tensor, Tensor, Convention], Tensor]] = {"psnr": psnr, "ssim": ssim}  # higher is better
MOST = 100.0  # what equal pictures count as in a mean, dB


def measure_pairs(
    upscale: Callable[[Tensor], Tensor],
    pairs: Iterable[tuple[Tensor, Tensor]],
    names: Sequence[str],
    reference: str,
) -> list[Result]:
    """Means over pictures of some of PAIRED, as published tables have them: of Y, with the border shaved by the scale.

    `pairs` are (b, c, h, w) and s times smaller ones, which `upscale` enlarges. Raises UserError if there are none, or
    they are too small for a measure's window.
    """
    found: dict[str, list[Tensor]] = {key: [] for name in names for key in _both(name)}
    convention = Convention("luma")
    for image, low in pairs:
        convention = Convention("luma", border=image.shape[-1] // low.shape[-1])
        size = image.shape[-2], image.shape[-1]
        with torch.no_grad():
            both = upscale(low).float().clamp(-1, 1), imresize(low.float(), size=size).clamp(-1, 1)
        for name in names:
            for key, enlarged in zip(_both(name), both, strict=True):
                try:
                    found[key].append(PAIRED[name](image, enlarged, convention).clamp(max=MOST).cpu())
                except ValueError as e:
                    raise UserError(f"can't compute {name!r} of these pictures: {e}") from None
    if not all(found.values()):
        raise UserError("there are no pictures to enlarge")
    each = {key: torch.cat(values) for key, values in found.items()}
    means, n = {key: values.double().mean().item() for key, values in each.items()}, len(next(iter(each.values())))
    return [
        Result(name, {key: means[key] for key in _both(name)}, "higher", str(convention), "", "", n, n, reference)
        for name in names
    ]


def _both(name: str) -> tuple[str, str]:
    """What the values of a measure are called: of the system, and of bicubic."""
    return name, f"{name} of bicubic"
