"""Maxout and weight normalisation."""

import pytest
import torch
from torch import nn

from sfumato.networks.maxout import Maxout, Picture, uniform
from sfumato.networks.normalised import Normalised


def test_maxout_is_the_greatest_of_its_pieces():
    layer, x = Maxout(3, 4, 5), torch.randn(7, 3)
    pieces = (x @ layer.linear.weight.T + layer.linear.bias).view(7, 4, 5)
    assert torch.allclose(layer(x), pieces.max(2).values)
    absolute = Maxout(1, 1, 2)  # max(x, -x)
    with torch.no_grad():
        absolute.linear.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        absolute.linear.bias.zero_()
    assert torch.equal(absolute(torch.tensor([[-3.0], [2.0]])), torch.tensor([[3.0], [2.0]]))


def test_a_picture_is_a_sigmoid_a_pixel_and_begins_at_the_mean():
    layer, x = Picture(4, 2, 3), torch.randn(5, 4)
    assert torch.allclose(layer(x), (2 * torch.sigmoid(layer.linear(x)) - 1).view(5, 2, 3, 3), atol=1e-6)
    mean = torch.rand(2, 3, 3) * 1.8 - 0.9
    layer.centre(torch.stack([mean + 0.05, mean - 0.05]))
    assert torch.allclose(layer(torch.zeros(1, 4))[0], mean, atol=1e-5)
    layer.centre(torch.ones(2, 2, 3, 3))
    assert layer.linear.bias.isfinite().all()


def test_uniform_weights():
    net = uniform(nn.Linear(50, 50), 0.05)
    assert 0.045 < net.weight.abs().max() <= 0.05
    assert net.bias.abs().max() == 0


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: nn.Linear(6, 4), (32, 6)),
        (lambda: nn.Conv2d(6, 4, 3), (32, 6, 8, 8)),
        (lambda: nn.ConvTranspose2d(6, 4, 3, 2), (32, 6, 4, 4)),
    ],
    ids=["linear", "convolution", "transposed"],
)
@pytest.mark.parametrize("std", [1.0, 0.1])
def test_normalised_outputs_are_standardised_on_the_first_batch_and_stay_a_function_of_the_input(layer, shape, std):
    net, x = Normalised(layer(), std), 3 + 2 * torch.randn(shape)
    with torch.no_grad(), Normalised.fitting(net):
        seen = net(x)
    y = net(x)
    assert torch.allclose(seen, y, atol=1e-4)
    assert torch.allclose(y.transpose(0, 1).flatten(1).mean(1), torch.zeros(4), atol=1e-4)
    assert torch.allclose(y.transpose(0, 1).flatten(1).std(1), torch.full((4,), std), rtol=0.05)
    assert torch.allclose(net(x[:1]), y[:1], atol=1e-5)


def test_normalised_weights_are_a_direction_and_a_gain():
    net = Normalised(nn.Linear(6, 4), gain=True)
    with torch.no_grad():
        net.gain.copy_(torch.arange(1.0, 5.0)[:, None])
    assert torch.allclose(net.layer.weight.norm(dim=1), torch.arange(1.0, 5.0))
    direction = net.layer.parametrizations.weight.original1
    cosine = nn.functional.cosine_similarity(net.layer.weight, direction)
    assert torch.allclose(cosine, torch.ones(4))


@pytest.mark.parametrize("gain", [True, False])
def test_the_gain_is_learned_only_if_asked(gain):
    assert Normalised(nn.Linear(2, 2), gain=gain).gain.requires_grad is gain


def test_layers_are_fitted_one_after_the_other():
    net = nn.Sequential(Normalised(nn.Linear(6, 8)), nn.ReLU(), Normalised(nn.Linear(8, 3)))
    x = torch.randn(64, 6)
    with torch.no_grad(), Normalised.fitting(net):
        net(x)
    y = net(x)
    assert torch.allclose(y.mean(0), torch.zeros(3), atol=1e-4)
    assert torch.allclose(y.std(0), torch.ones(3), rtol=0.05)
