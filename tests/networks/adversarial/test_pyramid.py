"""The Laplacian pyramid: lossless, levels as asked, bands without what the coarser picture has."""

from itertools import pairwise

import pytest
import torch

from sfumato.errors import UserError
from sfumato.networks.adversarial.pyramid import collapsed, pyramid, resized, sides_of


@pytest.mark.parametrize(
    ("size", "sides"), [(28, [28, 14, 8]), (32, [32, 16, 8]), (16, [16, 8]), (96, [96, 48, 24, 12, 8])]
)
def test_sides_halve_until_the_coarsest(size, sides):
    assert sides_of(size, 8) == sides


def test_a_picture_no_larger_than_the_coarsest_has_no_pyramid():
    with pytest.raises(UserError, match="size 8: a pyramid whose coarsest pictures have 8 px needs larger ones"):
        sides_of(8, 8)


@pytest.mark.parametrize("size", [16, 28, 32, 96])
def test_the_code_is_lossless(size):
    image = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(size)) * 2 - 1
    levels = pyramid(image, sides_of(size, 8))
    assert [band.shape[-1] for band, _ in levels] == sides_of(size, 8)
    assert (collapsed([band for band, _ in levels]) - image).abs().max() < 1e-6
    for (_, low), (band, lower) in pairwise(levels):
        torch.testing.assert_close(low, resized(band + lower, low.shape[-1]))


def test_bands_of_a_flat_picture_are_empty():
    flat = torch.full((1, 1, 32, 32), 0.3)
    *bands, (coarse, nothing) = pyramid(flat, [32, 16, 8])
    assert max(band.abs().max() for band, _ in bands) < 1e-6
    torch.testing.assert_close(coarse, torch.full((1, 1, 8, 8), 0.3))
    assert nothing.abs().max() == 0


def test_decimation_blurs_what_it_cannot_hold():
    """A pattern of single pixels, the highest frequency, is all in the finest band, but for the border."""
    stripes = (torch.arange(32) % 2 * 2.0 - 1).expand(1, 1, 32, 32)
    (band, low), *_ = pyramid(stripes, [32, 16, 8])
    assert low[..., 4:-4].abs().max() < 1e-6
    torch.testing.assert_close(band[..., 4:-4], stripes[..., 4:-4])
