"""Losses of image translation against closed forms, autograd and hand-computed cases."""

import math

import torch
from torch.distributions import Normal, kl_divergence

from sfumato.objectives.adversarial import least_squares_d
from sfumato.objectives.translation import (
    domain_invariant,
    hinge_d,
    hinge_g,
    over_scales,
    smoothness,
    ternary_d,
    ternary_g,
    unit_divergence,
)


def test_divergence_is_that_of_normal_codes_a_number():
    mean = torch.randn(3, 2, 4, 5)
    exact = kl_divergence(Normal(mean, 1.0), Normal(0.0, 1.0)).flatten(1).mean(1)
    torch.testing.assert_close(unit_divergence(mean), exact)


def test_three_classes_that_are_not_told_apart():
    same = torch.zeros(4, 3)
    assert math.isclose(ternary_d(same, same, same), 3 * math.log(3), rel_tol=1e-6)
    assert math.isclose(ternary_g(same, same), 2 * math.log(3), rel_tol=1e-6)


def test_three_classes_by_hand():
    p = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]]).log()[:, None]
    expected = -(math.log(0.5) + math.log(0.6) + math.log(0.6))
    assert math.isclose(ternary_d(*p), expected, rel_tol=1e-6)
    assert math.isclose(ternary_g(p[0], p[1]), -(math.log(0.2) + math.log(0.3)), rel_tol=1e-6)
    sure = torch.eye(3)[:, None] * 50
    assert ternary_d(*sure) < 1e-6 < 50 < ternary_g(sure[0], sure[1])


def test_smoothness_is_the_length_of_gradients():
    image = torch.zeros(1, 1, 3, 3)
    image[0, 0] = 3 * torch.arange(3.0)[None] + 4 * torch.arange(3.0)[:, None]
    torch.testing.assert_close(smoothness(image), torch.tensor([4 * 5.0]))
    flat = torch.ones(2, 3, 4, 4, requires_grad=True)
    smoothness(flat).sum().backward()
    assert flat.grad.isfinite().all() and smoothness(flat).max() < 0.01


def test_a_domain_of_other_colours_is_the_same_to_normalised_features():
    maps = [torch.randn(2, 3, 6, 6), torch.randn(2, 4, 3, 3)]
    others = [m * (1 + torch.rand(1, m.shape[1], 1, 1)) + torch.randn(1, m.shape[1], 1, 1) for m in maps]
    assert domain_invariant(maps, others).max() < 1e-4
    assert domain_invariant(maps, [m.flip(2) for m in maps]).min() > 0.1


def test_losses_over_scales_are_summed():
    real, fake = ([[torch.randn(2, 4, 4, 4), torch.randn(2, 1, 4, 4)], [torch.randn(2, 1, 2, 2)]] for _ in range(2))
    expected = least_squares_d(real[0][1], fake[0][1]) + least_squares_d(real[1][0], fake[1][0])
    torch.testing.assert_close(over_scales(least_squares_d, real, fake), expected)


def test_hinges():
    score = torch.tensor([[-3.0, 0.5], [2.0, 0.0]])
    assert hinge_g(score) == 0.125
    assert hinge_d(score, score) == (4 + 0.5 + 0 + 1) / 4 + (0 + 1.5 + 3 + 1) / 4
