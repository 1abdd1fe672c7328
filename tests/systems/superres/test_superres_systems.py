"""What each system of super-resolution says it does: its bases, losses, phases and scales, at any size of pictures."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sfumato import catalog
from sfumato.errors import UserError
from sfumato.networks.pretrained.features import features
from sfumato.networks.superres.pictures import enlarge, luma, patches, shrink
from sfumato.objectives.adversarial import nonsaturating_g, relativistic_d
from sfumato.objectives.perceptual import texture, unit_mean
from sfumato.system import Batch
from sfumato.training.loop import Budget, begin, train

NAMES = ["srcnn", "vdsr", "edsr", "mdsr", "rcan", "srgan", "esrgan", "enhancenet"]


def pictures(n=4, side=16, channels=3, seed=0):
    """Blobs that bicubic does not enlarge without loss, as bytes."""
    noise = torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return shrink(nn.functional.avg_pool2d(noise, 3, 1, 1) * 2, 1).clamp(-1, 1)


def made(name, preset="tiny", **more):
    torch.manual_seed(0)
    cls = catalog.find(name)
    hyper = dict(cls.presets[preset].hyper) | more
    return catalog.build(name, **hyper | ({"channels": 3} if "channels" in catalog.hyperparameters(cls) else {}))


def batch_of(scale=2, **given):
    image = pictures(**given)
    return Batch(image=image, low=shrink(image, scale))


def phases(system, batch):
    """What a step yields, one after another, no optimiser stepping."""
    return [dict(losses) for losses in system.step(batch)]


class Feed:
    """The same batch for ever."""

    def __init__(self, batch):
        self.batch = batch

    def at(self, step, part=0, parts=1):
        return Batch(seed=step, image=self.batch.image, low=self.batch.low)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_upscale_takes_pictures_of_any_size(name, channels):
    system = made(name).eval() if channels == 3 else catalog.build(name, **grey(name)).eval()
    with torch.no_grad():
        large = system.upscale(pictures(2, 7, channels)[..., :5])
    assert large.shape == (2, channels, 7 * system.scale, 5 * system.scale)
    assert large.dtype == torch.float32 and large.abs().max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_low_enlarged(name):
    system, batch = made(name).eval(), batch_of()
    with torch.no_grad():
        assert torch.equal(system.sample(batch.without("image")), system.upscale(batch.low))


def grey(name):
    cls = catalog.find(name)
    return dict(cls.presets["tiny"].hyper) | ({"channels": 1} if "channels" in catalog.hyperparameters(cls) else {})


@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_another_scale_are_refused_with_what_to_give(name):
    with pytest.raises(UserError, match=r"--view superres-x2 or --scale 4"):
        phases(made(name), batch_of(4))


@pytest.mark.parametrize("name", ["srcnn", "edsr"])
def test_they_learn(name):
    """Sixty steps on four pictures: the error of a picture falls to less than half."""
    system = made(name)
    batch = batch_of()

    def error():
        with torch.no_grad():
            return (system.sample(batch.without("image")) - batch.image).square().mean().item()

    before = error()
    for group in (state := begin(system)).optimizers.values():
        group.param_groups[0]["initial_lr"] = 5e-3
    for _ in train(state, Feed(batch), Budget(steps=60)):
        pass
    assert error() < before / 2


def test_srcnn_changes_luma_alone():
    system = made("srcnn").eval()
    low = pictures(2, 8) / 2
    with torch.no_grad():
        found, plain = system.upscale(low), enlarge(low, 2)
        assert (luma(found) - luma(plain)).abs().mean() > 1e-3
        difference = found - plain
    inside = (found.abs() < 1).all(1)
    for c in (1, 2):
        torch.testing.assert_close(difference[:, c][inside], difference[:, 0][inside], atol=1e-6, rtol=0)


def test_srcnn_that_copies_is_bicubic():
    system = made("srcnn")
    with torch.no_grad():
        for layer in system.F[::2]:
            nn.init.zeros_(layer.weight)[0, 0, layer.kernel_size[0] // 2, layer.kernel_size[0] // 2] = 1
    low = pictures(2, 8)
    torch.testing.assert_close(system.upscale(low), enlarge(low, 2).clamp(-1, 1), atol=1e-5, rtol=0)


def test_srcnn_learns_from_the_inside_of_patches_and_slowly_in_the_last_layer():
    system, batch = made("srcnn"), batch_of()
    (found,) = phases(system, batch)
    with torch.no_grad():
        error = (system.F(luma(enlarge(batch.low, 2))) - luma(batch.image))[..., 6:-6, 6:-6]
    torch.testing.assert_close(found["F"], error.square().flatten(1).sum(1))
    groups = made("srcnn", "paper").optimizers()["F"].param_groups
    assert [g["lr"] for g in groups] == [1e-4, 1e-5] and groups[0]["momentum"] == 0.9
    with pytest.raises(UserError, match="patches of 12 px are all border; 13"):
        phases(made("srcnn"), batch_of(side=12))


def test_vdsr_without_residual_is_bicubic_at_every_scale():
    system, low = made("vdsr"), pictures(1, 6)
    with torch.no_grad():
        nn.init.zeros_(system.F[-1].weight)
        for scale in (2, 3, 4):
            expected = enlarge(low, scale).clamp(-1, 1)
            torch.testing.assert_close(system.upscale(low, scale=scale), expected, atol=1e-6, rtol=0)


def test_vdsr_draws_a_scale_for_every_patch():
    system = made("vdsr", scales="2+4", patch=16)
    with torch.no_grad():
        nn.init.zeros_(system.F[-1].weight)
    batch = batch_of(n=16)
    (found,) = phases(system, batch)
    errors = torch.stack([
        (luma(enlarge(shrink(batch.image, s), s)) - luma(batch.image)).square().flatten(1).sum(1) / 2 for s in (2, 4)
    ])  # fmt: skip
    which = (found["F"] - errors).abs().argmin(0)
    torch.testing.assert_close(found["F"], errors.gather(0, which[None])[0])
    assert 0 < which.sum() < 16


def test_vdsr_clips_each_gradient_by_the_rate():
    system = made("vdsr", theta=0.01, lr=0.5, decay=0.0)
    optimizer = system.optimizers()["F"]
    before = [p.detach().clone() for p in system.parameters()]
    for p in system.parameters():
        p.grad = torch.randn_like(p)
    expected = [b - 0.5 * p.grad.clamp(-0.02, 0.02) for b, p in zip(before, system.parameters(), strict=True)]
    optimizer.step()
    torch.testing.assert_close(list(system.parameters()), [nn.Parameter(e) for e in expected])


def test_edsr_and_rcan_average_eight_positions_if_asked():
    for name in ("edsr", "rcan"):
        system, low = made(name).eval(), pictures(1, 6)[..., :4] / 4
        with torch.no_grad():
            found = system.upscale(low, ensemble=True)
            torch.testing.assert_close(system.upscale(low.flip(-1), ensemble=True), found.flip(-1))
            assert not torch.allclose(system.upscale(low), found)


def test_mdsr_gives_each_scale_its_turn_and_its_layers():
    system, batch = made("mdsr", scales="2+4"), batch_of(side=16)
    for iteration, own in ((0, "2"), (1, "4"), (2, "2")):
        system.iteration = iteration
        (losses,) = phases(system, batch)
        system.zero_grad()
        losses["G"].mean().backward()
        for turnout in system.turnouts:
            for scale, layers in turnout.items():
                used = [p.grad is not None for p in layers.parameters()]
                assert all(used) if scale == own else not any(used)
    with torch.no_grad():
        assert system.upscale(batch.low, scale=4).shape[-1] == 32
    with pytest.raises(LookupError, match="scale of this network"):
        system.upscale(batch.low, scale=8)


def test_rcan_weighs_channels():
    attention = next(m for m in made("rcan").modules() if type(m).__name__ == "Attention")
    with torch.no_grad():
        nn.init.zeros_(attention[3].weight)
        attention[3].bias.copy_(torch.linspace(-9, 9, 8))
        x = torch.rand(2, 8, 3, 3)
        torch.testing.assert_close(attention(x), x * torch.linspace(-9, 9, 8).sigmoid().view(8, 1, 1))


def test_srgan_is_taught_by_pixels_then_by_the_game():
    system, batch = made("srgan", pretrain=0.5), batch_of()
    system.progress = 0.49
    assert [{k: list(v) if isinstance(v, dict) else [] for k, v in p.items()} for p in phases(system, batch)] == [
        {"G": ["mse"]}
    ]
    system.progress = 0.5
    d, g = phases(system, batch)
    assert list(d) == ["D"] and list(g["G"]) == ["content", "adversarial"]
    system.progress = 0.1  # a longer budget: what has begun goes on
    assert len(phases(system, batch)) == 2
    again = made("srgan", pretrain=0.5)
    again.load_state_dict(system.state_dict())
    assert len(phases(again, batch)) == 2


def test_srgans_losses_by_hand():
    system, batch = (
        made("srgan", pretrain=0.0, content="relu2", rescale=0.5, variation=1e-3, adversarial=0.25),
        batch_of(),
    )
    system.eval()
    _, losses = phases(system, batch)
    with torch.no_grad():
        fake = system.G((batch.low + 1) / 2)
        (a,), (b,) = (features("reader:shapes", ("relu2",))(x) for x in (fake, batch.image))
        torch.testing.assert_close(losses["G"]["content"], 0.25 * (a - b).square().mean((1, 2, 3)))
        torch.testing.assert_close(losses["G"]["adversarial"], 0.25 * nonsaturating_g(system.D(fake)))
        edges = sum((fake.narrow(d, 1, 15) - fake.narrow(d, 0, 15)).abs().sum((1, 2, 3)) for d in (2, 3))
        torch.testing.assert_close(losses["G"]["variation"], 1e-3 * edges)


def test_the_columns_of_srgans_table():
    presets = catalog.find("srgan").presets
    for size, deep, shallow in (("paper", "relu5_4", "relu2_2"), ("small", "relu5", "relu2")):
        content = {k: presets[f"{size}{k}"].hyper.get("content", "relu5_4") for k in ("", "-srgan-vgg22", "-srgan-mse")}
        assert content == {"": deep, "-srgan-vgg22": shallow, "-srgan-mse": "mse"}
        assert (
            presets[f"{size}-srresnet"].hyper["adversarial"] == 0 == presets[f"{size}-srresnet-vgg22"].hyper["pretrain"]
        )
    system = made("srgan", content="mse", adversarial=0.0, features="nothing")
    assert system.D is None and list(system.optimizers()) == ["G"]
    system.progress = 1.0
    assert [list(p["G"]) for p in phases(system, batch_of())] == [["content"]]


@pytest.mark.parametrize("name", ["srgan", "esrgan", "enhancenet"])
def test_features_that_are_not_there_are_missed_at_the_first_step(name):
    system = made(name, features="vgg19")
    system.progress = 0.0
    with pytest.raises(UserError, match="write vgg19:SOURCE"):
        phases(system, batch_of())
    with torch.no_grad():
        system.eval().upscale(pictures(1, 4))  # needs none


def test_esrgan_goes_on_from_p_and_leaves_it():
    system, batch = made("esrgan", pretrain=0.5).eval(), batch_of()
    with torch.no_grad():
        first = system.upscale(batch.low)
        torch.testing.assert_close(first, system.P(batch.low).clamp(-1, 1))
    assert [list(p) for p in phases(system, batch)] == [["P"]]
    system.progress = 0.5
    assert [list(p) for p in phases(system, batch)] == [["D"], ["G"]]
    assert all(torch.equal(p, g) for p, g in zip(system.P.parameters(), system.G.parameters(), strict=True))
    with torch.no_grad():
        for g in system.G.parameters():
            g.add_(0.01)
        kept = [g.clone() for g in system.G.parameters()]
    phases(system, batch)
    assert all(torch.equal(k, g) for k, g in zip(kept, system.G.parameters(), strict=True)), "copied once"


def test_esrgan_begins_with_the_weights_of_a_file(tmp_path):
    theirs, path = made("esrgan", network="compact", blocks=1), str(tmp_path / "P.safetensors")
    save_file({k.removeprefix("network."): v for k, v in theirs.P.state_dict().items()}, path)
    system = made("esrgan", network="compact", blocks=1, begin=path, pretrain=0.0)
    system.start(batch_of())
    assert [list(p) for p in phases(system, batch_of())] == [["D"], ["G"]]
    for k, v in theirs.P.state_dict().items():
        assert torch.equal(system.P.state_dict()[k], v) and torch.equal(system.G.state_dict()[k], v), k
    with pytest.raises(UserError, match="doesn't fit"):
        made("esrgan", begin=path).start(batch_of())


def test_esrgan_is_all_that_lies_between_its_networks():
    system, low = made("esrgan").eval(), pictures(1, 6) / 4
    system.pretrained.fill_(True)
    with torch.no_grad():
        torch.testing.assert_close(system.upscale(low, alpha=0.0), system.P(low).clamp(-1, 1))
        torch.testing.assert_close(system.upscale(low), system.G(low).clamp(-1, 1))
        between = system.interpolate(0.25)
        for k, p in system.P.named_parameters():
            torch.testing.assert_close(between[k], 0.75 * p + 0.25 * dict(system.G.named_parameters())[k])
        system.P.load_state_dict(between)
        torch.testing.assert_close(system.upscale(low, alpha=0.0), system.P(low).clamp(-1, 1))


def test_esrgans_losses_by_hand():
    system, batch = made("esrgan", pretrain=0.0).eval(), batch_of()
    image, low = patches(batch.image, batch.low, 16, Batch(4).rand(3))
    assert not torch.equal(image, batch.image), "in one of eight positions each"
    d, g = phases(system, batch)
    with torch.no_grad():
        fake = system.P(low)
        (a,), (b,) = (features("reader:shapes", ("conv1",))(x) for x in (fake, image))
        real_score, fake_score = system.D(image), system.D(fake)
    torch.testing.assert_close(g["G"]["pixels"], 1e-2 * (fake - image).abs().mean((1, 2, 3)) / 2)
    torch.testing.assert_close(g["G"]["content"], (a - b).abs().mean((1, 2, 3)))
    torch.testing.assert_close(g["G"]["adversarial"], 5e-3 * relativistic_d(fake_score, real_score))
    torch.testing.assert_close(d["D"], relativistic_d(real_score, fake_score))


def test_enhancenet_adds_to_bicubic():
    system, low = made("enhancenet"), pictures(1, 6)
    with torch.no_grad():
        nn.init.zeros_(system.G[-1].weight)
        nn.init.zeros_(system.G[-1].bias)
    torch.testing.assert_close(system.upscale(low), enlarge(low, 2).clamp(-1, 1))


@pytest.mark.parametrize(
    ("losses", "players", "terms"),
    [
        ("E", ["G"], ["pixels"]),
        ("P", ["G"], ["content"]),
        ("EA", ["D", "G"], ["pixels", "adversarial"]),
        ("PAT", ["D", "G"], ["content", "texture", "adversarial"]),
    ],
)
def test_enhancenets_letters(losses, players, terms):
    system = made("enhancenet", losses=losses)
    system.progress = 1.0
    found = phases(system, batch_of())
    assert [k for p in found for k in p] == players and list(found[-1]["G"]) == terms
    with pytest.raises(UserError, match="letters of EPAT, not 'PX'"):
        made("enhancenet", losses="PX")


def test_enhancenets_losses_by_hand():
    system, batch = made("enhancenet", losses="PT"), batch_of()
    with torch.no_grad():
        fake = system.enlarge(batch.low)
        look = features("reader:shapes", system.layers)
        terms = system.terms("PT", fake, batch.image, look)
        ours, theirs = ([unit_mean(x) for x in look(y)] for y in (fake, batch.image))
        content = 0.2 * (ours[0] - theirs[0]).square().mean((1, 2, 3))
        content += 0.02 * (ours[1] - theirs[1]).square().mean((1, 2, 3))
        torch.testing.assert_close(terms["content"], content)
        alike = [texture(a, b) for a, b in zip(ours[2:], theirs[2:], strict=True)]
        torch.testing.assert_close(terms["texture"], 3e-7 * alike[0] + 1e-6 * alike[1] + 1e-6 * alike[2])


def test_enhancenets_discriminator_waits_while_it_is_ahead():
    system, batch = made("enhancenet", losses="PAT"), batch_of()
    system.progress = 1.0
    for skill, learns in (([0.9, 0.9], False), ([0.9, 0.5], True)):
        system.skill.copy_(torch.tensor(skill))
        loss = next(iter(system.step(batch)))["D"]
        gradients = torch.autograd.grad(loss, list(system.D.parameters()))
        assert any(g.abs().sum() > 0 for g in gradients) == learns
    phases(system, batch)
    assert ((system.skill * 4) % 1 == 0).all(), "shares of the last four pictures"
