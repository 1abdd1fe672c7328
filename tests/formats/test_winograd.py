"""Winograd's filtering against convolutions."""

import copy

import pytest
import torch
import torch.nn.functional as F

from sfumato.formats.winograd import TILES, Winograd, WinogradDense, by_winograd
from sfumato.networks.superres.blocks import conv
from sfumato.networks.superres.rrdb import Dense, rrdb_net


@pytest.mark.parametrize("size", [(1, 1), (3, 9), (4, 4), (13, 18), (70, 41)])
@pytest.mark.parametrize("widths", [(5,), (3, 2, 1)])
def test_is_a_convolution_of_all_maps(size, widths):
    torch.manual_seed(0)
    layer = conv(sum(widths), 4).double().requires_grad_(False)
    maps = [torch.randn(n, *size, dtype=torch.float64) for n in widths]
    expected = F.conv2d(torch.cat(maps)[None], layer.weight, layer.bias, padding=1)[0]
    quick = Winograd(layer, widths)
    found = quick.of_tiles([quick.tiles(one.permute(1, 2, 0)) for one in maps], *size)
    torch.testing.assert_close(found.permute(2, 0, 1), expected, atol=1e-12, rtol=0)


def test_strips_bound_what_is_computed_at_a_time():
    quick = Winograd(conv(2, 2), [2])
    strips = quick.tiles(torch.zeros(100, 100, 2))
    assert sum(strip.shape[1] for strip in strips) == 25 * 25
    assert max(strip.shape[1] for strip in strips) <= TILES and len(strips) == 5


@pytest.mark.parametrize("batch", [1, 2])
def test_a_dense_block_is_the_same(batch):
    torch.manual_seed(0)
    dense = Dense(16, 8).requires_grad_(False)
    for layer in dense.layers:
        torch.nn.init.kaiming_normal_(layer.weight)  # of full size, so that rounding shows
    x = torch.randn(batch, 16, 33, 21).contiguous(memory_format=torch.channels_last)
    kept, expected = x.clone(), dense(x)
    found = WinogradDense(dense)(x)
    torch.testing.assert_close(found, expected, atol=1e-4 * expected.abs().max().item(), rtol=0)
    assert torch.equal(x, kept) and expected.std() > 0.5


def test_a_network_is_the_same_to_a_ten_thousandth():
    torch.manual_seed(0)
    network = rrdb_net(3, 16, 2, 8, 4).eval().requires_grad_(False)
    x = torch.rand(1, 3, 17, 22)
    quick = by_winograd(copy.deepcopy(network))
    torch.testing.assert_close(quick(x), network(x), atol=1e-4, rtol=0)
    assert sum(isinstance(layer, WinogradDense) for layer in quick.modules()) == 6
    assert not any(isinstance(layer, Dense) for layer in quick.modules())
