import pytest
import torch
from PIL import Image

from sfumato import catalog
from sfumato.errors import UserError
from sfumato.networks.pretrained.features import features
from sfumato.objectives.style import adain, moments
from sfumato.system import Batch

LAYERS = dict(features="style", layer="relu2_1", layers="relu1_1+relu2_1")


def pictures(n=4, size=24, seed=0):
    """Smooth random ones in [-1, 1]: (n, 3, size, size)."""
    noise = torch.randn(n, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, size=(size, size), mode="bicubic").clamp(-1, 1)


def test_fast_style_takes_the_painting_into_the_model(tmp_path):
    Image.new("RGB", (32, 20), (200, 30, 60)).save(tmp_path / "painting.png")
    system = catalog.build("fast-style", style=str(tmp_path / "painting.png"), side=16, ch=2, blocks=1, **LAYERS)
    system.start(Batch(image=pictures()))
    assert (system.painting[0].flatten(1).float().mean(1).tolist()) == [200, 30, 60]
    (tmp_path / "painting.png").unlink()
    again = catalog.rebuild(system.spec)  # needs no file
    again.load_state_dict(system.state_dict())
    assert torch.equal(again.stylise(pictures()), system.stylise(pictures()))


def test_fast_style_has_the_losses_of_neural_style():
    system = catalog.build("fast-style", side=24, ch=2, blocks=1, alpha=2.0, beta=5.0, variation=0.5, **LAYERS)
    image, painted = pictures(2), pictures(2, seed=1)
    system.start(Batch(image=pictures(1, seed=2)))
    found = system.losses(painted, image)
    look = features("style", ("relu1_1", "relu2_1"))
    target = look(system.painting.float() / 127.5 - 1)
    style = torch.zeros(2)
    for ours, theirs in zip(look(painted), target, strict=True):
        rows, aim = ours.flatten(2), theirs.flatten(2)
        error = rows @ rows.mT / rows.shape[2] - aim @ aim.mT / aim.shape[2]
        style += error.square().sum((1, 2)) / (aim @ aim.mT / aim.shape[2]).square().sum() / 2
    kept = look(image)[1]
    content = (look(painted)[1] - kept).square().sum((1, 2, 3)) / kept.square().sum((1, 2, 3))
    torch.testing.assert_close(found["style"], 5 * style, rtol=1e-4, atol=0)
    torch.testing.assert_close(found["content"], 2 * content, rtol=1e-4, atol=0)
    across, down = painted.diff(dim=3).abs().sum((1, 2, 3)), painted.diff(dim=2).abs().sum((1, 2, 3))
    torch.testing.assert_close(found["variation"], 0.5 * (across + down) / painted[0].numel())
    itself = system.losses(system.painting.float() / 127.5 - 1, image[:1])
    assert itself["style"].item() < 1e-6 * found["style"].max().item()


def test_cin_blends_gains_and_shifts():
    torch.manual_seed(0)
    system = catalog.build("cin", count=3, side=24, ch=2, blocks=1, **LAYERS)
    for p in system.G.parameters():
        if p.ndim == 2:
            torch.nn.init.normal_(p)
    image = pictures(1)
    weights = torch.tensor([[0.25, 0.75, 0.0]])
    found = system.stylise(image, weights)
    for p in system.G.parameters():
        if p.ndim == 2:
            p.data[2] = 0.25 * p.data[0] + 0.75 * p.data[1]
    torch.testing.assert_close(system.stylise(image, torch.tensor([[0.0, 0.0, 1.0]])), found)
    ends = [system.stylise(image, torch.eye(3)[k : k + 1]) for k in (0, 1)]
    assert not torch.allclose(ends[0], ends[1], atol=1e-2)


def test_cin_needs_as_many_paintings_as_styles(tmp_path):
    with pytest.raises(UserError, match="two styles or more"):
        catalog.build("cin", count=1)
    system = catalog.build("cin", count=3, side=16, ch=2, blocks=1, **LAYERS)
    with pytest.raises(UserError, match="3 styles need --styles"):
        system.start(Batch(image=pictures(2)))
    for k in range(3):
        Image.new("RGB", (20, 20), (80 * k, 0, 0)).save(tmp_path / f"{k}.png")
    system = catalog.build("cin", styles=str(tmp_path), count=3, side=16, ch=2, blocks=1, **LAYERS)
    system.start(Batch(image=pictures(2)))
    assert system.paintings[:, 0, 0, 0].tolist() == [0, 80, 160]


def test_adain_gives_the_moments_of_the_formula():
    system = catalog.build("adain", features="style")
    content, style = (system.E(pictures(2, 64, seed))[-1] for seed in (0, 1))
    found = adain(content, *moments(style))
    mu, sigma = content.mean((2, 3), keepdim=True), (content.var((2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    new = style.mean((2, 3), keepdim=True), (style.var((2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(found, (content - mu) / sigma * new[1] + new[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(moments(found)[0], new[0][..., 0, 0], atol=1e-5, rtol=1e-5)


def test_strength_moves_the_moments_in_proportion():
    system = catalog.build("adain", features="style")
    maps, style = (system.E(pictures(1, 64, seed))[-1] for seed in (0, 1))
    target = moments(style)
    own = moments(maps, epsilon=0.0)
    for strength in (0.0, 0.3, 0.7, 1.0):
        mixed = moments(torch.lerp(maps, adain(maps, *target), strength), epsilon=0.0)
        torch.testing.assert_close(mixed[0], torch.lerp(own[0], target[0], strength), atol=1e-5, rtol=1e-4)


def test_adain_paints_any_size_and_refuses_a_decoder_that_does_not_fit(tmp_path):
    system = catalog.build("adain", features="style")
    assert system.stylise(pictures(2, 37), pictures(1, 50, 1)).shape == (2, 3, 37, 37)
    kernels = {"conv2.weight": torch.zeros(3, 5, 3, 3), "conv2.bias": torch.zeros(3)}
    torch.save(kernels, tmp_path / "decoder.pth")
    with pytest.raises(UserError, match="decodes 5 channels"):
        catalog.build("adain", features="style", layers="relu1_1", decoder=str(tmp_path / "decoder.pth"))


def test_adain_learns_pairs_of_pictures_or_of_domains():
    system = catalog.build("adain", features="style", layers="relu1_1+relu2_1")
    image, source = pictures(2), pictures(2, seed=3)
    alone = next(system.step(Batch(image=image)))["D"]
    paired = next(system.step(Batch(image=image.roll(1, 0), source=image)))["D"]
    torch.testing.assert_close(alone["style"], paired["style"])
    other = next(system.step(Batch(image=image.roll(1, 0), source=source)))["D"]
    assert not torch.allclose(other["content"], paired["content"])
