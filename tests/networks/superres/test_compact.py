"""The compact network: its size, where it begins, and that images keep their range."""

import torch
import torch.nn.functional as F

from sfumato.networks.superres.compact import compact_net, stack


def test_it_has_the_weights_of_the_published_model():
    """64 channels, 16 inner convolutions and ×4, as realesr-animevideov3, whose file holds 621,424 numbers."""
    assert sum(p.numel() for p in stack(3, 64, 16, 4).parameters()) == 621_424


def test_without_its_convolutions_it_repeats_pixels():
    net = compact_net(3, 4, 1, 2)
    last = net.network.body[-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    image = torch.rand(1, 3, 5, 4) * 2 - 1
    torch.testing.assert_close(net(image), F.interpolate(image, scale_factor=2.0))


def test_inner_convolutions_begin_near_the_identity():
    torch.manual_seed(0)
    weight = stack(3, 48, 2, 2)[2].weight
    centre = weight[..., 1, 1]
    assert torch.diag(centre).min() > 0.9
    assert (centre - torch.diag(torch.diag(centre))).abs().max() < 0.1
