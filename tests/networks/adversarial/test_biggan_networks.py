"""BigGAN's networks against the authors' counts, spectral norms against SVD, truncation against closed forms."""

from math import erf, exp, pi, sqrt

import pytest
import torch
from torch import nn

from sfumato.errors import UserError
from sfumato.networks.adversarial.biggan import Attention, ConditionalNorm, Discriminator, Generator, truncated, widths
from sfumato.networks.adversarial.spectral import Spectral, spectral
from sfumato.objectives.orthogonal import orthogonal


def count(net):
    return sum(p.numel() for p in net.parameters())


@pytest.fixture
def quick(monkeypatch):
    """Networks of the paper's size without what takes seconds at the start."""
    monkeypatch.setattr(nn.init, "orthogonal_", lambda w: w)
    monkeypatch.setattr(Spectral.__init__, "__defaults__", (0,))


def test_parameters_are_those_of_the_authors(quick):
    """70,433,988 and 87,982,370 in the authors' code at 128 px; 158.3 M of both in the paper's table 1."""
    with torch.device("meta"):
        assert count(Generator(120, 96, 128, 3, 1000, 128, 64)) == 70_433_988
        assert count(Discriminator(96, 128, 3, 1000, 64)) == 87_982_370


def test_widths_are_the_papers():
    assert widths(1, 128) == [16, 16, 8, 4, 2, 1]
    assert widths(1, 256) == [16, 16, 8, 8, 4, 2, 1]
    assert widths(1, 512) == [16, 16, 8, 8, 4, 2, 1, 1]
    assert widths(64, 32) == [256] * 4


def test_attention_is_at_the_side_asked_and_begins_at_nothing():
    g = Generator(12, 2, 32, 1, 0, 4, 16)
    d = Discriminator(2, 32, 1, 0, 16)
    assert list(g.attention) == ["1"] and [isinstance(m, Attention) for m in d.layers] == [0, 1, 0, 0, 0]
    layer, x = Attention(8), torch.randn(2, 8, 6, 6)
    assert torch.equal(layer(x), x)
    nn.init.ones_(layer.strength)
    for conv in (layer.query, layer.key):
        nn.init.zeros_(conv.weight)  # nothing fits better than anything else: the mean of all values is added
    value = nn.functional.max_pool2d(layer.value(x), 2).mean((2, 3), keepdim=True).expand(-1, -1, 6, 6)
    torch.testing.assert_close(layer(x), x + layer.out(value))


def test_codes_are_split_evenly_or_refused():
    with pytest.raises(UserError, match="z 10: pictures of 16 px take codes in 3 equal parts; take 9"):
        Generator(10, 2, 16, 1, 0, 4, 0)


def test_every_part_of_the_code_reaches_its_block_alone():
    g = Generator(12, 2, 16, 1, 3, 4, 0).eval()
    z, label = torch.randn(1, 12), torch.eye(3)[:1]
    seen = {}
    for k, block in enumerate(g.blocks):
        block.register_forward_pre_hook(lambda _, args, k=k: seen.__setitem__(k, args[1]))
    g(z, label)
    for k in range(2):
        torch.testing.assert_close(seen[k], torch.cat([g.embed.weight[:, :1].T, z[:, 4 * (k + 1) : 4 * (k + 2)]], 1))


def test_a_condition_of_nothing_leaves_plain_batch_normalisation():
    norm, x = ConditionalNorm(3, 5), torch.randn(4, 3, 6, 6)
    torch.testing.assert_close(norm(x, torch.zeros(4, 5)), nn.functional.batch_norm(x, None, None, training=True))
    y = torch.randn(4, 5)
    want = nn.functional.batch_norm(x, None, None, training=True)
    want = want * (1 + y @ norm.gain.weight.T)[:, :, None, None] + (y @ norm.bias.weight.T)[:, :, None, None]
    torch.testing.assert_close(norm(x, y), want)


@pytest.mark.parametrize("layer", [nn.Linear(20, 12), nn.Conv2d(3, 12, 3)])
def test_weights_have_a_spectral_norm_of_one(layer):
    torch.manual_seed(0)
    before = layer.weight.detach().clone()
    spectral(layer)
    for _ in range(60):
        assert layer.weight.isfinite().all()  # each look is a step of power iteration
    top = torch.linalg.matrix_norm(before.flatten(1), 2)
    torch.testing.assert_close(layer.weight, before / top, rtol=1e-4, atol=1e-5)


def test_the_norm_of_averaged_vectors_is_still_one():
    torch.manual_seed(0)
    layer = spectral(nn.Linear(9, 9)).eval()
    want = layer.weight.detach().clone()
    layer.parametrizations.weight[0].u.mul_(0.3)  # as an average of turning vectors would be
    torch.testing.assert_close(layer.weight, want, rtol=1e-3, atol=1e-4)
    u = layer.parametrizations.weight[0].u.clone()
    assert layer.weight.isfinite().all()
    assert torch.equal(layer.parametrizations.weight[0].u, u)  # outside of training nothing moves


def test_the_gradient_runs_through_the_norm():
    """d/dW of W / (uᵀ W v) with u and v held, as in eq. 9 of the paper on spectral normalisation."""
    torch.manual_seed(0)
    norm = Spectral(torch.randn(4, 3)).double().eval()
    weight = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    u, v = norm.vectors(weight.detach())
    sigma = (u @ weight @ v).detach()
    r = torch.randn(4, 3, dtype=torch.float64)
    (found,) = torch.autograd.grad((norm(weight) * r).sum(), weight)
    want = (r - (r * weight.detach() / sigma).sum() * torch.outer(u, v)) / sigma
    torch.testing.assert_close(found, want)


def test_orthogonal_regularisation_counts_products_of_different_filters():
    w = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 5.0]])
    products = [1 * 3, 2 * 5, 0]
    assert orthogonal([w, torch.eye(4)]).item() == pytest.approx(2 * sum(p**2 for p in products))
    assert orthogonal([7 * torch.eye(3).view(3, 3, 1, 1)]).item() == 0  # lengths are free


@pytest.mark.parametrize("threshold", [0.5, 1.0, 2.0])
def test_truncated_codes_have_the_moments_of_a_truncated_normal(threshold):
    g = torch.Generator().manual_seed(0)
    code = truncated(lambda: torch.randn(400, 500, generator=g), threshold)
    assert code.abs().max() <= threshold
    variance = 1 - 2 * threshold * exp(-(threshold**2) / 2) / sqrt(2 * pi) / erf(threshold / sqrt(2))
    assert code.mean().item() == pytest.approx(0, abs=0.01)
    assert code.var().item() == pytest.approx(variance, rel=0.01)


def test_what_lies_inside_the_threshold_stays():
    draw = iter([torch.tensor([0.5, -3.0, 1.5]), torch.tensor([9.0, 2.5, 9.0]), torch.tensor([9.0, -0.1, 9.0])])
    assert truncated(lambda: next(draw), 2.0).tolist() == pytest.approx([0.5, -0.1, 1.5])
    plain = torch.randn(5)
    assert torch.equal(truncated(lambda: plain, 0.0), plain)
