"""Parts of networks that enlarge, and how they are fed: shapes, closed forms, symmetries, luma."""

import pytest
import torch
from torch import nn

from sfumato.errors import UserError
from sfumato.networks.superres.blocks import Residual, Shift, conv, normal, numbers, repeated, shuffled
from sfumato.networks.superres.pictures import (
    enlarge,
    luma,
    pair,
    patches,
    self_ensemble,
    shrink,
    trimmed,
    turned,
    with_luma,
)
from sfumato.networks.superres.rrdb import Dense, rrdb, rrdb_net
from sfumato.networks.superres.vgg_style import Discriminator
from sfumato.resample import imresize


def images(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_a_residual_is_added_in_part():
    layer = nn.Conv2d(2, 2, 1, bias=False)
    x = images(1, 2, 3, 3)
    torch.testing.assert_close(Residual(layer, nn.ReLU(), scale=0.25)(x), x + 0.25 * layer(x).relu())


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("kind", [shuffled, lambda ch, scale: repeated(ch, scale, nn.ReLU)])
def test_both_ways_to_enlarge(kind, scale):
    assert nn.Sequential(*kind(4, scale))(images(1, 4, 3, 5)).shape == (1, 4, 3 * scale, 5 * scale)


def test_a_scale_that_no_steps_make():
    with pytest.raises(UserError, match="scale 5: these networks enlarge 2, 3, 4 or 8 times"):
        shuffled(4, 5)
    assert numbers("2+3+4") == [2, 3, 4]
    for text in ("2+", "two", "", "2+0", "-2", "2,3"):
        with pytest.raises(UserError, match="like 2\\+3\\+4"):
            numbers(text)


def test_shift_centres_colours_and_grey():
    mean = (0.25, 0.5, 0.75)
    x = torch.tensor(mean).view(1, 3, 1, 1) * 2 - 1
    assert torch.equal(Shift(3, mean, -1)(x), torch.zeros(1, 3, 1, 1))
    assert torch.equal(Shift(3, mean, +1)(torch.zeros(1, 3, 1, 1)), x)
    grey = (luma(x) - 16 / 255) * 255 / 219 * 2 - 1
    torch.testing.assert_close(Shift(1, mean, +1)(torch.zeros(1, 1, 1, 1)), grey)


def test_luma_is_matlabs():
    colours = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]).view(5, 3, 1, 1) * 2 - 1
    expected = torch.tensor([16, 235, 81.481, 144.553, 40.966]) / 255  # rgb2ycbcr of the same
    torch.testing.assert_close(luma(colours).flatten(), expected)
    torch.testing.assert_close(luma(colours[:2, :1]).flatten(), expected[:2])


def test_another_luma_leaves_the_chroma():
    x, y = images(2, 3, 4, 4) / 2, luma(images(2, 3, 4, 4, seed=1)) / 2 + 0.2
    found = with_luma(x, y)
    torch.testing.assert_close(luma(found), y)
    blue = torch.tensor([-37.797, -74.203, 112.0]).view(1, 3, 1, 1)
    red = torch.tensor([112.0, -93.786, -18.214]).view(1, 3, 1, 1)
    for chroma in (blue, red):
        torch.testing.assert_close((found * chroma).sum(1), (x * chroma).sum(1), atol=1e-4, rtol=0)


def test_bicubic_whatever_the_precision_around_it():
    x = images(1, 3, 6, 5)
    with torch.autocast("cpu", torch.bfloat16):
        large, small = enlarge(x, 2), shrink(large := enlarge(x, 2), 2)
    assert torch.equal(large, imresize(x, 2)) and large.dtype == torch.float32
    steps = (small + 1) * 127.5
    torch.testing.assert_close(steps, steps.round(), atol=1e-4, rtol=0)
    assert (small - imresize(large, size=(6, 5))).abs().max() <= 0.5 / 127.5 + 1e-6


def test_patches_show_the_same_place_of_both():
    x = torch.arange(2 * 12 * 16.0).view(2, 1, 12, 16)
    low = x[..., ::2, ::2]
    for seed in range(20):
        chance = torch.rand(2, 3, generator=torch.Generator().manual_seed(seed))
        large, small = patches(x, low, 6, chance, turn=False)
        assert large.shape == (2, 1, 6, 6) and torch.equal(large[..., ::2, ::2], small)
        large, small = patches(x, low, 6, chance)
        whole = large.unfold(2, 2, 2).unfold(3, 2, 2).flatten(-2)  # the 2×2 pixels of each small one
        assert (whole == small[..., None]).any(-1).all()


