"""What blur kernels should be like, against values worked out by hand."""

from math import exp

import pytest
import torch

from sfumato.objectives.kernels import at_border, border, off_centre, off_one, spread_out


def test_the_sum_should_be_one():
    assert off_one(torch.full((2, 2), 0.5)).item() == 1.0
    assert off_one(torch.full((2, 2), 0.2)).item() == pytest.approx(0.2)


def test_the_border_counts_and_the_middle_does_not():
    weights = border(13)
    assert weights[2:-2, 2:-2].abs().max() == 0
    assert weights[0, 0].item() == pytest.approx(30 * (1 - exp(-72 / 338)))
    assert weights[6, 1].item() == pytest.approx(30 * (1 - exp(-25 / 338)))
    assert weights[6, 0] > weights[6, 1] > 0 and torch.equal(weights, weights.flip(0).mT)
    kernel = torch.zeros(13, 13)
    kernel[6, 6] = 1
    assert at_border(kernel) == 0
    kernel[0, 0] = -0.5
    assert at_border(kernel).item() == pytest.approx(0.5 * weights[0, 0].item() / 169)


def test_one_entry_is_better_than_many():
    kernel = torch.zeros(3, 3)
    kernel[1, 1] = 1
    assert spread_out(kernel).item() == pytest.approx((1 + 8 * 1e-12**0.2) / 9, rel=1e-4)
    assert spread_out(torch.full((3, 3), -1 / 9)).item() == pytest.approx((1 / 9) ** 0.2)
    flat = torch.zeros(3, 3, requires_grad=True)
    spread_out(flat).backward()
    assert flat.grad.isfinite().all()


def test_the_centre_of_mass_should_be_at_home():
    kernel = torch.zeros(13, 13)
    kernel[6:8, 6:8] = 0.5
    assert off_centre(kernel, 6.5).item() == 0
    assert off_centre(kernel.roll((1, 2), (0, 1)), 6.5).item() == pytest.approx((1 + 4) / 2)
