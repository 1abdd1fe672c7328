"""Dissection of a generator whose units are known: one draws a red disc, one a blue one, two nothing that is seen."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from command import call, execute
from sfumato import catalog
from sfumato.errors import UserError
from sfumato.networks.pretrained.world_reader import Reading
from sfumato.system import Paper, Preset, Recipe, System
from sfumato.tasks.editing import dissect as dissection
from sfumato.tasks.editing import removal
from sfumato.tasks.editing.units import dropped, layers, placed, watched
from sfumato.tasks.model import Facts, Model

SIDE = torch.linspace(-1, 1, 16)


class Two(System):
    """A red disc on the left and a blue one on the right, at heights that the code says."""

    paper, recipe, presets = Paper("", "", 0, ""), Recipe(), {"tiny": Preset()}

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(1))
        self.units = nn.ReLU()
        self.spec = {"name": "two", "hyper": {}}

    def optimizers(self):
        return {}

    def step(self, batch):
        yield {}

    def prior(self, given):
        return given.rand(2) * 2 - 1

    def decode(self, code):
        def disc(x, y):
            far = (SIDE - x).square() + (SIDE[:, None] - 0.4 * y[:, None, None]).square()
            return 1 - 2 * far

        other = torch.stack(
            [
                (code[:, 0, None, None] + SIDE).expand(-1, 16, 16),
                -1 - code.abs().sum(1)[:, None, None].expand(-1, 16, 16),
            ],
            1,
        )
        maps = torch.cat([disc(-0.5, code[:, 0])[:, None], disc(0.5, code[:, 1])[:, None], other], 1)
        red, blue, *_ = (self.units(maps) * self.w).unbind(1)
        return torch.stack([red * 2 - 1, -torch.ones_like(red), blue * 2 - 1], 1).clamp(-1, 1)

    def sample(self, given):
        return self.decode(self.prior(given))


class Seer(nn.Module):
    """Reads red and blue off the colours."""

    side = 16
    domain = "discs"
    spec = SimpleNamespace(parts=("ground", "red", "blue", "never"))

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1))

    def read(self, images):
        ground = torch.zeros_like(images[:, 0])
        logits = torch.stack([ground, 10 * images[:, 0] + 1, 10 * images[:, 2] + 1, ground - 20], 1)
        none = torch.zeros(len(images), 1)
        return Reading(none, {}, none, logits.softmax(1), none, none[:, 0])


@pytest.fixture
def model(monkeypatch):
    for module in (dissection, removal):
        monkeypatch.setattr(module, "world_reader", lambda model, world=None: Seer())
    return Model(Two(), Facts("discs", 16, 3, (), "image"))


def test_information_quality_by_hand():
    count = lambda *n: [torch.tensor(float(k)) for k in n]  # noqa: E731
    assert dissection.information_quality(*count(30, 30, 30, 100)) == pytest.approx(1.0)  # the same
    assert dissection.information_quality(*count(6, 30, 20, 100)) == pytest.approx(0.0, abs=1e-6)  # independent
    assert dissection.information_quality(*count(0, 0, 20, 100)) == pytest.approx(0.0, abs=1e-6)
    # P = 1/4 each of both, one alone, the other never alone, neither 1/2: I = 0.8113 + 1 - 1.5 … in bits
    assert dissection.information_quality(*count(25, 50, 25, 100)) == pytest.approx(
        (0.811278 + 1 - 1.5) / 1.5, abs=1e-5
    )


def test_units_agree_with_what_they_draw(model):
    made = dissection.dissect(model, n=64)
    assert made.layer == "units" and made.best()[0][2] > 0.8
    assert {made.best()[k][:2] for k in (0, 1)} == {(0, "red"), (1, "blue")}
    assert made.drawn()["red"] == [0] and made.drawn()["blue"][0] == 1
    assert made.levels[0, 1] > 0.6 > 0.1 > made.levels[0, 2]
    assert made.shares[3] == 0 and (made.overlaps[:, 3] == 0).all()
    torch.testing.assert_close(made.shares.sum(), torch.tensor(1.0))


def test_overlaps_are_those_of_pixels(model):
    """Against intersections and unions counted one unit and class at a time."""
    made = dissection.dissect(model, n=64)
    codes = model.prior(64)
    second = torch.cat(codes.chunk(2)[1::2])
    with watched(model.system, "units") as kept:
        seen = model.decode(second)[:, 0] > -0.1
    high = kept[0][:, 0] > made.thresholds[0, 1]
    expected = (high & seen).sum() / (high | seen).sum()
    torch.testing.assert_close(made.overlaps[0, 1], expected, atol=0.02, rtol=0)


def test_a_class_is_removed_by_its_unit_and_nothing_else_moves(model, tmp_path):
    made = dissection.dissect(model, n=64)
    found = removal.remove(model, made, "red", n=32, steps=10, out=tmp_path / "red.png")
    assert 0 in found.units and 1 not in found.units
    assert found.removed == 1.0 and found.kept == 1.0 and found.path.exists()
    assert found.after["red"] == 0.0 and found.before["red"] > 0.05
    assert found.after["blue"] == pytest.approx(found.before["blue"])
    with pytest.raises(UserError, match="too little"):
        removal.remove(model, made, "never")
    with pytest.raises(UserError, match="did you mean red"):
        removal.remove(model, made, "reed")


def test_effects_tell_causes_from_companions(model):
    made = dissection.dissect(model, n=64)
    share = removal.effects(model, made, "blue", steps=20)
    assert share.argmax() == 1 and share[1] > 0.9 and ((share >= 0) & (share <= 1)).all()
    assert all(p.requires_grad and p.grad is None for p in model.system.parameters())


def test_red_is_painted_where_it_was_not(model):
    made = dissection.dissect(model, n=64)
    codes, place = model.prior(4, seed=9), removal.disc(16, "0.75,0.1,0.12")
    before, after = model.decode(codes), removal.paint(model, made, "red", codes, place, units=[0])
    inside = place > 0
    assert (after[:, 0, inside] > 0).all() and (before[:, 0, inside] < -0.9).all()
    assert after[:, :, ~inside].equal(before[:, :, ~inside])


def test_places():
    assert removal.disc(4, "0.5,0.5,0.2").sum() == 4
    for wrong in ("", "1,2", "a,b,c", "5,5,0.1"):
        with pytest.raises(UserError, match="--at"):
            removal.disc(8, wrong)
    output = torch.ones(1, 2, 2, 2)
    share = torch.tensor([1.0, 0.5]).view(1, 2, 1, 1) * torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    moved = placed(output, share, torch.tensor([3.0, 5.0]))
    assert moved[0].tolist() == [[[3, 1], [1, 1]], [[3, 1], [1, 1]]]


def test_layers_of_styles_have_units():
    torch.manual_seed(0)
    system = catalog.build("stylegan2", z=8, w=8, ch=4, ch_max=8, mapping=2, size=16, channels=3)
    model = Model(system.eval(), Facts("faces", 16, 3, (), "image"))
    codes = model.prior(2)
    known = layers(model, codes)
    assert list(known) == [f"G.convs.{k}" for k in range(5)] and known["G.convs.4"] == (4, 16)
    assert dissection.choose_layer(model, codes, None) == "G.convs.0"
    image = model.decode(codes)
    with dropped(system, "G.convs.4", range(4)):
        assert (model.decode(codes) - image).abs().max() > 1e-3
    assert model.decode(codes).equal(image)


def test_on_the_command_line(tmp_path, capsys):
    torch.manual_seed(0)
    system = catalog.build("stylegan2", z=8, w=8, ch=4, ch_max=8, mapping=2, size=16, channels=3)
    model = Model(system.eval(), Facts("faces", 16, 3, (), "image"))
    model.save(tmp_path / "m.safetensors")
    words = ["dissect", tmp_path / "m.safetensors", "--n", 16, "--out", tmp_path / "d.png"]
    assert "G.convs.2" in call(capsys, *words, "--layer", "G.convs.2") and (tmp_path / "d.png").exists()
    for options, part in [
        (["--layer", "G.conv"], "G.convs"),
        (["--ablate", "hare"], "hair"),
        (["--world", "face"], "faces"),
    ]:
        status, _, said = execute(capsys, *words, *options)
        assert status == 1 and part in said
