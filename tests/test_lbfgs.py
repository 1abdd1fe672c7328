"""L-BFGS with one gradient a step: closed forms, valleys, rows that do not know each other, and going on."""

import copy

import pytest
import torch

from sfumato.optim import LBFGS


def descend(function, start, steps, **options):
    """Where so many gradients lead, and the values on the way: (steps, b)."""
    x = start.clone().requires_grad_()
    optimizer = LBFGS([x], **options)
    values = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = function(x)
        value.sum().backward()
        optimizer.step()
        values.append(value.detach())
    return x.detach(), torch.stack(values)


def rosenbrock(x):
    return (1 - x[:, 0]) ** 2 + 100 * (x[:, 1] - x[:, 0] ** 2) ** 2


def quadratics(n=12, b=3):
    generator = torch.Generator().manual_seed(0)
    a, c = (torch.randn(b, n, *rest, dtype=torch.float64, generator=generator) for rest in ((n,), ()))
    a = a @ a.mT + torch.eye(n)
    return lambda x: (x[:, None] @ a @ x[..., None]).flatten() / 2 - (c * x).sum(1), torch.linalg.solve(a, c)


def test_a_quadratic_comes_to_its_closed_form():
    function, solution = quadratics()
    found, _ = descend(function, torch.zeros_like(solution), 60)
    torch.testing.assert_close(found, solution, rtol=0, atol=1e-8)


def test_a_gradient_method_would_not_have():
    """As many gradients of steepest descent at its best constant rate leave a hundred times more."""
    generator = torch.Generator().manual_seed(1)
    scales = torch.logspace(0, 3, 30, dtype=torch.float64)
    start = torch.randn(1, 30, dtype=torch.float64, generator=generator)
    found, _ = descend(lambda x: (scales * x.square()).sum(1) / 2, start, 100)
    plain = start * (1 - scales * 2 / (scales[0] + scales[-1])) ** 100
    assert found.norm() < 1e-2 * plain.norm()


def test_rosenbrocks_valley_is_followed_to_its_end():
    starts = torch.tensor([[-1.2, 1.0], [0.0, 0.0], [2.0, -1.0], [-3.0, 4.0]], dtype=torch.float64)
    found, values = descend(rosenbrock, starts, 100)
    assert values[-1].max() < 1e-10
    torch.testing.assert_close(found, torch.ones_like(found), rtol=0, atol=1e-4)


def test_rows_are_problems_of_their_own():
    starts = torch.tensor([[-1.2, 1.0], [2.0, -1.0]], dtype=torch.float64)
    together, _ = descend(rosenbrock, starts, 40)
    alone = torch.cat([descend(rosenbrock, row[None], 40)[0] for row in starts])
    assert torch.equal(together, alone)


def test_a_scale_of_the_function_does_not_matter():
    function, solution = quadratics()
    for scale in (1e-6, 1e6):
        found, _ = descend(lambda x, s=scale: s * function(x), torch.zeros_like(solution), 80)
        torch.testing.assert_close(found, solution, rtol=0, atol=1e-6)


def test_it_leaves_the_top_of_a_hill():
    """x⁴ - x² has its minima at ±√½, and is concave around 0."""
    start = torch.tensor([[1e-3], [-1e-2]], dtype=torch.float64)
    found, _ = descend(lambda x: (x**4 - x**2).sum(1), start, 40)
    torch.testing.assert_close(found, start.sign() * 0.5**0.5, rtol=0, atol=1e-6)


def test_where_it_is_flat_it_stays():
    x, _ = descend(lambda x: (0 * x).sum(1), torch.ones(2, 3), 5)
    assert torch.equal(x, torch.ones(2, 3))


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (1, 5)])
def test_going_on_from_its_state_is_not_stopping(shape):
    def run(x, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            (x.square().sum() + (x**4).sum()).backward()
            optimizer.step()

    start = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    x = start.clone().requires_grad_()
    optimizer = LBFGS([x], history=4)
    run(x, optimizer, 6)
    y = x.detach().clone().requires_grad_()
    other = LBFGS([y], history=4)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    run(x, optimizer, 5)
    run(y, other, 5)
    assert torch.equal(x, y) and not torch.equal(x, start)
