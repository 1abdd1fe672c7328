import pytest
import torch

from networks.editing.generators_small import small
from sfumato.errors import UserError
from sfumato.networks.editing.damage import damaged, kept, luma, middle, plain
from sfumato.objectives.style import mean_gram
from sfumato.resample import imresize
from sfumato.tasks.editing import regions
from sfumato.tasks.editing.fitted import fit
from sfumato.tasks.editing.restore import restore


def test_damage_is_what_it_says():
    torch.manual_seed(0)
    image = torch.rand(2, 3, 16, 16) * 2 - 1
    torch.testing.assert_close(damaged(image, "superres-x4"), imresize(image, 0.25))
    grey = damaged(image, "grey")
    torch.testing.assert_close(grey[:, 0], 0.299 * image[:, 0] + 0.587 * image[:, 1] + 0.114 * image[:, 2])
    torch.testing.assert_close(luma(grey.expand(-1, 3, -1, -1)), grey)
    mask = middle(image)
    assert mask.mean() == 0.75 and not damaged(image, "inpaint", mask)[mask.expand_as(image) == 0].any()
    assert damaged(image, "none") is image
    with pytest.raises(UserError, match="needs a mask"):
        damaged(image, "inpaint")


def test_baselines_keep_what_is_known():
    torch.manual_seed(0)
    image = torch.rand(2, 3, 16, 16) * 2 - 1
    mask = middle(image)
    filled = plain(damaged(image, "inpaint", mask), "inpaint", 3, mask)
    known = mask.expand_as(image) > 0
    assert torch.equal(filled[known], image[known])
    around = [c[0][m[0] > 0].mean() for c, m in zip(image, mask, strict=True)]
    torch.testing.assert_close(filled[:, 0, 8, 8], torch.stack(around))
    assert plain(damaged(image, "grey"), "grey", 3).shape == image.shape
    assert plain(damaged(image, "superres-x4"), "superres-x4", 3).shape == image.shape


def smooth(seed):
    coarse = 0.5 * torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) - 0.25
    return torch.nn.functional.interpolate(coarse, scale_factor=8, mode="bicubic")


@pytest.mark.parametrize("damage", ["superres-x2", "superres-x4", "grey", "inpaint"])
def test_what_is_known_is_kept(damage):
    truth, guess = smooth(0), smooth(1)
    mask = middle(truth) if damage == "inpaint" else None
    given = damaged(truth, damage, mask)
    found = kept(guess, given, damage, mask)
    left = (damaged(found, damage, mask) - given).abs()
    assert left.max() < (1e-2 if damage.startswith("superres") else 1e-6)
    assert (found - truth).square().mean() < 0.8 * (guess - truth).square().mean()
    torch.testing.assert_close(kept(truth, given, damage, mask), truth)


def test_colours_stay_where_brightness_is_known():
    truth, guess = smooth(0), smooth(1)
    found = kept(guess, luma(truth), "grey")
    torch.testing.assert_close(found - luma(found), guess - luma(guess))
    torch.testing.assert_close(luma(found), luma(truth))


@pytest.mark.parametrize("method", ["mgan-prior", "dgp"])
@pytest.mark.parametrize("damage", ["none", "superres-x2", "grey", "inpaint"])
def test_more_steps_explain_what_is_given_better(method, damage):
    model = small()
    truth = small(seed=1).sample(1, seed=2)
    mask = middle(truth) if damage == "inpaint" else None
    fields = {"damaged": damaged(truth, damage, mask)} | ({} if mask is None else {"mask": mask})
    errors = []
    for steps in (1, 15):
        found = fit(method, model, 1, fields, steps=steps, seed=1, damage=damage).restored().detach()
        errors.append((damaged(found, damage, mask) - fields["damaged"]).square().mean())
    assert errors[1] < 0.95 * errors[0]
    whole = restore(model, fields["damaged"], damage, method=method, mask=mask, steps=15, seed=1)
    torch.testing.assert_close(whole, kept(found, fields["damaged"], damage, mask))
    assert whole.shape == truth.shape and whole.abs().max() <= 1
    assert mask is None or torch.equal(whole * mask, fields["damaged"])