def test_patches_reach_every_place_and_position():
    x = torch.arange(16.0).view(1, 1, 4, 4).expand(4000, -1, -1, -1)
    chance = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0))
    found, _ = patches(x, x, 3, chance)
    assert len(found.flatten(1).unique(dim=0)) == 4 * 8
    edge, _ = patches(x, x, 3, torch.full((4000, 3), 1 - 2**-24))
    assert edge.max() == 15
    whole, _ = patches(x[:1], x[:1], 9, chance[:1], turn=False)
    assert torch.equal(whole, x[:1])


def test_a_position_is_of_eight():
    x = images(1, 2, 3, 3).expand(8, -1, -1, -1)
    found = turned(x, torch.arange(8))
    assert torch.equal(found[0], x[0]) and torch.equal(found[3], x[0].rot90(2, (-2, -1)))
    assert torch.equal(found[4], x[0].mT) and len(found.flatten(1).unique(dim=0)) == 8


def test_a_pair_of_another_scale_is_refused():
    pair(images(1, 3, 8, 12), images(1, 3, 4, 6), 2)
    with pytest.raises(UserError, match=r"enlarges 4 times, .* 2 times smaller; give --view superres-x4 or --scale 2"):
        pair(images(1, 3, 8, 8), images(1, 3, 4, 4), 4)
    assert trimmed(images(1, 3, 13, 25), 12).shape == (1, 3, 12, 24)


def test_the_self_ensemble_is_a_mean_that_no_position_changes():
    torch.manual_seed(0)
    net = nn.Sequential(conv(1, 3), nn.ReLU(), *shuffled(3, 2), conv(3, 1))
    x = images(1, 1, 4, 6)
    with torch.no_grad():
        found = self_ensemble(net, x)
        assert found.shape == (1, 1, 8, 12)
        torch.testing.assert_close(self_ensemble(net, x.flip(-1)), found.flip(-1))
        torch.testing.assert_close(self_ensemble(net, x.mT), found.mT)
        torch.testing.assert_close(self_ensemble(lambda y: 3 * y, x), 3 * x)
        assert not torch.allclose(net(x), found)


def test_first_weights_have_their_spread():
    net = nn.Sequential(conv(64, 64), nn.ReLU(), nn.Conv2d(64, 64, 1, bias=False))
    normal(net)
    assert abs(net[0].weight.std().item() / (2 / 576) ** 0.5 - 1) < 0.02 and not net[0].bias.any()
    normal(net, 0.5)
    assert abs(net[2].weight.std().item() / 0.5 - 1) < 0.05


def test_a_dense_block_sees_all_before():
    torch.manual_seed(0)
    layer = Dense(4, 2)
    x = images(1, 4, 5, 5)
    assert [m.in_channels for m in layer.layers] == [4, 6, 8, 10, 12] and layer.layers[-1].out_channels == 4
    found = [x]
    for m in layer.layers[:-1]:
        found.append(nn.functional.leaky_relu(m(torch.cat(found, 1)), 0.2))
    torch.testing.assert_close(layer(x), layer.layers[-1](torch.cat(found, 1)))
    block = rrdb(4, 2)
    y = x
    for part in block:
        y = y + 0.2 * part[0](y)
    torch.testing.assert_close(block(x), x + 0.2 * y)
    assert abs(Dense(64, 32).layers[0].weight.std().item() / (0.1 * (2 / 576) ** 0.5) - 1) < 0.02


def test_rrdb_net_enlarges_by_its_scale():
    assert rrdb_net(1, 4, 1, 2, 4)(images(1, 1, 3, 4)).shape == (1, 1, 12, 16)


@pytest.mark.parametrize(("kernel", "norm"), [(3, nn.BatchNorm2d), (4, nn.BatchNorm2d), (3, None)])
def test_the_discriminator_scores_squares_of_its_side(kernel, norm):
    net = Discriminator([4, 8], 12, 3, kernel, hidden=6, norm=norm)
    assert net(images(3, 3, 12, 12)).shape == (3,)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) == (3 if norm else 0)
    with pytest.raises(UserError, match="squares of 12 px, and got 8"):
        net(images(3, 3, 8, 8))
    with pytest.raises(UserError, match="4 px is too small"):
        Discriminator([4, 8, 8, 8], 4, 3, 4)
