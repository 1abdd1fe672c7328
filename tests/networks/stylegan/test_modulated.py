"""Scaling activations against scaling each picture's own weights, as the paper writes it."""

from math import sqrt

import torch
import torch.nn.functional as F

from sfumato.networks.stylegan import fir
from sfumato.networks.stylegan.modulated import StyledConv, ToPicture, demodulation, modulated


def by_weights(x, weight, style, kernel=None):
    """Eq. 1 and 3, picture by picture."""
    made = []
    for image, s in zip(x, style, strict=True):
        w = weight * s[None, :, None, None]
        w = w / (w.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        y = F.conv2d(image[None], w, padding=1) if kernel is None else fir.conv_up(image[None], w, kernel)
        made.append(y)
    return torch.cat(made)


def test_a_modulated_convolution_is_one_by_each_pictures_own_weights():
    x, weight, style = torch.randn(4, 6, 8, 8), torch.randn(5, 6, 3, 3), torch.randn(4, 6)
    for kernel in (None, fir.lowpass((1, 3, 3, 1))):
        ours = modulated(x, weight, style, kernel) * demodulation(weight, style)[:, :, None, None]
        torch.testing.assert_close(ours, by_weights(x, weight, style, kernel), atol=1e-4, rtol=1e-4)


def test_its_gradients_are_theirs():
    x, weight, style = (torch.randn(s).requires_grad_() for s in ((3, 4, 6, 6), (5, 4, 3, 3), (3, 4)))
    ours = modulated(x, weight, style) * demodulation(weight, style)[:, :, None, None]
    seen = torch.randn_like(ours)
    for a, b in zip(
        torch.autograd.grad((ours * seen).sum(), (x, weight, style)),
        torch.autograd.grad((by_weights(x, weight, style) * seen).sum(), (x, weight, style)),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_what_is_demodulated_has_unit_spread():
    x, weight, style = torch.randn(8, 32, 32, 32), torch.randn(16, 32, 3, 3), 5 * torch.rand(8, 32)
    y = modulated(x, weight, style) * demodulation(weight, style)[:, :, None, None]
    spread = y[:, :, 1:-1, 1:-1].std((2, 3))
    assert (spread - 1).abs().max() < 0.2 and abs(spread.mean().item() - 1) < 0.01


def test_a_styled_convolution_adds_noise_and_bias_before_its_leaky_relu():
    layer = StyledConv(4, 6, 8, up=True)
    torch.nn.init.normal_(layer.bias)
    torch.nn.init.constant_(layer.strength, 0.3)
    x, style, noise = torch.randn(2, 4, 4, 4), torch.randn(2, 4), torch.randn(2, 1, 8, 8)
    y = by_weights(x, layer.weight / sqrt(36), style, layer.kernel) + 0.3 * noise + layer.bias[:, None, None]
    torch.testing.assert_close(layer(x, style, noise), sqrt(2) * F.leaky_relu(y, 0.2), atol=1e-4, rtol=1e-4)


def test_a_picture_is_a_modulated_convolution_of_one_pixel():
    layer = ToPicture(5, 3, 8)
    torch.nn.init.normal_(layer.bias)
    x, style = torch.randn(2, 5, 4, 6), torch.randn(2, 5)
    weight = layer.weight / sqrt(5)
    want = [F.conv2d(a[None], (weight * s)[:, :, None, None], layer.bias) for a, s in zip(x, style, strict=True)]
    torch.testing.assert_close(layer(x, style), torch.cat(want))


def test_a_fresh_style_is_one():
    layer = StyledConv(4, 6, 8)
    torch.testing.assert_close(layer.affine(torch.zeros(2, 8)), torch.ones(2, 4))
