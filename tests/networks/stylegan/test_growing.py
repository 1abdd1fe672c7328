"""Growing: the schedule, and that nothing jumps when a level comes in."""

import pytest
import torch
import torch.nn.functional as F

from sfumato.errors import UserError
from sfumato.networks.stylegan import progressive, stylegan, stylegan2
from sfumato.networks.stylegan.progressive import Growth, double, pyramid

ZERO, ONE = torch.tensor(0.0), torch.tensor(1.0)


def generators():
    yield progressive.Generator(6, 4, 8, 16, 3, 4), torch.randn(2, 1, 6)
    yield stylegan.Synthesis(6, 4, 8, 16, 3, 4), torch.randn(2, 6, 6)
    yield stylegan.Synthesis(6, 4, 8, 16, 3, 4, constant=False, noise=False), torch.randn(2, 6, 6)
    yield stylegan2.Synthesis(6, 4, 8, 16, 3, 4), torch.randn(2, 6, 6)


@pytest.mark.parametrize("case", range(4))
def test_a_generator_fades_from_the_smaller_picture_to_the_larger(case):
    G, w = list(generators())[case]
    noise = [torch.randn(1, 1, *s) for s in G.noises]
    for p in G.parameters():
        torch.nn.init.normal_(p)
    for level in (1, 2):
        before, after = G(w, noise, level - 1), G(w, noise, level)
        assert after.shape == (2, 3, 4 << level, 4 << level)
        torch.testing.assert_close(G(w, noise, level, ZERO), double(before))
        torch.testing.assert_close(G(w, noise, level, ONE), after)
        half = G(w, noise, level, torch.tensor(0.5))
        torch.testing.assert_close(half, (double(before) + after) / 2, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("taps", [(1, 1), (1, 3, 3, 1)])
def test_a_discriminator_fades_in_too(taps):
    D, image = progressive.Discriminator(4, 8, 16, 3, 4, taps=taps), torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(D(image, 2, ZERO), D(F.avg_pool2d(image, 2), 1))
    torch.testing.assert_close(D(image, 2, ONE), D(image))


def test_growth_is_continuous_and_arrives():
    growth = Growth(32, 8, 0.5)
    assert growth.level() == (1, None)  # 4 is level 0
    levels = []
    for progress in torch.linspace(0, 1, 401).tolist():
        growth.advance(progress)
        level, alpha = growth.level()
        levels.append(level if alpha is None else level - 1 + alpha.item())
    steps = torch.tensor(levels).diff()
    assert levels[0] == 1 and levels[-1] == 3 and (steps >= 0).all() and steps.max() < 0.025
    assert levels[200:] == [3] * 201 and levels[40] == 1 and levels[75] == pytest.approx(1.5, abs=1e-3)


def test_training_pictures_are_those_of_the_level():
    growth, image = Growth(16, 4, 1.0), torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(growth.shown(image), F.avg_pool2d(image, 4))
    growth.reached.fill_(progressive.FINE + progressive.FINE // 2)
    level, alpha = growth.level()
    assert level == 2 and alpha == 0.5
    small = double(F.avg_pool2d(image, 2))
    torch.testing.assert_close(growth.shown(image), (image + small) / 2)
    assert growth.whole(growth.shown(image)).shape == image.shape
    growth.reached.fill_(0)
    assert growth.whole(growth.shown(image)).shape == image.shape


def test_what_does_not_grow_is_at_its_level_and_other_starts_are_refused():
    growth = Growth(24, 24, 0.0)
    growth.advance(0.0)
    assert growth.level() == (2, None)
    with pytest.raises(UserError, match="start 10: pictures of 24 px can grow from 6, 12, 24"):
        Growth(24, 10, 0.5)


def test_parameters_are_as_many_as_the_paper_counts():
    nets = progressive.Generator(512, 16, 512, 1024, 3, 4), progressive.Discriminator(16, 512, 1024, 3, 4)
    for net in nets:
        assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == 23.1


@pytest.mark.parametrize(
    ("size", "aspect", "smallest", "times"),
    [
        (64, "1:1", (4, 4), 4), (48, "1:1", (6, 6), 3), (80, "1:1", (5, 5), 4), (96, "1:1", (6, 6), 4),
        (72, "1:1", (9, 9), 3), (64, "3:2", (4, 6), 4), (64, "2:3", (6, 4), 4), (64, "5:4", (4, 5), 4),
        (144, "16:9", (9, 16), 4), (64, "9:8", (8, 9), 3), (24, "3:2", (6, 9), 2), (4, "3:2", (4, 6), 0),
    ],
)  # fmt: skip
def test_sides_are_halved_as_long_as_both_can_be(size, aspect, smallest, times):
    assert pyramid(size, aspect) == (smallest, times)


@pytest.mark.parametrize(
    ("size", "aspect", "line"),
    [
        (34, "3:2", "51×34 is halved to 51×34 and no further; take size 32"),
        (76, "1:1", "76×76 is halved to 19×19 and no further; take size 64"),
        (2, "3:2", "take size 4"), (80, "21:20", "take a simpler aspect"),
    ],
)  # fmt: skip
def test_sides_that_cannot_be_halved_are_refused_with_one_that_can(size, aspect, line):
    with pytest.raises(UserError, match=line):
        pyramid(size, aspect)


def test_other_shapes_grow():
    growth, image = Growth(16, 4, 1.0, "3:2"), torch.randn(2, 3, 16, 24)
    growth.reached.fill_(0)
    assert growth.shown(image).shape == (2, 3, 4, 6) and growth.whole(growth.shown(image)).shape == image.shape
