"""What befalls pictures: each loss by itself, by chance, in order, and settings that there are not."""

import pytest
import torch

from sfumato.errors import UserError
from sfumato.networks.superres.crappify import Crappifier
from sfumato.networks.superres.degrade import as_bytes, coarse, colourless
from sfumato.networks.superres.jpeg import jpeg
from sfumato.system import Batch


def pictures(n=6, side=16):
    return as_bytes(torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1)


def spoiled(n=6, seed=0, **losses):
    batch = Batch(n, seed=seed)
    return Crappifier(**losses)(pictures(n), batch.rand, batch.randn)


def test_without_losses_pictures_stay_what_they_are():
    torch.testing.assert_close(spoiled(), pictures())


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        (dict(grey=True), lambda x: as_bytes(colourless(x))),
        (dict(low=2), lambda x: as_bytes(coarse(x, 2))),
        (dict(worst=30, best=30), lambda x: jpeg(x, torch.full((6,), 30))),
        (
            dict(grey=True, low=2, worst=9, best=9),
            lambda x: jpeg(as_bytes(coarse(colourless(x), 2)), torch.full((6,), 9)),
        ),
    ],
)
def test_each_loss_and_their_order(losses, expected):
    torch.testing.assert_close(spoiled(**losses), expected(pictures()))


def test_noise_is_as_strong_as_said_and_each_pictures_own():
    batch = Batch(500, seed=1)
    flat = torch.zeros(500, 1, 16, 16)
    strengths = Crappifier(noise=30.0)(flat, batch.rand, batch.randn).mul(127.5).std((1, 2, 3))
    assert strengths.max() < 33 and strengths.mean().item() == pytest.approx(15, abs=1.5) and strengths.std() > 7


def test_a_picture_suffers_by_chance():
    found, image = spoiled(n=400, chance=0.3, grey=True), pictures(400)
    share = ((found - image).abs().amax((1, 2, 3)) > 0.01).float().mean()
    assert share.item() == pytest.approx(0.3, abs=0.07)


def test_qualities_lie_between_the_worst_and_the_best():
    image = pictures(1).expand(300, -1, -1, -1)
    batch = Batch(300, seed=0)
    found = Crappifier(worst=20, best=22)(image, batch.rand, batch.randn)
    each = [jpeg(image[:1], torch.tensor([q]))[0] for q in (20, 21, 22)]
    which = torch.stack([(found - e).abs().amax((1, 2, 3)) < 1e-6 for e in each])
    assert which.any(0).all() and (which.float().mean(1) > 0.2).all()


@pytest.mark.parametrize("losses", [dict(worst=50, best=40), dict(worst=-1), dict(best=101), dict(low=0)])
def test_losses_that_there_are_not(losses):
    with pytest.raises(UserError, match="the worst is 0 to the best"):
        Crappifier(**losses)
