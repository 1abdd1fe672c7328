"""Path length and separability: closed forms, and another minimiser."""

import math
from copy import deepcopy

import pytest
import torch
from scipy.optimize import minimize

from sfumato.metrics.path_length import lerp, path_length, path_lengths, slerp, unit_distance
from sfumato.metrics.separability import conditional_entropy, linear_svm, separability
from sfumato.networks.pretrained.features import features

N, D = 200, 6


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def squared(x, y):
    return (x.double() - y.double()).square().flatten(1).sum(1)


def linear(matrix):
    return lambda code: (code.double() @ matrix.double()).view(-1, 1, 4, 4)


def test_steps_of_a_linear_generator_have_the_length_of_its_map():
    a, b, matrix = torch.randn(N, D), torch.randn(N, D), torch.randn(D, 16)
    expected = ((b - a) @ matrix).square().sum(1).double()
    for t in (torch.zeros(N), torch.rand(N)):
        torch.testing.assert_close(path_lengths(linear(matrix), squared, (a, b), t), expected, rtol=5e-3, atol=0)


def test_steps_on_a_sphere_have_the_squared_angle():
    a, b = torch.randn(N, D), torch.randn(N, D)
    a, b = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
    isometry = torch.linalg.qr(torch.randn(16, D))[0].T
    expected = (a * b).sum(1).double().acos().square()
    found = path_lengths(linear(isometry), squared, (a, b), torch.rand(N), slerp)
    torch.testing.assert_close(found, expected, rtol=5e-3, atol=0)


def test_great_circles_begin_and_end_at_their_codes_and_keep_norms():
    a, b = torch.randn(N, D).double(), 3 * torch.randn(N, D).double()
    torch.testing.assert_close(slerp(a, b, torch.zeros(N)), a)
    torch.testing.assert_close(slerp(a, b, torch.ones(N)), b)
    middle = slerp(a, b, torch.full((N,), 0.5))
    torch.testing.assert_close(middle.norm(dim=1), (a.norm(dim=1) + b.norm(dim=1)) / 2)
    cosine = torch.nn.functional.cosine_similarity
    torch.testing.assert_close(cosine(middle, a), cosine(middle, b))
    assert torch.equal(slerp(a, a, torch.rand(N)).isfinite(), torch.ones(N, D, dtype=torch.bool))


def test_float32_is_near_enough_to_the_derivative():
    """A picture's network in float32 against the exact limit, by autograd in float64."""
    look, net = features("reader:faces", ("stem", "high")), torch.nn.Linear(D, 3 * 32 * 32)
    picture = lambda code: net(code).tanh().view(-1, 3, 32, 32)  # noqa: E731
    a, b, t = torch.randn(8, D), torch.randn(8, D), torch.rand(8)
    with torch.no_grad():
        found = path_lengths(picture, unit_distance(look), (a, b), t)
    exact, look, net = [], deepcopy(look).double(), net.double()  # features are shared by all who ask for them

    def unit(code):
        x, out = picture(code[None]), []
        for layer in look.layers:
            x = layer(x)
            out.append((torch.nn.functional.normalize(x, dim=1) / math.sqrt(x[0, 0].numel())).flatten())
        return torch.cat(out)

    for k in range(8):
        way = (b[k] - a[k]).double()
        slope = torch.autograd.functional.jvp(unit, lerp(a, b, t)[k], way)[1]
        exact.append(slope.square().sum())
    torch.testing.assert_close(found, torch.stack(exact).detach(), rtol=0.02, atol=0)


def test_means_leave_out_the_tails():
    lengths = torch.cat([torch.ones(960), 1e6 + torch.arange(20.0), -torch.arange(20.0)])
    kept = lengths.double().sort().values[9:991]  # from the percentile's lower neighbour to its upper one
    assert path_length(lengths[torch.randperm(1000)]) == pytest.approx(kept.mean().item())
    with pytest.raises(ValueError, match="no paths"):
        path_length(torch.zeros(0))


def test_a_crop_sees_the_middle_alone():
    border = torch.zeros(1, 1, 16, 16)
    border[..., 0, :] = 1
    picture = lambda code: border * code[:, :1, None, None]  # noqa: E731
    ends = torch.zeros(3, 2), torch.ones(3, 2)
    assert path_lengths(picture, squared, ends, torch.zeros(3)).min() > 1
    assert path_lengths(picture, squared, ends, torch.zeros(3), crop=True).max() == 0


def test_large_pictures_are_reduced_by_means():
    seen = []
    ends = torch.zeros(2, 3), torch.ones(2, 3)

    def noting(x, y):
        seen.append(x.shape[-2:])
        return squared(x, y)

    path_lengths(lambda code: code[:, :1, None, None].expand(-1, 1, 512, 512), noting, ends, torch.zeros(2))
    assert seen == [(256, 256)]


def test_a_plane_minimises_what_it_should():
    x = torch.randn(N, 4).double()
    y = x @ torch.tensor([1.0, -2, 0, 0.5]).double() + torch.randn(N) > 0.3
    s, padded = y.double() * 2 - 1, torch.cat([x, torch.ones(N, 1)], 1)

    def loss(v):
        v = torch.from_numpy(v)
        return (v.square().sum() / 2 + 0.7 * (1 - s * (padded @ v)).clamp(min=0).square().sum()).item()

    found = linear_svm(x, y, cost=0.7)
    best = minimize(loss, [0.0] * 5, method="BFGS", options={"gtol": 1e-8})
    assert loss(found.numpy()) <= best.fun + 1e-9
    torch.testing.assert_close(found, torch.from_numpy(best.x), atol=1e-4, rtol=1e-4)


def test_entropy_of_known_tables():
    yes, no = torch.ones(50, dtype=torch.bool), torch.zeros(50, dtype=torch.bool)
    y = torch.cat([yes, no])
    assert conditional_entropy(y, y) == 0
    assert conditional_entropy(y, ~y) == 0
    assert conditional_entropy(y, torch.ones(100, dtype=torch.bool)) == pytest.approx(math.log(2))
    x = torch.cat([yes[:40], no[:10], yes[:10], no[:40]])
    assert conditional_entropy(y, x) == pytest.approx(-(0.8 * math.log(0.8) + 0.2 * math.log(0.2)))


def test_separable_attributes_cost_nothing_and_random_ones_a_factor_of_two():
    codes, sure = torch.randn(8000, 3), torch.rand(8000)
    split = {f"{k}": (codes[:, k] > 0, codes[:, k].abs()) for k in range(3)}
    assert separability(codes, split) == pytest.approx(1.0, abs=1e-6)
    chance = {f"{k}": (torch.rand(8000) < 0.5, sure) for k in range(3)}
    assert separability(codes, chance) == pytest.approx(2**3, rel=0.02)
    assert separability(5 * codes + 2, chance) == pytest.approx(separability(codes, chance), rel=1e-3)
    bent = {"ring": (codes.norm(dim=1) > 1.5, torch.ones(8000))}
    assert 1.9 < separability(codes, bent) <= 2.0 + 1e-9
    with pytest.raises(ValueError, match="too few"):
        separability(codes[:3], {})
