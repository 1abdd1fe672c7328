"""Brushes on a generator whose factors are known, and on a small StyleGAN2."""

import pytest
import torch
from PIL import Image
from torch import nn

from command import call, execute
from sfumato import catalog
from sfumato.errors import UserError
from sfumato.system import Paper, Preset, Recipe, System
from sfumato.tasks.editing.brush import Colour, Session, Sketch, Warp, session, shifted
from sfumato.tasks.model import Facts, Model

SIDE = torch.linspace(-1, 1, 32)


class Coloured(System):
    """A disc of a colour on grey: the code moves it right and down, and says how red it is."""

    paper, recipe, presets = Paper("", "", 0, ""), Recipe(), {"tiny": Preset()}

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))
        self.spec = {"name": "coloured", "hyper": {}}

    def optimizers(self):
        return {}

    def step(self, batch):
        yield {}

    def prior(self, given):
        return given.randn(3)

    def decode(self, code):
        x, y, r = (c[:, None, None] for c in code.unbind(1))
        far = ((SIDE[None, None, :] - 0.3 * x).square() + (SIDE[None, :, None] - 0.3 * y).square()).sqrt()
        disc = torch.sigmoid((0.4 - far) * 12)
        return torch.stack([disc * torch.tanh(r), disc * 0, disc * 0.5], 1)

    def sample(self, given):
        return self.decode(self.prior(given))


@pytest.fixture
def model():
    return Model(Coloured(), Facts("discs", 32, 3, (), "image"))


def middle(model, *code):
    return session(model, torch.tensor([code]), space="z")


def box(top, bottom, left, right):
    mask = torch.zeros(32, 32)
    mask[top:bottom, left:right] = 1
    return mask


def test_a_colour_is_met_by_the_code_of_the_colour(model):
    painted = middle(model, 0.0, 0.0, -0.5)
    painted.wishes.append(Colour(box(12, 20, 12, 20), torch.tensor([0.7, 0.0, 0.5])[:, None, None]))
    before = painted.unmet()
    painted.solve(10, steps=40)
    assert painted.unmet() < 0.02 * before
    assert painted.code[0, 2].tanh() > 0.55 and painted.code[0, :2].abs().max() < 0.3


def test_what_is_dragged_goes_there(model):
    painted = middle(model, 0.0, 0.0, 1.0)
    painted.wishes.append(Warp(box(8, 24, 8, 24), painted.image, (0, 4)))
    painted.solve(10, steps=60)
    x, y, r = painted.code[0]
    assert x == pytest.approx(4 / 15.5 / 0.3, rel=0.15) and abs(y) < 0.15 and r == pytest.approx(1.0, abs=0.3)


def test_a_sketch_moves_edges(model):
    painted, wished = middle(model, 0.0, 0.0, 1.0), middle(model, 0.0, 1.0, 1.0)
    painted.wishes.append(Sketch(torch.ones(32, 32), wished.image))
    before = painted.unmet()
    painted.solve(10, steps=60)
    assert painted.unmet() < 0.1 * before and painted.code[0, 1] > 0.8


def test_what_nothing_wishes_stays(model):
    painted = middle(model, 0.5, 0.5, 0.5)
    image = painted.image
    assert painted.solve(1) == 0.0 and painted.image.equal(image)
    painted.wishes.append(Colour(box(0, 32, 0, 32), image[0]))
    painted.solve(1, steps=5)
    torch.testing.assert_close(painted.image, image, atol=1e-2, rtol=0)


def test_back_to_the_start(model):
    painted = middle(model, 0.0, 0.0, 0.0)
    image = painted.image
    painted.wishes.append(Colour(box(12, 20, 12, 20), torch.ones(3, 1, 1)))
    painted.step()
    assert not painted.image.equal(image)
    painted.reset()
    assert painted.image.equal(image) and not painted.wishes and painted.solve() == 0.0


def test_shifted():
    a = torch.arange(6.0).view(2, 3)
    assert shifted(a, (1, 0)).tolist() == [[0, 0, 0], [0, 1, 2]]
    assert shifted(a, (0, -1)).tolist() == [[1, 2, 0], [4, 5, 0]]
    assert shifted(a, (9, -9)).tolist() == [[0, 0, 0], [0, 0, 0]]
    with pytest.raises(UserError, match="leaves the picture"):
        Warp(torch.ones(2, 3), torch.zeros(1, 1, 2, 3), (2, 0)).unmet(torch.zeros(1, 1, 2, 3))


@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_styles_are_painted_with_and_weights_stay(space):
    torch.manual_seed(0)
    system = catalog.build("stylegan2", z=8, w=8, ch=4, ch_max=8, mapping=2, size=16, channels=3)
    model = Model(system.eval(), Facts("cats", 16, 3, (), "image"))
    painted: Session = session(model, 2, space=space)
    torch.testing.assert_close(painted.image, model.sample(3)[2:])
    painted.wishes.append(Colour(torch.ones(16, 16), torch.tensor([0.5, -0.5, 0.0])[:, None, None]))
    before = painted.unmet()
    painted.solve(10, steps=15)
    assert painted.unmet() < 0.9 * before
    assert all(p.requires_grad and p.grad is None for p in system.parameters())


def test_on_the_command_line(tmp_path, capsys):
    torch.manual_seed(0)
    system = catalog.build("stylegan2", z=8, w=8, ch=4, ch_max=8, mapping=2, size=16, channels=3)
    Model(system.eval(), Facts("cats", 16, 3, (), "image")).save(tmp_path / "m.safetensors")
    strokes = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    strokes.paste((200, 30, 30, 255), (2, 2, 9, 9))
    strokes.save(tmp_path / "strokes.png")
    Image.new("RGB", (16, 16)).save(tmp_path / "opaque.png")
    words = ["brush", tmp_path / "m.safetensors", 1, "--seconds", 0.3, "--out", tmp_path / "out.png"]
    paths = {kind: ["--" + kind, tmp_path / "strokes.png"] for kind in ("colour", "sketch", "drag")}
    said = call(capsys, *words, *paths["colour"])
    before, after = (float(t) for t in said.splitlines()[0].removeprefix("unmet ").split(" → "))
    assert after < before and (tmp_path / "out.png").exists()
    call(capsys, *words, *paths["sketch"], *paths["drag"], "--by", "0,4")
    for options, part in [
        ([], "nothing is wished"),
        (["--colour", tmp_path / "opaque.png"], "transparent"),
        ([*paths["drag"], "--by", "4"], "--by 4"),
        (["--colour", tmp_path / "none.png"], "can't be read"),
    ]:
        status, _, said = execute(capsys, *words, *options)
        assert status == 1 and part in said
