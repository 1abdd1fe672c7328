"""How far networks see, against what their gradients say."""

import pytest
import torch
from torch import nn

from sfumato.networks.reach import reach
from sfumato.networks.superres.blocks import Residual, block, conv, shuffled
from sfumato.resample import imresize


def seen(network, channels, side=32):
    """The farthest pixel, on any side, that moves the four output pixels in the middle."""
    image = torch.rand(1, channels, side, side, dtype=torch.float64, requires_grad=True)
    out = network(image)
    s, middle = out.shape[-1] // side, side // 2
    inner = out[..., s * middle : s * (middle + 1), s * middle : s * (middle + 1)]
    inner.square().sum().backward()
    places = (image.grad.abs() > 1e-300).nonzero()[:, 2:] - middle
    return int(places.abs().max())


def positive(network):
    """Weights of which no sum is nothing."""
    for p in network.parameters():
        nn.init.uniform_(p, 0.1, 0.2)
    return network.double()


NETWORKS = {
    "convolutions": nn.Sequential(conv(1, 4, 9), nn.PReLU(), conv(4, 4, 1), nn.ReLU(), conv(4, 1, 5)),
    "dilated": nn.Sequential(nn.Conv2d(1, 2, 3, padding=2, dilation=2), conv(2, 1)),
    "residual": nn.Sequential(conv(1, 4), Residual(block(4), block(4), conv(4, 4))),
    "shuffled": nn.Sequential(conv(1, 4), *shuffled(4, 4), conv(4, 1, 5)),
    "repeated": nn.Sequential(nn.Upsample(scale_factor=2), conv(1, 4), nn.Upsample(scale_factor=2), conv(4, 1)),
    "transposed": nn.Sequential(conv(1, 4), nn.ConvTranspose2d(4, 1, 4, 2, 1)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_is_seen_beyond_the_reach_and_little_is_added(name):
    torch.manual_seed(0)
    network = NETWORKS[name]
    bound = reach(network, 1).pixels
    assert seen(positive(network), 1) <= bound <= seen(network, 1) + 2


def test_bicubic_sees_two_pixels_on_each_side():
    found = reach(lambda x: imresize(x, 2), 3).pixels
    assert seen(lambda x: imresize(x, 2), 3) == 2 <= found <= 4


@pytest.mark.parametrize(
    "layer",
    [
        lambda x: x + nn.functional.adaptive_avg_pool2d(x, 1),
        lambda x: x + x.mean((2, 3), keepdim=True),
        lambda x: x - x.mean(),
        nn.InstanceNorm2d(4),
        nn.GroupNorm(2, 4),
        lambda x: (x.flatten(2).softmax(-1) @ x.flatten(2).mT).mean(-1)[..., None, None] + x,
    ],
)
def test_what_looks_at_everything_has_no_bound(layer):
    assert reach(layer, 4).pixels is None
    assert reach(lambda x: layer(x)[:, :1].sum(1, keepdim=True), 4).pixels is None


def test_sums_over_channels_see_one_pixel():
    assert reach(lambda x: x.sum(1, keepdim=True) + x.mean(dim=-3, keepdim=True), 4).pixels == 0


def test_memory_is_that_of_the_largest_maps():
    assert reach(conv(3, 64), 3).memory == pytest.approx(2 * 4 * (3 + 64 + 64 * 28 / 16**2), rel=0.01)
