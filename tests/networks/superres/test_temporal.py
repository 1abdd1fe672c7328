"""Parts of networks that see frame after frame: warping, rectifying and accumulating, against cases by hand."""

import pytest
import torch
import torch.nn.functional as F

from sfumato.errors import UserError
from sfumato.networks.superres.temporal import (
    LEAST,
    MOST,
    Autoencoder,
    accumulated,
    appeared,
    enlarged,
    foremost,
    landed,
    matched,
    rectified,
    warp,
)


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def constant(x, y, h, w, b=2):
    """The same motion everywhere."""
    return torch.tensor([x, y], dtype=torch.float32).view(1, 2, 1, 1).expand(b, 2, h, w)


@pytest.mark.parametrize("mode", ["cubic", "bilinear", "nearest"])
@pytest.mark.parametrize(("x", "y"), [(0, 0), (2, -1), (-3, 4)])
def test_warping_by_whole_pixels_is_exact(mode, x, y):
    before = noise(2, 3, 9, 11)
    found = warp(before, constant(x, y, 9, 11), mode)
    rows = (torch.arange(9) + y).clamp(0, 8)
    columns = (torch.arange(11) + x).clamp(0, 10)
    torch.testing.assert_close(found, before[:, :, rows][..., columns], rtol=0, atol=2e-5)


def test_warping_by_parts_of_pixels_follows_a_translation():
    def wave(shift_x, shift_y):
        y, x = torch.meshgrid(torch.arange(32.0), torch.arange(40.0), indexing="ij")
        return torch.sin((x - shift_x) / 4 + (y - shift_y) / 6)[None, None]

    found = warp(wave(0, 0), constant(-1.3, 0.6, 32, 40, 1))
    error = (found - wave(1.3, -0.6)).abs()[..., 4:-4, 4:-4]
    assert error.max() < 0.01 and (found - wave(-1.3, 0.6)).abs().max() > 0.3


@pytest.mark.parametrize("scale", [2, 4])
def test_enlarging_puts_samples_where_they_were_taken(scale):
    """Of a plane nothing is lost, whatever the jitter."""
    h, w = 8, 10
    jitter = torch.tensor([[0.375, -0.125], [-0.3, 0.2]])
    y, x = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    low = 0.3 * (x + jitter[:, 0, None, None]) - 0.2 * (y + jitter[:, 1, None, None])
    fine_y, fine_x = torch.meshgrid(
        (torch.arange(scale * h) + 0.5) / scale, (torch.arange(scale * w) + 0.5) / scale, indexing="ij"
    )
    inside = (..., *[slice(3 * scale, -3 * scale)] * 2)
    found = enlarged(low[:, None], jitter, scale)[:, 0]
    assert torch.allclose(found[inside], (0.3 * fine_x - 0.2 * fine_y).expand_as(found)[inside], atol=1e-4)


def test_samples_land_in_the_pixel_that_they_lie_in():
    found = landed(torch.tensor([[-0.375, 0.125], [0.4, -0.4]]), 2, 3, 5)
    assert found.shape == (2, 1, 6, 10) and found.sum() == 2 * 15
    assert found[0, 0, 1::2, 0::2].all() and found[1, 0, 0::2, 1::2].all()
    assert landed(torch.tensor([[-0.5, 0.5]]), 4, 1, 1)[0, 0, 3, 0] == 1, "at the border it stays in its own pixel"


def test_edges_move_with_what_is_in_front():
    depth = torch.full((1, 1, 5, 5), -0.8)
    depth[..., 2, 2] = 0.5
    back = torch.zeros(1, 2, 5, 5)
    back[..., 2, 2] = 3.0
    moved, near = foremost(back, depth)
    around = torch.zeros(5, 5, dtype=torch.bool)
    around[1:4, 1:4] = True
    assert torch.equal(moved[0, 0] == 3, around) and torch.equal(near[0, 0] == 0.5, around)


def square(left, side=6, size=16):
    """Inverse depth of a near square before a far wall."""
    depth = torch.full((1, 1, size, size), -0.9)
    depth[..., 5 : 5 + side, left : left + side] = 0.2
    return depth


