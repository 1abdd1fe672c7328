"""What each system of image translation says it does: its losses, who plays, its stages, its styles."""

import pytest
import torch

from sfumato import catalog
from sfumato.errors import UserError
from sfumato.objectives.adversarial import least_squares_d, least_squares_g, logistic_d, nonsaturating_g
from sfumato.objectives.translation import deep_heavy, hinge_d, layers_matched
from sfumato.system import Batch
from sfumato.training.loop import Budget, begin, train

MAPS = ["pix2pixhd", "spade", "crn"]
SIDE = 16


def made(name, preset="tiny", **more):
    torch.manual_seed(0)
    cls = catalog.find(name)
    known = catalog.hyperparameters(cls)
    described = {"channels": 3} | ({"size": SIDE} if "size" in known else {})
    system = catalog.build(name, **dict(cls.presets[preset].hyper) | described | more)
    system.iteration, system.progress = 0, 0.0
    return system


def pairs(n=2, seed=0):
    random = torch.Generator().manual_seed(seed)
    source, image = torch.rand(2, n, 3, SIDE, SIDE, generator=random) * 2 - 1
    return Batch(seed=seed, source=source, image=image)


def maps(n=2, seed=0):
    """A sky, a ground, and two objects of one class that touch."""
    random = torch.Generator().manual_seed(seed)
    semantic = torch.zeros(n, SIDE, SIDE, dtype=torch.long)
    semantic[:, 8:] = 1
    semantic[:, 5:12, 4:12] = 2
    instance = torch.zeros_like(semantic)
    instance[:, 5:12, 4:8], instance[:, 5:12, 8:12] = 3, 4
    semantic[:, :2, :2] = 255
    image = torch.rand(n, 3, SIDE, SIDE, generator=random) * 2 - 1
    return Batch(seed=seed, image=image, semantic=semantic, instance=instance)


def phases(system, batch):
    """What a step yields, one after another, no optimiser stepping."""
    return [dict(losses) for losses in system.step(batch)]


class Feed:
    """The same batch for ever."""

    def __init__(self, batch):
        self.batch = batch

    def at(self, step, part=0, parts=1):
        return Batch(seed=step, **self.batch.fields)


def test_pix2pix_by_hand():
    system, batch = made("pix2pix"), pairs()
    noise = pairs()
    fake = system.G(batch.source, noise.rand)
    d, g = phases(system, batch)
    real_score, fake_score = (system.D(torch.cat([batch.source, x], 1))[-1] for x in (batch.image, fake))
    torch.testing.assert_close(d["D"], logistic_d(real_score, fake_score) / 2)
    torch.testing.assert_close(g["G"]["adversarial"], nonsaturating_g(fake_score))
    torch.testing.assert_close(g["G"]["l1"].mean(), 100 * (fake - batch.image).abs().mean())


def test_pix2pix_alone_and_without_l1():
    assert [list(losses) for losses in phases(made("pix2pix", adversarial=0.0), pairs())] == [["G"]]
    d, g = phases(made("pix2pix", l1=0.0), pairs())
    assert list(d) == ["D"] and list(g["G"]) == ["adversarial"]
    with pytest.raises(UserError, match="--field 50: patches have 1, 16, 34, 70, 142, 286 pixels a side"):
        made("pix2pix", field=50)


def test_pix2pix_draws_with_noise_and_translates_without():
    system, batch = made("pix2pix").eval(), pairs()
    with torch.no_grad():
        samples = [system.sample(Batch(seed=seed, source=batch.source)) for seed in (1, 1, 2)]
        assert torch.equal(samples[0], samples[1]) and not torch.equal(samples[0], samples[2])
        assert torch.equal(system.translate(batch.source), system.translate(batch.source))
        assert system.translate(batch.source[..., :9, :7]).shape == (2, 3, 9, 7)


def test_cyclegan_by_hand():
    system, batch = made("cyclegan", identity=0.5), pairs()
    a, b = batch.source, batch.image
    g, d = phases(system, batch)
    fake_a, fake_b = system.F(b), system.G(a)
    expected = {
        "A to B": 2 * least_squares_g(system.DB(fake_b)[-1]),
        "B to A": 2 * least_squares_g(system.DA(fake_a)[-1]),
        "cycle A": 10 * (system.F(fake_b) - a).abs().mean(),
        "cycle B": 10 * (system.G(fake_a) - b).abs().mean(),
        "identity A": 5 * (system.F(a) - a).abs().mean(),
        "identity B": 5 * (system.G(b) - b).abs().mean(),
    }
    assert g["G"].keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(g["G"][name].mean(), value)
    torch.testing.assert_close(d["D"]["A"], least_squares_d(system.DA(a)[-1], system.DA(fake_a)[-1]))
    torch.testing.assert_close(d["D"]["B"], least_squares_d(system.DB(b)[-1], system.DB(fake_b)[-1]))
    assert int(system.past_A.count) == int(system.past_B.count) == 2
    assert "identity A" not in phases(made("cyclegan"), pairs())[0]["G"]


