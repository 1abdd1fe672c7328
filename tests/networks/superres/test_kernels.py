"""Blur kernels: applied, moved, composed and found as the formulas say."""

from math import cos, pi, sin

import pytest
import torch
import torch.nn.functional as F

from sfumato.errors import UserError
from sfumato.networks.superres.kernels import (
    DeepLinear,
    bare,
    before,
    bicubic_kernel,
    centre_of_mass,
    centred,
    correlate,
    fitted,
    gaussian_kernel,
    home,
    shrink_by,
    significant,
    spread_by,
    twice,
)
from sfumato.resample import imresize


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("k", "scale"), [(8, 2), (13, 2), (5, 2), (2, 2), (7, 3), (8, 3), (16, 4), (9, 4)])
def test_a_small_pixel_is_the_sum_that_the_definition_says(k, scale):
    kernel, image = random(k, k) - 0.3, random(1, 2, 11, 9, seed=1)
    small = shrink_by(image, kernel, scale)
    assert small.shape == (1, 2, -(-11 // scale), -(-9 // scale))
    p = before(k, scale)
    for i, j in ((0, 0), (1, 2), (small.shape[2] - 1, small.shape[3] - 1)):
        for c in range(2):
            total = sum(
                kernel[a, b] * image[0, c, min(max(scale * i + a - p, 0), 10), min(max(scale * j + b - p, 0), 8)]
                for a in range(k)
                for b in range(k)
            )
            torch.testing.assert_close(small[0, c, i, j], total)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_as_a_kernel_is_imresize(scale):
    image = random(2, 3, 12 * scale, 7 * scale)
    kernel = bicubic_kernel(scale)
    assert kernel.shape == (4 * scale, 4 * scale)
    expected = imresize(image, 1 / scale, edge="repeat")
    torch.testing.assert_close(shrink_by(image, kernel, scale), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("k", [9, 10])
def test_a_kernel_at_home_leaves_a_slope_where_it_was(k, scale):
    """A ramp, blurred and made smaller, has at each small pixel the value at its middle, however it was blurred."""
    kernel = centred(random(k, k) + 0.01, scale)
    ramp = torch.arange(60.0).expand(1, 1, 60, 60)
    small = shrink_by(ramp, kernel, scale)[0, 0, 10, 5 : 60 // scale - 5]
    middles = torch.arange(5, 60 // scale - 5) * scale + (scale - 1) / 2
    torch.testing.assert_close(small, middles, atol=1e-4, rtol=0)


def test_centring_moves_to_home_and_keeps_weight_and_spread():
    kernel = random(6, 6)
    found = centred(kernel, 2)
    torch.testing.assert_close(found.sum(), torch.tensor(1.0))
    torch.testing.assert_close(centre_of_mass(found), torch.full((2,), home(len(found), 2)), atol=1e-5, rtol=0)

    def variance(k):
        at = torch.arange(len(k), dtype=torch.float32)
        middle = centre_of_mass(k)
        return (k.sum(1) @ (at - middle[0]) ** 2) / k.sum(), (k.sum(0) @ (at - middle[1]) ** 2) / k.sum()

    torch.testing.assert_close(variance(found), variance(kernel), atol=1e-4, rtol=0)


def test_centring_by_whole_pixels_copies():
    """An impulse two entries away from home arrives there as an impulse."""
    kernel = torch.zeros(8, 8)
    kernel[1:3, 4:6] = 0.25
    found = centred(kernel, 2)
    middle = len(found) // 2
    torch.testing.assert_close(found[middle - 1 : middle + 1, middle - 1 : middle + 1], torch.full((2, 2), 0.25))


@pytest.mark.parametrize(("k", "side", "scale"), [(8, 40, 2), (13, 40, 2), (7, 12, 3), (9, 13, 2), (16, 16, 4)])
def test_another_frame_is_the_same_blur(k, side, scale):
    kernel, image = random(k, k), random(1, 1, 60, 60, seed=2)
    kernel = kernel / kernel.sum()
    framed = fitted(kernel, side, scale)
    assert framed.shape == (side, side)
    inside = (..., slice(12, -12), slice(12, -12)) if scale == 2 else (..., slice(6, -6), slice(6, -6))
    a, b = (shrink_by(image, x, scale)[inside] for x in (kernel, framed))
    assert a.numel() > 0
    torch.testing.assert_close(a, b)


def test_a_frame_may_cut_nothing_but_crumbs():
    with pytest.raises(UserError, match="kernel of 20 pixels is too large: there is room for 10"):
        fitted(torch.ones(20, 20) / 400, 10, 2)
    narrow = gaussian_kernel(20, (1.0, 1.0), 0.0)
    torch.testing.assert_close(fitted(narrow, 12, 2).sum(), torch.tensor(1.0))


@pytest.mark.parametrize("k", [4, 5, 8])
def test_twice_is_one_after_the_other(k):
    kernel, image = random(k, k), random(1, 1, 64, 64, seed=3)
    two = shrink_by(shrink_by(image, kernel, 2), kernel, 2)
    once = shrink_by(image, twice(kernel), 4)
    assert two.shape == once.shape
    torch.testing.assert_close(two[..., 4:-4, 4:-4], once[..., 4:-4, 4:-4], atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(("variances", "angle"), [((4.0, 1.0), 0.0), ((4.0, 1.0), pi / 2), ((3.0, 1.0), 0.5)])
def test_a_gaussian_has_the_covariance_that_was_asked_for(variances, angle):
    kernel = gaussian_kernel(30, variances, angle).double()
    at = torch.arange(30).double() - home(30, 2)
    found = [(kernel.sum(0) @ at**2).item(), (kernel.sum(1) @ at**2).item(), (at @ kernel @ at).item()]
    (u, v), c, s = variances, cos(angle), sin(angle)
    assert found == pytest.approx([c * c * u + s * s * v, s * s * u + c * c * v, c * s * (u - v)], abs=2e-3)
    torch.testing.assert_close(centre_of_mass(kernel), torch.full((2,), home(30, 2)).double())


def test_what_is_significant():
    kernel = torch.tensor([[-0.1, 0.1], [0.2, 0.6]])
    found = significant(kernel, n=1)  # less 3/4 of the second largest, 0.15
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0], [0.05, 0.45]]) / 0.5)
    torch.testing.assert_close(significant(kernel, n=3), torch.tensor([[0.0, 0.1], [0.2, 0.6]]) / 0.9)


def test_the_response_to_an_impulse_is_the_composed_kernel():
    torch.manual_seed(0)
    net = DeepLinear((7, 5, 3, 1, 1, 1), ch=6, gain=1.0)
    impulse = torch.zeros(1, 1, 25, 25)
    impulse[0, 0, 12, 12] = 1
    response = impulse
    for layer in net:
        response = layer(response)
    assert net.kernel().shape == (13, 13)
    torch.testing.assert_close(net.kernel(), response[0, 0].flip(0, 1))


def test_the_composed_kernel_does_what_the_layers_do_and_has_their_gradients():
    torch.manual_seed(0)
    net = DeepLinear((7, 5, 3, 1, 1, 1), ch=6, gain=1.0).double()
    image = random(2, 3, 20, 20).double()
    layers = image.flatten(0, 1)[:, None]
    for layer in net:
        layers = layer(layers)
    layers = layers[..., ::2, ::2][:, 0].unflatten(0, (2, 3))
    kernel = F.conv2d(image.flatten(0, 1)[:, None], net.kernel()[None, None], stride=2)[:, 0].unflatten(0, (2, 3))
    torch.testing.assert_close(kernel, layers)
    torch.testing.assert_close(correlate(image, net.kernel(), 2), layers.float())
    a, b = (torch.autograd.grad(x.square().sum(), list(net.parameters())) for x in (kernel, layers))
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("k", "scale"), [(9, 2), (8, 2), (13, 3), (16, 4)])
def test_spreading_is_the_adjoint_of_shrinking(k, scale):
    generator = torch.Generator().manual_seed(k)
    kernel = gaussian_kernel(k, (2.0, 1.0), 0.5, scale)
    large, small = torch.zeros(1, 2, 60, 48), torch.zeros(1, 2, 60 // scale, 48 // scale)
    large[..., 20:40, 16:32] = torch.randn(1, 2, 20, 16, generator=generator)  # far from the edges, which differ
    small[..., 20 // scale : 40 // scale, 16 // scale : 32 // scale] = 1.0
    spread = spread_by(small, (60, 48), kernel, scale)
    a, b = (shrink_by(large, kernel, scale) * small).sum(), (large * spread).sum() / scale**2
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_spreading_keeps_brightness_up_to_the_edges():
    kernel = gaussian_kernel(13, (3.0, 2.0), 0.3, 2)
    torch.testing.assert_close(
        spread_by(torch.ones(1, 1, 9, 7), (18, 14), kernel, 2), torch.ones(1, 1, 18, 14), rtol=0, atol=2e-2
    )


def test_a_bare_kernel_does_the_same():
    kernel, image = gaussian_kernel(9, (2.0, 1.0), 0.5, 2), torch.rand(1, 1, 12, 10)
    wide = fitted(kernel, 40, 2)
    assert bare(wide).shape == (10, 10) and torch.equal(bare(kernel), kernel)
    torch.testing.assert_close(shrink_by(image, bare(wide), 2), shrink_by(image, wide, 2))
