"""Latent verbs on a generator whose factors are known: the code says where and how light its disc is."""

import pytest
import torch
from torch import nn

from sfumato.errors import UserError
from sfumato.system import Paper, Preset, Recipe, System
from sfumato.tasks import latent
from sfumato.tasks.ablate import ablate, dropped
from sfumato.tasks.factors import FACTORS
from sfumato.tasks.model import Facts, Model

SIDE = torch.linspace(-1, 1, 32)


class Disc(System):
    """A light disc on a dark ground: code 0 moves it right, code 1 down, code 2 makes it larger."""

    paper, recipe, presets = Paper("", "", 0, ""), Recipe(), {"tiny": Preset()}

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))
        self.spec = {"name": "disc", "hyper": {}}

    def optimizers(self):
        return {}

    def step(self, batch):
        yield {}

    def prior(self, given):
        return given.rand(4) * 2 - 1

    def decode(self, code):
        x, y, r = (c[:, None, None] for c in code[:, :3].unbind(1))
        far = ((SIDE[None, None, :] - 0.4 * x).square() + (SIDE[None, :, None] - 0.4 * y).square()).sqrt()
        return torch.sigmoid((0.35 + 0.1 * r - far) * 40)[:, None] * 1.8 - 0.9

    def sample(self, given):
        return self.decode(self.prior(given))


@pytest.fixture
def model():
    return Model(Disc(), Facts("discs", 32, 1, (), "image"))


@pytest.mark.parametrize(("factor", "code"), [("x", 0), ("y", 1), ("area", 2)])
def test_turn_finds_the_code_of_the_factor_and_moves_nothing_else(model, factor, code):
    made = latent.turn(model, factor, n=4)
    assert made.figures["rises in"] == 1.0 and made.figures["rank correlation"] > 0.95
    moved = made.codes.view(4, 9, 4)
    travel = (moved[:, -1] - moved[:, 0]).abs().mean(0)
    assert travel.argmax() == code and travel[code] > 4 * travel[[i for i in range(4) if i != code]].max()


def test_interpolation_is_straight_and_ends_at_samples(model):
    made = latent.interpolate(model, 3, columns=5)
    codes = made.codes.view(3, 5, 4)
    torch.testing.assert_close(codes[:, 2], (codes[:, 0] + codes[:, 4]) / 2)
    torch.testing.assert_close(codes[:, [0, 4]].flatten(0, 1), model.prior(6))


def test_arithmetic_adds_the_means_of_its_terms(model):
    codes = model.prior(latent.POOL)
    made = latent.arithmetic(model, "0,1,2 - 3,4 + 5,")
    torch.testing.assert_close(made.codes[12], codes[:3].mean(0) - codes[3:5].mean(0) + codes[5])
    assert made.images.shape == (16, 1, 32, 32)


@pytest.mark.parametrize("expression", ["", "0,1 -", "9999,"])
def test_arithmetic_of_nonsense(model, expression):
    with pytest.raises(UserError):
        latent.arithmetic(model, expression)


def test_factors_measure_what_they_say():
    def bar(lean):
        image = torch.full((1, 1, 33, 33), -1.0)
        for row in range(8, 25):
            image[..., row, round(16 + lean * (16 - row))] = 1
        return image

    assert FACTORS["slant"](bar(0.5)) == pytest.approx(0.5, abs=0.05)
    assert FACTORS["slant"](bar(-0.25)) == pytest.approx(-0.25, abs=0.05)
    dot = torch.full((1, 3, 33, 33), -0.5)
    dot[:, 0, 4, 28] = 1
    assert FACTORS["x"](dot) == pytest.approx(0.75) and FACTORS["y"](dot) == pytest.approx(-0.75)
    assert FACTORS["area"](dot) == pytest.approx(1 / 33**2)
    assert FACTORS["saturation"](dot) == pytest.approx(1.5 / 33**2)
    assert FACTORS["lightness"](dot) == pytest.approx(-0.5 + 0.5 / 33**2, abs=1e-6)


def test_dropping_channels_zeroes_them_and_is_undone():
    net = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU())
    x = torch.rand(2, 1, 4, 4)
    before = net(x)
    with dropped(net, "1", [0, 2]):
        inside = net(x)
    assert (inside[:, [0, 2]] == 0).all() and torch.equal(inside[:, 1], before[:, 1]) and torch.equal(net(x), before)


def test_ablation_needs_a_class_that_is_drawn_and_channels(model):
    with pytest.raises(UserError, match="no class is called 'house'"):
        ablate(model, "house")
