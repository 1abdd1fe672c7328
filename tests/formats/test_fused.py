"""Networks in fewer layers, against the layers as they were."""

import copy

import pytest
import torch
from torch import nn

from sfumato.formats.fused import doubling, fused
from sfumato.networks.superres.blocks import conv
from sfumato.networks.superres.rrdb import rrdb_net


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 7)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_doubling_and_a_convolution_are_one(size, bias):
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 5, 3, padding=1, bias=bias).double()
    one = doubling(layer)
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = layer(x.repeat_interleave(2, -1).repeat_interleave(2, -2))
    torch.testing.assert_close(one(x), expected, atol=1e-12, rtol=0)


def test_rrdb_is_the_same_and_has_no_repetition_left():
    torch.manual_seed(0)
    network = rrdb_net(3, 8, 2, 4, 4).eval().requires_grad_(False)
    x = torch.rand(1, 3, 9, 11)
    expected = network(x)
    kept = x.clone()
    fewer = fused(copy.deepcopy(network))
    torch.testing.assert_close(fewer(x), expected, atol=1e-5, rtol=0)
    assert torch.equal(x, kept) and expected.std() > 1e-3
    kinds = [type(layer) for layer in fewer.modules()]
    assert kinds.count(nn.ConvTranspose2d) == 2 and nn.Upsample not in kinds


def test_normalisation_becomes_part_of_the_convolution():
    torch.manual_seed(0)
    network = nn.Sequential(conv(3, 4), nn.BatchNorm2d(4), nn.PReLU(), conv(4, 3))
    network[1].running_mean.normal_()
    network[1].running_var.uniform_(0.5, 2)
    network.eval().requires_grad_(False)
    x = torch.randn(1, 3, 6, 6)
    expected = network(x)
    fewer = fused(copy.deepcopy(network))
    torch.testing.assert_close(fewer(x), expected, atol=1e-6, rtol=1e-5)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in fewer)


def test_what_is_no_doubling_stays():
    for layers in ([nn.Upsample(scale_factor=3), conv(3, 3)], [nn.Upsample(scale_factor=2), conv(3, 3, 5)],
                   [nn.Upsample(scale_factor=2, mode="bilinear"), conv(3, 3)]):  # fmt: skip
        assert [type(layer) for layer in fused(nn.Sequential(*layers))] == [nn.Upsample, nn.Conv2d]
