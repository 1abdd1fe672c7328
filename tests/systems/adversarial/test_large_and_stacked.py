"""BigGAN, LAPGAN and Stacked GAN: who plays when, the terms of the losses, classes or none, what follows training."""

import pytest
import torch
import torch.nn.functional as F

import sfumato
from data.samples import photo
from sfumato import catalog
from sfumato.errors import UserError
from sfumato.networks.adversarial.pyramid import collapsed, resized
from sfumato.objectives.orthogonal import orthogonal
from sfumato.system import Batch
from sfumato.tasks.model import Facts
from sfumato.tasks.train import described

N, SIZE = 6, 16


def tiny(name, **hyper):
    torch.manual_seed(0)
    return catalog.build(name, **{**catalog.find(name).presets["tiny"].hyper, "size": SIZE, "channels": 1, **hyper})


def batch(seed=0):
    image = torch.rand(N, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return Batch(seed=seed, image=image, label=torch.arange(N) % 4)


def played(system, iteration=0, progress=0.0):
    """The losses of an iteration without any optimiser step, turn by turn."""
    system.iteration, system.progress = iteration, progress
    return list(system.step(batch()))


def test_biggans_generator_plays_at_the_end_of_a_round_and_is_regularised():
    system = tiny("biggan", classes=4, ortho=0.5)
    assert [[*losses] for losses in played(system, 0)] == [["D"]]
    d, g = played(system, 1)
    assert [*d, *g] == ["D", "G"] and g["G"].keys() == {"game", "ortho"}
    torch.testing.assert_close(g["G"]["ortho"], 0.5 * orthogonal(system.filters()))
    shapes = [tuple(p.shape) for p in system.filters()]
    assert (4, 4) not in shapes and (8 * 16, 4) in shapes  # the embedding is free, the first layer is not
    assert played(tiny("biggan", ortho=0.0), 1)[1]["G"].keys() == {"game"}


def test_biggans_losses_are_the_hinge_of_projected_scores():
    system = tiny("biggan", classes=4).eval()
    b = batch()
    with torch.no_grad():
        label = F.one_hot(b.label, 4).float()
        real, fake = system.D(b.image, label), system.D(system.G(batch().randn(12), label), label)
        seen = []
        system.D.layers.register_forward_hook(lambda _, args, out: seen.append(out.relu().sum((2, 3))))
        again = system.D(b.image, label)
        x = seen[0]
        want = (
            (x @ system.D.score.weight.T).squeeze(1)
            + system.D.score.bias
            + (x * system.D.embed.weight.T[b.label]).sum(1)
        )
    torch.testing.assert_close(again, want)
    torch.testing.assert_close(played(system)[0]["D"], (1 - real).relu().mean() + (1 + fake).relu().mean())


@pytest.mark.parametrize("name", ["biggan", "lapgan"])
def test_classes_are_asked_for_or_there_are_none(name):
    system = tiny(name, classes=4).eval()
    with torch.no_grad():
        one, other = (system.sample(Batch(3, seed=1, label=torch.full((3,), k))) for k in (0, 2))
        assert not torch.allclose(one, other)
        code = system.prior(Batch(3, seed=1))
        assert (code[:, -4:].sum(1) == 1).all() and system.decode(code).shape == (3, 1, SIZE, SIZE)
        free = tiny(name).eval()
        assert free.sample(Batch(3, seed=1)).shape == (3, 1, SIZE, SIZE)
        assert torch.equal(free.sample(Batch(3, seed=1, label=torch.ones(3).long())), free.sample(Batch(3, seed=1)))


def test_classes_are_told_to_those_who_can_do_without_by_the_view_alone():
    labelled = Facts("x", 16, 1, ("a", "b"), "labelled")
    plain, none = Facts("x", 16, 1, ("a", "b"), "image"), Facts("x", 16, 1, (), "labelled")
    known = {name: catalog.hyperparameters(catalog.find(name)) for name in ("biggan", "stylegan2", "acgan", "dcgan")}
    for name in ("biggan", "stylegan2"):
        assert [described(known[name], f)["classes"] for f in (labelled, plain, none)] == [2, 0, 0]
    assert described(known["acgan"], plain)["classes"] == 2 and "classes" not in described(known["dcgan"], labelled)
    with pytest.raises(UserError, match="x has no classes, which this system needs"):
        described(known["acgan"], none)


def test_pictures_without_labels_train_biggan_as_images(tmp_path):
    (tmp_path / "pictures").mkdir()
    for k in range(12):
        photo(20, 20, k).save(tmp_path / "pictures" / f"{k}.png")
    model = sfumato.train(
        "biggan", preset="tiny", data=tmp_path / "pictures", steps=2, out=tmp_path / "run", evaluate=False, quiet=True
    )
    assert (model.facts.view, model.system.classes, model.asks_label) == ("image", 0, False)
    assert model.sample(2).shape == (2, 3, 16, 16)


def test_levels_of_a_pyramid_play_by_themselves():
    system = tiny("lapgan", size=SIZE)
    turns = played(system)
    assert [[*losses] for losses in turns] == [["D0", "D1"], ["G0", "G1"]]
    for losses in turns:
        for player, loss in losses.items():
            own = [p for g in system.optimizers()[player].param_groups for p in g["params"]]
            kind, level = player
            foreign = [p for net in getattr(system, kind) for p in net.parameters() if all(p is not q for q in own)]
            grads = torch.autograd.grad(loss, [*own, *foreign], allow_unused=True, retain_graph=True)
            assert all(g is not None for g in grads[: len(own)]) and all(g is None for g in grads[len(own) :]), level


def test_drawing_climbs_the_pyramid():
    system = tiny("lapgan").eval()
    with torch.no_grad():
        code = system.prior(Batch(2, seed=3))
        noise, coarse_noise, label = code.split([*system.parts, 0], 1)
        coarse = system.G[1](coarse_noise, code, label)
        band = system.G[0](noise, resized(coarse, 16), label)
        torch.testing.assert_close(system.decode(code), collapsed([band, coarse]).clamp(-1, 1))
        assert code.abs().max() <= 1 and code.shape == (2, 16 * 16 + 8)


def test_a_stack_learns_to_classify_then_to_draw_by_itself_then_together():
    system = tiny("stacked-gan", classes=4, encoder=0.2, joint=0.6)
    assert [[*losses] for losses in played(system, progress=0.1)] == [["E"]]
    assert [[*losses] for losses in played(system, progress=0.3)] == [["D0", "D1"], ["G0", "G1"]]
    features, label = system.E(batch().image)[0].detach(), torch.eye(4)[batch().label]
    system.progress = 0.3
    (_, _, alone), (made, _, top) = system.drawn(batch(), features, label)
    assert torch.equal(alone, features) and torch.equal(top, label)
    system.progress = 0.6
    (_, _, above), (made, _, _) = system.drawn(batch(), features, label)
    assert torch.equal(above, made) and not above.requires_grad


def test_the_terms_of_a_stacks_losses():
    system = tiny("stacked-gan", classes=4, encoder=0.0, entropy=3.0, condition=2.0)
    for module in system.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.track_running_stats, module.running_mean, module.running_var = False, None, None
    d, g = played(system)
    b = batch()
    features, label = system.E(b.image)[0].detach(), torch.eye(4)[b.label]
    for losses, detached in ((d, True), (g, False)):
        (image, low, above), (made, high, _) = system.drawn(b, features, label)
        for k, (fake, noise) in enumerate(((image, low), (made, high))):
            score, guess = getattr(system, f"D{k}")(fake)
            player = losses[("D" if detached else "G") + str(k)]
            torch.testing.assert_close(player["entropy"], 3 * (guess - noise).square().mean(1))
            if detached:
                real, _ = getattr(system, f"D{k}")((b.image, features)[k])
                want = (F.softplus(-real).mean() + F.softplus(score).mean()) / 2
                torch.testing.assert_close(player["game"], want)
    torch.testing.assert_close(g["G0"]["condition"], 2 * (system.E(image)[0] - above).square().mean(1))
    want = F.cross_entropy(system.E.head(made), b.label, reduction="none")
    torch.testing.assert_close(g["G1"]["condition"], 2 * want)


def test_losses_of_no_weight_are_left_out_and_so_is_the_stack():
    system = tiny("stacked-gan", classes=4, encoder=0.0, entropy=0.0, condition=0.0)
    d, g = played(system)
    assert all(terms.keys() == {"game"} for losses in (d, g) for terms in losses.values())
    flat = tiny("stacked-gan", classes=4, encoder=0.0, stack=False)
    assert [[*losses] for losses in played(flat)] == [["D0"], ["G0"]] and {*flat.optimizers()} == {"E", "G0", "D0"}
    assert flat.prior(Batch(2, seed=1)).shape == (2, 4 + 4)
    want = F.cross_entropy(flat.E(batch().image)[1], batch().label, reduction="none")
    torch.testing.assert_close(flat.missed(batch().image, torch.eye(4)[batch().label], 0), want)


def test_sizes_that_do_not_fit_say_which_do():
    with pytest.raises(UserError, match="size 18: these networks need a multiple of 4 from 16 on; take 16"):
        tiny("stacked-gan", size=18)
    with pytest.raises(UserError, match="bands of 8 px are too small"):
        tiny("lapgan", coarsest=4)


def linear(n, m):
    return n * m + m


def conv(n, m, k, bias=True):
    return n * m * k * k + bias * m


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_the_papers_own_networks_have_as_many_parameters_as_listed():
    lapgan = catalog.build("lapgan", **catalog.find("lapgan").presets["paper"].hyper)
    g = linear(100, 1200) + linear(1200, 1200) + linear(1200, 192)
    d = linear(192, 600) + linear(600, 600) + linear(600, 1)
    band = conv(4, 128, 7) + conv(128, 128, 7) + conv(128, 3, 5)
    assert [count(net) for net in lapgan.G] == [band, band, g]
    left = {28: 10, 14: 3}
    judge = [conv(3, 128, 5) + conv(128, 128, 5) + linear(128 * side**2, 1) for side in left.values()]
    assert [count(net) for net in lapgan.D] == [*judge, d]

    stack = catalog.build("stacked-gan", **catalog.find("stacked-gan").presets["paper"].hyper)
    assert count(stack.E) == conv(1, 32, 5) + conv(32, 32, 5) + linear(32 * 16, 256) + linear(256, 10)
    assert count(stack.G1) == 60 * 512 + 2 * 512 + 512 * 512 + 2 * 512 + linear(512, 256)
    assert count(stack.G0) == (
        50 * 128 + 2 * 128 + 384 * 2048 + 2 * 2048 + conv(128, 128, 5, False) + 2 * 128
        + conv(128, 64, 5, False) + 2 * 64 + conv(64, 64, 5, False) + 2 * 64 + conv(64, 1, 5)
    )  # fmt: skip
    assert count(stack.D1) == linear(256, 256) * 2 + linear(256, 1) + linear(256, 50)
    assert count(stack.D0) == (
        conv(1, 32, 5) + conv(32, 64, 5) + conv(64, 128, 5) + linear(128 * 16, 256) + linear(256, 1) + linear(256, 50)
    )


@pytest.mark.parametrize("name", ["lapgan", "stacked-gan"])
def test_the_papers_networks_take_a_step(name):
    cls = catalog.find(name)
    hyper = cls.presets["paper"].hyper
    torch.manual_seed(0)
    system = catalog.build(name, **hyper)
    image = torch.rand(2, hyper["channels"], hyper["size"], hyper["size"]) * 2 - 1
    optimizers, players, system.progress = system.optimizers(), [], 0.7
    for losses in system.step(Batch(image=image, label=torch.tensor([0, 1]))):
        for player, terms in losses.items():
            total = sum(v.mean() for v in terms.values()) if isinstance(terms, dict) else terms
            assert total.isfinite()
            total.backward(inputs=[p for g in optimizers[player].param_groups for p in g["params"]])
        for player in losses:
            optimizers[player].step()
            players.append(player)
    assert players == {"lapgan": "D0 D1 D2 G0 G1 G2", "stacked-gan": "D0 D1 G0 G1"}[name].split()
    known = catalog.hyperparameters(cls)
    assert {k for k, v in hyper.items() if v != known[k].default} <= {"size", "channels", "classes"}
