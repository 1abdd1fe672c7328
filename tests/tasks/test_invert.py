import numpy as np
import pytest
import torch
from PIL import Image

from command import execute
from networks.editing.generators_small import small
from sfumato import catalog
from sfumato.errors import UserError
from sfumato.networks.editing.spaces import parts
from sfumato.tasks.invert import Inversion, invert
from sfumato.tasks.model import Model
from sfumato.training import checkpoint


def encoder_for(model, space="w+"):
    """One that knows the mean alone."""
    hyper = dict(generator=model.system, space=space, ch=4, ch_max=8, size=16, channels=3)
    return Model(catalog.build("inversion", **hyper).eval(), model.facts)


@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_optimisation_comes_nearer_in_every_space(space):
    model = small()
    target = model.sample(2, seed=4)
    near = invert(model, target, space=space, method="optimise", steps=40)
    assert near.image.shape == target.shape and near.image.abs().max() <= 1
    torch.testing.assert_close(near.mse, (near.image - target).square().mean((1, 2, 3)))
    begun = invert(model, target, space=space, method="optimise", steps=0)
    assert (near.mse < begun.mse).all() and near.mse.mean() < 0.9 * begun.mse.mean()
    torch.testing.assert_close(near.render(model), near.image, rtol=0, atol=1e-5)


def test_a_larger_space_holds_a_picture_that_is_not_the_generators_better():
    model = small()
    target = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    w, plus = (invert(model, target, space=s, method="optimise", steps=30).mse.mean() for s in ("w", "w+"))
    assert plus < w


def test_a_drawn_picture_without_a_style_is_found_by_its_neighbours():
    model = small("dcgan")
    target = model.decode(model.prior(1, seed=0))
    far = (model.decode(model.prior(50, seed=1)) - target).square().mean((1, 2, 3)).min()
    assert invert(model, target, space="z", steps=40).mse < 0.1 * far


def test_hybrid_begins_where_the_encoder_ends():
    model = small()
    encoder, target = encoder_for(model), model.sample(2, seed=4)
    alone = invert(model, target, method="encoder", encoder=encoder)
    torch.testing.assert_close(alone.code, encoder.system.mean.expand(2, -1, -1))
    torch.testing.assert_close(invert(model, target, encoder=encoder, steps=0).code, alone.code)
    assert (invert(model, target, encoder=encoder, steps=30).mse < alone.mse).all()


def test_the_domain_holds_a_code_to_its_encoder():
    model = small()
    encoder, target = encoder_for(model), model.sample(1, seed=4)
    free, held = (invert(model, target, encoder=encoder, steps=30, domain=d).code for d in (0.0, 50.0))
    mean = encoder.system.mean
    assert (held - mean).norm() < 0.5 * (free - mean).norm()


def test_noise_carries_what_codes_cannot_and_keeps_its_variance():
    model = small()
    target = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    without, found = (invert(model, target, steps=30, noise=n, seed=3) for n in (False, True))
    assert without.noise is None and found.mse < without.mse
    assert all(abs(m.mean()) < 1e-5 and abs(m.square().mean() - 1) < 1e-4 for m in found.noise)
    torch.testing.assert_close(found.render(model), found.image, rtol=0, atol=1e-5)


def test_what_a_mask_hides_has_no_say():
    model = small()
    target, mask = model.sample(1, seed=4), torch.ones(1, 1, 16, 16)
    mask[..., 8:] = 0
    other = torch.where(mask > 0, target, -target)
    codes = [invert(model, t, steps=5, mask=mask, features="reader:faces").code for t in (target, target)]
    torch.testing.assert_close(*codes)
    shown = [invert(model, t * mask, steps=5, mask=mask).code for t in (target, other)]
    torch.testing.assert_close(*shown)


