"""Pictures that are no squares, from a folder to a model, its measures and its verbs."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import sfumato
from command import call, execute
from sfumato import catalog
from sfumato.system import Recipe
from sfumato.tasks.editing.regions import copy_activations, inpaint
from sfumato.tasks.editing.restore import restore
from sfumato.tasks.editing.strokes import read_strokes
from sfumato.tasks.factors import horizontal, slant, vertical
from sfumato.tasks.train import train
from sfumato.training import checkpoint

QUIET = dict(preset="tiny", evaluate=False, quiet=True, device="cpu", precision="float32", threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photographs of three shapes: slopes of light with a bar."""
    home = tmp_path_factory.mktemp("wide")
    for i in range(12):
        w, h = ((60, 40), (40, 60), (96, 32))[i % 3]
        y, x = np.mgrid[:h, :w]
        planes = [x * 255 // w, y * 255 // h, np.where(abs(x - w // 2) < 4, 20 * i, 255)]
        Image.fromarray(np.stack(planes, -1).astype(np.uint8)).save(home / f"{i:02}.png")
    return home


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """A run at 3:2, begun."""
    out = tmp_path_factory.mktemp("oblong") / "run"
    train("stylegan2-ada", data=folder, size=16, aspect="3:2", steps=3, out=out, kinds="bgcfno", p=0.5, **QUIET)
    return out


def sides_of(path):
    with Image.open(path) as image:
        return image.size


def test_a_folder_is_trained_on_resumed_drawn_and_measured(folder, tmp_path, capsys):
    run, options = tmp_path / "run", ["--preset", "tiny", "--steps", 3, "--no-evaluate", "--device", "cpu"]
    said = call(
        capsys, "train", "stylegan2-ada", "--data", folder, "--size", 16, "--aspect", "3:2", "--out", run, *options
    )
    assert "24×16, colour" in said and "8 of another shape, cropped to the centre 3:2" in said
    config = json.loads((run / "config.json").read_text())
    assert config["recipe"]["aspect"] == config["data"]["aspect"] == config["system"]["hyper"]["aspect"] == "3:2"
    call(capsys, "resume", run, "--steps", 5, "--no-evaluate")
    model = sfumato.load(run, device="cpu")
    assert model.step == 5 and model.facts.sides == (16, 24) and "24×16 px" in repr(model)
    call(capsys, "sample", run, "--n", 3, "--out", tmp_path / "drawn")
    assert [sides_of(p) for p in sorted((tmp_path / "drawn").iterdir())] == [(24, 16)] * 3
    call(capsys, "evaluate", run, "--metric", "frechet", "--n", 12)
    (found,) = json.loads((run / "measures.json").read_text())
    assert found["n_fake"] == found["n_real"] == 12 and found["values"]["frechet"] > 0
    assert "16 px, 3:2, colour" in (run / "report.html").read_text()
    call(capsys, "data", folder, "--show", tmp_path / "some.png", "--size", 16, "--aspect", "2:3")
    wide, high = sides_of(tmp_path / "some.png")  # 12 pictures in four columns and three rows, 32×48 each
    assert (wide, high) == (4 * 34 + 2, 3 * 50 + 2)


def test_resuming_equals_not_stopping(run, folder, tmp_path):
    shutil.copytree(run, tmp_path / "stopped")
    again = sfumato.resume(tmp_path / "stopped", steps=5, evaluate=False, quiet=True)
    options = dict(data=folder, size=16, aspect="3:2", steps=5, kinds="bgcfno", p=0.5)
    whole = train("stylegan2-ada", out=tmp_path / "whole", **options, **QUIET)
    assert torch.equal(again.sample(3), whole.sample(3)) and again.sample(3).shape == (3, 3, 16, 24)


@pytest.mark.parametrize(
    ("system", "more"),
    [
        ("stylegan2", {}), ("stylegan2", dict(start=4, path=0.0)), ("stylegan2", dict(start=4, path=0.0, adain=True)),
        ("stylegan", {}), ("stylegan", dict(constant=False, noise=False)),
        ("stylegan", dict(mapping=0, wgan=True, smooth=False, start=4, mixing=0.0)), ("progan", {}),
    ],
)  # fmt: skip
def test_the_whole_line_draws_other_shapes(system, more, folder, tmp_path):
    made = train(system, data=folder, size=16, aspect="2:3", steps=3, out=tmp_path / "run", **more, **QUIET)
    assert made.sample(2).shape == (2, 3, 24, 16)


def test_who_draws_squares_says_so_before_a_picture_is_read(folder, tmp_path, capsys):
    words = ["train", "dcgan", "--data", tmp_path / "gone", "--aspect", "3:2"]
    status, _, err = execute(capsys, *words)
    assert status and err.strip().splitlines()[-1].endswith("dcgan draws squares: leave out --aspect 3:2")
    status, _, err = execute(capsys, *words[:-1], "3-2")
    assert status and "'3-2' is no shape" in err
    made = train("dcgan", data=folder, size=16, aspect="2:2", steps=1, out=tmp_path / "run", **QUIET)
    assert made.sample(1).shape[2:] == (16, 16)


def test_who_asks_for_no_size_takes_any_shape(folder, tmp_path):
    options = dict(data=folder, size=32, aspect="3:2", view="superres-x2", steps=1)
    made = train("srcnn", out=tmp_path / "run", **options, **QUIET)
    assert made.sample(2).shape[2:] == (32, 48)


def test_runs_that_say_nothing_of_a_shape_are_squares(folder, tmp_path):
    run = tmp_path / "old"
    made = train("stylegan2", data=folder, size=16, steps=2, out=run, **QUIET)
    config = json.loads((run / "config.json").read_text())
    for part in (config["recipe"], config["data"], config["system"]["hyper"]):
        assert part.pop("aspect") == "1:1"
    (run / "config.json").write_text(json.dumps(config))
    held = checkpoint.read(run / "model.safetensors")
    del held["facts"]["aspect"], held["spec"]["hyper"]["aspect"]
    checkpoint.write(run / "model.safetensors", held)
    assert torch.equal(sfumato.load(run, device="cpu").sample(2), made.sample(2))
    assert sfumato.resume(run, steps=3, evaluate=False, quiet=True).sample(1).shape == (1, 3, 16, 16)


def test_a_model_of_another_shape_is_inverted_and_edited(run, folder, tmp_path, capsys):
    said = call(capsys, "invert", run, folder / "01.png", "--steps", 2, "--noise", "--out", tmp_path / "i.png")
    assert "40×60 pixels; its middle part is taken at 24×16" in said
    found = sfumato.edit(sfumato.load(run, device="cpu"), tmp_path / "i.safetensors", mix=3, out=tmp_path / "e.png")
    assert found.images.shape[2:] == (16, 24)


def test_damage_of_another_shape_is_undone(run):
    model = sfumato.load(run, device="cpu")
    image, hole = model.sample(2), torch.ones(1, 1, 16, 24)
    hole[..., 4:12, 16:] = 0
    for method in ("mgan-prior", "dgp"):
        found = restore(model, image * hole, "inpaint", method=method, mask=hole, steps=2)
        assert found.shape == image.shape
        torch.testing.assert_close(found * hole, image * hole)
        assert restore(model, image[:, :, ::2, ::2], "superres-x2", method=method, steps=2).shape == image.shape
    with pytest.raises(sfumato.UserError, match="takes pictures of 1×16×24, not 1×16×16"):
        restore(model, torch.zeros(1, 1, 16, 16), "grey")


def test_holes_of_another_shape_are_filled_and_nothing_else_moves(run):
    model = sfumato.load(run, device="cpu")
    image, hole = model.sample(1), torch.zeros(1, 1, 16, 24)
    hole[..., 2:9, 15:] = 1
    made = inpaint(model, image, hole, steps=3)
    assert made.image.shape == image.shape and made.outside(image) == 0


@pytest.mark.parametrize("name", ["inversion", "in-domain"])
def test_encoders_learn_generators_of_another_shape(run, folder, tmp_path, name):
    encoder = train(name, data=folder, size=16, aspect="6:4", generator=str(run), steps=2, out=tmp_path / "e", **QUIET)
    model = sfumato.load(run, device="cpu")
    found = sfumato.invert(model, model.sample(2), method="encoder", encoder=encoder)
    assert found.image.shape == (2, 3, 16, 24)
    with pytest.raises(sfumato.UserError, match=r"draws 24×16 pixels in colour; take .*--size 16 --aspect 3:2 "):
        train(name, data=folder, size=16, generator=str(run), **QUIET)


def test_what_works_on_squares_alone_refuses_a_model_of_another_shape(run, capsys):
    status, _, err = execute(capsys, "dissect", run, "--world", "faces")
    assert status and "dissect works on squares alone, and stylegan2-ada draws 24×16 pixels" in err
    with pytest.raises(sfumato.UserError, match="this generator draws 24×16 pixels of 3 channels"):
        sfumato.invert(sfumato.load(run, device="cpu"), torch.zeros(1, 3, 16, 16))


def test_strokes_and_copies_lie_where_they_were_put(run, tmp_path):
    model = sfumato.load(run, device="cpu")
    painted = np.zeros((32, 48, 4), np.uint8)
    painted[:16, 24:] = (255, 0, 0, 255)
    Image.fromarray(painted).save(tmp_path / "strokes.png")
    mask, colour = read_strokes(tmp_path / "strokes.png", model)
    assert (
        mask.shape == (16, 24) and mask[:8, 12:].min() == 1 and mask.sum() == 8 * 12 and colour.shape == (1, 3, 16, 24)
    )
    w = model.system.extend(model.system.mapping(model.prior(2)))
    whole = copy_activations(model, w[:1], w[1:], torch.ones(1, 1, 16, 24), 16)
    none = copy_activations(model, w[:1], w[1:], torch.zeros(1, 1, 16, 24), 16)
    assert torch.allclose(none, model.system.synthesis(w[:1]).clamp(-1, 1), atol=1e-6) and not torch.equal(whole, none)


def test_factors_are_read_off_other_shapes():
    images = -torch.ones(1, 1, 20, 40)
    for y in range(5, 15):
        images[0, 0, y, 24 - y : 28 - y] = 1  # a bar that leans to the right by 45°
    assert horizontal(images).item() == pytest.approx((16 - 19.5) / 19.5, abs=1e-5)
    assert vertical(images).item() == pytest.approx(0, abs=1e-5)
    assert slant(images).item() == pytest.approx(1, abs=0.06)


def test_every_field_of_a_recipe_is_a_flag():
    assert Recipe().aspect == "1:1"
    takes = {name for name in catalog.names() if "aspect" in catalog.hyperparameters(catalog.find(name))}
    line, editing = (
        {"progan", "stylegan", "stylegan2", "stylegan2-ada"},
        {"inversion", "in-domain", "mgan-prior", "dgp"},
    )
    assert takes == {*line, *editing, "image2stylegan-plus", "cyclegan", "spade"}


@pytest.mark.parametrize(("system", "view", "size"), [("cyclegan", "unpaired", 16), ("spade", "maps", 32)])
def test_translation_of_other_shapes(system, view, size, folder, tmp_path):
    for k, path in enumerate(sorted(folder.iterdir())):
        with Image.open(path) as image:
            shape = image.size
        places = ("A", "B")[k % 2 :][:1] if system == "cyclegan" else ("images",)
        for place in places:
            (tmp_path / "data" / place).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / "data" / place)
        if system == "spade":
            for kind, number in (("labels", 1 + k % 2), ("instances", 0)):
                (tmp_path / "data" / kind).mkdir(exist_ok=True)
                Image.new("L", shape, number).save(tmp_path / "data" / kind / path.name)
    options = dict(data=tmp_path / "data", size=size, aspect="2:1", view=view, steps=1)
    made = train(system, out=tmp_path / "run", **options, **QUIET)
    assert made.sample(2).shape == (2, 3, size, 2 * size)
