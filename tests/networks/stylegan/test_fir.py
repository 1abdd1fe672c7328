"""Resampling against what its formulas say: zeros inserted, padded, convolved."""

import pytest
import torch
import torch.nn.functional as F

from sfumato.errors import UserError
from sfumato.networks.stylegan import fir

TAPS = [(1, 1), (1, 3, 3, 1), (1, 4, 9, 9, 4, 1)]


def spread(x):
    """Zeros after each pixel, in rows and columns."""
    z = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    z[:, :, ::2, ::2] = x
    return z


def filtered(x, kernel, before, after):
    """Zeros around, then one convolution a channel, each output a sum of products."""
    b, c, h, w = x.shape
    x = F.pad(x.reshape(b * c, 1, h, w), [before, after, before, after])
    y = F.conv2d(x, kernel[None, None])
    return y.view(b, c, *y.shape[2:])


@pytest.mark.parametrize("taps", TAPS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_resampling_equals_inserting_zeros_and_convolving(taps, layout):
    k, n = fir.lowpass(taps), len(taps)
    assert k.sum().item() == pytest.approx(1)
    x = torch.randn(2, 3, 6, 8).contiguous(memory_format=layout)
    torch.testing.assert_close(fir.up(x, k), filtered(spread(x), 4 * k, n // 2, n // 2 - 1))
    torch.testing.assert_close(fir.down(x, k), filtered(x, k, n // 2 - 1, n // 2 - 1)[:, :, ::2, ::2])
    torch.testing.assert_close(fir.blur(x, k, 2), filtered(x, k, 2, 2))


@pytest.mark.parametrize("taps", TAPS)
def test_folded_convolutions_equal_their_steps(taps):
    k, n = fir.lowpass(taps), len(taps)
    x, weight = torch.randn(2, 3, 6, 6), torch.randn(5, 3, 3, 3)
    padded = F.pad(spread(x), [2, 1, 2, 1])  # where a 3×3 kernel still meets a pixel
    up = filtered(F.conv2d(padded, weight), 4 * k, n // 2 - 1, n // 2 - 1)
    torch.testing.assert_close(fir.conv_up(x, weight, k), up, atol=1e-5, rtol=1e-5)
    down = F.conv2d(filtered(x, k, n // 2, n // 2), weight)[:, :, ::2, ::2]
    torch.testing.assert_close(fir.conv_down(x, weight, k), down, atol=1e-5, rtol=1e-5)


def test_neighbours_and_means_are_the_filter_of_two_taps():
    x, k = torch.randn(2, 3, 6, 6), fir.lowpass((1, 1))
    torch.testing.assert_close(fir.up(x, k), F.interpolate(x, scale_factor=2.0))
    torch.testing.assert_close(fir.down(x, k), F.avg_pool2d(x, 2))
    weight = torch.randn(4, 3, 3, 3)
    torch.testing.assert_close(
        fir.conv_up(x, weight, k), F.conv2d(F.interpolate(x, scale_factor=2.0), weight, padding=1)
    )
    torch.testing.assert_close(fir.conv_down(x, weight, k), F.avg_pool2d(F.conv2d(x, weight, padding=1), 2))


@pytest.mark.parametrize("taps", TAPS)
def test_a_constant_stays_one_away_from_the_border(taps):
    k, edge = fir.lowpass(taps), len(taps) // 2 - 1
    x = torch.full((1, 1, 8, 8), 0.7)
    for y in (fir.up(x, k), fir.down(x, k)):
        inner = y[..., edge : y.shape[-2] - edge, edge : y.shape[-1] - edge]
        torch.testing.assert_close(inner, torch.full_like(inner, 0.7))


def test_filters_have_first_and_second_derivatives():
    k, x = fir.lowpass((1, 3, 3, 1)).double(), torch.randn(1, 2, 4, 6, dtype=torch.double, requires_grad=True)
    for f in (lambda x: fir.up(x, k), lambda x: fir.down(x, k), lambda x: fir.blur(x, k, 2)):
        assert torch.autograd.gradcheck(lambda x, f=f: f(x).sin(), x)
        assert torch.autograd.gradgradcheck(lambda x, f=f: f(x).sin(), x)


def test_what_a_compiler_traces_is_the_same(monkeypatch):
    x, k = torch.randn(2, 3, 6, 6), fir.lowpass((1, 3, 3, 1))
    eager = [fir.up(x, k), fir.down(x, k), fir.blur(x, k, 1)]
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    for a, b in zip(eager, [fir.up(x, k), fir.down(x, k), fir.blur(x, k, 1)], strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("taps", [(1, 2, 1), (1, 2, 2, 3)])
def test_filters_that_are_odd_or_lopsided_are_refused(taps):
    with pytest.raises(UserError, match="an even number of taps"):
        fir.lowpass(taps)
