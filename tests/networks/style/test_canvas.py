"""Pictures as parameters: levels one after another, each from the one before."""

import pytest
import torch

from sfumato.errors import UserError
from sfumato.networks.style.canvas import Canvas, fit, rows_of, shaped


def test_levels_are_named_by_what_their_sides_are_divided_by():
    canvas = Canvas(2, 3, (70, 96), 3)
    assert {k: tuple(p.shape) for k, p in canvas.players.items()} == {
        "image-4": (2, 3, 17, 24),
        "image-2": (2, 3, 35, 48),
        "image": (2, 3, 70, 96),
    }


def change(canvas, level, by):
    with torch.no_grad():
        canvas.levels[level] += by


def test_a_level_begins_with_the_change_of_the_one_before_it():
    canvas, image = Canvas(1, 1, (64, 64), 2, whiten=0.0), torch.rand(1, 1, 64, 64) / 2
    canvas.begin(image)
    assert torch.equal(canvas.there(0), fit(image, (32, 32))) and not canvas.there(1).any()
    torch.testing.assert_close(canvas.image(), image)
    change(canvas, 0, 0.25)
    torch.testing.assert_close(canvas.image(), image + 0.25)
    level, player, found = canvas.at(0.5)
    assert (level, player) == (1, "image") and not canvas.levels[1].any()
    torch.testing.assert_close(found, image + 0.25)
    change(canvas, 1, torch.eye(64))
    torch.testing.assert_close(canvas.image(), image + 0.25 + torch.eye(64))
    assert canvas.drawn(torch.tensor([0, 0])).shape == (2, 1, 64, 64) and canvas.drawn(torch.tensor([0])).max() == 1


def test_levels_have_the_same_share_of_the_budget():
    canvas = Canvas(1, 1, (64, 64), 3)
    canvas.begin(torch.zeros(1, 1, 16, 16))
    assert [canvas.at(p)[:2] for p in (0.0, 0.3, 0.34, 0.66, 0.67, 1.0)] == [
        *[(0, "image-4")] * 2,
        *[(1, "image-2")] * 2,
        *[(2, "image")] * 2,
    ]


@pytest.mark.parametrize("whiten", [0.0, 0.5])
def test_a_level_that_is_reached_is_not_begun_again(whiten):
    canvas = Canvas(1, 1, (32, 32), 2, whiten)
    canvas.begin(torch.zeros(1, 1, 32, 32))
    canvas.at(0.5)
    change(canvas, 1, torch.eye(32))
    other = Canvas(1, 1, (32, 32), 2, whiten)
    other.load_state_dict(canvas.state_dict())
    assert torch.equal(other.at(0.6)[2], canvas.image()) and canvas.image().any()


@pytest.mark.parametrize("size", [(32, 32), (31, 40)])
def test_waves_are_divided_by_the_root_of_their_frequency(size):
    h, w = size
    x = torch.arange(w) / w
    slow, fast = (torch.cos(2 * torch.pi * k * x).expand(1, 1, h, w) for k in (2, 8))
    a, b = shaped(slow, 0.5), shaped(fast, 0.5)
    torch.testing.assert_close(a / a.max(), slow, rtol=0, atol=1e-4)
    torch.testing.assert_close(a.max() / b.max(), torch.tensor(2.0), rtol=1e-4, atol=0)
    noise = torch.randn(8, 3, h, w, generator=torch.Generator().manual_seed(0))
    assert shaped(noise, 0.5).square().mean().item() == pytest.approx(1, rel=0.1)
    assert shaped(noise, 0.0) is noise


def test_it_is_its_own_transpose():
    """So that gradients are divided as parameters are: ⟨Sx, y⟩ = ⟨x, Sy⟩."""
    x, y = torch.randn(2, 1, 1, 12, 15, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close((shaped(x, 0.5) * y).sum(), (x * shaped(y, 0.5)).sum())


def test_what_cannot_be_is_said_with_what_can():
    with pytest.raises(UserError, match="4 levels are too many for 100 pixels; give --levels 1 … 3"):
        Canvas(1, 3, (100, 120), 4)
    Canvas(1, 3, (100, 120), 3)
    with pytest.raises(UserError, match="3 pictures are learned at once, and the batch has 2; give --batch 3"):
        rows_of(torch.zeros(2, 1), 3)
