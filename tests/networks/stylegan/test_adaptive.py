"""Augmentations by chance, and the chance that follows overfitting."""

import pytest
import torch

from sfumato.errors import UserError
from sfumato.networks.stylegan.adaptive import KINDS, Augment, Chance, held_out, replaced
from sfumato.system import Batch

N = 16


def batch(n=64, seed=0):
    return Batch(n, seed=seed)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_chance_of_zero_changes_nothing(channels):
    T, x = Augment(N), torch.randn(64, channels, N, N)
    torch.testing.assert_close(T(x, T.draw(batch(), torch.tensor(0.0), channels)), x, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_happens_as_often_as_it_should(kind):
    channels = 1 if kind == "g" else 3
    T, x = Augment(N, kind), torch.randn(256, channels, N, N)
    least = {"b": 0.9, "g": 1.0, "c": 1.0, "f": 1.0, "n": 1.0, "o": 1.0}[kind]
    for p, low, high in ((1.0, least, 1.0), (0.0, 0.0, 0.0)):
        y = T(x, T.draw(batch(256), torch.tensor(p), channels))
        changed = ((y - x).abs().amax((1, 2, 3)) > 1e-6).float().mean().item()
        assert low - 1e-9 <= changed <= high + 1e-9
    y = T(x, T.draw(batch(256), torch.tensor(0.1), channels))
    changed = ((y - x).abs().amax((1, 2, 3)) > 1e-6).float().mean().item()
    expected = {
        "b": 1 - 0.95 * 0.925 * 0.91,
        "g": 1 - 0.9**4,
        "c": 1 - 0.9**4 * 0.95,
        "f": 1 - 0.9**4,
        "n": 0.1,
        "o": 0.1,
    }
    assert changed == pytest.approx(expected[kind], abs=0.08)


def test_strengths_are_those_of_the_table():
    T, n = Augment(N), 20_000
    drawn = T.draw(batch(n), torch.tensor(1.0), 1)
    assert drawn["turns"].float().mean().item() == pytest.approx(1.5, abs=0.05)
    assert drawn["shift"].abs().max() == 2  # an eighth of 16
    linear, shift = drawn["back"][:, :, :2], drawn["back"][:, :, 2]
    area = linear.det().log2() / 2  # isotropic scale of 2^N(0, 0.2²)
    assert area.std().item() == pytest.approx(0.2, abs=0.01)
    ratio = torch.linalg.svdvals(linear)
    assert (ratio[:, 0] / ratio[:, 1]).log2().square().mean().sqrt().item() == pytest.approx(0.4, abs=0.02)
    there = torch.linalg.solve(linear, -shift)
    assert there.std().item() == pytest.approx(0.125 * N, rel=0.03)
    assert drawn["noise"].std((1, 2, 3)).square().mean().sqrt().item() == pytest.approx(0.1, rel=0.05)
    gains = drawn["gains"]
    one = gains.log2()
    assert one[:, 3].std() > one[:, 0].std()  # the power of the lowest band is what is normalised


def test_an_unknown_kind_is_an_error():
    with pytest.raises(UserError, match="augmentations 'xz' are unknown"):
        Augment(N, "bxz")


def test_parts_of_a_batch_are_augmented_as_the_whole():
    T, x, p = Augment(N), torch.randn(8, 3, N, N), torch.tensor(0.5)
    whole = T(x, T.draw(Batch(8, seed=3), p, 3))
    parts = [T(x[k : k + 4], T.draw(Batch(4, seed=3, first=k, total=8), p, 3)) for k in (0, 4)]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_p_moves_by_the_pictures_seen_in_the_direction_of_overfitting():
    chance = Chance(target=0.6, pictures=1000)
    good, bad = torch.tensor([1.0, 2, 3, -1, 5]), torch.tensor([1.0, -2, 3, -1, 5])
    for _ in range(4):
        chance.note(good, -good)  # r_t = 0.6 exactly: no move
    assert chance.adjust().item() == pytest.approx(0.6) and chance.p == 0
    for _ in range(4):
        chance.note(good.abs(), -good)
    assert chance.adjust() == 1 and chance.p.item() == pytest.approx(20 / 1000)
    chance.note(bad, -good)
    assert chance.adjust().item() == pytest.approx(0.2) and chance.p.item() == pytest.approx(15 / 1000)
    for _ in range(3):
        chance.note(-good.abs(), good)
        chance.adjust()
    assert chance.p == 0 and chance.sums.abs().sum() == 0


def test_p_stops_at_one():
    chance = Chance(0.6, pictures=4)
    for _ in range(3):
        chance.note(torch.ones(4), torch.ones(4))
        chance.adjust()
    assert chance.p == 1


def test_overfitting_by_held_out_pictures():
    chance = Chance(0.5, pictures=100)
    real, fake, held = torch.tensor([4.0, 2.0]), torch.tensor([-1.0, -1.0]), torch.tensor([9.0, 1.0])
    chance.note(real, fake, held, torch.tensor([0.0, 1.0]))
    assert chance.overfitting()[1].item() == pytest.approx((3 - 1) / (3 + 1))
    assert chance.adjust(validation=True).item() == pytest.approx(0.5)


def test_pictures_are_held_out_by_their_content_and_never_trained_on():
    x = (torch.randint(256, (4000, 3, 8, 8)) / 127.5) - 1
    out = held_out(x, 0.2)
    assert out.float().mean().item() == pytest.approx(0.2, abs=0.03)
    assert torch.equal(out, held_out(x.flip(3), 0.2)) and not held_out(x, 0.0).any()
    some, marked = x[:32], out[:32]
    trained = replaced(some, marked)
    kept = {i.numpy().tobytes() for i in some[~marked]}
    assert trained.shape == some.shape and {i.numpy().tobytes() for i in trained} == kept
    assert torch.equal(replaced(some[:2], torch.tensor([True, False])), some[[1, 1]])


@pytest.mark.parametrize("aspect", ["3:2", "2:3"])
def test_other_shapes_are_augmented_in_pixels(aspect):
    p = torch.tensor(0.7)
    wide, square = Augment(N, "bgcfno", aspect), Augment(N, "bgcfno")
    x = torch.randn(64, 3, *wide.sides)
    drawn, known = (T.draw(Batch(64, seed=5), p, 3) for T in (wide, square))
    assert wide(x, drawn).shape == x.shape and torch.equal(wide(x, wide.draw(Batch(64), 0 * p, 3)), x)
    assert torch.equal(drawn["back"][:, :, :2], known["back"][:, :, :2])  # turns and scales are those of pixels
    spread = [torch.linalg.solve(d["back"][:, :, :2], d["back"][:, :, 2]) for d in (drawn, known)]
    moved = spread[1].abs().sum(1) > 0
    high, across = wide.sides
    want = torch.tensor([across / N, high / N]).expand(int(moved.sum()), 2)  # shifts, x first, are shares of the sides
    torch.testing.assert_close(spread[0][moved] / spread[1][moved], want, atol=1e-3, rtol=0)
