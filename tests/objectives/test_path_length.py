"""Penalties on gradients against closed forms."""

import pytest
import torch

from sfumato.objectives.adversarial import consistency, lazy, r1
from sfumato.objectives.path_length import path_lengths, path_penalty


def test_the_path_length_of_a_linear_generator_is_that_of_its_matrix():
    b, layers, d, c, n = 3, 2, 5, 2, 4
    A = torch.randn(layers, d, c * n * n)
    w, noise = torch.randn(b, layers, d, requires_grad=True), torch.randn(b, c, n, n)
    image = torch.einsum("bld,ldp->bp", w, A).view(b, c, n, n)
    lengths = path_lengths(image, w, noise)
    back = torch.einsum("ldp,bp->bld", A, noise.flatten(1)) / n  # √(h w)
    torch.testing.assert_close(lengths, back.square().sum(2).mean(1).sqrt())
    torch.testing.assert_close(path_penalty(lengths, torch.tensor(2.0)), (lengths - 2).square())


def test_an_orthogonal_generator_has_one_length_on_average():
    d, n = 6, 16
    Q = torch.linalg.qr(torch.randn(n * n, d)).Q
    w = torch.randn(4000, 1, d, requires_grad=True)
    lengths = path_lengths((w[:, 0] @ Q.T).view(-1, 1, n, n), w, torch.randn(4000, 1, n, n))
    assert lengths.square().mean().item() == pytest.approx(d / n**2, rel=0.05)


def test_the_path_penalty_can_be_learned_from():
    scale = torch.tensor(2.0, requires_grad=True)
    w, noise = torch.randn(4, 1, 9, requires_grad=True), torch.randn(4, 1, 3, 3)
    lengths = path_lengths((scale * w).view(4, 1, 3, 3), w, noise)
    path_penalty(lengths, torch.tensor(1.0)).sum().backward()
    size = noise.flatten(1).norm(dim=1) / 3  # lengths are scale · size
    assert scale.grad.item() == pytest.approx((2 * (2 * size - 1) * size).sum().item(), rel=1e-5)


def test_r1_of_a_quadratic_critic():
    x, a = torch.randn(4, 3, 2, 2), torch.tensor(1.5, requires_grad=True)
    penalty = r1(lambda x: a * x.square().flatten(1).sum(1), x)
    torch.testing.assert_close(penalty, (2 * a * x).square().flatten(1).sum(1))
    penalty.sum().backward()
    assert a.grad.item() == pytest.approx((8 * a * x.square()).sum().item(), rel=1e-5)


def test_a_lazy_round_moves_as_far_as_a_plain_one():
    lr, betas = lazy(1e-3, (0.9, 0.99), 16)
    assert lr * 17 == pytest.approx(1e-3 * 16) and betas[0] ** 17 == pytest.approx(0.9**16)
    assert betas[1] ** 17 == pytest.approx(0.99**16) and lazy(1e-3, (0.0, 0.99), 1) == (1e-3, (0.0, 0.99))


def test_consistency_is_the_squared_difference():
    assert consistency(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 2.0])).tolist() == [4, 0]