def test_a_generator_of_another_family_and_the_generator_afterwards():
    model = small("dcgan")
    before = {k: v.clone() for k, v in model.system.state_dict().items()}
    truth = model.sample(2, seed=3)
    for method in ("mgan-prior", "dgp"):
        assert restore(model, luma(truth), "grey", method=method, steps=2).shape == truth.shape
    assert all(torch.equal(v, before[k]) for k, v in model.system.state_dict().items())
    assert all(p.requires_grad for p in model.system.parameters())


def test_pictures_that_do_not_fit_are_said():
    model = small()
    with pytest.raises(UserError, match="takes pictures of 3×8×8, not 3×16×16"):
        restore(model, torch.zeros(1, 3, 16, 16), "superres-x2")
    with pytest.raises(UserError, match="needs a mask"):
        restore(model, torch.zeros(1, 3, 16, 16), "inpaint")
    with pytest.raises(UserError, match="a mask is"):
        restore(model, torch.zeros(1, 3, 16, 16), "inpaint", mask=torch.zeros(1, 1, 8, 8))


def right_half():
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 8:] = 1
    return mask


def test_outside_of_the_mask_no_bit_moves():
    image, made = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    for soft in (0, 2):
        composed, mask = regions.compose(image, made, right_half(), soft)
        assert torch.equal(composed[..., :8], image[..., :8])
        assert not mask[..., :8].any() and mask[..., 15].min() > 0.99
        assert (mask[..., 8:].max() > mask[..., 8:].min()) == bool(soft)
    assert torch.equal(regions.compose(image, made, right_half())[0][..., 8:], made[..., 8:])


def test_every_edit_changes_its_part_and_nothing_else():
    model, mask = small(), right_half()
    image, other = model.sample(1, seed=1), model.sample(1, seed=2)
    drawn = image.clone()
    drawn[..., 10:13, 10:13] = 1
    for edited in (
        regions.inpaint(model, image, mask, steps=6),
        regions.crossover(model, other, image, mask, steps=6),
        regions.local_style(model, image, other, mask, steps=6),
        regions.scribble(model, image, drawn, around=2, steps=6),
    ):
        assert edited.outside(image) == 0
        assert edited.code.shape == (1, model.system.layers, 8) and len(edited.noise) == len(model.system.G.noises)
        assert not torch.equal(edited.image, image)
        again = model.system.synthesis(edited.code, edited.noise).detach().clamp(-1, 1)
        torch.testing.assert_close(again, edited.made, rtol=0, atol=1e-5)
    assert edited.mask.sum() == 7 * 7
    with pytest.raises(UserError, match="draw something"):
        regions.scribble(model, image, image, steps=1)


def test_crossover_takes_each_part_from_its_picture():
    model, mask = small(), right_half()
    first, second = model.sample(1, seed=1), model.sample(1, seed=2)
    pasted = torch.where(mask > 0, first, second)
    begun, done = (regions.crossover(model, first, second, mask, steps=n).made for n in (1, 40))
    for part in (mask, 1 - mask):
        assert ((done - pasted) * part).square().sum() < 0.8 * ((begun - pasted) * part).square().sum()


def test_local_style_brings_the_part_nearer_to_the_style():
    from sfumato.networks.editing.sight import sight

    model, mask = small(), right_half()
    image, painting = model.sample(1, seed=1), model.sample(1, seed=2)
    look = sight("style")

    def apart(made):
        ours = mean_gram(look(made)[-2], mask)[:, 0]
        return (ours - mean_gram(look(painting)[-2])).square().sum()

    plain, styled = (regions.local_style(model, image, painting, mask, steps=30, weight=w) for w in (0.0, 3.0))
    assert apart(styled.made) < apart(plain.made)


def test_activations_are_copied_at_a_layer():
    model = small()
    code, source = (model.system.extend(model.system.mapping(model.prior(1, seed=s))).detach() for s in (1, 2))
    ours, theirs = (model.system.synthesis(c).detach().clamp(-1, 1) for c in (code, source))
    none, full = torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16)
    torch.testing.assert_close(regions.copy_activations(model, code, source, none, 8), ours)
    moved = regions.copy_activations(model, code, source, full, 16)
    assert not torch.allclose(moved, ours) and not torch.allclose(moved, theirs)
    with pytest.raises(UserError, match="no layer of 7 pixels"):
        regions.copy_activations(model, code, source, full, 7)
