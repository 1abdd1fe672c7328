"""The StyleGAN line: configurations, the spaces of codes, what takes part in a step, and what a checkpoint keeps."""

import pytest
import torch
from PIL import Image

import sfumato
from sfumato import catalog
from sfumato.data.pictures import save_images
from sfumato.errors import UserError
from sfumato.networks.stylegan import progressive, stylegan, stylegan2
from sfumato.objectives.adversarial import r1
from sfumato.system import Batch
from sfumato.training.loop import Budget, begin, train

TINY = dict(z=6, w=6, ch=4, ch_max=8, size=16)
CONFIGS = [f"config-{c}" for c in "abcdef"]


class Feed:
    """Noise as pictures; labels in turn."""

    def __init__(self, n=4, size=16, classes=0, channels=3):
        self.n, self.size, self.classes, self.channels = n, size, classes, channels

    def at(self, step, part=0, parts=1):
        shape = (self.n, self.channels, self.size, self.size)
        whole = torch.rand(shape, generator=torch.Generator().manual_seed(step)) * 2 - 1
        fields = {"image": whole.chunk(parts)[part]}
        if self.classes:
            fields["label"] = (torch.arange(self.n) % self.classes).chunk(parts)[part]
        n = self.n // parts
        return Batch(n, seed=step, first=part * n, total=self.n, **fields)


def made(name, preset="tiny", **more):
    torch.manual_seed(0)
    return catalog.build(name, **{**catalog.preset(catalog.find(name), preset).hyper, **TINY, **more})


def trained(system, steps, feed=None, **options):
    state = begin(system)
    for _ in train(state, feed or Feed(), Budget(steps=steps), **options):
        pass
    return state


@pytest.mark.parametrize("name", ["stylegan", "stylegan2"])
@pytest.mark.parametrize("config", CONFIGS)
def test_configurations_of_table_1_train_and_draw(name, config):
    hyper = catalog.preset(catalog.find(name), config).hyper
    more = dict(mapping=min(2, hyper.get("mapping", 2)))
    if name == "stylegan2":
        more |= dict(r1_every=min(2, hyper.get("r1_every", 16)), path_every=2)
    system = made(name, config, **more)
    state = trained(system, 4)
    assert all(v.isfinite() for v in state.values.values())
    system.eval()
    assert system.sample(Batch(2)).shape == (2, 3, 16, 16)


def test_configurations_are_those_of_the_tables():
    nets = {c: made("stylegan", c, mapping=min(2, catalog.find("stylegan").presets[c].hyper.get("mapping", 2)))
            for c in CONFIGS}  # fmt: skip
    assert [type(nets[c].G) for c in CONFIGS] == [progressive.Generator] * 2 + [stylegan.Synthesis] * 4
    assert [nets[c].wgan for c in CONFIGS] == [True] + [False] * 5
    assert [getattr(nets[c].G, "constant", None) is not None for c in CONFIGS] == [False] * 3 + [True] * 3
    assert [bool(nets[c].G.noises) for c in CONFIGS] == [False] * 4 + [True] * 2
    assert [nets[c].mixing for c in CONFIGS] == [0] * 5 + [0.9]
    assert [nets[c].growth.first for c in CONFIGS] == [0] + [1] * 5
    nets = {c: made("stylegan2", c, mapping=2) for c in CONFIGS}
    assert [type(nets[c].G) for c in CONFIGS] == [stylegan.Synthesis] + [stylegan2.Synthesis] * 5
    assert [nets[c].r1_every for c in CONFIGS] == [1, 1, 16, 16, 16, 16]
    assert [nets[c].path for c in CONFIGS] == [0, 0, 0, 2, 2, 2]
    assert [nets[c].growth.first < nets[c].growth.last for c in CONFIGS] == [True] * 4 + [False] * 2
    hyper = {c: catalog.find("stylegan2").presets[c].hyper.get("ch", 32) for c in CONFIGS}
    assert list(hyper.values()) == [16] * 5 + [32]


