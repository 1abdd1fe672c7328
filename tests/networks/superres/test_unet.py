"""The U-Net of fast.ai: how it begins, what its parts compute, at any size; its critic and its encoder's files."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from sfumato.errors import UserError
from sfumato.networks.superres.resnet34 import Encoder, load_encoder
from sfumato.networks.superres.unet import Attention, Critic, Double, UNet, icnr


def small(channels=3, blocks=(1, 1), ch=8):
    torch.manual_seed(0)
    return UNet(Encoder(channels, ch, blocks), channels)


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_a_subpixel_convolution_begins_as_nearest_neighbours():
    torch.manual_seed(0)
    x, double = torch.randn(2, 6, 5, 4), Double(6, 3)
    with torch.no_grad():
        convolution, norm, _, _ = double.layers
        one_of_four = F.relu(norm(convolution(x)))[:, ::4]
        nearest = F.interpolate(one_of_four, scale_factor=2)
        torch.testing.assert_close(double.layers(x), nearest)
        padded = F.pad(nearest, (1, 0, 1, 0), mode="replicate")
        blurred = (padded[..., 1:, 1:] + padded[..., :-1, 1:] + padded[..., 1:, :-1] + padded[..., :-1, :-1]) / 4
        torch.testing.assert_close(double(x), blurred)


def test_icnr_without_a_norm_and_at_another_factor():
    convolution = torch.nn.Conv2d(2, 9, 3, padding=1, bias=False)
    icnr(convolution.weight, 3)
    x = torch.randn(1, 2, 4, 4)
    found = F.pixel_shuffle(convolution(x), 3)
    torch.testing.assert_close(found, F.interpolate(convolution(x)[:, :1], scale_factor=3))
    assert convolution.weight.std() > 0.1


def test_attention_begins_as_nothing_and_is_what_it_says():
    torch.manual_seed(0)
    attention, x = Attention(16).eval(), torch.randn(2, 16, 3, 5)
    with torch.no_grad():
        assert torch.equal(attention(x), x)
        attention.gain.fill_(0.7)
        q, k, v = (layer(x).flatten(2) for layer in (attention.query, attention.key, attention.value))
        weights = torch.einsum("bci,bcj->bij", q, k).softmax(2)
        expected = x + 0.7 * torch.einsum("bij,bcj->bci", weights, v).view_as(x)
        torch.testing.assert_close(attention(x), expected)
        assert torch.linalg.matrix_norm(attention.value.weight[..., 0, 0], 2).item() == pytest.approx(1, abs=0.05)


def test_the_network_begins_with_the_pictures_themselves():
    image = torch.rand(2, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        found = small()(image)
    x = (image - small().mean) / small().std
    torch.testing.assert_close(found, 3 * torch.tanh(x / 3) * small().std + small().mean)
    assert (found - image).abs().mean() < 0.06


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(16, 16), (1, 1), (13, 21)])
def test_pictures_of_any_size_keep_it(channels, size):
    image = torch.rand(2, channels, *size) * 2 - 1
    with torch.no_grad():
        found = small(channels).eval()(image)
    assert found.shape == image.shape and found.dtype == torch.float32


def test_a_picture_within_its_multiple_is_not_changed_by_what_continues_it():
    """What lies beyond the edge is the last pixel, as if the picture had been larger by it."""
    net, image = small().eval(), torch.rand(1, 3, 14, 16) * 2 - 1
    whole = F.pad(image, (0, 0, 0, 2), mode="replicate")
    with torch.no_grad():
        torch.testing.assert_close(net(image), net(whole)[..., :14, :])


def test_the_critic_is_deoldifys_and_scores_parts_of_large_pictures():
    torch.manual_seed(0)
    critic = Critic(3, 8)
    convolutions = [3 * 8 * 16 + 8, 8 * 1 * 16 * 8]  # the first and the last
    for n in (8, 16, 32):
        convolutions += [n * n * 9 + n, n * 2 * n * 16 + 2 * n]
    attention = 16 * (2 + 2 + 16) + 1
    assert count(critic) == sum(convolutions) + attention + 64 * 64 * 9 + 64
    with torch.no_grad():
        assert critic(torch.zeros(2, 3, 64, 64)).shape == (2, 1) and critic(torch.zeros(1, 3, 96, 64)).shape == (1, 3)
    with pytest.raises(UserError, match="the critic needs 64 px, not 48"):
        critic(torch.zeros(1, 3, 48, 48))


def test_an_encoder_reads_torchvisions_names(tmp_path):
    torch.manual_seed(0)
    source, target = Encoder(3, 8), Encoder(3, 8)
    state = dict(source.state_dict())
    assert {"conv1.weight", "bn1.running_var", "layer2.0.downsample.0.weight", "layer3.5.conv2.weight"} <= state.keys()
    assert "layer1.0.downsample.0.weight" not in state
    path = tmp_path / "resnet34.safetensors"
    save_file(state | {"fc.weight": torch.zeros(10, 64), "fc.bias": torch.zeros(10)}, path)
    load_encoder(target, str(path))
    assert all(torch.equal(v, target.state_dict()[k]) for k, v in state.items())
    with pytest.raises(UserError, match="doesn't fit Encoder"):
        load_encoder(Encoder(3, 4), str(path))
    x = torch.rand(1, 3, 64, 48)
    assert [m.shape[1:] for m in target(x)] == [(8, 32, 24), (8, 16, 12), (16, 8, 6), (32, 4, 3), (64, 2, 2)]
