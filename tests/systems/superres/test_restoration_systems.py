"""RealSR and Decrappify: what is degraded and how, pools from files, who plays in which phase, losses by hand."""

from itertools import pairwise

import pytest
import torch
from safetensors.torch import save_file

from sfumato import catalog
from sfumato.errors import UserError
from sfumato.networks.pretrained.features import features
from sfumato.networks.superres.degrade import as_bytes, injected, shrink_each
from sfumato.networks.superres.kernels import gaussian_kernel
from sfumato.networks.superres.pictures import enlarge, patches, shrink
from sfumato.objectives.adversarial import logistic_d, nonsaturating_g, relativistic_d
from sfumato.objectives.perceptual import unit_mean
from sfumato.system import Batch
from sfumato.training.loop import Budget, begin, train


def pictures(n=4, side=16, channels=3, seed=0):
    """Blobs, as bytes."""
    noise = torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return as_bytes(torch.nn.functional.avg_pool2d(noise, 3, 1, 1) * 2)


def batch_of(**given):
    image = pictures(**given)
    return Batch(image=image, clean=image)


def made(name, preset="tiny", **more):
    torch.manual_seed(0)
    return catalog.build(name, **dict(catalog.find(name).presets[preset].hyper) | {"channels": 3} | more)


def phases(system, batch):
    """What a step yields, one after another, no optimiser stepping."""
    return [dict(losses) for losses in system.step(batch)]


class Feed:
    """The same batch for ever."""

    def __init__(self, batch):
        self.batch = batch

    def at(self, step, part=0, parts=1):
        return Batch(seed=step, **self.batch.fields)


@pytest.mark.parametrize("channels", [1, 3])
def test_their_abilities_take_pictures_of_any_size(channels):
    image = pictures(2, 11, channels)[..., :7]
    with torch.no_grad():
        large = made("realsr", channels=channels).eval().upscale(image)
        again = made("decrappify", channels=channels).eval().restore(image)
    assert large.shape == (2, channels, 22, 14) and again.shape == image.shape
    assert max(large.abs().max(), again.abs().max()) <= 1 and large.dtype == again.dtype == torch.float32


def test_a_sample_is_what_was_clean_degraded_and_restored():
    batch = batch_of(side=15).without("image")
    sr, net = made("realsr").eval(), made("decrappify").eval()
    with torch.no_grad():
        low = sr.degraded(batch.clean, Batch(clean=batch.clean))
        assert low.shape[-1] == 8
        assert torch.equal(sr.sample(batch), sr.upscale(low)[..., :15, :15])
        batch = batch_of().without("image")
        draw = Batch(4)
        crappy = net.crappify(batch.clean, draw.rand, draw.randn)
        assert torch.equal(net.sample(batch), net.restore(crappy)) and not torch.equal(crappy, batch.clean)


def test_realsr_degrades_by_a_kernel_and_noise_of_its_pools():
    system, image = made("realsr", pool=3), pictures(5)
    found = system.degraded(image, Batch(5, seed=2))
    draw = Batch(5, seed=2)
    clean = shrink_each(image, system.kernels[draw.randint(3)], 2)
    grain = system.noise[draw.randint(3)]
    torch.testing.assert_close(found, as_bytes(injected(clean, grain, draw.rand(2))))
    assert (found - as_bytes(clean)).abs().max() > 0.01
    plain = made("realsr", blur=0.0, noise=0.0).degraded(image, Batch(5))
    torch.testing.assert_close(plain[..., 2:-2, 2:-2], shrink(image, 2)[..., 2:-2, 2:-2], atol=1 / 127, rtol=0)


def test_realsr_adds_to_bicubic_if_asked():
    low = pictures(1, 6)
    for base in (True, False):
        system = made("realsr", base=base)
        with torch.no_grad():
            expected = system.G(low) + (enlarge(low, 2) if base else 0)
            torch.testing.assert_close(system.upscale(low), expected.clamp(-1, 1))


def test_realsr_cleans_pictures_by_making_them_smaller():
    system, batch = made("realsr", cleanup=2, patch=8), batch_of(side=20)
    square, _ = patches(batch.image, batch.image, 16, Batch(4).rand(3))
    torch.testing.assert_close(system.cleaned(Batch(image=batch.image)), shrink(square, 2))
    with pytest.raises(UserError, match="patches of 9 px"):
        made("realsr", patch=9)


