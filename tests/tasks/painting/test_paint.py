"""One picture at a time: any size, several styles, masks, moments on the way, and what is refused."""

import pytest
import torch
from torch.nn import functional as F

from sfumato.errors import UserError
from sfumato.objectives import style
from sfumato.tasks.painting import paint

LAYERS = dict(layers="relu1_1+relu2_1", layer="relu2_1")


def picture(h=40, w=56, seed=0):
    noise = torch.rand(1, 3, h, w, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return (F.avg_pool2d(noise, 5, 1, 2) * 3).clamp(-1, 1)


def test_a_picture_of_any_size_is_painted_moment_by_moment():
    content, styles = picture(), [picture(30, 33, 1), picture(70, 50, 2)]
    moments = list(paint.neural_style(content, styles, weights=[2, 1], steps=12, levels=2, **LAYERS))
    assert [m.share for m in moments] == pytest.approx([k / 12 for k in range(1, 13)])
    assert all(m.image.shape == content.shape and m.image.abs().max() <= 1 for m in moments)
    assert [sorted(m.losses) for m in moments[5:7]] == [
        ["image-2/bound", "image-2/content", "image-2/style"],
        ["image/bound", "image/content", "image/style"],
    ]
    assert moments[-1].losses["image/style"] < moments[6].losses["image/style"]


def test_the_seed_and_nothing_else_decides():
    def last(seed):
        return list(paint.texture(picture(32, 32), steps=3, seed=seed, levels=1, layers="relu1_1"))[-1].image

    assert torch.equal(last(1), last(1)) and not torch.equal(last(1), last(2))


def test_what_no_mask_covers_stays_as_it_is():
    content, styles = picture(48, 64), [picture(seed=1)]
    mask = torch.zeros(1, 1, 48, 64)
    mask[..., :20] = 1
    found = list(paint.neural_style(content, styles, mask=mask, steps=25, levels=1, **LAYERS))[-1].image
    change = (found - content).square().mean((0, 1, 2))
    assert change[:16].mean() > 20 * change[40:].mean()


def test_a_broad_stroke_is_a_larger_style():
    content, painting = picture(32, 32), picture(64, 16, seed=1)
    assert paint._scaled(painting, content, 1.0).shape[-2:] == (64, 16)
    assert paint._scaled(painting, content, 0.5).shape[-2:] == (32, 8)


def test_textures_may_be_larger_than_their_exemplar_and_not_square():
    exemplar = picture(32, 48)
    moments = list(paint.texture(exemplar, (40, 64), steps=30, levels=1, layers="relu1_1"))
    assert moments[-1].image.shape == (1, 3, 40, 64)
    assert moments[-1].losses["image/statistics"] < 0.05 * moments[0].losses["image/statistics"]


def test_a_layer_is_inverted():
    image = picture()
    moments = list(paint.invert_features(image, "relu1_2", steps=30, repeats=2))
    assert moments[-1].image.shape == (2, 3, 40, 56)
    assert moments[-1].losses["image/features"] < 0.5 * moments[0].losses["image/features"]


def test_from_three_hundred_pixels_it_begins_with_half():
    assert [paint.levels_for(torch.zeros(1, 3, n, 2000)) for n in (64, 255, 256, 600, 1024)] == [1, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(styles=[]), "no style is given"),
        (dict(weights=[1.0, 2.0]), "2 weights for 1 styles"),
        (dict(weights=[-1.0]), "none below 0"),
        (dict(mask=torch.ones(1, 2, 40, 56)), "for each of 1 styles"),
        (dict(mask=torch.ones(1, 1, 40, 40)), "give one of the content's size"),
        (dict(mask=torch.ones(1, 1, 40, 56), weights=[1.0]), "not both"),
        (dict(levels=3), "3 levels are too many for 40 pixels"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        next(paint.neural_style(picture(), **{"styles": [picture(seed=1)]} | options))


def test_the_style_of_the_result_is_between_those_of_its_styles():
    content, styles = picture(32, 32), [picture(32, 32, 1), -picture(32, 32, 2)]

    def apart(weights):
        found = list(paint.neural_style(content, styles, weights=weights, steps=25, beta=1e3, levels=1, **LAYERS))[-1]
        return [(style.mean_gram(found.image) - style.mean_gram(s)).norm().item() for s in styles]

    first, both, second = apart([1, 0]), apart([1, 1]), apart([0, 1])
    assert first[0] < both[0] < second[0] and first[1] > both[1] > second[1]