@pytest.mark.parametrize("name", ["stylegan", "stylegan2", "stylegan2-ada"])
def test_spaces_of_codes(name):
    system = made(name, growing=0.0) if name == "stylegan" else made(name)
    system.growth.advance(1.0)
    torch.nn.init.normal_(system.w_mean)
    code, other = torch.randn(3, 6), torch.randn(3, 6)
    w, v = system.mapping(code), system.mapping(other)
    plus = system.extend(w)
    assert w.shape == (3, 6) and plus.shape == (3, system.layers, 6) == system.extend(plus).shape
    image = system.synthesis(w)
    torch.testing.assert_close(system.synthesis(plus), image)
    torch.testing.assert_close(system.render(system.styles(w)), image)
    torch.testing.assert_close(system.decode(code), image.clamp(-1, 1))
    noise = [torch.randn(3, 1, *s) for s in system.G.noises]
    torch.nn.init.constant_(next(p for n, p in system.G.named_parameters() if "strength" in n), 1.0)
    assert not torch.allclose(system.synthesis(w, noise), system.synthesis(w))
    half = system.mix(w, v, 2)
    assert torch.equal(half[:, :2], plus[:, :2]) and torch.equal(half[:, 2:], system.extend(v)[:, 2:])
    rows = system.mix(w, v, torch.tensor([0, 1, system.layers]))
    assert torch.equal(rows[0], system.extend(v)[0]) and torch.equal(rows[2], plus[2]) and torch.equal(rows[1, 0], w[1])
    torch.testing.assert_close(system.truncate(w, 0.0), system.w_mean.expand(3, 6))
    torch.testing.assert_close(system.truncate(w, 0.5), (w + system.w_mean) / 2)
    some = system.truncate(w, 0.5, layers=1)
    torch.testing.assert_close(some[:, 0], (w + system.w_mean) / 2)
    assert torch.equal(some[:, 1:], plus[:, 1:])


def test_truncated_samples_are_those_of_truncated_codes():
    system = made("stylegan2", psi=0.3)
    torch.nn.init.normal_(system.w_mean)
    w = system.mapping(system.prior(Batch(3, seed=1)))
    want = system.synthesis(torch.lerp(system.w_mean, w, 0.3)).clamp(-1, 1)
    assert torch.equal(system.sample(Batch(3, seed=1)), want)


def test_mixing_is_for_the_share_asked_and_at_every_layer():
    system = made("stylegan2")
    given = Batch(400, seed=2)
    _, w = system.drawn(given, mixing=0.5)
    mixed = (w[:, 0] != w[:, -1]).any(1)
    assert mixed.float().mean().item() == pytest.approx(0.5, abs=0.1)
    ends = (w != w[:, :1]).any(2).int().argmax(1)[mixed]  # the first layer of the other code
    assert set(ends.tolist()) == set(range(1, system.layers))
    _, w = system.drawn(given)
    assert torch.equal(w, w[:, :1].expand_as(w))


def test_the_mean_of_w_follows_by_half_a_percent_of_a_batch():
    whole, parts = made("stylegan2"), made("stylegan2")
    w = whole.mapping(whole.prior(Batch(8, seed=1)))
    whole.drawn(Batch(8, seed=1))
    torch.testing.assert_close(whole.w_mean, 0.005 * w.mean(0))
    for first in (0, 4):
        parts.drawn(Batch(4, seed=1, first=first, total=8))
    torch.testing.assert_close(parts.w_mean, whole.w_mean, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("name", "every"), [("stylegan2", 1), ("stylegan2", 4), ("stylegan2-ada", 4)])
def test_lazy_penalties_come_when_due_and_as_strong_as_if_they_always_came(name, every):
    system = made(name, r1=3.0, r1_every=every, path_every=2)
    system.iteration, feed = every - 1, Feed()
    seen = {}
    for losses in system.step(feed.at(0)):
        for player, terms in losses.items():
            seen |= {f"{player}/{k}": v for k, v in (terms.items() if isinstance(terms, dict) else [("loss", terms)])}
    if name == "stylegan2":
        torch.testing.assert_close(seen["D/r1"], 1.5 * every * r1(system.D, feed.at(0).image))
    assert "D/r1" in seen and ("G/path" in seen) == (every % 2 == 0)
    system.iteration = 0
    if every > 1:
        assert not any(
            "r1" in (v if isinstance(v := x["D"], dict) else {}) for x in system.step(feed.at(1)) if "D" in x
        )
    groups = {k: o.param_groups[0] for k, o in system.optimizers().items()}
    assert groups["D"]["lr"] == pytest.approx(system.lr * (every / (every + 1) if every > 1 else 1))
    assert groups["G"]["lr"] == pytest.approx(system.lr * 2 / 3)


def test_path_length_is_of_half_the_batch_and_its_mean_is_kept():
    system = made("stylegan2", path_every=1)
    rows = []
    drawn = system.drawn
    system.drawn = lambda *a, **k: (rows.append(k.get("rows")), drawn(*a, **k))[1]
    state = trained(system, 3)
    assert rows.count(2) == 3  # of 4
    assert system.path_mean > 0 and "path_mean" in state.pack()["system"]


