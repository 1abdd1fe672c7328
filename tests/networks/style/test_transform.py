import pytest
import torch

from sfumato.networks.style.transform import StyleNorm, TransformNet


def test_has_the_parameters_of_the_published_network():
    published = 1_679_235  # PyTorch's own example, which has biases that its norms take away
    dead = 32 + 64 + 128 + 10 * 128 + 64 + 32
    assert sum(p.numel() for p in TransformNet().parameters()) == published - dead


def test_statistics_are_those_of_the_formula():
    torch.manual_seed(0)
    norm = StyleNorm(4, 3)
    torch.nn.init.normal_(norm.gain)
    torch.nn.init.normal_(norm.shift)
    x = 3 * torch.randn(2, 4, 9, 7) + 1
    weights = torch.tensor([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]])
    found = norm(x, weights)
    for row in range(2):
        gain = sum(w * g for w, g in zip(weights[row], norm.gain, strict=True))
        shift = sum(w * g for w, g in zip(weights[row], norm.shift, strict=True))
        torch.testing.assert_close(found[row].mean((1, 2)), shift, atol=1e-5, rtol=0)
        spread = found[row].std((1, 2), unbiased=False)
        torch.testing.assert_close(spread, gain.abs(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [(16, 16), (21, 30), (33, 18)])
def test_pictures_of_any_size_keep_it(size):
    image = torch.rand(2, 3, *size) * 2 - 1
    for styles in (0, 1, 3):
        painted = TransformNet(3, 4, 1, styles)(image)
        assert painted.shape == image.shape and painted.abs().max() <= 1


def test_the_first_style_is_taken_without_weights_and_others_differ():
    torch.manual_seed(1)
    network = TransformNet(3, 4, 1, 2)
    for p in network.parameters():
        if p.ndim == 2:
            torch.nn.init.normal_(p)
    image = torch.rand(1, 3, 24, 24) * 2 - 1
    first = network(image, torch.tensor([[1.0, 0.0]]))
    assert torch.equal(network(image), first)
    assert not torch.allclose(network(image, torch.tensor([[0.0, 1.0]])), first)


def test_parts_take_the_statistics_of_the_whole():
    torch.manual_seed(2)
    network = TransformNet(3, 4, 1).eval()
    image = torch.rand(1, 3, 160, 96) * 2 - 1
    image[..., :80, :] *= 0.2  # so that the halves differ in contrast
    with torch.no_grad():
        whole = network(image)
        alone = network(image[..., :128, :])
        with network.as_of(image):
            torch.testing.assert_close(network(image), whole, atol=1e-5, rtol=0)
            part = network(image[..., :128, :])
            far = network.reach
            torch.testing.assert_close(network(image[..., : 52 + far, :])[..., :52, :], whole[..., :52, :])
            assert not torch.allclose(network(image[..., : 52 + far // 2, :])[..., :52, :], whole[..., :52, :])
    torch.testing.assert_close(part[..., :88, :], whole[..., :88, :], atol=1e-5, rtol=0)
    assert (alone[..., :88, :] - whole[..., :88, :]).abs().max() > 1e-3
    assert torch.equal(network(image), whole)  # nothing stays frozen
