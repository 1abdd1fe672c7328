import pytest
import torch
from safetensors.torch import save_file

from sfumato.errors import UserError
from sfumato.networks.pretrained.features import Features, features
from sfumato.networks.pretrained.squeezenet import Fire
from sfumato.networks.style.adain import invert, least_squares, mirror, sight, times

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
WIDTHS = [3, 64, 64, 128, 128, 256, 256, 256, 256, 512]  # of VGG-19 up to relu4_1
PLACES = [0, 2, 5, 7, 10, 12, 14, 16, 19]  # in torchvision's layout


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg19.safetensors"
    kernels = zip(PLACES, WIDTHS, WIDTHS[1:], strict=False)
    state = {}
    for place, n, m in kernels:
        state |= {f"features.{place}.weight": torch.zeros(m, n, 3, 3), f"features.{place}.bias": torch.zeros(m)}
    save_file(state, path)
    return path


def test_the_mirror_of_vgg_19_is_the_published_decoder(vgg):
    decoder = mirror(features(f"vgg19:{vgg}", LAYERS))
    assert sum(p.numel() for p in decoder.parameters()) == 3_505_219
    assert times(decoder) == 8
    assert decoder(torch.zeros(1, 512, 4, 3)).shape == (1, 3, 32, 24)
    kinds = [type(layer).__name__ for layer in decoder]
    assert kinds.count("Upsample") == 3 and kinds.count("ReLU") == 8 and kinds[-1] == "Conv2d"


def test_the_readers_can_be_mirrored_but_not_what_branches():
    look = features("reader:shapes", ("relu1", "conv3"))
    decoder = mirror(look, 1)
    image = torch.rand(2, 3, 32, 32)
    assert decoder(look(image)[-1]).shape == (2, 1, 32, 32)
    look = features("reader:scenes", ("stem", "high"))
    assert mirror(look)(look(image)[-1]).shape == image.shape
    with pytest.raises(UserError, match="one after another"):
        mirror(Features({"fire2": Fire(8, 4, 6)}, ["fire2"]))


def test_sight_is_how_far_a_pixel_is_seen():
    torch.manual_seed(0)
    look = features("style", LAYERS)
    decoder = mirror(look)
    image = torch.rand(1, 3, 16, 160)
    other = image.clone()
    other[..., :80] += 1
    change = (decoder(look(image)[-1]) - decoder(look(other)[-1])).abs().amax((0, 1, 2))
    far = sight(look, decoder)
    assert change[80 + far :].max() < 1e-6 < change[80 : 80 + far].max()
    assert 80 + far - 20 < int((change > 0).nonzero().max()) < 80 + far


def test_least_squares_finds_the_convolution_that_was_there():
    torch.manual_seed(0)
    x = torch.randn(3, 4, 12, 10)
    layer = torch.nn.Conv2d(4, 5, 3, padding=1, padding_mode="reflect")
    weight, bias = least_squares(x, layer(x).detach(), ridge=1e-12)
    torch.testing.assert_close(weight, layer.weight, atol=1e-5, rtol=0)
    torch.testing.assert_close(bias, layer.bias, atol=1e-5, rtol=0)


def test_a_mirror_can_be_made_an_inverse():
    noise = torch.randn(4, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    image = torch.nn.functional.interpolate(noise, scale_factor=5, mode="bicubic").clamp(-1, 1)
    look = features("style", LAYERS[:2])
    decoder = mirror(look)
    before = (decoder(look(image)[-1]) - image).square().mean()
    invert(decoder, look, image)
    after = (decoder(look(image)[-1]) - image).square().mean()
    assert after < 0.1 * image.var() < before
