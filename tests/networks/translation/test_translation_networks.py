"""U-Nets, residual generators, discriminators of patches, histories, adaptive norms, cascades, maps of objects."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sfumato.errors import UserError
from sfumato.networks import reach as reaching
from sfumato.networks.superres.winograd import Conv3x3, winograd
from sfumato.networks.translation.crn import Cascade
from sfumato.networks.translation.generators import (
    CoarseToFine,
    ResnetGenerator,
    UNet,
    fitted,
    gaussian,
    halved,
    instance_norm,
)
from sfumato.networks.translation.history import History
from sfumato.networks.translation.instances import (
    Menu,
    averaged,
    boundaries,
    described,
    k_means,
    means,
    one_hot,
    outlined,
    regions,
)
from sfumato.networks.translation.patch import FIELDS, PatchGAN, Pyramid
from sfumato.networks.translation.spade import SPADE, SPADEBlock, SPADEGenerator, StyleEncoder


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("affine", [False, True])
def test_instance_norm_is_torchs(affine):
    norm, theirs = instance_norm(3, affine), nn.InstanceNorm2d(3, affine=affine)
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        theirs.load_state_dict(norm.state_dict())
    x = torch.randn(2, 3, 5, 7) * 3 + 1
    torch.testing.assert_close(norm(x), theirs(x), atol=1e-5, rtol=1e-5)


def positive(network):
    """Weights of which no sum is nothing, and norms that look at nothing but their own place."""
    for p in network.parameters():
        nn.init.uniform_(p, 0.1, 0.2)
    return network.double()


@pytest.mark.parametrize("side", FIELDS)
def test_a_score_is_about_a_patch_of_the_side_that_it_says(side, monkeypatch):
    layers, wide = FIELDS[side], 2 * side + 66
    critic = positive(PatchGAN(1, 2, layers, norm=None))
    image = torch.rand(1, 1, wide, wide, dtype=torch.float64, requires_grad=True)
    scores = critic(image)[-1]
    middle = scores.shape[-1] // 2
    scores[0, 0, middle, middle].backward()
    rows = image.grad[0, 0].abs().sum(1).nonzero()
    assert rows.max() - rows.min() + 1 == side
    monkeypatch.setattr(reaching, "SIDE", 1024)
    critic = PatchGAN(1, 1, layers, norm=None)
    bound = reaching.reach(lambda x: critic(x)[-1], 1).pixels
    assert side // 2 <= bound <= side // 2 + 2


def test_the_layers_of_the_papers_discriminators():
    """C64-C128-C256-C512, and so on: appendix 6.1.2."""
    widths = {70: [64, 128, 256, 512, 1], 1: [64, 128, 1], 16: [64, 128, 1], 286: [64, 128, 256, 512, 512, 512, 1]}
    for side, expected in widths.items():
        layers = [m for m in PatchGAN(6, 64, FIELDS[side]).modules() if isinstance(m, nn.Conv2d)]
        assert [m.out_channels for m in layers] == expected
        assert all(m.kernel_size == ((1, 1) if side == 1 else (4, 4)) for m in layers)


def test_a_pyramid_sees_halves_and_can_begin_at_them():
    critic = Pyramid(3, lambda: PatchGAN(3, 2, 2, instance_norm, padding=2))
    image = torch.randn(2, 3, 32, 32)
    maps = critic(image)
    assert [len(m) for m in maps] == [4, 4, 4]
    torch.testing.assert_close(maps[1], critic.scales[1](halved(image)))
    torch.testing.assert_close(critic(halved(image), skip=1), maps[1:])
    smaller = F.interpolate(image, (17, 15))
    assert critic(smaller)[-1][-1].shape[1] == 1


def test_the_unet_of_the_paper():
    """C64-C128-C256-C512-C512-C512-C512-C512 and back, twice as wide with what is joined: appendix 6.1.1."""
    with torch.device("meta"):
        network = UNet(3, 3)
    down = [m for m in network.downs.modules() if isinstance(m, nn.Conv2d)]
    up = [m for m in network.ups.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.out_channels for m in down] == [64, 128, 256, 512, 512, 512, 512, 512]
    assert [m.in_channels for m in up] == [512, 1024, 1024, 1024, 1024, 512, 256, 128]
    assert [m.out_channels for m in up] == [512, 512, 512, 512, 256, 128, 64, 3]
    public = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 4 * 512**2)
    public += 16 * (512**2 + 3 * 1024 * 512 + 1024 * 256 + 512 * 128 + 256 * 64 + 128 * 3) + 3
    norms = 2 * (128 + 256 + 4 * 512) + 2 * (4 * 512 + 256 + 128 + 64)
    assert public + norms == 54_413_955 and count(network) == public + norms + 64 + 512  # biases where no norm follows


@pytest.mark.parametrize(("h", "w"), [(16, 16), (7, 5), (24, 40), (1, 33)])
def test_generators_take_any_size(h, w):
    image = torch.rand(2, 3, h, w) * 2 - 1
    networks = [UNet(3, 2, 4, 3), ResnetGenerator(3, 2, 4, 1, 2), CoarseToFine(3, 2, 4, 1, 2, 1), Cascade(3, 2, [4, 4])]
    networks.append(SPADEGenerator(3, 2, 2, 2, z=0, hidden=3))
    for network in networks:
        gaussian(network, std=0.2)
        found = network(image)
        assert found.shape == (2, 2, h, w) and found.dtype == torch.float32 and found.std() > 0


def test_fitted_continues_by_the_last_pixels_and_cuts():
    image = torch.arange(6.0).view(1, 1, 2, 3)
    seen = []
    found = fitted(lambda x: seen.append(x) or x, image, 4)
    assert torch.equal(found, image) and seen[0].shape == (1, 1, 4, 4)
    assert (seen[0][0, 0, 2] == torch.tensor([3.0, 4.0, 5.0, 5.0])).all()


def test_dropout_is_noise_that_is_given():
    network = UNet(3, 3, 8, 4, dropout=2).eval()
    gaussian(network, std=0.3)
    image = torch.rand(1, 3, 16, 16)
    shapes = []

    def noise(*shape):
        shapes.append(shape)
        return torch.rand(1, *shape, generator=torch.Generator().manual_seed(1))

    plain, dropped = network(image), network(image, noise)
    assert shapes == [(32, 2, 2), (16, 4, 4)]
    assert not torch.allclose(plain, dropped) and torch.equal(dropped, network(image, noise))
    kept = network(image, lambda *shape: torch.zeros(1, *shape))  # all kept, at twice their size
    halves = [network.ups[k][-1] for k in (0, 1)]
    with torch.no_grad():
        for norm in halves:
            norm.weight.mul_(2)
            norm.bias.mul_(2)
    torch.testing.assert_close(network(image), kept)


def test_the_residual_generator_of_the_paper():
    """c7s1-64, d128, d256, R256 nine times, u128, u64, c7s1-3: appendix 7.2."""
    network = ResnetGenerator(3, 3)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert [m.out_channels for m in layers] == [64, 128, 256, *[256] * 18, 128, 64, 3]
    weights = 49 * 3 * 64 * 2 + 9 * (64 * 128 + 128 * 256) * 2 + 18 * 9 * 256**2
    assert count(network) == weights + 3


def test_a_history_shows_new_ones_half_of_the_time_and_every_old_one_alike():
    memory = History(10, 1, 2)
    chance = torch.rand(4000, 2)
    images = torch.arange(4000.0).remainder(256).div(127.5).sub(1).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    first = memory(images[:10], chance[:10])
    assert torch.equal(first, images[:10]) and int(memory.count) == 10
    assert (memory.kept[:, 0, 0, 0] == torch.arange(10)).all()
    shown = memory(images[10:], chance[10:])
    own = (shown - images[10:]).abs().amax((1, 2, 3)) < 1e-6
    assert abs(own.float().mean() - 0.5) < 0.03
    places = (chance[10:, 1] * 10).long()[chance[10:, 0] < 0.5]
    assert (places.bincount() / len(places) - 0.1).abs().max() < 0.02


def test_a_history_gives_back_what_it_kept():
    memory, images = History(2, 3, 4), torch.rand(4, 3, 4, 4) * 2 - 1
    chance = torch.tensor([[0.9, 0.0], [0.9, 0.0], [0.1, 0.6], [0.9, 0.6]])
    shown = memory(images, chance)
    assert torch.equal(shown[[0, 1, 3]], images[[0, 1, 3]])
    torch.testing.assert_close(shown[2], images[1], atol=1 / 255, rtol=0)
    kept = memory.kept[1].float() / 127.5 - 1
    torch.testing.assert_close(kept, images[2], atol=1 / 255, rtol=0)
    other = History(2, 3, 4)
    other.load_state_dict(memory.state_dict())
    assert torch.equal(other(images, chance), memory(images, chance))


def test_spade_of_a_constant_map_is_one_affine_map_a_channel():
    norm = SPADE(4, 3, 5)
    x, layout = torch.randn(6, 4, 8, 8) * 2 + 1, torch.zeros(6, 3, 32, 32)
    layout[:, 1] = 1
    hidden = norm.shared(torch.eye(3)[1].view(1, 3, 1, 1).expand(1, 3, 9, 9))
    scale, shift = (layer(hidden)[0, :, 4, 4].view(1, -1, 1, 1) for layer in (norm.scale, norm.shift))
    mean, std = x.mean((0, 2, 3), keepdim=True), (x.var((0, 2, 3), keepdim=True, correction=0) + 1e-5).sqrt()
    found = norm(x, layout)[:, :, 2:-2, 2:-2]  # where no edge is seen
    torch.testing.assert_close(found, ((1 + scale) * (x - mean) / std + shift)[:, :, 2:-2, 2:-2], atol=1e-5, rtol=1e-5)


def test_spade_says_different_things_at_different_places():
    norm = SPADE(2, 2, 4).eval()
    x, layout = torch.ones(1, 2, 8, 8), torch.zeros(1, 2, 8, 8)
    layout[:, 0, :, :4], layout[:, 1, :, 4:] = 1, 1
    found = norm(x, layout)[0]
    assert not torch.allclose(found[:, 4, 0], found[:, 4, 7])


def test_spade_blocks_and_encoder_have_the_papers_shapes():
    layout = torch.rand(1, 3, 16, 16)
    assert not SPADEBlock(4, 4, 3, 5).learned
    assert SPADEBlock(4, 2, 3, 5)(torch.randn(1, 4, 8, 8), layout).shape == (1, 2, 8, 8)
    network = SPADEGenerator(36, 3, ch=2, hidden=2)
    widths = [(b.conv1.in_channels, b.conv2.out_channels) for b in network.blocks]
    assert widths == [(32, 32), (32, 16), (16, 8), (8, 4), (4, 2)]
    mean, spread = StyleEncoder(3, 7, 4, 3)(torch.randn(2, 3, 40, 24))
    assert mean.shape == spread.shape == (2, 7)


def test_a_cascade_sees_the_mean_of_the_layout_at_every_side():
    network = Cascade(2, 3, [5, 4, 3])
    seen = []
    for stage in network.stages:
        stage.register_forward_hook(lambda m, given, out: seen.append(given[0]))
    layout = torch.rand(1, 2, 16, 16)
    network(layout)
    assert [x.shape[1:] for x in seen] == [(2, 4, 4), (7, 8, 8), (6, 16, 16)]
    torch.testing.assert_close(seen[0], F.avg_pool2d(layout, 4))
    torch.testing.assert_close(seen[2][:, :2], layout)


SEMANTIC = torch.tensor([[[0, 0, 1, 1], [0, 2, 2, 1], [255, 2, 2, 1]]])
INSTANCE = torch.tensor([[[0, 0, 0, 0], [0, 7, 9, 0], [0, 7, 9, 0]]])


def test_edges_by_hand():
    expected = torch.tensor([[[0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1]]]).float()
    assert torch.equal(boundaries(SEMANTIC, INSTANCE)[:, 0], expected)
    step = torch.tensor([[[3, 3, 3, 4], [3, 3, 3, 4], [3, 3, 3, 3]]])
    assert torch.equal(
        boundaries(step, step * 0)[0, 0], torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]]).float()
    )


def test_touching_objects_are_told_apart_by_their_edge_alone():
    together, apart = regions(SEMANTIC, INSTANCE * 0), regions(SEMANTIC, INSTANCE)
    assert together.unique().numel() == 4 and apart.unique().numel() == 5
    assert together[0, 1, 1] == together[0, 1, 2] and apart[0, 1, 1] != apart[0, 1, 2]
    wide = torch.full((1, 5, 6), 4)
    objects = torch.ones(1, 5, 6, dtype=torch.long)
    objects[:, :, 3:] = 2
    planes = [outlined(wide, objects * told, 5)[0][0, 5] for told in (0, 1)]
    assert planes[0].sum() == 0 and torch.equal(planes[1].nonzero()[:, 1].unique(), torch.tensor([2, 3]))


def test_pictures_of_a_batch_share_no_region():
    both = regions(SEMANTIC.repeat(2, 1, 1), INSTANCE.repeat(2, 1, 1))
    assert both.unique().tolist() == list(range(10)) and not set(both[0].flatten().tolist()) & set(
        both[1].flatten().tolist()
    )


def test_walls_and_roof_of_one_house_are_described_apart():
    semantic, instance = torch.tensor([[[3, 9, 9, 1]]]), torch.tensor([[[4, 4, 4, 0]]])
    assert boundaries(semantic, instance).flatten().tolist() == [0, 0, 1, 1]
    region = regions(semantic, instance)
    points, kinds = described(torch.tensor([[[[1.0, 2.0, 4.0, 8.0]]]]), semantic, region)
    assert dict(zip(kinds.tolist(), points[:, 0].tolist(), strict=True)) == {3: 1.0, 9: 3.0, 1: 8.0}


def test_average_pooling_by_hand():
    region = torch.tensor([[[0, 0, 1], [2, 1, 1]]])
    features = torch.tensor([[[[1.0, 3.0, 6.0], [5.0, 9.0, 0.0]], [[0.0, 2.0, 1.0], [7.0, 1.0, 1.0]]]])
    expected = torch.tensor([[[[2.0, 2.0, 5.0], [5.0, 5.0, 5.0]], [[1.0, 1.0, 1.0], [7.0, 1.0, 1.0]]]])
    assert torch.equal(averaged(features, region), expected)
    assert torch.equal(means(features, region), torch.tensor([[2.0, 1.0], [5.0, 1.0], [5.0, 7.0]]))
    semantic = torch.tensor([[[4, 4, 6], [5, 6, 6]]])
    points, kinds = described(features, semantic, region)
    assert kinds.tolist() == [4, 6, 5] and torch.equal(points, means(features, region))


def test_one_hot_and_what_it_refuses():
    planes = one_hot(SEMANTIC, 3)
    assert planes.shape == (1, 3, 3, 4) and torch.equal(planes.sum(1), (SEMANTIC != 255).float())
    assert torch.equal(planes[:, 2], (SEMANTIC == 2).float())
    with pytest.raises(UserError, match="class 2, and this network tells 2 apart: give --legend 3"):
        one_hot(SEMANTIC, 2)


def test_well_separated_clusters_are_found():
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    which = torch.tensor([0] * 20 + [1] * 60 + [2] * 40)
    points = centres[which] + 0.1 * torch.randn(120, 2)
    found, count = k_means(points, 3)
    torch.testing.assert_close(found, centres[[1, 2, 0]], atol=0.1, rtol=0)
    assert count.tolist() == [60, 40, 20]
    assert len(k_means(points[:2], 5)[0]) == 2 and torch.equal(k_means(points, 3)[0], found)
    assert k_means(torch.ones(9, 2), 4)[0].isfinite().all()


def test_a_menu_of_styles_by_class_and_object():
    menu = Menu(3, 2, 2)
    points = torch.tensor([[0.0, 0.0]] * 3 + [[5.0, 5.0]] * 2 + [[1.0, 2.0]])
    menu.fit([(points[:4], torch.tensor([2, 2, 2, 2])), (points[4:], torch.tensor([2, 0]))])
    assert menu.held.tolist() == [1, 0, 2] and menu.styles[2].tolist() == [[0.0, 0.0], [5.0, 5.0]]
    plain = menu(SEMANTIC, INSTANCE)
    assert plain[0, :, 1, 1].tolist() == [0, 0] and plain[0, :, 0, 0].tolist() == [1, 2]
    assert plain[0, :, 2, 0].tolist() == [0, 0], "nothing is known of an unknown place"
    one = menu(SEMANTIC, INSTANCE, {(2, 9): 1})
    changed = (one != plain).any(1)
    assert torch.equal(changed, INSTANCE == 9) and one[0, :, 1, 2].tolist() == [5, 5]
    assert torch.equal((menu(SEMANTIC, INSTANCE, {(2, 0): 1}) != plain).any(1), SEMANTIC == 2)
    both = menu(SEMANTIC, INSTANCE, {(2, 9): 0, (2, 0): 1})
    assert torch.equal((both != plain).any(1), INSTANCE == 7), "what is said of an object counts more than of its class"


def test_styles_are_drawn_as_often_as_they_were_seen():
    menu = Menu(2, 3, 1)
    menu.fit([(torch.tensor([[0.0]] * 6 + [[9.0]] * 3 + [[4.0]]), torch.tensor([1] * 9 + [0]))])
    chance = torch.rand(2_000, 2)
    many = torch.ones(2_000, 1, 1, dtype=torch.long)
    found = menu(many, 0 * many, chance=chance)
    assert set(found.flatten().tolist()) == {0.0, 9.0} and abs((found == 0).float().mean() - 6 / 9) < 0.04
    several = menu(many[:1].expand(1, 1, 9), torch.arange(1, 10).view(1, 1, 9), chance=chance[:1])
    assert 5 <= (several == 0).sum() <= 7, "nine objects of a picture come near the shares"


def test_a_menu_notes_the_mean_of_each_class_until_it_is_fitted():
    menu, features = Menu(3, 2, 1), torch.zeros(1, 1, 3, 4)
    features[0, 0][SEMANTIC[0] == 1] = 8.0
    menu.note(features, SEMANTIC)
    assert menu.held.tolist() == [1, 1, 1] and menu.styles[:, 0, 0].tolist() == [0, 8, 0]
    menu.note(features * 0, SEMANTIC)
    torch.testing.assert_close(menu.styles[1, 0, 0], torch.tensor(7.6))


@pytest.mark.parametrize(("h", "w"), [(8, 12), (7, 5), (1, 2)])
def test_winograd_is_convolution(h, w):
    x = torch.randn(2, 5, h + 2, w + 2, requires_grad=True)
    weight = torch.randn(3, 5, 3, 3, requires_grad=True)
    slope = torch.randn(2, 3, h, w)
    found, theirs = (
        [y, *torch.autograd.grad(y, (x, weight), slope)] for y in (winograd(x, weight), F.conv2d(x, weight))
    )
    for ours, expected in zip(found, theirs, strict=True):
        torch.testing.assert_close(ours, expected, atol=5e-5, rtol=1e-5)


def test_winograd_is_as_accurate_as_convolution_and_exact_in_double_precision():
    x, weight = torch.randn(1, 128, 34, 34), torch.randn(128, 128, 3, 3) / (9 * 128) ** 0.5
    exact = F.conv2d(x.double(), weight.double())
    torch.testing.assert_close(winograd(x.double(), weight.double()), exact, atol=1e-12, rtol=0)
    errors = [(f(x, weight) - exact).square().mean().sqrt() for f in (winograd, F.conv2d)]
    assert errors[0] < 3e-6 and errors[0] < 6 * errors[1]


def test_a_wide_convolution_is_winograds_in_float32_alone():
    layer, x = Conv3x3(128, 128), torch.randn(1, 128, 66, 66)
    with torch.no_grad():
        assert torch.equal(layer(x), winograd(x, layer.weight))
        torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight), atol=1e-4, rtol=0)
        assert torch.equal(layer(x[..., :40, :40]), F.conv2d(x[..., :40, :40], layer.weight))
        assert layer.double()(x.double()).dtype == torch.float64


def test_a_network_learns_plane_by_plane_what_it_would_learn_otherwise():
    network = ResnetGenerator(3, 3, 4, 1).to(memory_format=torch.channels_last)
    gaussian(network, std=0.1)
    image = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        plain = network(image)
    found = network(image)
    torch.testing.assert_close(found, plain, atol=1e-4, rtol=0)
    slopes = torch.autograd.grad(found.square().sum(), list(network.parameters()))
    plain = torch.tanh(network.head(network.body(image)))
    theirs = torch.autograd.grad(plain.square().sum(), list(network.parameters()))
    for ours, expected in zip(slopes, theirs, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-3, rtol=1e-3)


def test_a_discriminator_of_70_pixels_has_as_many_parameters_as_the_authors_count():
    assert sum(p.numel() for p in PatchGAN(3, 64, norm=nn.BatchNorm2d).parameters()) == 2_765_633
