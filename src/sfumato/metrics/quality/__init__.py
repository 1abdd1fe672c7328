"""Measures that compare a picture with a reference, or judge one alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from ...errors import nearest
from ..base import Better
from .agreement import Agreement, agreement
from .cisi import cisi
from .essim import essim
from .fsim import fsim, fsimc
from .fusion import ras, reciprocal_rank
from .iw_ssim import iw_ssim
from .lpips import LPIPS, load_lpips
from .niqe import fit_natural, load_natural, niqe, perceptual_index
from .pixels import RGB, Convention, Y, shaved
from .psnr import mse, psnr
from .sff import learn_detector, load_detector, sff
from .ssim import ms_ssim, ssim, ssim_parts
from .vif import vif
from .vsi import vsi

__all__ = [
    "LPIPS",
    "MEASURES",
    "RGB",
    "Agreement",
    "Convention",
    "Measure",
    "Y",
    "agreement",
    "cisi",
    "essim",
    "find",
    "fit_natural",
    "fsim",
    "fsimc",
    "iw_ssim",
    "learn_detector",
    "load_detector",
    "load_lpips",
    "load_natural",
    "ms_ssim",
    "mse",
    "niqe",
    "of_pictures",
    "perceptual_index",
    "psnr",
    "ras",
    "reciprocal_rank",
    "sff",
    "ssim",
    "ssim_parts",
    "vif",
    "vsi",
]

Compute = Callable[[Tensor, Tensor, Convention], Tensor]


@dataclass(frozen=True)
class Measure:
    """A measure by name: what it takes, which way is better, and what its value depends on."""

    name: str
    compute: Compute  # reference and image in [-1, 1], (b, 1 | 3, h, w) each -> (b,); raises ValueError if it can't
    better: Better
    range: tuple[float, float]  # of pictures; the least may not be reached
    sees: str = ""  # of a picture, if the convention doesn't say
    reference: bool = True  # whether it compares; if not, it judges the image alone
    colour: bool = False  # whether it needs colour

    def says(self, convention: Convention) -> str:
        """What a value under this convention depends on, in words."""
        if not self.sees:
            return str(convention)
        return f"{self.sees}, {convention.border} px shaved" if convention.border else self.sees


def of_pictures(function: Callable[[Tensor, Tensor], Tensor]) -> Compute:
    """A measure that sees pictures in its own way, and of the convention heeds the border alone."""
    return lambda reference, image, c: function(shaved(reference, c.border), shaved(image, c.border))


def _part(name: str) -> Compute:
    return lambda reference, image, convention: ssim_parts(reference, image, convention)[name]


def _niqe(reference: Tensor, image: Tensor, convention: Convention) -> Tensor:
    return niqe(image, replace(Y, border=convention.border))


INFINITE = float("inf")
LUMINANCE = "luminance of YIQ"

MEASURES: dict[str, Measure] = {
    m.name: m
    for m in (
        Measure("psnr", psnr, "higher", (0, INFINITE)),
        Measure("ssim", ssim, "higher", (-1, 1)),
        Measure("luminance", _part("luminance"), "higher", (0, 1)),
        Measure("contrast", _part("contrast"), "higher", (0, 1)),
        Measure("structure", _part("structure"), "higher", (-1, 1)),
        Measure("ms-ssim", ms_ssim, "higher", (0, 1)),
        Measure("iw-ssim", of_pictures(iw_ssim), "higher", (0, 1), LUMINANCE),
        Measure("vif", of_pictures(vif), "higher", (0, INFINITE), LUMINANCE),
        Measure("fsim", of_pictures(fsim), "higher", (0, 1), f"{LUMINANCE}, at about 256 px"),
        Measure("fsimc", of_pictures(fsimc), "higher", (0, 1), "YIQ, at about 256 px", colour=True),
        Measure("vsi", of_pictures(vsi), "higher", (0, 1), "L*a*b* and LMN, at about 256 px"),
        Measure("sff", of_pictures(sff), "higher", (-1, 1), "RGB in patches, detector of the Kodak photographs"),
        Measure("essim", of_pictures(essim), "higher", (0, 1), f"{LUMINANCE}, at about 256 px"),
        Measure("cisi", of_pictures(cisi), "higher", (0, INFINITE), "grey, luminance and YIQ", colour=True),
        Measure("niqe", _niqe, "lower", (0, INFINITE), "Y of BT.601, model of the Kodak photographs", reference=False),
    )
}


def find(name: str) -> Measure:
    """A measure by name. Raises LookupError with the nearest names if there is none of this name."""
    return MEASURES[nearest(name, MEASURES, "measure")]
