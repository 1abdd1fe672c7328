"""What the ten games have of their own: who plays when, the terms of the losses, the codes."""

from math import log

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical, Normal, Uniform

from sfumato import catalog
from sfumato.errors import UserError
from sfumato.objectives import adversarial as A
from sfumato.system import Batch, Classifies, Decodes, Encodes

NAMES = ["acgan", "cgan", "dcgan", "gan", "infogan", "lsgan", "ragan", "ssgan", "wgan", "wgan-gp"]
N, SIZE = 6, 16


def tiny(name, **hyper):
    torch.manual_seed(0)
    return catalog.build(name, **{**catalog.find(name).presets["tiny"].hyper, "size": SIZE, "channels": 1, **hyper})


def batch(seed=0):
    g = torch.Generator().manual_seed(seed)
    image, labelled = (torch.rand(N, 1, SIZE, SIZE, generator=g) * 2 - 1 for _ in range(2))
    return Batch(seed=seed, image=image, labelled=labelled, label=torch.arange(N) % 4)


def advance(system, steps=1, optimizers=None):
    """Who played, iteration by iteration."""
    optimizers = optimizers or system.optimizers()
    played = []
    for system.iteration in range(steps):
        played.append([])
        for losses in system.step(batch(system.iteration)):
            for player, terms in losses.items():
                optimizers[player].zero_grad()
                total = sum(terms.values()) if isinstance(terms, dict) else terms
                total.backward(inputs=[p for g in optimizers[player].param_groups for p in g["params"]])
                optimizers[player].step()
                played[-1].append(player)
    return played


