"""Systems whose parameters are pictures: that they come nearer to what they are asked for, and by which terms."""

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from sfumato import catalog
from sfumato.errors import UnknownNameError
from sfumato.networks.pretrained.features import features
from sfumato.networks.style.canvas import Scene
from sfumato.objectives import colour, style
from sfumato.system import Batch
from sfumato.systems.style.feature_inversion import ENERGY, variation
from sfumato.systems.style.texture import components
from sfumato.training.loop import Budget, begin, train


def pictures(n=2, side=32, channels=3, seed=0):
    """Blobs in colour."""
    noise = torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return (F.avg_pool2d(noise, 5, 1, 2) * 1.5).clamp(-1, 1)


class Feed:
    """The same batch for ever."""

    def __init__(self, **fields):
        self.fields = fields

    def at(self, step, part=0, parts=1):
        return Batch(seed=0, **self.fields)


def learn(name, steps, feed, **hyper):
    """A trained system, and its losses at every step."""
    torch.manual_seed(0)
    tiny = dict(catalog.preset(catalog.find(name), "tiny").hyper)
    system = catalog.build(name, **tiny | dict(size=32, channels=3, pictures=2) | hyper)
    losses = [sum(v.item() for v in s.values.values()) for s in train(begin(system), feed, Budget(steps=steps))]
    return system, losses


def grams(image, layers=("relu1_1", "relu2_1")):
    return [style.mean_gram(m) for m in features("style", layers)(image)]


def unlike(image, other):
    """How far styles are from others', relative to these: (b,)."""
    aim = grams(other)
    return style.style(features("style", ("relu1_1", "relu2_1"))(image), aim, style.relative(aim))


def test_a_texture_comes_to_its_exemplars_matrices():
    exemplar = pictures()
    system, losses = learn("texture", 60, Feed(image=exemplar))
    found = system.canvas.image().detach()
    assert losses[-1] < 0.02 * losses[0]
    for a, b in zip(grams(found), grams(exemplar), strict=True):
        assert (a - b).norm() < 0.1 * b.norm()
    assert (found - exemplar).square().mean() > 0.03  # and is another picture


def test_statistics_without_a_network_are_matched_in_colour():
    exemplar = pictures()
    hyper = dict(statistics="portilla-simoncelli", scales=2, orientations=2, reach=5, levels=1)
    system, losses = learn("texture", 60, Feed(image=exemplar), **hyper)
    assert losses[-1] < 0.02 * losses[0]
    found = system.canvas.image().detach()
    torch.testing.assert_close(found.mean((2, 3)), exemplar.mean((2, 3)), rtol=0, atol=0.03)
    rows = components(exemplar, exemplar).flatten(2)
    covariance = rows @ rows.mT / rows.shape[2]
    torch.testing.assert_close(covariance, torch.diag_embed(covariance.diagonal(0, 1, 2)), rtol=0, atol=1e-5)
    with pytest.raises(UnknownNameError, match="did you mean gram"):
        catalog.build("texture", statistics="grams")


def test_features_are_inverted_and_reconstructions_differ():
    image = pictures()
    system, losses = learn("feature-inversion", 120, Feed(image=image), layer="relu1_2", repeats=2, smooth=0.1)
    found = system.canvas.image().detach()
    assert losses[-1] < 0.3 * losses[0] and found.shape == (4, 3, 32, 32)
    (ours,), (theirs,) = (features("style", ("relu1_2",))(x) for x in (found, image))
    error = (ours - theirs.repeat(2, 1, 1, 1)).square().sum((1, 2, 3)) / theirs.square().sum((1, 2, 3)).repeat(2)
    assert error.max() < 0.3
    assert (found[0] - found[2]).square().mean() > 1e-4  # of one target
    near, far = (found[:2] - image).square().mean(), (found[:2] - image.flip(0)).square().mean()
    assert near < 0.5 * far


