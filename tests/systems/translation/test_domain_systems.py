"""unit, munit, funit and dtn: their losses term by term, what they share, styles, classes by example, what f says."""

import pytest
import torch

from sfumato import catalog
from sfumato.errors import UserError
from sfumato.objectives.adversarial import least_squares_g, logistic_d, nonsaturating_g
from sfumato.objectives.translation import hinge_d, ternary_d, ternary_g, unit_divergence
from sfumato.system import Batch
from sfumato.training.loop import Budget, begin, train

SIDE = 16


def made(name, **more):
    torch.manual_seed(0)
    cls = catalog.find(name)
    described = {"channels": 3} | ({"size": SIDE} if "size" in catalog.hyperparameters(cls) else {})
    system = catalog.build(name, **dict(cls.presets["tiny"].hyper) | described | more)
    for p in system.parameters():
        p.data.mul_(2)
    return system


def pairs(n=2, seed=0):
    random = torch.Generator().manual_seed(1)
    images = torch.rand(3, n, 3, SIDE, SIDE, generator=random) * 2 - 1
    source, image, other = images
    label = torch.arange(n)
    return Batch(seed=seed, source=source, image=image, other=other, label=label, source_label=1 + label)


class Feed:
    """The same batch for ever."""

    def __init__(self, batch):
        self.batch = batch

    def at(self, step, part=0, parts=1):
        return Batch(seed=step, **self.batch.fields)


def phases(system, batch):
    """What a step yields, no optimiser stepping."""
    return [dict(losses) for losses in system.step(batch)]


def mean(x):
    return x.mean().item()


def l1(a, b):
    return mean((a - b).abs())


def test_unit_by_hand():
    system, batch, noise = (
        made("unit", lambda0=2.0, lambda1=3.0, lambda2=5.0, lambda3=7.0, lambda4=11.0),
        pairs(),
        pairs(),
    )
    (vae, d), a, b = phases(system, batch), batch.source, batch.image
    said = [system.E(system.E1(a)), system.E(system.E2(b))]
    codes = [x + noise.randn(*x.shape[1:]) for x in said]
    paint = [lambda z, g=g: torch.tanh(g(system.G(z))) for g in (system.G1, system.G2)]
    fake_b, fake_a = paint[1](codes[0]), paint[0](codes[1])
    again = [system.E(system.E2(fake_b)), system.E(system.E1(fake_a))]
    back = [paint[k](x + noise.randn(*x.shape[1:])) for k, x in enumerate(again)]
    terms = {k: mean(v) for k, v in vae["VAE"].items()}
    assert terms["said"] == pytest.approx(3 * sum(mean(unit_divergence(x)) for x in said), rel=1e-4)
    assert terms["said again"] == pytest.approx(7 * sum(mean(unit_divergence(x)) for x in again), rel=1e-4)
    same = l1(paint[0](codes[0]), a) + l1(paint[1](codes[1]), b)
    assert terms["reconstruction"] == pytest.approx(5 * same, rel=1e-4)
    assert terms["cycle"] == pytest.approx(11 * (l1(back[0], a) + l1(back[1], b)), rel=1e-4)
    scores = [*system.D2(fake_b), *system.D1(fake_a)]
    assert terms["game"] == pytest.approx(2 * sum(mean(nonsaturating_g(m[-1])) for m in scores), rel=1e-4)
    found = sum(mean(logistic_d(r[-1], f[-1])) for r, f in zip(system.D1(a), system.D1(fake_a), strict=True))
    assert mean(d["D"]["A"]) == pytest.approx(2 * found, rel=1e-4)


def test_unit_shares_its_deepest_layers_and_goes_both_ways():
    system, a = made("unit"), pairs().source
    there, back = system.translate(a), system.translate(a, "BtoA")
    torch.testing.assert_close(there, torch.tanh(system.G2(system.G(system.E(system.E1(a))))))
    torch.testing.assert_close(back, torch.tanh(system.G1(system.G(system.E(system.E2(a))))))
    assert system.translate(a[..., :9, :11]).shape == (2, 3, 9, 11)
    least = made("unit", least_squares=True)
    assert least.g_loss is least_squares_g