def test_the_generator_and_the_random_state_stay_as_they_were():
    model = small()
    before = {k: v.clone() for k, v in model.system.state_dict().items()}
    wanted = [p.requires_grad for p in model.system.parameters()]
    torch.manual_seed(7)
    state = torch.get_rng_state()
    shares = []
    with torch.inference_mode():
        invert(model, model.sample(9), steps=3, advance=shares.append)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(v, before[k]) for k, v in model.system.state_dict().items())
    assert wanted == [p.requires_grad for p in model.system.parameters()]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("space", ["w+", "s"])
def test_a_saved_inversion_is_the_same(space, tmp_path):
    model = small()
    found = invert(model, model.sample(2), space=space, steps=2, noise=True)
    again = Inversion.load(found.save(tmp_path / "a.safetensors"))
    assert (again.space, again.method, again.seconds) == (found.space, found.method, found.seconds)
    assert all(torch.equal(a, b) for a, b in zip(parts(again.code), parts(found.code), strict=True))
    assert torch.equal(again.render(model), found.render(model))


def test_what_cannot_be_inverted_is_said(tmp_path):
    model = small()
    with pytest.raises(UserError, match="draws 16×16 pixels of 3 channels"):
        invert(model, torch.zeros(1, 3, 8, 8))
    with pytest.raises(UserError, match="needs an encoder"):
        invert(model, model.sample(1), method="encoder")
    with pytest.raises(UserError, match="has z alone"):
        invert(small("dcgan"), model.sample(1))
    with pytest.raises(UserError, match="no place in w;"):
        invert(model, model.sample(1), space="w", encoder=encoder_for(model))
    checkpoint.write(tmp_path / "other.safetensors", {"weights": {}})
    with pytest.raises(UserError, match="not the code of a picture"):
        Inversion.load(tmp_path / "other.safetensors")


def test_the_verb_writes_a_picture_and_its_code(tmp_path, capsys):
    run, photo = small().save(tmp_path / "g.safetensors"), tmp_path / "photo.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)).save(photo)
    status, out, err = execute(capsys, "invert", run, photo, "--steps", 3, "--device", "cpu")
    assert status == 0, err
    assert out.split() == [str(tmp_path / "photo-inverted.png"), str(tmp_path / "photo-inverted.safetensors")]
    assert "30×20 pixels; its middle square is taken at 16×16" in err and "dB" in err
    assert Inversion.load(tmp_path / "photo-inverted.safetensors").space == "w+"
    with Image.open(tmp_path / "photo-inverted.png") as both:
        assert both.width > 1.8 * both.height


@pytest.mark.parametrize("name", ["stylegan2", "dcgan"])
def test_the_verb_fills_a_hole(name, tmp_path, capsys):
    run, photo, mask = small(name).save(tmp_path / "g.safetensors"), tmp_path / "p.png", tmp_path / "m.png"
    pixels = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).save(photo)
    Image.fromarray(np.pad(np.full((8, 8), 255, np.uint8), 4)).save(mask)
    words = ["invert", run, photo, "--mask", mask, "--inpaint", "--steps", 4, "--out", tmp_path / "o.png"]
    assert execute(capsys, *words, "--device", "cpu")[0] == 0
    filled = np.asarray(Image.open(tmp_path / "o.png"))[2:66, -66:-2][::4, ::4]
    same = (filled == pixels).all(2)
    assert same.sum() == 16 * 16 - np.sum(~same[4:12, 4:12]) and not same[4:12, 4:12].all()


def test_the_verb_says_what_is_missing(tmp_path, capsys):
    run, photo = small().save(tmp_path / "g.safetensors"), tmp_path / "photo.png"
    Image.new("RGB", (16, 16)).save(photo)
    for words, said in [
        ((tmp_path / "none.png",), "can't be read"),
        ((photo, "--space", "q"), "no space is called 'q'"),
        ((photo, "--method", "optimize"), "did you mean optimise"),
        ((photo, "--inpaint"), "belong together"),
        ((photo, "--out", tmp_path / "a.jpg"), "a .png"),
        ((photo, "--method", "encoder"), "needs an encoder"),
    ]:
        status, _, err = execute(capsys, "invert", run, *words, "--device", "cpu")
        assert status == 1 and said in err, err
