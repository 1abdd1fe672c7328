"""The networks of StyleGAN and StyleGAN2: their sizes, their statistics, and the spaces of their codes."""

import pytest
import torch

from sfumato import catalog
from sfumato.networks.stylegan import progressive, stylegan, stylegan2
from sfumato.networks.stylegan.equalised import Conv, pixel_norm


def count(*nets):
    return sum(p.numel() for net in nets for p in net.parameters())


def test_parameters_are_as_many_as_the_authors_count():
    mapping, first = stylegan.Mapping(512, 512, 8), stylegan.Synthesis(512, 16, 512, 1024, 3, 8)
    second, critic = stylegan2.Synthesis(512, 32, 512, 1024, 3, 1024), stylegan2.Discriminator(32, 512, 1024, 3)
    assert round(count(mapping, first) / 1e6, 1) == 26.2
    assert (count(mapping, second), count(critic)) == (30_370_060, 29_012_513)
    assert first.layers == second.layers == 18 and len(second.noises) == 17


def test_a_mapping_of_no_layers_normalises():
    code = torch.randn(4, 8)
    torch.testing.assert_close(stylegan.Mapping(8, 8, 0)(code), pixel_norm(code))


def test_a_mapping_sees_the_class():
    M, code = stylegan.Mapping(8, 6, 2, classes=3), torch.randn(2, 8)
    one, other = (torch.nn.functional.one_hot(torch.full((2,), k), 3).float() for k in (0, 2))
    assert not torch.allclose(M(torch.cat([code, one], 1)), M(torch.cat([code, other], 1)))


def test_adaptive_instance_normalisation_gives_maps_the_styles_mean_and_spread():
    layer, x = stylegan.Styled(5, 8), torch.randn(3, 5, 16, 16)
    torch.nn.init.normal_(layer.bias)
    torch.nn.init.constant_(layer.strength, 0.2)
    style = torch.randn(3, 10)
    y = layer(x, style, torch.randn(3, 1, 16, 16))
    torch.testing.assert_close(y.mean((2, 3)), style[:, 5:], atol=1e-4, rtol=0)
    torch.testing.assert_close(y.std((2, 3), correction=0), (style[:, :5] + 1).abs(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [16, 24, 40])
def test_sides_of_other_beginnings_than_four(size):
    G, D = stylegan2.Synthesis(8, 4, 8, size, 3, size), stylegan2.Discriminator(4, 8, size, 3)
    noise = [torch.randn(1, 1, *s) for s in G.noises]
    image = G(torch.randn(2, G.layers, 8), noise)
    assert image.shape == (2, 3, size, size) and D(image).shape == (2,)


@pytest.mark.parametrize(
    ("size", "aspect", "sides"), [(16, "3:2", (16, 24)), (16, "2:3", (24, 16)), (18, "16:9", (18, 32))]
)
@pytest.mark.parametrize("start", [0, 1])
def test_networks_of_other_shapes(size, aspect, sides, start):
    start = min(progressive.pyramid(size, aspect)[0]) if start else size
    options = dict(aspect=aspect)
    G = [
        stylegan2.Synthesis(8, 4, 8, size, 3, start, **options),
        stylegan.Synthesis(8, 4, 8, size, 3, start, **options),
        stylegan.Synthesis(8, 4, 8, size, 3, start, constant=False, noise=False, **options),
        progressive.Generator(8, 4, 8, size, 3, start, **options),
    ]
    D = [
        stylegan2.Discriminator(4, 8, size, 3, **options),
        progressive.Discriminator(4, 8, size, 3, start, **options),
    ]
    for g in G:
        image = g(torch.randn(2, g.layers, 8), [torch.randn(1, 1, *s) for s in g.noises])
        assert image.shape == (2, 3, *sides)
        assert [d(image).shape for d in D] == [(2,)] * 2


def test_a_residual_block_adds_its_shortcut_and_divides_by_the_root_of_two():
    block, x = stylegan2.Block(4, 6, residual=True), torch.randn(2, 4, 8, 8)
    plain = stylegan2.Block(4, 6, residual=False)
    plain.convs.load_state_dict(block.convs.state_dict())
    shortcut = Conv(4, 6, 1, -1, bias=False)
    shortcut.load_state_dict(block.shortcut.state_dict())
    torch.testing.assert_close(block(x), (plain(x) + shortcut(x)) / 2**0.5, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("residual", [True, False])
def test_a_projection_makes_scores_of_classes(residual):
    D = stylegan2.Discriminator(4, 8, 16, 3, residual=residual, classes=3, mapping=2)
    image = torch.randn(2, 3, 16, 16)
    scores = [D(image, torch.nn.functional.one_hot(torch.full((2,), k), 3).float()) for k in range(3)]
    assert scores[0].shape == (2,) and not torch.allclose(scores[0], scores[1])


def test_networks_are_graphs_without_a_look_at_the_data():
    """What can be exported can be compiled: for any number of codes, and D for a given one."""
    system = catalog.build("stylegan2", z=8, w=8, ch=4, ch_max=8, mapping=2, size=16, channels=3).eval()

    class Decoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.system = system

        def forward(self, code):
            return self.system.decode(code)

    code = torch.randn(5, 8)
    with torch.no_grad():
        program = torch.export.export(
            Decoder(), (code[:2],), dynamic_shapes={"code": {0: torch.export.Dim("b", max=64)}}
        )
        image = program.module()(code)
        torch.testing.assert_close(image, system.decode(code))
        torch.testing.assert_close(torch.export.export(system.D, (image,)).module()(image), system.D(image))