def test_cyclegan_shows_old_fakes_again():
    system = made("cyclegan", history=2)
    phases(system, pairs())
    shown = []
    system.DA.register_forward_hook(lambda m, given, out: shown.append(given[0]))
    for seed in range(8):
        phases(system, pairs(seed=seed))
    shown = shown[2::3]  # after the fakes of G's turn and the reals of D's
    fakes = [system.F(pairs(seed=seed).image) for seed in range(8)]
    old = [not torch.allclose(s, f, atol=1e-6) for s, f in zip(torch.cat(shown), torch.cat(fakes), strict=True)]
    assert 2 <= sum(old) <= 14


def test_cyclegan_goes_both_ways():
    system, batch = made("cyclegan").eval(), pairs()
    with torch.no_grad():
        assert torch.equal(system.translate(batch.source), system.G(batch.source))
        assert torch.equal(system.translate(batch.source, "BtoA"), system.F(batch.source))
        assert torch.equal(system.reconstruct(batch.source), system.F(system.G(batch.source)))
    with pytest.raises(UserError, match="did you mean AtoB"):
        system.translate(batch.source, "AtoC")


def test_layers_matched_by_hand():
    def maps_of(*values):
        return [torch.full((2, 3, 4, 4), float(v)) for v in values]

    real, fake = [maps_of(1, 5, 9), maps_of(0, 0, 3)], [maps_of(2, 3, 0), maps_of(4, 1, 7)]
    assert layers_matched(real, fake).item() == ((1 + 2) + (4 + 1)) / 2, "scores do not count"
    ours = torch.ones(1, 1, 2, 2, requires_grad=True)
    layers_matched([[ours * 2, ours]], [[torch.zeros(1, 1, 2, 2, requires_grad=True), ours]]).backward()
    assert ours.grad is None, "what is real is not moved"


def test_deeper_features_weigh_more():
    zero = [torch.zeros(2, 1, 3, 3)] * 5
    found = [deep_heavy(zero, [*zero[:k], torch.ones(2, 1, 3, 3), *zero[k + 1 :]])[0].item() for k in range(5)]
    assert found == [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1]


def test_the_hinge():
    assert hinge_d(torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])).item() == 0.25 + 0.5


def test_pix2pixhd_by_hand_and_from_coarse_to_fine():
    system, batch = made("pix2pixhd", coarse=0.5), maps()
    (losses,) = phases(system, batch)
    assert not system.fine and list(losses) == ["G", "D"]
    coarse = {n for n, p in system.named_parameters() if moved(losses["G"], p)}
    assert any(n.startswith("G.G1.head") for n in coarse) and any(n.startswith("E.") for n in coarse)
    assert not any(n.startswith(("G.enter", "G.refine", "G.head")) for n in coarse)
    system.progress = 0.6
    (losses,) = phases(system, batch)
    assert system.fine
    fine = {n for n, p in system.named_parameters() if moved(losses["G"], p)}
    assert any(n.startswith("G.refine") for n in fine) and any(n.startswith("G.G1.body") for n in fine)
    assert not any(n.startswith("G.G1.head") for n in fine)
    assert len(system.D.scales) == 2


def moved(terms, parameter):
    total = sum(t.mean() for t in terms.values())
    return torch.autograd.grad(total, parameter, retain_graph=True, allow_unused=True)[0] is not None


def test_pix2pixhds_critics_see_the_maps_and_one_pass_serves_both_sides():
    system, batch = made("pix2pixhd"), maps()
    system.progress = 1.0
    seen = []
    system.D.register_forward_hook(lambda m, given, out: seen.append((given[0], out)))
    (losses,) = phases(system, batch)
    assert len(seen) == 2 and seen[0][0].shape == (2, 27 + 1 + 3, SIDE, SIDE)
    assert torch.equal(seen[0][0][:, -3:], batch.image)
    (_, real), (_, fake) = seen
    expected = sum(least_squares_d(r[-1], f[-1]) for r, f in zip(real, fake, strict=True))
    torch.testing.assert_close(losses["D"], expected)
    torch.testing.assert_close(losses["G"]["adversarial"], sum(2 * least_squares_g(f[-1]) for f in fake))
    torch.testing.assert_close(losses["G"]["matching"], 10 * layers_matched(real, fake))


def test_pix2pixhd_with_frozen_features():
    system = made("pix2pixhd", features="reader:shapes", seen="relu1,relu2")
    (losses,) = phases(system, maps())
    assert losses["G"]["perceptual"].shape == (2,) and (losses["G"]["perceptual"] > 0).all()


def test_objects_of_one_class_are_told_apart_only_if_they_are_looked_at():
    batch = maps()
    for objects in (True, False):
        system = made("pix2pixhd", objects=objects).eval()
        system.fine.fill_(True)
        with torch.no_grad():
            both = [system.translate(batch.semantic, i) for i in (batch.instance, batch.instance * 0)]
        assert torch.equal(*both) != objects