def test_munit_by_hand():
    weights = dict(image=2.0, content=3.0, style=5.0, cycle=7.0)
    system, batch, noise = made("munit", **weights), pairs(), pairs()
    (g, d), real = phases(system, batch), (batch.source, batch.image)
    drawn = [noise.randn(system.z), noise.randn(system.z)]
    terms = {k: mean(v) for k, v in g["G"].items()}
    content, own = [system.C[k](real[k]) for k in (0, 1)], [system.S[k](real[k]) for k in (0, 1)]
    fake = system.G[1](content[0], drawn[1])
    assert terms["image A"] == pytest.approx(2 * l1(system.G[0](content[0], own[0]), real[0]), rel=1e-4)
    assert terms["content B"] == pytest.approx(3 * l1(system.C[1](fake), content[0]), rel=1e-4)
    assert terms["style B"] == pytest.approx(5 * l1(system.S[1](fake), drawn[1]), rel=1e-4)
    there_and_back = system.G[0](system.C[1](fake), own[0])
    assert terms["cycle B"] == pytest.approx(7 * l1(there_and_back, real[0]), rel=1e-4)
    scores = [m[-1] for m in system.D[1](fake)]
    assert terms["game B"] == pytest.approx(sum(mean((s - 1).square()) for s in scores), rel=1e-4)
    reals = [m[-1] for m in system.D[1](real[1])]
    expected = sum(mean(f.square()) + mean((r - 1).square()) for r, f in zip(reals, scores, strict=True))
    assert mean(d["D"]["B"]) == pytest.approx(expected, rel=1e-4)


def test_munit_without_options_has_fewer_terms_and_with_features_more():
    names = {k.split()[0] for k in phases(made("munit", cycle=0.0), pairs())[0]["G"]}
    assert names == {"game", "image", "content", "style"}
    seen = dict(perceptual=1.0, features="reader:shapes", seen="relu2")
    assert "perceptual A" in phases(made("munit", **seen), pairs())[0]["G"]


def test_munit_takes_styles_of_examples_and_draws_them():
    system, batch = made("munit"), pairs()
    style = system.style(batch.image)
    assert style.shape == (2, system.z)
    expected = system.G[1](system.C[0](batch.source), style)
    torch.testing.assert_close(system.translate(batch.source, style=style), expected)
    home = system.translate(batch.image, "BtoA", system.style(batch.source, "BtoA"))
    torch.testing.assert_close(home, system.G[0](system.C[1](batch.image), system.S[0](batch.source)))
    one = [system.translate(batch.source, style=torch.randn(1, system.z)) for _ in range(2)]
    assert (one[0] - one[1]).abs().max() > 1e-3


def test_funit_by_hand():
    system, batch = made("funit", penalty=4.0, reconstruction=2.0, matching=3.0, classes=5), pairs()
    (g, d), a, b = phases(system, batch), batch.source, batch.image
    fake, same = system.G(system.C(a), system.S(b)), system.G(system.C(a), system.S(a))
    made_, of_made = system.D(fake, batch.label)
    kept, of_kept = system.D(same, batch.source_label)
    of_b, of_a = system.D(b, batch.label)[1], system.D(a, batch.source_label)[1]
    terms = {k: mean(v) for k, v in g["G"].items()}
    assert terms["game"] == pytest.approx(-(mean(made_) + mean(kept)) / 2, rel=1e-4, abs=1e-6)
    assert terms["reconstruction"] == pytest.approx(2 * l1(same, a), rel=1e-4)
    assert terms["matching"] == pytest.approx(3 * (l1(of_made, of_b) + l1(of_kept, of_a)), rel=1e-4)
    x = b.clone().requires_grad_()
    scores = system.D(x, batch.label)[0]
    assert mean(d["D"]["game"]) == pytest.approx(mean(hinge_d(scores, made_)), rel=1e-4)
    slopes = torch.autograd.grad(scores.mean((1, 2, 3)).sum(), x)[0].square().flatten(1).sum(1)
    assert mean(d["D"]["penalty"]) == pytest.approx(4 * mean(slopes), rel=1e-4)