def test_realsr_takes_its_pools_from_a_file_at_the_start_alone(tmp_path):
    kernels = torch.stack([gaussian_kernel(12, (u, 2.0), 0.4) for u in (0.5, 4.0)])
    grain = torch.randn(1, 3, 64, 128)
    path = tmp_path / "pools.safetensors"
    save_file({"kernels": kernels, "noise": grain}, path)
    system = made("realsr", pools=str(path))
    before = system.kernels.clone()
    system.start(batch_of())
    assert not torch.equal(system.kernels, before) and torch.equal(system.kernels[2], system.kernels[0])
    torch.testing.assert_close(system.kernels[1, 4:16, 4:16], kernels[1], atol=1e-4, rtol=0)
    torch.testing.assert_close(system.noise[1], grain[0, ..., 64:])
    path.unlink()
    again = made("realsr", pools=str(path))
    again.load_state_dict(system.state_dict())
    assert torch.equal(again.kernels, system.kernels), "the model needs no file"
    with pytest.raises(UserError, match="pools"):
        again.start(batch_of())


def test_realsrs_phases_and_losses_by_hand():
    system, batch = made("realsr", pretrain=0.5).eval(), batch_of()
    system.progress = 0.49
    assert [{k: list(v) for k, v in p.items()} for p in phases(system, batch)] == [{"G": ["pixels"]}]
    system.progress = 0.5
    d, g = phases(system, batch_of())
    draw = batch_of()
    with torch.no_grad():
        image = system.cleaned(draw)
        low = system.degraded(image, draw)
        fake = enlarge(low, 2) + system.G(low)
        (a,), (b,) = (features("reader:shapes", ("conv1",))(x) for x in (fake, image))
        real_score, fake_score = system.D(image)[-1], system.D(fake)[-1]
    assert real_score.ndim == 4 and real_score.shape[-1] > 1, "a score for each patch"
    torch.testing.assert_close(d["D"], relativistic_d(real_score, fake_score))
    torch.testing.assert_close(g["G"]["pixels"], 1e-2 * (fake - image).abs().mean((1, 2, 3)) / 2)
    torch.testing.assert_close(g["G"]["content"], (a - b).abs().mean((1, 2, 3)))
    torch.testing.assert_close(g["G"]["adversarial"], 5e-3 * relativistic_d(fake_score, real_score))
    system.progress = 0.1  # a longer budget: what has begun goes on
    assert len(phases(system, batch)) == 2


def test_decrappify_calls_its_players_by_phase():
    system = made("decrappify", pretrain=0.5, critic=0.3)
    found = {}
    for progress in (0.0, 0.49, 0.5, 0.79, 0.8, 1.0):
        system.progress = progress
        found[progress] = [list(p) for p in phases(system, batch_of())]
    alone, judge, game = [["P"]], [["C"]], [["D"], ["G"]]
    assert list(found.values()) == [alone, alone, judge, judge, game, game]
    system.progress = 0.1  # a longer budget: what has begun goes on
    assert [list(p) for p in phases(system, batch_of())] == game
    again = made("decrappify", pretrain=0.5, critic=0.3)
    again.load_state_dict(system.state_dict())
    assert [list(p) for p in phases(again, batch_of())] == game


def test_decrappifys_players_share_networks_not_moments():
    system = made("decrappify", "paper", ch=4, ch_d=2, blocks="1", halvings=2)
    optimizers = system.optimizers()
    groups = {k: o.param_groups[0] for k, o in optimizers.items()}
    assert [groups[k]["lr"] for k in "PCGD"] == [1e-3, 1e-3, 1e-5, 5e-5]
    assert [groups[k]["betas"] for k in "PCGD"] == [(0.9, 0.99), (0.9, 0.99), (0.0, 0.9), (0.0, 0.9)]
    for one, other in (("P", "G"), ("C", "D")):
        assert all(a is b for a, b in zip(groups[one]["params"], groups[other]["params"], strict=True))


def test_decrappifys_losses_by_hand():
    system = made("decrappify", content=0.3, fidelity=7.0, layers="relu1+relu3").eval()
    look, batch = features("reader:shapes", ("relu1", "relu3")), batch_of()
    draw = Batch(4)
    crappy = system.crappify(batch.image, draw.rand, draw.randn)
    with torch.no_grad():
        fake = system.G(crappy)
        apart = sum(
            (unit_mean(a) - unit_mean(b)).abs().mean((1, 2, 3))
            for a, b in zip(look(fake), look(batch.image), strict=True)
        )
        judged = logistic_d(system.D(batch.image), system.D(fake)) / 2
        adversarial = nonsaturating_g(system.D(fake))
    (alone,) = phases(system, batch_of())
    torch.testing.assert_close(alone["P"]["pixels"], (fake - batch.image).abs().mean((1, 2, 3)))
    torch.testing.assert_close(alone["P"]["features"], 0.3 * apart / 2)
    system.phase.fill_(1)
    torch.testing.assert_close(phases(system, batch_of())[0]["C"], judged)
    system.phase.fill_(2)
    d, g = phases(system, batch_of())
    plays = float(judged < 0.65)
    torch.testing.assert_close(d["D"], judged)
    torch.testing.assert_close(g["G"]["pixels"], plays * 7 * alone["P"]["pixels"])
    torch.testing.assert_close(g["G"]["adversarial"], plays * adversarial)


