import pytest
import torch

from networks.editing.generators_small import small
from sfumato.errors import UnknownNameError, UserError
from sfumato.networks.editing.spaces import SPACES, check_space, fresh_noise, lift, parts, picture, statistics, whole


@pytest.mark.parametrize("name", ["stylegan2", "stylegan"])
def test_a_code_has_the_same_picture_in_every_larger_space(name):
    model = small(name)
    code = model.prior(3)
    with torch.no_grad():
        first = model.decode(code)
        for k, space in enumerate(SPACES):
            for larger in SPACES[k:]:
                there = lift(model.system, lift(model.system, code, "z", space), space, larger)
                image = picture(model.system, there, larger).clamp(-1, 1)
                torch.testing.assert_close(image, first, rtol=0, atol=1e-5)


def test_what_is_lifted_has_as_many_numbers_as_the_space():
    generator, code = small().system, small().prior(2)
    sizes = [sum(p[0].numel() for p in parts(lift(generator, code, "z", space))) for space in SPACES]
    assert sizes[0] == generator.z and sizes[2] == generator.layers * sizes[1] and sizes[3] > sizes[2]
    assert isinstance(whole(parts(lift(generator, code, "z", "s")), "s"), list)


def test_a_space_that_is_not_there_or_smaller_is_an_error():
    with pytest.raises(UnknownNameError, match="no space is called 'ww'"):
        check_space(small().system, "ww")
    with pytest.raises(UserError, match="this one has z alone"):
        check_space(small("dcgan").system, "w+")
    with pytest.raises(UserError, match="has no place in w"):
        lift(small().system, torch.zeros(1, 6, 8), "w+", "w")


def test_mean_and_spread_are_those_of_drawn_codes():
    generator = small().system
    codes = torch.randn(500, generator.z) * 3 + 2
    (mean,), (spread,) = statistics(generator, codes, "z")
    torch.testing.assert_close(mean[0], codes.mean(0))
    torch.testing.assert_close(spread, (codes - codes.mean(0)).square().mean().sqrt())


def test_noise_is_the_generators_once_a_picture():
    generator = small().system
    maps = fresh_noise(generator, 2)
    assert [m.shape for m in maps] == [(2, 1, *s) for s in generator.G.noises]
    code = small().prior(2)
    with torch.no_grad():
        torch.testing.assert_close(picture(generator, code, "z", maps), picture(generator, code, "z"))
    assert fresh_noise(small("dcgan").system, 2) == []