def test_funit_takes_the_mean_of_what_examples_say():
    system, batch = made("funit", classes=5), pairs()
    codes = system.S(batch.other)
    expected = system.G(system.C(batch.source), codes.mean(0, keepdim=True).expand(2, -1))
    torch.testing.assert_close(system.translate(batch.source, batch.other), expected)
    torch.testing.assert_close(system.sample(batch.without("image")), system.G(system.C(batch.source), codes))


def test_dtn_by_hand():
    system, batch = made("dtn", alpha=2.0, beta=3.0, gamma=0.5), pairs(3)
    system.start(batch)
    (g, d), s, t = phases(system, batch), batch.source, batch.image
    said, said_t = system.said(s), system.said(t)
    of_s, of_t = system.G(said), system.G(said_t)
    terms = {k: mean(v) for k, v in g["G"].items()}
    assert terms["constancy"] == pytest.approx(2 * mean((system.said(of_s) - said).square()), rel=1e-3)
    assert terms["identity"] == pytest.approx(3 * mean((of_t - t).square()), rel=1e-3)
    scores = [system.D(x) for x in (of_s, of_t, t)]
    assert terms["game"] == pytest.approx(mean(ternary_g(*scores[:2])), rel=1e-3)
    assert mean(d["D"]) == pytest.approx(mean(ternary_d(*scores)), rel=1e-3)
    assert terms["smoothness"] > 0 and "smoothness" not in phases(made("dtn"), batch)[0]["G"]


def test_dtn_sees_f_at_mean_0_and_one_scale_and_f_does_not_learn():
    system, batch = made("dtn"), pairs(4)
    system.start(batch)
    said = system.said(torch.cat([batch.source, batch.image]))
    assert said.mean(0).abs().max() < 1e-3 and said.square().mean() == pytest.approx(1, rel=1e-3)
    assert not [k for k in system.state_dict() if k.split(".")[0] not in ("G", "D", "centre", "spread", "known_by")]
    system.eval()
    large = system.translate(torch.rand(1, 3, 20, 30) * 2 - 1)
    assert large.shape == (1, 3, 20, 30) and large.abs().max() <= 1


def test_dtn_refuses_weights_that_decode_what_another_network_says():
    state = made("dtn").state_dict()
    made("dtn").load_state_dict(state)
    state["known_by"] = state["known_by"].flip(0)
    with pytest.raises(UserError, match="trained on what another version of reader:faces says"):
        made("dtn").load_state_dict(state)


@pytest.mark.parametrize("name", ["unit", "dtn"])  # munit and funit are as many seconds as they are large
def test_what_the_paper_trains_takes_a_step(name):
    torch.manual_seed(0)
    system = catalog.build(name, **catalog.find(name).presets["paper"].hyper)
    side = 32 if name == "dtn" else 64
    fields = {k: torch.rand(2, 3, side, side) * 2 - 1 for k in ("source", "image", "other")}
    batch = Batch(seed=0, label=torch.tensor([0, 1]), source_label=torch.tensor([2, 3]), **fields)
    state = begin(system)
    before = [p.detach().clone() for p in system.parameters()]
    for _ in train(state, Feed(batch), Budget(steps=1)):
        pass
    moved = [not torch.equal(a, b) for a, b in zip(before, system.parameters(), strict=True)]
    assert sum(moved) > 0.9 * len(moved) and all(p.isfinite().all() for p in system.parameters())