def test_decrappifys_generator_waits_for_the_critic(monkeypatch):
    system = made("decrappify")
    system.phase.fill_(2)
    for loss, plays in ((0.66, False), (0.64, True)):
        monkeypatch.setattr(system, "judged", lambda *_, loss=loss: torch.tensor(loss))
        _, g = phases(system, batch_of())
        assert all((v.abs().sum() > 0) == plays for v in g["G"].values())


def test_decrappify_learns_to_undo():
    """Forty steps on four pictures: a fifth of the squared error goes."""
    system, batch = made("decrappify", ch=8, low=2, worst=0, noise=0.0, chance=1.0, pretrain=1.0), batch_of(side=32)
    crappy = system.crappify(batch.image, batch.rand, batch.randn)
    for _ in train(state := begin(system), Feed(batch), Budget(steps=40)):
        pass
    assert state.step == 40
    system.eval()
    with torch.no_grad():
        before, after = ((x - batch.image).square().mean() for x in (crappy, system.restore(crappy)))
    assert after < 0.8 * before


def test_an_encoder_from_a_file_begins_the_network(tmp_path):
    source, system = made("decrappify").G.encoder, made("decrappify", weights=str(tmp_path / "e.safetensors"))
    with torch.no_grad():
        source.conv1.weight.fill_(0.5)
    save_file(dict(source.state_dict()), tmp_path / "e.safetensors")
    system.start(batch_of())
    assert (system.G.encoder.conv1.weight == 0.5).all()


def test_settings_that_there_are_not():
    with pytest.raises(UserError, match="the worst is 0 to the best"):
        made("decrappify", worst=80, best=20)
    system = made("decrappify", halvings=3)
    system.phase.fill_(1)
    with pytest.raises(UserError, match="the critic needs 32 px, not 16"):
        phases(system, batch_of())


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """A VGG-19 of full width that knows nothing."""
    path = tmp_path_factory.mktemp("weights") / "vgg19.safetensors"
    torch.manual_seed(0)
    state = {}
    for place, (n, m) in enumerate(pairwise([3, 64, 64, 128, 128, *[256] * 4, *[512] * 8])):
        weight = torch.empty(m, n, 3, 3).normal_(0, (2 / (9 * n)) ** 0.5)
        state |= {f"features.{place}.weight": weight, f"features.{place}.bias": torch.zeros(m)}
    save_file(state, path)
    return path


@pytest.mark.parametrize(
    ("name", "preset", "smaller", "players"),
    [
        ("realsr", "paper", dict(patch=32, cleanup=1), ["D", "G"]),
        ("decrappify", "paper-colour", dict(pretrain=1.1, ch_d=8), ["P"]),
    ],
)
def test_a_step_of_the_papers_sizes_on_small_pictures(name, preset, smaller, players, vgg):
    """Generators as large as the papers': DeOldify's weights are a file of 255,144,681 bytes, names included."""
    system = made(name, preset, features=f"vgg19:{vgg}", **smaller)
    assert sum(p.numel() for p in system.G.parameters()) == {"realsr": 16_697_987, "decrappify": 63_647_487}[name]
    if name == "decrappify":
        assert 0.9995 * 255_144_681 < sum(v.nbytes for v in system.G.state_dict().values()) < 255_144_681
        assert [up.ch for up in system.G.ups] == [768, 768, 672, 300]
        assert [len(up.layers[1]) for up in system.G.ups] == [3, 4, 3, 3], "the third from the picture has attention"
    system.progress, optimizers, played = 1.0, system.optimizers(), []
    for losses in system.step(batch_of(n=2, side=32)):
        for player, terms in losses.items():
            total = sum(t.mean() for t in terms.values()) if isinstance(terms, dict) else terms.mean()
            assert total.isfinite()
            total.backward(inputs=[p for g in optimizers[player].param_groups for p in g["params"]])
            optimizers[player].step()
            played.append(player)
    assert played == players and all(p.isfinite().all() for p in system.parameters())


def test_presets_lose_what_their_names_say():
    made_of = {k: dict(p.hyper) for k, p in catalog.find("decrappify").presets.items()}
    assert all(made_of[k]["grey"] and made_of[k]["worst"] == 0 for k in ("paper-colour", "small-colour"))
    assert catalog.find("realsr").presets["small-bicubic"].hyper.keys() >= {"blur", "noise"}


@pytest.mark.parametrize("name", ["realsr", "decrappify"])
def test_defaults_are_the_papers(name):
    assert catalog.find(name).presets["paper"].hyper == {}
