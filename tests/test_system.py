import pytest
import torch

from sfumato.errors import UserError
from sfumato.system import Batch, schedule_named

IMAGE = torch.zeros(6, 1, 32, 32)


def test_parts_of_a_batch_see_together_the_noise_of_the_whole():
    whole = Batch(image=IMAGE, seed=3)
    parts = [Batch(image=IMAGE[:2], seed=3, first=first, total=6) for first in (0, 2, 4)]
    for draw in (lambda b: b.randn(3), lambda b: b.rand(2, 2), lambda b: b.randint(9), lambda b: b.noisy(b.image, 0.5)):
        assert torch.equal(torch.cat([draw(b) for b in parts]), draw(whole))


def test_noise_has_the_spread_that_is_asked():
    seen = Batch(image=IMAGE, seed=0).noisy(IMAGE, 0.2)
    assert abs(seen.std().item() - 0.2) < 0.01
    assert abs(seen.mean().item()) < 0.01


def test_no_noise_is_no_draw():
    quiet, other = Batch(image=IMAGE, seed=0), Batch(image=IMAGE, seed=0)
    assert quiet.noisy(IMAGE, 0.0) is IMAGE
    assert torch.equal(quiet.randn(1), other.randn(1))


@pytest.mark.parametrize(
    ("name", "progress", "factor"),
    [("linear@0.5", 0.4, 1.0), ("linear@0.5", 0.75, 0.5), ("cosine@0.2", 0.6, 0.5), ("x0.1@0.5,0.75", 0.49, 1.0),
     ("x0.1@0.5,0.75", 0.5, 0.1), ("x0.1@0.5,0.75", 0.9, 0.01), ("constant", 0.9, 1.0)],
)  # fmt: skip
def test_a_schedule_is_what_its_name_says(name, progress, factor):
    schedule = schedule_named(name)
    assert schedule(progress) == pytest.approx(factor)
    assert schedule.__name__ == name


@pytest.mark.parametrize("name", ["cosin", "x0.1@2", "linear@", "xx@0.5", "linear@0.1,0.2"])
def test_another_name_of_a_schedule_is_an_error(name):
    with pytest.raises(UserError, match="schedule"):
        schedule_named(name)
