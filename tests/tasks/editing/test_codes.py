"""Codes of a small StyleGAN2: their spaces, layers and spread."""

import pytest
import torch

from sfumato import catalog
from sfumato.errors import UserError
from sfumato.tasks.editing import codes
from sfumato.tasks.model import Facts, Model


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    system = catalog.build("stylegan2", z=8, w=8, ch=4, ch_max=8, mapping=2, size=16, channels=3)
    return Model(system.eval(), Facts("faces", 16, 3, (), "image"))


@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_a_numbered_sample_is_the_same_picture_in_every_space(model, space):
    code = codes.lift(model.system, codes.numbered(model, [3, 70]), "z", space)
    drawn = model.sample(71)
    torch.testing.assert_close(codes.render(model, code, space), drawn[[3, 70]])


def test_layers_by_name_and_number():
    assert [codes.chosen_layers(18, p) for p in codes.PARTS] == [[*range(4)], [*range(4, 8)], [*range(8, 18)]]
    assert [len(codes.chosen_layers(10, p)) for p in codes.PARTS] == [3, 4, 3]
    assert codes.chosen_layers(10, "0-2,5") == [0, 1, 2, 5] and codes.chosen_layers(4, "all") == [0, 1, 2, 3]
    for wrong in ("", "rough", "3-1", "0-99999999999999", "10"):
        with pytest.raises(UserError):
            codes.chosen_layers(10, wrong)


def test_a_change_of_some_layers_is_the_same_in_w_plus_and_s(model):
    system = model.system
    one, other = codes.draw(model, 2, space="w+").split(1)
    change = codes.only_layers(system, other - one, "w+", "fine")
    assert (change[0].abs().sum(1) > 0).nonzero().flatten().tolist() == codes.chosen_layers(system.layers, "fine")
    styles = [codes.lift(system, c, "w+", "s") for c in (one, other, one + change)]
    there = styles[0] + codes.only_layers(system, styles[1] - styles[0], "s", "fine")
    torch.testing.assert_close(there, styles[2])


def test_samples_of_w_plus_are_mixed_of_three(model):
    layers = codes.draw(model, 4, space="w+")
    different = (layers[:, 1:] != layers[:, :-1]).any(2)
    assert (different.sum(1) == 2).all()


def test_in_its_coordinates_codes_spread_alike(model):
    drawn = codes.draw(model, 512, space="w+")
    around = codes.spread(drawn)
    x = around.coordinates(drawn)
    assert x.shape == (512, 24)  # three points of W of 8 numbers
    torch.testing.assert_close(x.T @ x / 511, torch.eye(24), atol=1e-3, rtol=0)
    torch.testing.assert_close(around.changes(x) + around.mean.view(around.shape), drawn, atol=1e-4, rtol=1e-3)


def test_spaces_that_are_not_there():
    model = Model(catalog.build("dcgan", z=4, ch=4, size=16, channels=1).eval(), Facts("digits", 16, 1, (), "image"))
    assert codes.space_of(model, None) == "z"
    with pytest.raises(UserError, match="style"):
        codes.space_of(model, "w")
