import pytest
import torch

from networks.editing.generators_small import small
from sfumato.errors import UserError
from sfumato.networks.editing.encoder import Encoder
from sfumato.networks.editing.held import Held
from sfumato.networks.editing.inside import maps_of, module_at, order_of_use
from sfumato.networks.editing.multicode import MultiCode
from sfumato.networks.editing.spaces import Drawing


@pytest.mark.parametrize("name", ["stylegan2", "dcgan"])
def test_a_discriminator_shows_a_map_of_each_side(name):
    with torch.no_grad():
        maps = maps_of(small(name).system.D, torch.rand(2, 3, 16, 16))
    sides = [m.shape[-1] for m in maps]
    assert sides == sorted(sides, reverse=True) and {8, 4} <= set(sides) and all(len(m) == 2 for m in maps)


def test_parameters_come_in_the_order_of_use_and_only_those_used():
    system = small("dcgan").system
    draw = Drawing(system, "z")
    names = order_of_use(draw, lambda: draw(small("dcgan").prior(2)))
    weights = [k for k in names if k.endswith("weight")]
    assert not any(".D." in k for k in names)
    assert [int(k.split(".")[-2]) for k in weights] == sorted(int(k.split(".")[-2]) for k in weights)


def test_a_layer_by_its_side():
    model = small("dcgan")
    code = model.prior(2)
    assert module_at(model.system, lambda: model.system.decode(code), 8).startswith("G.layers.")
    with pytest.raises(UserError, match="no map of 7 pixels; it has 4, 8, 16"):
        module_at(model.system, lambda: model.system.decode(code), 7)


@pytest.mark.parametrize(("name", "side"), [("dcgan", 4), ("dcgan", 8), ("stylegan2", 8), ("stylegan", 4)])
def test_equal_codes_that_share_a_layer_are_the_picture_of_one(name, side):
    model = small(name)
    codes = model.prior(2)
    multi = MultiCode(model.system, codes, 2, 3, side)
    multi.begin(model.system, codes.repeat_interleave(3, 0))
    with torch.no_grad():
        torch.testing.assert_close(multi(model.system).clamp(-1, 1), model.decode(codes), rtol=0, atol=1e-5)
        multi.importance[:, 0] += 1
        assert (multi(model.system).clamp(-1, 1) - model.decode(codes)).abs().max() > 1e-3


def test_importance_zero_leaves_a_code_without_a_say():
    model = small("dcgan")
    multi = MultiCode(model.system, model.prior(1), 1, 2, 8)
    multi.begin(model.system, model.prior(2))
    with torch.no_grad():
        multi.importance[:, 0], multi.importance[:, 1] = 1, 0
        first = multi(model.system)
        multi.code[:, 1] += 1
        torch.testing.assert_close(multi(model.system), first)
        torch.testing.assert_close(first, model.decode(multi.code[:, 0]))


def test_an_encoder_begins_at_the_mean_and_learns_all_of_itself():
    torch.manual_seed(0)
    encoder = Encoder(6, 8, 4, 8, 16, 3)
    image = torch.rand(2, 3, 16, 16)
    assert encoder(image).shape == (2, 6, 8) and not encoder(image).any()
    for head in encoder.heads:
        torch.nn.init.normal_(head.weight)
    encoder(image).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in encoder.parameters())


def test_what_is_held_is_moved_and_neither_stored_nor_trained_unless_given():
    inner = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    held = Held(inner, stored=False)
    assert not held.state_dict() and not list(held.parameters()) and not inner[0].weight.requires_grad
    held.train()
    assert not inner.training
    held.double()
    assert inner[0].weight.dtype == torch.float64
    assert Held(torch.nn.Linear(2, 2), stored=True).state_dict().keys() == {"system.weight", "system.bias"}
