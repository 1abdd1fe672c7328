"""Every loss against a closed form, a case by hand, or autograd."""

from math import log

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.integrate import quad
from scipy.stats import norm
from torch import nn

from sfumato.objectives import adversarial as A

PAIRS = [((0.0, 1.0), (0.0, 1.0)), ((0.0, 1.0), (1.5, 1.0)), ((-1.0, 0.7), (1.0, 1.6)), ((0.0, 1.0), (6.0, 0.5))]


def draws(mean, std, n=20_000):
    """Points that stand for a normal distribution with equal weights: its quantiles at the middles of n slices."""
    return norm(mean, std).ppf((np.arange(n) + 0.5) / n)


def on_both(score, p, q):
    """A score at the draws of two normal distributions."""
    return (torch.tensor(score(draws(*d))) for d in (p, q))


def divergence(p, q):
    """The Jensen-Shannon divergence of two normal distributions by quadrature, nats."""
    p, q = norm(*p), norm(*q)

    def half(a, b, x):
        mixture = np.logaddexp(a.logpdf(x), b.logpdf(x)) - log(2)
        return a.pdf(x) * (a.logpdf(x) - mixture)

    inside = {"limit": 400, "points": [-1, 0, 1, 6]}
    return 0.5 * (
        quad(lambda x: half(p, q, x), -30, 30, **inside)[0] + quad(lambda x: half(q, p, x), -30, 30, **inside)[0]
    )


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_the_value_at_the_optimal_discriminator_is_the_jensen_shannon_divergence(p, q):
    real, fake = on_both(lambda x: norm(*p).logpdf(x) - norm(*q).logpdf(x), p, q)
    assert -A.logistic_d(real, fake).item() == pytest.approx(-log(4) + 2 * divergence(p, q), abs=2e-4)


@pytest.mark.parametrize("shift", [-0.3, 0.3])
@pytest.mark.parametrize("scale", [0.8, 1.2])
def test_no_other_discriminator_does_better(shift, scale):
    p, q = PAIRS[2]
    best = on_both(lambda x: norm(*p).logpdf(x) - norm(*q).logpdf(x), p, q)
    other = on_both(lambda x: scale * (norm(*p).logpdf(x) - norm(*q).logpdf(x)) + shift, p, q)
    assert A.logistic_d(*best) < A.logistic_d(*other)


@pytest.mark.parametrize("score", [-10.0, -1.0, 0.0, 2.0])
def test_both_generator_losses_pull_the_same_way_and_one_of_them_always_strongly(score):
    s = torch.tensor([score], requires_grad=True)
    (minimax,) = torch.autograd.grad(A.minimax_g(s), s)
    (nonsaturating,) = torch.autograd.grad(A.nonsaturating_g(s), s)
    assert minimax.item() == pytest.approx(-torch.sigmoid(s).item(), rel=1e-5)
    assert nonsaturating.item() == pytest.approx(-torch.sigmoid(-s).item(), rel=1e-5)


def test_the_zero_sum_game_is_zero_sum():
    real, fake = torch.randn(2, 50)
    value = F.logsigmoid(real).mean() + torch.log1p(-torch.sigmoid(fake)).mean()
    assert torch.isclose(-A.logistic_d(real, fake), value)
    assert torch.isclose(A.minimax_g(fake), torch.log1p(-torch.sigmoid(fake)).mean())


def test_extreme_scores_are_finite():
    wild = torch.tensor([-1e4, 1e4])
    for loss in (A.logistic_d(wild, wild), A.minimax_g(wild), A.nonsaturating_g(wild), A.relativistic_d(wild, wild)):
        assert loss.isfinite()


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_least_squares_at_the_optimal_discriminator_is_pearson_chi_squared(p, q):
    a, b, c = -1.0, 1.0, 0.0  # b - c = 1 and b - a = 2, the condition of eq. 8

    def best(x):
        share = 1 / (1 + np.exp(norm(*q).logpdf(x) - norm(*p).logpdf(x)))
        return b * share + a * (1 - share)

    real, fake = on_both(best, p, q)
    p, q = norm(*p), norm(*q)
    chi = quad(
        lambda x: (q.pdf(x) - p.pdf(x)) ** 2 / max(p.pdf(x) + q.pdf(x), 1e-300), -30, 30, limit=400, points=[0, 6]
    )[0]
    assert 2 * (A.least_squares_g(real, c) + A.least_squares_g(fake, c)).item() == pytest.approx(chi, abs=2e-4)