def test_its_regularisers_are_the_papers():
    system = catalog.build("feature-inversion", features="style", size=32, channels=3, alpha=6.0, repeats=2, pictures=1)
    x = torch.tensor([[[[0.5, -1.0], [2.0, 0.0]]]])
    assert system.norm(x).item() == pytest.approx((0.5**6 + 1 + 64) / 4)
    assert variation(x, 2.0).item() == pytest.approx(1.5**2 + 1.5**2 + 1.0 + 4.0)
    by_hand = (1.5**2 + 1.5**2) ** 0.5 + 1.0 + 2.0
    assert variation(x, 1.0).item() == pytest.approx(by_hand, rel=1e-3)
    (group,) = system.optimizers()["image"].param_groups
    assert group["lr"] == pytest.approx(4e-3 * ENERGY * 2 * 3 * 32 * 32) and group["momentum"] == 0.9
    assert [system.recipe.schedule(p) for p in (0, 0.24, 0.26, 0.76)] == pytest.approx([1, 1, 0.1, 0.01])


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_neural_style_comes_nearer_to_the_style_and_keeps_content(optimizer):
    image = pictures()
    system, losses = learn("neural-style", 60, Feed(image=image), optimizer=optimizer, levels=1)
    found = system.painted().detach()
    assert losses[-1] < (0.15 if optimizer == "lbfgs" else 0.5) * losses[0]
    before, after = unlike(image, image.flip(0)), unlike(found, image.flip(0))  # the style of each is the other
    assert (after < 0.05 * before).all()
    assert (found - image).square().mean() < (found - image.flip(0)).square().mean()


def test_more_weight_of_style_is_more_style_and_less_content():
    image, measured = pictures(), []
    for beta in (1.0, 30.0, 1000.0):
        system, _ = learn("neural-style", 40, Feed(image=image), beta=beta, levels=1)
        found = system.painted().detach()
        distance = unlike(found, image.flip(0)).mean()
        (a,), (b,) = (features("style", ("relu2_1",))(x) for x in (found, image))
        measured.append((distance.item(), (a - b).square().mean().item()))
    distances, errors = zip(*measured, strict=True)
    assert distances[0] > distances[1] > distances[2] and errors[0] < errors[1] < errors[2]


def test_pairs_of_a_view_are_content_and_style():
    source, image = pictures(seed=1), pictures(seed=2)
    system, _ = learn("neural-style", 1, Feed(source=source, image=image))
    assert torch.equal(system.content, source) and torch.equal(system.painting, image)


def test_a_painting_is_read_from_its_path(tmp_path):
    Image.new("RGB", (40, 50), (255, 0, 0)).save(tmp_path / "red.png")
    system, _ = learn("neural-style", 1, Feed(image=pictures()), style=str(tmp_path / "red.png"))
    assert torch.equal(system.painting, torch.tensor([1.0, -1, -1]).view(1, 3, 1, 1).expand(2, 3, 32, 32))


def test_colours_of_the_content_are_kept():
    image = pictures()
    system, _ = learn("neural-style", 20, Feed(image=image), colours="content")
    found = system.painted().detach()
    assert found.abs().max() <= 1
    torch.testing.assert_close(found - colour.luma(found), image - colour.luma(image), rtol=0, atol=1e-3)
    assert (colour.luma(found) - colour.luma(image)).abs().mean() > 0.02


def test_matched_styles_have_the_contents_colours():
    image = pictures() * 0.3 + 0.4
    image[1] = -pictures()[1]
    (one, _), (other, _) = (
        learn("neural-style", 40, Feed(image=image), colours=c, beta=1e3) for c in ("matched", "style")
    )
    near, far = ((s.painted().mean((2, 3)) - image.mean((2, 3))).abs().max().item() for s in (one, other))
    assert near < 0.15 < far


def test_styles_are_blended_by_weight_and_kept_apart_by_masks():
    image, (first, second) = pictures(1), pictures(2, seed=5)[:, None]
    system = catalog.build(
        "neural-style", features="style", layer="relu1_1", layers="relu1_1", whiten=0.0, pictures=1, size=32, channels=3
    )
    _, (blended,) = system.aim(Scene(image, [first, second], (3.0, 1.0)), 0)
    a, b = (grams(x, ("relu1_1",))[0] for x in (first, second))
    torch.testing.assert_close(blended, 0.75 * a + 0.25 * b)
    mask = torch.zeros(1, 2, 32, 32)
    mask[:, 0, :, :16], mask[:, 1, :, 24:] = 1, 1
    system.scene = Scene(image, [first, second], mask=mask)
    system.alpha = 0.0
    system.start(Batch(image=image))
    (losses,) = system.step(Batch(image=image))
    losses["image"]["style"].sum().backward()
    moved = system.canvas.levels[0].grad.abs().amax((0, 1, 2)) > 0
    assert moved[:16].all() and moved[24:].all() and not moved[17:23].any()


def test_to_begin_with_noise_is_to_forget_the_content_at_first():
    image = pictures()
    for first, least in (("content", 0.0), ("noise", 0.1)):
        system, _ = learn("neural-style", 1, Feed(image=image), begin=first, levels=1)
        system.start(Batch(image=image))
        assert (system.canvas.image() - image).square().mean() >= least
        assert least or torch.equal(system.canvas.image(), image)
