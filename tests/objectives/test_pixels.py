"""Differences of pixels against values computed by hand."""

import pytest
import torch

from sfumato.objectives.pixels import charbonnier, l1, mse, squared_error, total_variation

A = torch.tensor([[[[0.0, 1.0], [2.0, -1.0]]], [[[0.0, 0.0], [0.0, 0.0]]]])
B = torch.tensor([[[[1.0, 1.0], [0.0, 2.0]]], [[[0.5, 0.5], [0.5, 0.5]]]])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (l1, [6 / 4, 0.5]),
        (mse, [14 / 4, 0.25]),
        (squared_error, [14.0, 1.0]),
        (lambda a, b: charbonnier(a, b, 0.75), [(1.25 + 0.75 + 4.5625**0.5 + 9.5625**0.5) / 4, 0.8125**0.5]),
    ],
)
def test_of_each_picture_by_hand(loss, expected):
    torch.testing.assert_close(loss(A, B), torch.tensor(expected))
    torch.testing.assert_close(loss(B, A), torch.tensor(expected))


def test_charbonnier_is_smooth_where_pictures_are_equal():
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    charbonnier(x, torch.zeros(1, 1, 2, 2)).sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_total_variation_by_hand():
    torch.testing.assert_close(total_variation(A), torch.tensor([1.0 + 3.0 + 2.0 + 2.0, 0.0]))
