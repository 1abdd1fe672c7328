"""Editing codes of a small StyleGAN2: what moves is what was asked, and only in the layers that were asked."""

import os

import pytest
import torch

from command import call, execute
from sfumato import catalog
from sfumato.data.pictures import save_images
from sfumato.errors import UserError
from sfumato.tasks.edit import edit, known_directions, read_picture
from sfumato.tasks.editing.codes import draw, lift, numbered, render
from sfumato.tasks.editing.factorise import principal
from sfumato.tasks.invert import invert
from sfumato.tasks.model import Facts, Model


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    system = catalog.build("stylegan2", z=8, w=8, ch=4, ch_max=8, mapping=2, size=16, channels=3)
    made = Model(system.eval(), Facts("cats", 16, 3, (), "image"))
    (tmp_path / "run").mkdir()
    made.save(tmp_path / "run" / "model.safetensors")
    made.path = tmp_path / "run"
    return made


def test_a_sample_along_two_directions(model, tmp_path):
    found = principal(model, n=64)
    made = edit(model, 3, {"pca0": 2.0, "pca2": -1.0}, given=found, out=tmp_path / "edit.png")
    code = lift(model.system, numbered(model, [3]), "z", "w") + 2 * found.steps[0] - found.steps[2]
    torch.testing.assert_close(made.images, torch.cat([model.sample(4)[3:], render(model, code, "w")]))
    assert made.path.exists() and made.space == "w+"


def test_layers_of_another_picture(model):
    w = lift(model.system, numbered(model, [1, 2]), "z", "w")
    made = edit(model, "1", mix="2", layers="0-1")
    expected = render(model, model.system.mix(w[1:], w[:1], 2), "w+")
    torch.testing.assert_close(made.images[1:], expected)
    assert (edit(model, 1, mix=2, space="s", layers="0-1").images[1:] - expected).abs().max() < 1e-5


def test_a_direction_of_some_layers(model):
    made = edit(model, 0, {"sefa0": 3.0}, layers="fine")
    before = lift(model.system, numbered(model, [0]), "z", "w+")
    moved = (made.code - before).abs().sum(2)[0]
    assert (moved[:4] == 0).all() and (moved[4:] > 0).all()


def test_outside_of_a_mask_nothing_moves(model, tmp_path):
    mask = -torch.ones(1, 3, 16, 16)
    mask[..., 4:9, 4:9] = 1
    save_images(torch.cat([mask, model.sample(1)]), tmp_path)
    there = mask[0, 0] > 0
    for source in (1, tmp_path / "00001.png"):
        made = edit(model, source, {"sefa0": 3.0}, mask=tmp_path / "00000.png", steps=2)
        whole = edit(model, source, {"sefa0": 3.0}, steps=2)
        assert made.images[-1][:, ~there].equal(made.images[0][:, ~there])
        assert made.images[-1][:, there].equal(whole.images[-1][:, there])


def test_directions_are_kept_until_the_run_is_trained_on(model):
    first = known_directions(model, "pca", "w")
    file = model.path / "directions-pca-w.safetensors"
    assert file.exists() and known_directions(model, "pca", "w").steps.equal(first.steps)
    file.write_bytes(b"")
    weights = model.path / "model.safetensors"
    with pytest.raises(UserError, match="damaged"):
        known_directions(model, "pca", "w")
    os.utime(weights, (weights.stat().st_mtime + 10, weights.stat().st_mtime + 10))
    assert known_directions(model, "pca", "w").steps.equal(first.steps)


def test_an_inversion_that_was_saved(model, tmp_path):
    target = model.sample(2)[1:]
    inversion = invert(model, target, steps=3, noise=True)
    inversion.save(tmp_path / "code.safetensors")
    made = edit(model, tmp_path / "code.safetensors", {"sefa0": 0.0})
    torch.testing.assert_close(made.images[0], inversion.image[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(made.images[1], made.images[0])
    other = Model(catalog.build("stylegan2", z=8, w=4, ch=4, ch_max=8, size=16, channels=3), model.facts)
    with pytest.raises(UserError, match="another generator"):
        edit(other, tmp_path / "code.safetensors", {"sefa0": 1.0})
    with pytest.raises(UserError, match="another generator"):
        edit(other, 0, {"pca0": 1.0}, given=principal(model, n=64))


def test_on_the_command_line(model, tmp_path, capsys):
    save_images(model.sample(1), tmp_path)
    photo, run = tmp_path / "00000.png", model.path
    torch.testing.assert_close(read_picture(model, photo), model.sample(1), atol=1 / 127, rtol=0)
    out = tmp_path / "out.png"
    call(capsys, "edit", run, photo, "--direction", "sefa0=+2", "--steps", 2, "--out", out)
    assert out.exists()
    call(capsys, "edit", run, 0, "--mix", photo, "--layers", "fine", "--steps", 2, "--alone", "--out", out)
    for words, part in [
        (["--direction", "sefa0"], "smile=+2"),
        (["--direction", "sefa99=1"], "sefa9"),
        (["--direction", "smile=1"], "--world"),
        ([], "nothing to edit"),
        (["--direction", "sefa0=1", "--layers", "thick"], "coarse"),
    ]:
        status, _, said = execute(capsys, "edit", run, 0, *words)
        assert status == 1 and part in said and said.count("\n") == 1
    assert "can't be read" in execute(capsys, "edit", run, tmp_path / "none.png", "--mix", 1)[2]


def test_a_generator_without_styles(tmp_path):
    model = Model(catalog.build("dcgan", z=4, ch=4, size=16, channels=1).eval(), Facts("digits", 16, 1, (), "image"))
    made = edit(model, 0, {"pca0": 1.0})
    assert made.space == "z" and made.images.shape == (2, 1, 16, 16)
    with pytest.raises(UserError, match="layers"):
        edit(model, 0, mix=1)
    assert draw(model, 3).shape == (3, 4)