@pytest.mark.parametrize("name", ["stylegan2", "stylegan2-ada"])
def test_classes_are_asked_for(name):
    system = made(name, classes=3)
    trained(system, 2, Feed(n=6, classes=3))
    system.eval()
    one, other = (system.sample(Batch(2, seed=1, label=torch.full((2,), k))) for k in (0, 2))
    assert one.shape == (2, 3, 16, 16) and not torch.allclose(one, other)
    assert system.decode(system.prior(Batch(4, seed=1))).shape == (4, 3, 16, 16)
    with pytest.raises(UserError, match="networks that grow take no classes"):
        made("stylegan2", classes=3, start=8)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("name", ["progan", "stylegan", "stylegan2", "stylegan2-ada"])
def test_grey_and_transparent_pictures(name, channels):
    hyper = {} if name != "stylegan2-ada" else dict(p=1.0, kinds="bgcfno")
    tiny = {**catalog.preset(catalog.find(name), "tiny").hyper, "size": 16, "channels": channels, **hyper}
    torch.manual_seed(0)
    system = catalog.build(name, **tiny)
    state = trained(system, 2, Feed(channels=channels))
    assert all(v.isfinite() for v in state.values.values())
    assert system.eval().sample(Batch(2)).shape == (2, channels, 16, 16)


def test_a_folder_of_transparent_pictures(tmp_path):
    (tmp_path / "stickers").mkdir()
    for k in range(8):
        sticker = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
        sticker.paste((30 * k, 200, 90, 255), (2 + k, 3, 12, 17))
        sticker.save(tmp_path / "stickers" / f"{k}.png")
    model = sfumato.train(
        "stylegan2", preset="tiny", data=tmp_path / "stickers", channels=4, steps=2, out=tmp_path / "run",
        evaluate=False, quiet=True,
    )  # fmt: skip
    (result,) = sfumato.evaluate(model, metrics=["frechet"], n=8, quiet=True)
    assert model.facts.channels == 4 and result.values["frechet"] > 0
    (path,) = save_images(model.sample(1), tmp_path / "drawn")
    with Image.open(path) as image:
        assert image.mode == "RGBA" and image.size == (16, 16)


def test_p_and_what_it_is_made_of_survive_a_restart(tmp_path):
    from sfumato.training import checkpoint

    systems = [made("stylegan2-ada", target=-1.0, pictures=100) for _ in range(2)]
    state = begin(systems[0])
    for _ in train(state, Feed(), Budget(steps=12)):
        if state.step == 6:
            assert systems[0].chance.p > 0 and systems[0].chance.sums[4] == 8
            checkpoint.write(tmp_path / "c.safetensors", state.pack())
    again = begin(systems[1])
    again.restore(checkpoint.read(tmp_path / "c.safetensors"))
    for _ in train(again, Feed(), Budget(steps=12)):
        pass
    a, b = (s.state_dict() for s in systems)
    assert a["chance.p"].item() == pytest.approx(48 / 100)
    assert [k for k in a if not torch.equal(a[k], b[k])] == []


def test_micro_batches_move_p_as_the_whole_batch_does():
    systems = [made("stylegan2-ada", target=-1.0, pictures=100) for _ in range(2)]
    trained(systems[0], 8)
    trained(systems[1], 8, micro=2)
    torch.testing.assert_close(systems[0].chance.p, systems[1].chance.p)


def test_p_by_held_out_pictures():
    system = made("stylegan2-ada", held=0.3, target=-100.0, pictures=100)
    trained(system, 8, Feed(n=8))
    assert system.chance.p == pytest.approx(0.64)


def test_consistency_is_asked_of_real_and_fake():
    system = catalog.build("bcr", z=8, ch=4, size=16, shift=2)
    batch = Feed().at(0)
    first = next(iter(system.step(batch)))["D"]
    assert first.keys() == {"loss", "real", "fake"} and first["real"].shape == (4,)
    plain = catalog.build("bcr", z=8, ch=4, size=16, real=0.0, fake=0.0)
    assert next(iter(plain.step(Feed().at(0))))["D"].keys() == {"loss"}
    seen = system.augmented(Batch(600, seed=1), torch.arange(256.0).view(1, 1, 16, 16).expand(600, -1, -1, -1))
    assert seen.unique().numel() == 256 and len({i.numpy().tobytes() for i in seen}) == 50  # 2 mirrors, 5 × 5 shifts
