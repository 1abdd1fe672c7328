"""Layers with an equalised learning rate, by hand."""

from math import sqrt

import pytest
import torch
import torch.nn.functional as F

from sfumato.networks.stylegan import fir
from sfumato.networks.stylegan.equalised import Conv, Linear, minibatch_std, pixel_norm, widths


def test_layers_multiply_normal_weights_by_the_constant_of_he_et_al():
    x, layer = torch.randn(4, 9), Linear(9, 5, bias=0.5)
    torch.testing.assert_close(layer(x), x @ layer.weight.T / 3 + 0.5)
    image, conv = torch.randn(2, 4, 6, 6), Conv(4, 5, 3, leaky=True)
    torch.nn.init.normal_(conv.bias)
    want = F.conv2d(image, conv.weight / 6, conv.bias, padding=1)
    torch.testing.assert_close(conv(image), sqrt(2) * F.leaky_relu(want, 0.2), atol=1e-5, rtol=1e-5)
    assert abs(Linear(400, 400).weight.std().item() - 1) < 0.02


@pytest.mark.parametrize("leaky", [False, True])
def test_a_layer_of_a_lower_rate_begins_the_same_and_moves_less(leaky):
    torch.manual_seed(0)
    fast = Linear(6, 5, bias=0.3, leaky=leaky)
    torch.manual_seed(0)
    slow = Linear(6, 5, bias=0.3, lr=0.01, leaky=leaky)
    x = torch.randn(3, 6)
    torch.testing.assert_close(fast(x), slow(x))
    before = fast(x).detach()
    moved = []
    for layer in (fast, slow):
        with torch.no_grad():
            layer.weight += 0.1
        moved.append((layer(x) - before).abs().sum().item())
    assert moved[1] == pytest.approx(0.01 * moved[0], rel=0.05)


@pytest.mark.parametrize("scale", [-1, 1])
def test_convolutions_that_change_the_side(scale):
    x, k = torch.randn(2, 4, 8, 8), fir.lowpass((1, 3, 3, 1))
    layer = Conv(4, 5, 3, scale, leaky=True, gain=1.0)
    torch.nn.init.normal_(layer.bias)
    y = (fir.conv_up if scale > 0 else fir.conv_down)(x, layer.weight / 6, k) + layer.bias[:, None, None]
    torch.testing.assert_close(layer(x), F.leaky_relu(y, 0.2))
    one = Conv(4, 5, 1, scale, bias=False)
    y = F.conv2d((fir.up if scale > 0 else fir.down)(x, k), one.weight / 2)
    torch.testing.assert_close(one(x), y)


def test_normalised_pixels_have_mean_square_one():
    y = pixel_norm(torch.randn(2, 16, 3, 3) * 7)
    torch.testing.assert_close(y.square().mean(1), torch.ones(2, 3, 3), atol=1e-4, rtol=0)


def test_the_spread_of_a_minibatch_by_hand():
    x = torch.tensor([1.0, 2.0, 3.0, 6.0])[:, None, None, None].repeat(1, 2, 2, 2)
    y = minibatch_std(x, 2)  # rows 0 and 2, 1 and 3
    assert y.shape == (4, 3, 2, 2) and torch.equal(y[:, :2], x)
    torch.testing.assert_close(y[:, 2, 0, 0], torch.tensor([1.0, 2.0, 1.0, 2.0]), atol=1e-4, rtol=0)
    for b, group in ((3, 4), (6, 4), (1, 4), (5, 2)):
        assert minibatch_std(torch.randn(b, 2, 4, 4), group).isfinite().all()
    slope = torch.autograd.grad(minibatch_std(x.requires_grad_(), 4)[:, 2].sum(), x)[0]
    assert slope.isfinite().all() and slope.abs().sum() > 0


def test_widths_double_down_to_the_smallest_side():
    assert widths(16, 512, 8) == [512, 512, 512, 512, 256, 128, 64, 32, 16]