def test_least_squares_by_hand():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])
    assert A.least_squares_d(real, fake).item() == 0.5 * 2 + 0.5 * 2
    assert A.least_squares_d(real, fake, a=-1, b=1).item() == 0.5 * 2 + 0.5 * 5
    assert A.least_squares_g(fake).item() == 0.5 * 1
    assert A.least_squares_g(fake, c=0).item() == 0.5 * 2


def test_wasserstein_with_the_best_critic_is_the_distance_of_shifted_distributions():
    x = torch.tensor(draws(0, 1))
    assert A.wasserstein_d(x + 3, x).item() == pytest.approx(-3)  # the identity is the best 1-Lipschitz critic
    assert A.wasserstein_g(x + 2).item() == pytest.approx(-2)


def test_relativistic_by_hand():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])
    two = log(1 + np.exp(-2))
    assert A.relativistic_d(real, fake).item() == pytest.approx((log(2) + two) / 2 + (two + log(2)) / 2)
    assert A.relativistic_d(real, real).item() > A.relativistic_d(real, real - 10).item()


def test_relativistic_scores_have_no_origin_and_the_generator_learns_from_reals():
    real, fake = torch.randn(2, 20).double()
    assert torch.isclose(A.relativistic_d(real + 7, fake + 7), A.relativistic_d(real, fake))
    real.requires_grad_()
    (slope,) = torch.autograd.grad(A.relativistic_g(real, fake), real)
    assert (slope > 0).all()
    assert torch.equal(A.relativistic_g(real, fake), A.relativistic_d(fake, real))


def test_realness_is_the_probability_of_all_classes_but_the_fake_one():
    logits = 3 * torch.randn(40, 10)
    fake = torch.cat([logits, torch.zeros(40, 1)], 1).softmax(1)[:, -1]
    assert torch.allclose(torch.sigmoid(A.realness(logits)), 1 - fake, atol=1e-6)


def test_feature_matching_by_hand():
    real, fake = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 0.0], [0.0, 10.0]])
    assert A.feature_matching(real, fake, power=1).item() == (2 + 2) / 2
    assert A.feature_matching(real, 0 * fake).item() == (4 + 9) / 2


def test_the_penalty_of_a_linear_critic_and_of_its_slope():
    critic = nn.Linear(12, 1).double()
    real, fake = torch.randn(2, 5, 3, 2, 2).double()
    penalty = A.interpolated(lambda x: critic(x.double().flatten(1)), real, fake, torch.rand(5, 1, 1, 1))
    norm_ = critic.weight.norm()
    assert penalty.item() == pytest.approx((norm_.item() - 1) ** 2, rel=1e-5)
    (slope,) = torch.autograd.grad(penalty, critic.weight)
    assert torch.allclose(slope, 2 * (norm_ - 1) * critic.weight / norm_, rtol=1e-5)


@pytest.mark.parametrize("mix", [0.0, 0.25, 1.0])
def test_the_penalty_is_taken_between_the_pair(mix):
    real, fake = torch.randn(2, 6, 1, 4, 4)
    penalty = A.interpolated(lambda x: 0.5 * x.square().sum((1, 2, 3)), real, fake, torch.full((6, 1, 1, 1), mix))
    between = ((1 - mix) * real + mix * fake).flatten(1).norm(dim=1)  # the gradient of |x|² / 2 is x
    assert torch.isclose(penalty, (between - 1).square().mean())


def test_the_penalty_is_float32_inside_autocast():
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1))
    real, fake, mix = torch.randn(4, 1, 4, 4), torch.randn(4, 1, 4, 4), torch.rand(4, 1, 1, 1)
    exact = A.interpolated(critic, real, fake, mix)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(
            A.interpolated(critic, real, fake.bfloat16().float(), mix),
            A.interpolated(critic, real, fake.bfloat16(), mix),
        )
        assert torch.equal(A.interpolated(critic, real, fake, mix), exact)


def test_wins():
    assert A.wins(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([0.0, 2.0, 5.0, 1.0])).item() == 0.5
