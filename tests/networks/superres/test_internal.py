"""How a network learns from one picture: positions, crops, fathers by their size, a rate that falls in time."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from sfumato.networks.superres.internal import (
    Patience,
    at_turn,
    back_project,
    busy,
    father,
    in_strips,
    levels,
    median,
    moved,
    positions,
    resized,
    returned,
    slope,
    slowed,
)
from sfumato.networks.superres.kernels import bicubic_kernel, gaussian_kernel, shrink_by


def images(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_eight_positions_and_the_way_back():
    image = images(1, 2, 3, 5)
    found = {tuple(moved(image, p).flatten().tolist()) for p in range(8)}
    assert len(found) == 8
    for p in range(8):
        assert moved(image, p).shape[-2:] == ((5, 3) if p & 4 else (3, 5))
        assert torch.equal(returned(moved(image, p), p), image)


def test_positions_are_those_in_which_the_kernel_is_itself():
    assert positions(bicubic_kernel(2)) == list(range(8))
    assert positions(gaussian_kernel(12, (4.0, 1.0), 0.0)) == [0, 1, 2, 3]
    assert positions(gaussian_kernel(12, (4.0, 1.0), 0.4)) == [0, 3]  # half a turn
    assert positions(torch.arange(16.0).view(4, 4)) == [0]


@pytest.mark.parametrize("among", [[0], [0, 3], list(range(8))])
def test_the_median_over_positions(among):
    image, offsets = torch.zeros(1, 1, 2, 3), iter([5.0, 1.0, 4.0, 2.0, 8.0, 7.0, 3.0, 6.0])
    taken = []

    def network(x):
        taken.append(next(offsets))
        return x + taken[-1]

    found = median(network, image, among)
    assert torch.equal(found, torch.full((1, 1, 2, 3), float(np.median(taken))))


def test_a_network_that_heeds_positions_is_its_own_median():
    image = images(1, 3, 6, 9)
    found = median(lambda x: resized(x, (2 * x.shape[-2], 2 * x.shape[-1])), image, range(8))
    torch.testing.assert_close(found, resized(image, (12, 18)), atol=1e-5, rtol=0)


def test_strips_change_nothing(monkeypatch):
    monkeypatch.setattr("sfumato.networks.superres.internal.ROWS", 7)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1))
    image = images(1, 2, 24, 10)
    with torch.no_grad():
        torch.testing.assert_close(in_strips(net, image, 2), net(image))


def test_back_projection_brings_the_reduction_to_the_picture():
    kernel = gaussian_kernel(12, (3.0, 1.0), 0.5)
    small = shrink_by(images(1, 3, 48, 48), kernel, 2)
    shrink = lambda x: shrink_by(x, kernel, 2)  # noqa: E731
    start = resized(small, (48, 48))
    errors = [(shrink(back_project(start, small, shrink, n)) - small).square().mean().item() for n in (0, 1, 4, 16)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2] and errors[2] > errors[3]
    once = start + resized(small - shrink(start), (48, 48))
    assert torch.equal(back_project(start, small, shrink, 1), once)


def test_a_father_is_a_square_of_the_picture_or_of_a_smaller_copy():
    ramp = (torch.arange(40.0) / 40).expand(1, 1, 40, 40).repeat(2, 1, 1, 1)
    whole = father(ramp, 10, 1.0, torch.tensor([[0.0, 0.0, 0.0], [0.99, 0.99, 0.99]]), [0, 1])
    assert torch.equal(whole[0, 0, 0], ramp[0, 0, 0, :10])
    assert torch.equal(whole[1, 0, 0], ramp[0, 0, 0, 30:].flip(0))
    half = father(ramp, 10, 0.5, torch.zeros(2, 3), [0])
    inside = half[0, 0, 5, 2:-2]
    torch.testing.assert_close(inside, (torch.arange(2.0, 8) * 2 + 0.5) / 40, atol=1e-4, rtol=0)


def test_fathers_take_turns_in_proportion_to_their_area():
    sizes, chances = levels(6, 0.5)
    assert sizes.tolist() == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    assert (chances / chances[-1]).tolist() == pytest.approx((sizes**2).tolist())
    turns = torch.tensor([at_turn(i, chances) for i in range(2000)])
    shares = turns.bincount(minlength=6) / 2000
    torch.testing.assert_close(shares, chances, atol=0.003, rtol=0)


def test_crops_are_where_something_is():
    """Half of the picture is flat: of pairs of crops, the flat one is all but never taken."""
    image = torch.zeros(64, 1, 32, 64)
    image[..., 32:] = images(64, 1, 32, 32)
    chance = torch.rand(64, 8, 2, generator=torch.Generator().manual_seed(1))
    found = busy(image, 8, chance, torch.rand(64, 1, generator=torch.Generator().manual_seed(2)))
    assert found.shape == (64, 1, 8, 8)
    flat = (chance[..., 1] * 57 + 7 < 31).all(1)  # no crop of these reaches what there is
    assert (found.flatten(1).abs().sum(1)[~flat] > 0).all() and flat.sum() < 10


def test_the_slope_and_its_error_are_those_of_regression():
    values = torch.tensor([3.0, 2.5, 2.6, 1.9, 1.7, 1.8])
    (expected, _), covariance = np.polyfit(np.arange(6), values.numpy(), 1, cov=True)
    steep, uncertain = slope(values)
    assert steep.item() == pytest.approx(expected)
    assert uncertain.item() == pytest.approx(np.sqrt(covariance[0, 0]))


def test_the_rate_falls_when_the_error_rests_and_not_before():
    patience = Patience(1.5)
    for turn in range(12):
        patience.note(turn, torch.tensor(1.0 - 0.05 * turn))
        patience.note(turn, torch.tensor(1.0 - 0.05 * turn))
    assert patience.factor == 1  # it falls on a line
    rests = []
    for turn in range(12, 40):
        patience.note(turn, torch.tensor(0.45 + 0.001 * (-1) ** turn))
        rests.append(round(float(patience.factor), 6))
    falls = [i for i in range(1, len(rests)) if rests[i] < rests[i - 1]]
    assert len(falls) >= 3 and rests[falls[0]] == pytest.approx(0.1) and rests[falls[1]] == pytest.approx(0.01)
    assert all(b - a >= patience.window for a, b in pairwise(falls))
    patience.reset()
    assert patience.factor == 1 and (patience.errors == -1).all()


def test_a_slowed_optimiser_takes_smaller_steps():
    weight = nn.Parameter(torch.zeros(1))
    optimizer = slowed(torch.optim.SGD([weight], 0.5), lambda: 0.1)
    weight.grad = torch.ones(1)
    optimizer.step()
    assert weight.item() == pytest.approx(-0.05)
