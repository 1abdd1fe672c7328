"""The combined image similarity index.

Okarma 2012, "Combined image similarity index", Optical Review 19(5). The form is the paper's; the exponents are quoted
at second hand and couldn't be checked against it.
"""

from torch import Tensor

from .fsim import fsimc
from .pixels import Convention
from .ssim import ms_ssim
from .vif import vif


def cisi(reference: Tensor, image: Tensor, exponents: tuple[float, float, float] = (0.5, 0.3, 5.0)) -> Tensor:
    """Product of powers of MS-SSIM, VIF and FSIMc: (b, 3, h, w) in [-1, 1] -> (b,).

    VIF is that of the pixel domain, where the paper may mean wavelets. MS-SSIM is of grey.
    Raises ValueError for grey pictures and below 161 pixels.
    """
    a, b, c = exponents
    structure = ms_ssim(reference, image, Convention("grey"))
    return structure**a * vif(reference, image).to(structure) ** b * fsimc(reference, image) ** c
