"""Content and style taken apart and put together, discriminators of halvings and of classes, shared codes."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from sfumato import catalog
from sfumato.networks.translation.content_style import (
    CodeEncoder,
    ContentEncoder,
    StyledDecoder,
    adapted,
    kaiming,
    layer_norm,
    translated,
)
from sfumato.networks.translation.generators import instance_norm
from sfumato.networks.translation.patch import ClassPatches, Halving, Preactivated, Pyramid
from sfumato.networks.translation.shared_latent import back, front


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_adaptive_norm_gives_the_moments_that_it_is_told():
    x, numbers = torch.randn(2, 3, 9, 8) * 4 + 2, torch.randn(2, 2, 3, 1, 1)
    found = adapted(x, numbers)
    torch.testing.assert_close(found.mean((2, 3)), numbers[:, 1, :, 0, 0], atol=1e-5, rtol=1e-4)
    spread = found.std((2, 3), correction=0)
    torch.testing.assert_close(spread, (1 + numbers[:, 0, :, 0, 0]).abs(), atol=1e-4, rtol=1e-4)


def test_layer_norm_is_over_all_maps():
    x = torch.randn(2, 6, 5, 4) * 3 + 1
    torch.testing.assert_close(layer_norm(6)(x), F.layer_norm(x, x.shape[1:]), atol=1e-5, rtol=1e-4)


def test_content_knows_no_colour_scale_and_style_does():
    image = torch.rand(2, 3, 16, 16) * 2 - 1
    content, code = ContentEncoder(3, 4, 2, 1), CodeEncoder(3, 5, 4, 2)
    kaiming(content, code)
    assert content(image).shape == (2, 16, 4, 4) and code(image).shape == (2, 5)
    torch.testing.assert_close(content(image * 0.5), content(image), atol=2e-3, rtol=1e-2)
    assert (code(image * 0.5) - code(image)).abs().max() > 0.05


def test_a_code_is_of_pictures_of_any_size():
    code = CodeEncoder(3, 5, 4, 4)
    assert code(torch.rand(1, 3, 3, 50)).shape == code(torch.rand(1, 3, 17, 5)).shape == (1, 5)


@pytest.mark.parametrize("norm", [layer_norm, instance_norm])
def test_a_decoder_paints_each_picture_in_its_own_style(norm):
    decoder = StyledDecoder(3, 4, 2, 2, 5, 6, norm)
    kaiming(decoder)
    content, codes = torch.randn(2, 16, 4, 4), torch.randn(2, 5)
    made = decoder(content, codes)
    assert made.shape == (2, 3, 16, 16) and made.abs().max() <= 1
    torch.testing.assert_close(made[1:], decoder(content[1:], codes[1:]))
    assert (decoder(content, codes.flip(0)) - made).abs().max() > 0.01


def test_sides_of_any_length():
    content, decoder = ContentEncoder(3, 4, 2, 1), StyledDecoder(3, 4, 2, 1, 5, 6)
    for h, w in ((5, 30), (16, 16)):
        image = torch.rand(1, 3, h, w)
        made = translated(content, partial(decoder, code=torch.zeros(1, 5)), image, 2)
        assert made.shape == image.shape


@pytest.mark.parametrize("kernel", [3, 4])
def test_halving_scores_patches_at_several_scales(kernel):
    network = Pyramid(2, lambda: Halving(3, 4, 2, kernel))
    maps = network(torch.rand(2, 3, 16, 16))
    assert [[tuple(m.shape[1:]) for m in scale] for scale in maps] == [
        [(4, 8, 8), (8, 4, 4), (1, 4, 4)],
        [(4, 4, 4), (8, 2, 2), (1, 2, 2)],
    ]


def test_scores_are_those_of_the_class():
    network = ClassPatches(3, 5, 4, 2)
    image, label = torch.rand(3, 3, 16, 16), torch.tensor([4, 0, 2])
    scores, means = network(image, label)
    maps = network.layers(image)
    every = network.scores(maps)
    assert scores.shape == (3, 1, 8, 8) and maps.shape == (3, 16, 8, 8)
    for k in range(3):
        torch.testing.assert_close(scores[k, 0], every[k, label[k]])
    torch.testing.assert_close(means, maps.mean((2, 3)))
    other, same = network(image, torch.zeros_like(label))
    assert torch.equal(same, means) and not torch.equal(other[0], scores[0])


def test_a_preactivated_block_is_its_shortcut_where_its_convolutions_say_nothing():
    for n, m in ((4, 4), (4, 6)):
        network, x = Preactivated(n, m), torch.randn(1, n, 5, 5)
        for p in network.layers.parameters():
            torch.nn.init.zeros_(p)
        torch.testing.assert_close(network(x), network.shortcut(x))


def test_front_and_back():
    image = torch.rand(1, 3, 16, 16)
    code = front(3, 4, 1)(image)
    assert code.shape == (1, 16, 4, 4) and back(3, 4, 1)(code).shape == image.shape


def parameters(name, part=None):
    system = catalog.build(name, **catalog.find(name).presets["paper"].hyper)
    return sum(p.numel() for p in (system if part is None else getattr(system, part)).parameters())


def test_sizes_of_the_papers():
    assert round(parameters("munit") / 1e6, 1) == 46.6  # as comparisons with it count

    def conv(n, m, k, bias=True):
        return n * m * k * k + bias * m

    fronts = conv(3, 64, 7) + conv(64, 128, 3) + conv(128, 256, 3) + 6 * conv(256, 256, 3, False)
    assert parameters("unit", "E1") == fronts
    content = conv(3, 64, 7, False) + sum(conv(64 * 2**k, 128 * 2**k, 4, False) for k in range(3))
    assert parameters("funit", "C") == content + 4 * conv(512, 512, 3, False)
    assert parameters("funit", "D") > 50e6