def test_a_style_changes_what_is_said_of_one_object_alone():
    system, batch = made("pix2pixhd").eval(), maps()
    system.fine.fill_(True)
    system.finish([batch, maps(seed=1)])
    assert system.styles(2) == 2 and system.styles(9) == 0
    told = []
    system.G.register_forward_hook(lambda m, given, out: told.append(given[0]))
    with torch.no_grad():
        for style in ({}, {(2, 4): 1}, {(2, 0): 1}):
            system.translate(batch.semantic, batch.instance, style)
    changed = [(x != told[0]).any(1) for x in told]
    assert torch.equal(changed[1], batch.instance == 4) and torch.equal(changed[2], batch.semantic == 2)
    assert (told[0][:, :28] == told[1][:, :28]).all()


def test_spade_without_an_encoder_paints_one_picture():
    system, batch = made("spade", z=0), maps()
    assert list(phases(system, batch)[0]["G"]) == ["adversarial", "matching"]
    system.eval()
    with torch.no_grad():
        a, b = (system.sample(Batch(seed=s, semantic=batch.semantic, instance=batch.instance)) for s in (0, 1))
    assert torch.equal(a, b)


def test_spade_pays_for_what_its_code_says():
    system, batch = made("spade", kl=0.5), maps()
    mean, spread = system.E(batch.image)
    (losses,) = phases(system, batch)
    theirs = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (spread / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    )
    torch.testing.assert_close(losses["G"]["kl"], 0.5 * theirs.sum(1), atol=1e-3, rtol=1e-3)


def test_crn_learns_from_the_best_of_its_pictures():
    system, batch = made("crn", images=2, alike=0.0), maps()
    system.progress = 1.0
    system.usual.fill_(1.0)
    (losses,) = phases(system, batch)
    with torch.no_grad():
        painted = system.paint(batch.semantic, batch.instance)
    one = made("crn", images=1, alike=0.0)
    each = []
    for k in range(2):
        one.paint = lambda s, i, k=k: painted[:, k : k + 1]
        one.progress = 1.0
        each.append(phases(one, batch)[0]["G"])
    torch.testing.assert_close(losses["G"], torch.minimum(*each))


def test_crns_layers_come_to_count_alike():
    system, batch = made("crn", images=1, alike=0.5), maps()
    phases(system, batch)
    usual = system.usual.clone()
    assert usual.numel() == 3 and usual.max() / usual.min() > 1.5
    system.progress = 0.9
    (losses,) = phases(system, batch)
    torch.testing.assert_close(losses["G"].mean(), 3 * usual.mean(), rtol=1e-4, atol=1e-4)
    assert torch.equal(system.usual, usual)


@pytest.mark.parametrize("name", MAPS)
def test_maps_of_any_size_are_painted_and_unknown_classes_refused(name):
    system, batch = made(name).eval(), maps()
    with torch.no_grad():
        assert system.translate(batch.semantic[:, :9, :7], batch.instance[:, :9, :7]).shape == (2, 3, 9, 7)
        with pytest.raises(UserError, match="class 40, and this network tells 27 apart: give --legend 41"):
            system.translate(batch.semantic + 40 * (batch.semantic == 1) - (batch.semantic == 1).long(), batch.instance)


@pytest.mark.parametrize(("name", "goal"), [("pix2pix", 0.8), ("pix2pixhd", 0.8), ("spade", 0.8), ("crn", 0.8)])
def test_they_learn(name, goal):
    """Eighty steps on two pictures: the error falls."""
    batch = pairs() if name == "pix2pix" else maps()
    smooth = torch.nn.functional.avg_pool2d(batch.image, 9, 1, 4)
    batch.fields["image"] = smooth / smooth.abs().max()
    system = made(name, **({"dropout": 0} if name == "pix2pix" else {}))

    def error():
        system.eval()
        with torch.no_grad():
            return (system.sample(batch.without("image")) - batch.image).abs().mean().item()

    before = error()
    for _ in train(begin(system), Feed(batch), Budget(steps=80)):
        pass
    assert error() < goal * before


COUNTS = {  # of the networks that translate, as their authors' code or papers count them
    ("pix2pix", "G"): 54_413_955 + 576,  # 54.414 M, and biases where no norm follows
    ("pix2pix", "D"): 2_768_705,  # 2.769 M
    ("cyclegan", "G"): 11_378_179 - 5_248,  # 11.378 M, less the biases that norms take away
}


@pytest.mark.parametrize(("name", "network"), COUNTS)
def test_networks_have_as_many_parameters_as_their_authors_say(name, network):
    with torch.device("meta"):
        system = made(name, "paper")
    assert sum(p.numel() for p in getattr(system, network).parameters()) == COUNTS[name, network]


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan", *MAPS])
def test_defaults_are_the_papers(name):
    assert catalog.find(name).presets["paper"].hyper == {}
