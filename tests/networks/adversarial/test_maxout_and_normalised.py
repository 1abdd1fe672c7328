"""Maxout and weight normalisation."""

import pytest
import torch
from torch import nn

from sfumato.networks.adversarial import improved
from sfumato.networks.adversarial.maxout import Maxout, Picture, uniform
from sfumato.networks.adversarial.normalised import Normalised


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


@pytest.mark.parametrize("size", [16, 32])
def test_improved_networks_have_the_shapes_of_pictures(size):
    for net in (improved.Generator(5, 4, size, 3), improved.DenseGenerator(5, 8, size, 3)):
        x = net(torch.randn(4, 5))
        assert x.shape == (4, 3, size, size)
        assert x.abs().max() <= 1
    for net in (improved.Classifier(4, 3), improved.DenseClassifier(32, size, 3)):
        assert net(torch.zeros(2, 3, size, size)).shape == (2, net.width) == (2, 8)


def test_batch_norms_of_improved_generators_learn_no_gain():
    for net in (improved.Generator(5, 4, 16, 1), improved.DenseGenerator(5, 8, 16, 1)):
        norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
        assert norms
        assert all(m.bias.requires_grad and not m.weight.requires_grad for m in norms)


def test_noise_is_added_in_training_alone():
    layer, x = improved.Noise(0.5), torch.zeros(10_000)
    assert layer(x).std().item() == pytest.approx(0.5, rel=0.05)
    assert torch.equal(layer.eval()(x), x)


def test_a_layer_without_a_spread_is_not_fitted():
    net = nn.Sequential(Normalised(nn.Linear(6, 4), std=None))
    before, x = {k: v.clone() for k, v in net.state_dict().items()}, torch.randn(8, 6)
    with torch.no_grad(), Normalised.fitting(net):
        net(x)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
