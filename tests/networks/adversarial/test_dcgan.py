"""The convolutional networks: the paper's guidelines, known parameter counts, shapes, initialisation."""

import pytest
import torch
from torch import nn

from sfumato.errors import UserError
from sfumato.networks.adversarial import dcgan, resnet
from sfumato.networks.adversarial.dcgan import Discriminator, Generator, double, halvings, layer_norm


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_parameters_of_the_well_known_64_pixel_networks():
    assert count(Generator(100, 64, 64, 3)) == 3_576_704  # PyTorch's DCGAN example: nz = 100, ngf = ndf = 64, nc = 3
    assert count(Discriminator(64, 64, 3)) == 2_765_568


def test_parameters_of_the_papers_figure():
    """Figure 1: 100 numbers, 1024 channels at 4×4, then 512, 256, 128, 3; filters of 5×5."""
    widths = [1024, 512, 256, 128]
    filters = 100 * 1024 * 16 + sum(n * m * 25 for n, m in zip(widths, [*widths[1:], 3], strict=True))
    assert count(Generator(100, 128, 64, 3, kernel=5)) == filters + 2 * sum(widths)


@pytest.mark.parametrize("net", [Generator(8, 4, 32, 3), Discriminator(4, 32, 3)], ids=["G", "D"])
def test_the_five_guidelines(net):
    layers = list(net.layers)
    convolution = nn.ConvTranspose2d if isinstance(net, Generator) else nn.Conv2d
    convolutions = [m for m in layers if isinstance(m, convolution)]
    assert all(
        isinstance(m, convolution | nn.BatchNorm2d | nn.ReLU | nn.LeakyReLU) for m in layers
    )  # no pooling, no linear
    inner = convolutions[1:] if isinstance(net, Generator) else convolutions[:-1]
    assert all(m.stride == (2, 2) for m in inner)
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in layers)
    assert norms == len(convolutions) - (1 if isinstance(net, Generator) else 2)  # D: not the first, nor the score
    if isinstance(net, Generator):
        assert any(isinstance(m, nn.ReLU) for m in layers)
        assert not any(isinstance(m, nn.LeakyReLU) for m in layers)
        assert isinstance(layers[-1], nn.ConvTranspose2d)
    else:
        assert {m.negative_slope for m in layers if isinstance(m, nn.LeakyReLU)} == {0.2}
        assert isinstance(layers[1], nn.LeakyReLU)


def test_weights_begin_as_section_4_says():
    torch.manual_seed(0)
    net = Generator(100, 64, 64, 3)
    for m in net.modules():
        if isinstance(m, nn.ConvTranspose2d):
            assert m.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert abs(m.weight.mean().item()) < 1e-3
        elif isinstance(m, nn.BatchNorm2d):
            assert m.weight.mean().item() == pytest.approx(1, abs=0.02)
            assert m.bias.abs().max() == 0


@pytest.mark.parametrize(
    ("size", "pyramid"),
    [(8, (4, 1)), (16, (4, 2)), (28, (7, 2)), (32, (4, 3)), (48, (6, 3)), (64, (4, 4)), (80, (5, 4))],
)
def test_sides(size, pyramid):
    assert halvings(size) == pyramid
    for kernel in (4, 5):
        assert Generator(5, 2, size, 3, kernel)(torch.randn(2, 5)).shape == (2, 3, size, size)
        assert Discriminator(2, size, 3, kernel)(torch.zeros(2, 3, size, size)).shape == (2,)


@pytest.mark.parametrize("size", [1, 3, 9, 30, 50, 72])
def test_a_side_without_a_pyramid_is_a_clear_error(size):
    with pytest.raises(UserError, match=f"size {size}"):
        halvings(size)


@pytest.mark.parametrize("kernel", [3, 4, 5])
def test_doubling(kernel):
    assert double(2, 3, kernel)(torch.zeros(1, 2, 5, 7)).shape == (1, 3, 10, 14)


def test_images_are_bounded_and_float32_even_in_half_precision():
    with torch.autocast("cpu", torch.bfloat16):
        x = Generator(5, 4, 16, 1)(100 * torch.randn(4, 5))
        score = Discriminator(4, 16, 1)(x)
    assert x.dtype == score.dtype == torch.float32
    assert x.abs().max() <= 1


@pytest.mark.parametrize(
    "critic", [Discriminator(4, 16, 1, norm=layer_norm), resnet.Critic(4, 1)], ids=["dcgan", "resnet"]
)
def test_a_critics_score_of_an_image_does_not_depend_on_the_others(critic):
    x = torch.randn(5, 1, 16, 16)
    assert torch.allclose(critic(x)[:1], critic(x[:1]), atol=1e-6)


def test_outputs_of_a_discriminator_with_several():
    assert Discriminator(4, 16, 1, outputs=3)(torch.zeros(2, 1, 16, 16)).shape == (2, 3)


def test_residual_networks_of_wgan_gp_for_cifar():
    """The paper's table: 3×3 convolutions of 128 channels and 1×1 shortcuts where the side or the width changes."""
    conv, point, norm = 128 * 128 * 9 + 128, 128 * 128 + 128, 2 * 128
    generator = 128 * 128 * 16 + 128 * 16 + 3 * (2 * conv + point + 2 * norm) + norm + 128 * 3 * 9 + 3
    assert count(resnet.Generator(128, 128, 32, 3)) == generator
    first = (3 * 128 * 9 + 128) + conv + (3 * 128 + 128)
    assert count(resnet.Critic(128, 3)) == first + (2 * conv + point) + 2 * (2 * conv) + 128


def test_a_block_without_its_residual_is_its_shortcut():
    x = torch.randn(2, 3, 8, 8)
    for scale, shape in ((+1, (2, 5, 16, 16)), (-1, (2, 5, 4, 4)), (0, (2, 5, 8, 8))):
        block = resnet.Block(3, 5, scale, dcgan.layer_norm)
        nn.init.zeros_(block.conv2.weight)
        nn.init.zeros_(block.conv2.bias)
        y = block(x)
        assert y.shape == shape
        assert torch.allclose(y, block.down(block.up(block.shortcut(x))), atol=1e-6)  # 1×1: commutes with both


def test_residual_weights_begin_uniform_with_the_right_variance():
    torch.manual_seed(0)
    net = resnet.Generator(128, 64, 32, 3)
    fan = 64 * 9
    assert net.blocks[0].conv1.weight.var().item() == pytest.approx(4 / (2 * fan), rel=0.03)
    assert net.blocks[0].shortcut.weight.var().item() == pytest.approx(2 / (2 * 64), rel=0.05)
    assert net.start.weight.var().item() == pytest.approx(2 / (128 + 64 * 16), rel=0.03)