class Scores(nn.Module):
    """A discriminator that answers what it was told to, in turn."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)

    def forward(self, *_):
        return self.answers.pop(0)


def losses_of(system):
    return list(system.step(batch()))


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("wgan", "wgan-gp")])
def test_discriminator_and_generator_take_turns(name):
    assert advance(tiny(name), 2) == [["D", "G"]] * 2


@pytest.mark.parametrize("name", ["wgan", "wgan-gp"])
def test_the_generator_plays_at_the_end_of_a_round(name):
    assert advance(tiny(name, critics=3), 6) == [["D"], ["D"], ["D", "G"]] * 2


def test_the_first_rounds_of_wgan_are_longer():
    played = advance(tiny("wgan", critics=2, early=4, rounds=2), 12)
    assert [i for i, players in enumerate(played) if "G" in players] == [3, 7, 9, 11]


def test_the_critics_weights_are_clipped_after_its_step():
    system = tiny("wgan", critics=1, clip_weights=0.003)
    before = {n: p.clone() for n, p in system.G.named_parameters()}
    advance(system)
    assert max(p.abs().max() for p in system.D.parameters()) <= 0.003 + 1e-9
    assert max(p.abs().max() for p in before.values()) > 0.5  # the generator's are not


@pytest.mark.parametrize("name", NAMES)
def test_the_discriminators_turn_builds_no_graph_of_the_generator(name):
    system = tiny(name)
    losses = next(system.step(batch()))["D"]
    total = sum(losses.values()) if isinstance(losses, dict) else losses
    weights = [p for p in system.G.parameters() if p.requires_grad]
    assert all(g is None for g in torch.autograd.grad(total, weights, allow_unused=True))


@pytest.mark.parametrize("name", NAMES)
def test_who_wins_is_reported_except_by_wasserstein_critics(name):
    system = tiny(name)
    advance(system)
    reported = system.__dict__["reported"]
    if name.startswith("wgan"):
        assert "critic" in reported
        assert "D wins" not in reported
    else:
        assert 0 <= reported["D wins"] <= 1


@pytest.mark.parametrize("name", [n for n in NAMES if issubclass(catalog.find(n), Decodes)])
def test_images_are_a_function_of_their_own_code(name):
    system = tiny(name)
    advance(system, 2)
    system.eval()
    with torch.no_grad():
        given = Batch(N, seed=3)
        code = system.prior(Batch(N, seed=3))
        images = system.sample(given)
        assert torch.equal(images, system.decode(code))
        assert torch.allclose(system.decode(code[:2]), images[:2], atol=1e-6)
        parts = [system.sample(Batch(3, seed=3, first=f, total=N)) for f in (0, 3)]
        assert torch.allclose(torch.cat(parts), images, atol=1e-6)


def test_abilities():
    """Which systems decode codes, encode images, classify them."""
    found = {n: {p.__name__ for p in (Decodes, Encodes, Classifies) if issubclass(catalog.find(n), p)} for n in NAMES}
    plain = {n: {"Decodes"} for n in NAMES}
    assert found == plain | {"cgan": set(), "acgan": {"Classifies"}} | {
        "infogan": {"Decodes", "Encodes"}, "ssgan": {"Decodes", "Classifies"},
    }  # fmt: skip


REAL, FAKE, LATER = torch.randn(3, N)


@pytest.mark.parametrize(
    ("name", "hyper", "d", "g"),
    [
        ("dcgan", {}, A.logistic_d(REAL, FAKE), A.nonsaturating_g(LATER)),
        ("lsgan", {}, A.least_squares_d(REAL, FAKE), A.least_squares_g(LATER)),
        ("lsgan", {"a": -1.0, "b": 1.0, "c": 0.0}, A.least_squares_d(REAL, FAKE, -1, 1), A.least_squares_g(LATER, 0)),
        ("wgan", {"critics": 1}, A.wasserstein_d(REAL, FAKE), A.wasserstein_g(LATER)),
        ("gan", {}, A.logistic_d(REAL, FAKE), A.nonsaturating_g(LATER)),
        ("gan", {"loss": "minimax"}, A.logistic_d(REAL, FAKE), A.minimax_g(LATER)),
        ("cgan", {}, A.logistic_d(REAL, FAKE), A.nonsaturating_g(LATER)),
    ],
)
def test_the_losses_are_the_papers(name, hyper, d, g):
    system = tiny(name, **hyper)
    system.D = Scores(REAL, FAKE, LATER)
    got_d, got_g = losses_of(system)
    assert torch.equal(got_d["D"], d)
    assert torch.equal(got_g["G"], g)


def test_the_relativistic_generator_compares_with_reals_of_its_own_turn():
    system, again = tiny("ragan"), torch.randn(N)
    system.D = Scores(REAL, FAKE, again, LATER)
    got_d, got_g = losses_of(system)
    assert torch.equal(got_d["D"], A.relativistic_d(REAL, FAKE))
    assert torch.equal(got_g["G"], A.relativistic_g(again, LATER))


def test_an_unknown_loss_is_an_error_that_suggests():
    with pytest.raises(UserError, match="minimax"):
        tiny("gan", loss="minmax")


def test_gradient_penalty_has_its_weight_and_uses_the_batchs_noise():
    system = tiny("wgan-gp", gp=7.0)
    (losses,) = losses_of(system)
    b = batch()
    with torch.no_grad():
        fake = system.sample(b)
    penalty = A.interpolated(system.D, b.image, fake, b.rand(1, 1, 1))
    assert torch.allclose(losses["D"]["gp"], 7 * penalty, rtol=1e-4)
    assert losses["D"]["critic"].isfinite()


def test_auxiliary_classifier_terms():
    system, b = tiny("acgan"), batch()
    logits = torch.randn(3, N, 10)
    system.D = Scores((REAL, logits[0]), (FAKE, logits[1]), (LATER, logits[2]))
    got_d, got_g = losses_of(system)
    likelihood = [x.log_softmax(1)[torch.arange(N), b.label].mean() for x in logits]  # log P(C = c | X)
    assert torch.equal(got_d["D"]["source"], A.logistic_d(REAL, FAKE))
    assert torch.allclose(got_d["D"]["class"], -(likelihood[0] + likelihood[1]))
    assert torch.equal(got_g["G"]["source"], A.nonsaturating_g(LATER))
    assert torch.allclose(got_g["G"]["class"], -likelihood[2])


@pytest.mark.parametrize("name", ["cgan", "acgan"])
def test_the_class_changes_the_picture_and_the_discriminator_of_cgan_is_told(name):
    system = tiny(name)
    advance(system, 2)
    system.eval()
    zeros, ones = (system.sample(Batch(seed=1, label=torch.full((4,), k))) for k in (0, 1))
    assert not torch.allclose(zeros, ones)
    if name == "cgan":
        y = F.one_hot(torch.tensor([0, 1]), 10).float()
        score = system.D(zeros[:1].expand(2, -1, -1, -1), y)
        assert score[0] != score[1]


@pytest.mark.parametrize("name", ["acgan", "ssgan"])
def test_class_probabilities_sum_to_one(name):
    system = tiny(name).eval()
    assert torch.allclose(system.classify(batch().image).exp().sum(1), torch.ones(N), atol=1e-5)


class TestInformation:
    def test_the_prior(self):
        system = tiny("infogan")
        z, category, continuous = system.prior(Batch(4000, seed=1)).split(system.parts, 1)
        assert z.shape[1] == 8
        assert torch.equal(category.sum(1), torch.ones(4000))
        assert category.mean(0).allclose(torch.full((10,), 0.1), atol=0.02)
        for uniform in (z, continuous):
            assert uniform.abs().max() <= 1
            assert uniform.var().item() == pytest.approx(1 / 3, rel=0.05)

    def test_the_bound_is_expected_log_likelihood_plus_entropy(self):
        system = tiny("infogan")
        code = system.prior(Batch(50, seed=1))
        posterior = torch.randn(50, 12)
        _, category, continuous = code.split(system.parts, 1)
        bound = system.information(code, posterior)
        likelihood = Categorical(logits=posterior[:, :10]).log_prob(category.argmax(1)).mean()
        assert torch.isclose(bound["categorical"], likelihood + Categorical(torch.ones(10)).entropy())
        likelihood = Normal(posterior[:, 10:], 1.0).log_prob(continuous).sum(1).mean()
        assert torch.isclose(bound["continuous"], likelihood + 2 * Uniform(-1.0, 1.0).entropy())

    def test_nothing_known_is_zero_and_everything_known_is_the_entropy(self):
        system = tiny("infogan")
        code = system.prior(Batch(50, seed=1))
        nothing = system.information(code, torch.zeros(50, 12))
        assert nothing["categorical"].item() == pytest.approx(0, abs=1e-6)
        known = torch.cat([100 * code[:, 8:18], code[:, 18:]], 1)
        assert system.information(code, known)["categorical"].item() == pytest.approx(log(10))

    def test_both_players_want_it_with_the_weights_given(self):
        system = tiny("infogan", info=3.0, info_continuous=0.5)
        for losses in losses_of(system):
            ((terms),) = losses.values()
            assert terms.keys() == {"game", "categorical", "continuous"}
        bound = system.__dict__["reported"]
        assert torch.isclose(terms["categorical"], -3 * bound["categorical nats"])
        assert torch.isclose(terms["continuous"], -0.5 * bound["continuous nats"])

    def test_encoding_gives_probabilities_and_means(self):
        system = tiny("infogan").eval()
        code = system.encode(batch().image)
        assert code.shape == (N, 12)
        assert torch.allclose(code[:, :10].sum(1), torch.ones(N), atol=1e-5)


class TestSemiSupervised:
    def test_the_losses_are_likelihoods_of_a_softmax_over_one_class_more(self):
        system, b = tiny("ssgan"), batch()
        logits = 2 * torch.randn(3, N, 10)
        answers = list(logits)
        system.logits = lambda image: answers.pop(0)
        terms = next(system.step(b))["D"]
        lab, real, fake = (torch.cat([x, torch.zeros(N, 1)], 1).softmax(1) for x in logits)
        given_real = lab[torch.arange(N), b.label] / lab[:, :10].sum(1)  # p(y | x, y ≤ K)
        assert torch.allclose(terms["labelled"], -given_real.log().mean(), atol=1e-5)
        unsupervised = -(1 - real[:, -1]).log().mean() - fake[:, -1].log().mean()
        assert torch.allclose(terms["unlabelled"], unsupervised / 2, atol=1e-5)

    def test_the_generator_matches_features_and_cannot_move_the_reals(self):
        system = tiny("ssgan").eval()
        _, losses = losses_of(system)
        with torch.no_grad():
            b = batch()
            system.sample(b)
            expected = (system.features(b.image).mean(0) - system.features(system.sample(b)).mean(0)).abs().mean()
        assert torch.allclose(losses["G"], expected, rtol=1e-4)

    def test_it_starts_standardised(self):
        system, b = tiny("ssgan").eval(), batch()
        system.start(b)
        logits = system.logits(b.labelled)
        assert torch.allclose(logits.mean(0), torch.zeros(10), atol=1e-4)
        assert torch.allclose(logits.std(0, unbiased=False), torch.full((10,), 0.1), rtol=1e-2)

    def test_without_unlabelled_pictures_it_is_the_same_classifier_alone(self):
        alone, whole = tiny("ssgan", unlabelled=False), tiny("ssgan")
        b = batch().without("image")
        ((losses),) = alone.step(b)
        assert losses["D"].keys() == {"labelled"}
        assert alone.optimizers().keys() == {"D"}
        assert alone.state_dict().keys() == whole.state_dict().keys()


def test_the_first_batch_centres_the_generator_of_gan():
    for name in ("gan", "cgan"):
        system, b = tiny(name), batch()
        system.start(b)
        picture = system.G[-1] if name == "gan" else system.G.picture
        drawn = picture(torch.zeros(1, picture.linear.in_features))[0]
        assert torch.allclose(drawn, b.image.mean(0), atol=1e-4)