def test_what_a_thing_uncovers_has_appeared():
    """A square moves five pixels to the right; its trail was hidden, all else was there before."""
    before, now = square(2), square(7)
    back = torch.where(now > 0, -5.0, 0.0) * torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    found = appeared(now, back, before)[0, 0]
    trail = torch.zeros(16, 16, dtype=torch.bool)
    trail[6:10, 3:7] = True  # of which all nine neighbours were covered
    assert torch.equal(found, trail)
    assert not appeared(now, torch.zeros_like(back), now).any()


def test_what_was_out_of_the_picture_has_appeared():
    found = appeared(square(7), constant(-2, 0, 16, 16, 1), square(7))
    assert found[..., :2].all() and not found[..., 2:5].any()


@pytest.mark.parametrize("scale", [2, 4])
def test_the_clamp_never_leaves_the_range_of_the_neighbourhood(scale):
    low, history = noise(2, 3, 6, 7), 3 * noise(2, 3, 6 * scale, 7 * scale, seed=1)
    found = rectified(history, low, scale)
    padded = F.pad(low, (1, 1, 1, 1), "replicate")
    around = torch.stack([padded[..., i : i + 6, j : j + 7] for i in range(3) for j in range(3)])
    least, most = (bound.repeat_interleave(scale, -1).repeat_interleave(scale, -2) for bound in around.aminmax(dim=0))
    assert (found >= least).all() and (found <= most).all()
    within = (history >= least) & (history <= most)
    assert within.any() and torch.equal(found[within], history[within]) and (found != history)[~within].all()


def test_samples_are_accumulated_to_their_mean():
    values = noise(20, 1, 1, 1, 4, seed=2)
    mean, count = torch.full((1, 1, 1, 4), 9.0), torch.zeros(1, 1, 1, 4)
    for k, value in enumerate(values):
        mean, count = accumulated(mean, count, value, torch.ones(1, 1, 1, 4))
        torch.testing.assert_close(mean, values[: k + 1].mean(0), rtol=0, atol=1e-5)
    assert torch.allclose(count, torch.tensor(20 * (1 + LEAST)))


def test_interpolated_values_stand_in_until_a_sample_comes():
    nothing, empty = torch.full((1, 1, 1, 1), 9.0), torch.zeros(1, 1, 1, 1)
    mean, count = accumulated(nothing, empty, torch.full_like(nothing, 0.3), empty)
    assert mean.item() == pytest.approx(0.3) and count.item() == pytest.approx(LEAST)
    mean, count = accumulated(mean, count, torch.full_like(nothing, -0.5), torch.ones_like(empty))
    assert mean.item() == pytest.approx(-0.5, abs=2e-3)
    assert accumulated(mean, count, torch.ones_like(mean), empty)[0].item() == pytest.approx(-0.5, abs=5e-3)


def test_doubt_lets_history_count_less_and_it_forgets():
    old, count, one = torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), 4.0), torch.ones(1, 1, 1, 1)
    shares = [accumulated(old, count, one, one, doubt)[0].item() for doubt in (-2.0, 0.0, 2.0)]
    weight = 1 + LEAST
    expected = [weight / (weight + 4 * torch.tensor(-d).exp().item()) for d in (-2.0, 0.0, 2.0)]
    assert shares == pytest.approx(expected, rel=1e-5)
    assert accumulated(old, 1000 * count, one, one)[1].item() == MOST


def test_the_autoencoder_takes_any_size_and_begins_with_nothing():
    torch.manual_seed(0)
    network = Autoencoder(5, 3, 4)
    assert sum(isinstance(m, torch.nn.Conv2d) for m in network.modules()) == 10
    for h, w in ((1, 1), (7, 10), (16, 16)):
        assert torch.equal(network(noise(2, 5, h, w)), torch.zeros(2, 3, h, w))


def test_frames_of_another_scale_are_refused_with_what_to_give():
    with pytest.raises(UserError, match=r"enlarges 2 times, .* 4 times smaller; give --view rendered-x2 or --scale 4"):
        matched(torch.zeros(1, 8, 3, 16, 16), torch.zeros(1, 8, 3, 4, 4), 2)
