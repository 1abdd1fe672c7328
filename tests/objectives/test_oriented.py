"""Histograms of oriented gradients of edges whose direction is known."""

from math import cos, pi, sin

import pytest
import torch

from sfumato.objectives.oriented import BINS, oriented_gradients


@pytest.mark.parametrize("bin", range(BINS))
def test_an_edge_counts_for_its_direction(bin):
    angle, axis = bin * pi / BINS, torch.arange(16.0)
    ramp = (axis * cos(angle) + axis[:, None] * sin(angle)) / 20
    found = oriented_gradients(ramp.expand(1, 1, 16, 16), 4)[0, :, 1:-1, 1:-1]
    assert found.shape == (BINS, 2, 2)
    assert (found.argmax(0) == bin).all() and found[bin].min() > 0.9 * found.sum(0).max()


def test_nothing_is_nothing_and_light_on_dark_is_dark_on_light():
    assert oriented_gradients(torch.full((1, 3, 8, 8), 0.3)).abs().max() < 1e-3
    image = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(oriented_gradients(image), oriented_gradients(-image))


def test_its_gradient_is_right():
    image = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(oriented_gradients, image, eps=1e-7, atol=1e-3)
    flat = torch.zeros(1, 1, 8, 8, requires_grad=True)
    oriented_gradients(flat).sum().backward()
    assert flat.grad.isfinite().all()
