"""Trouble is said in words, once, and not where there is none."""

import torch

from sfumato.training.watch import LATE, Watch, spread


def test_a_discriminator_that_has_won_is_noticed_after_a_while_and_once():
    watch = Watch()
    said = [watch.figures({"D wins": 1.0}) for _ in range(2 * LATE)]
    assert [bool(s) for s in said].index(True) == LATE - 1 and sum(map(len, said)) == 1
    assert "D has won" in said[LATE - 1][0]


def test_a_fair_game_is_not_remarked_on():
    watch = Watch()
    values = [1.0] * (LATE - 1) + [0.9]
    assert not any(watch.figures({"D wins": v}) for v in values * 3)
    assert not any(watch.figures({"D/loss": 0.0}) for _ in range(3 * LATE))


def test_collapsed_samples_are_noticed_against_the_spread_of_the_data():
    data = torch.randn(32, 1, 8, 8)
    one = torch.randn(1, 1, 8, 8)
    watch = Watch()
    assert watch.samples(torch.randn(32, 1, 8, 8), data) == []
    (text,) = watch.samples(one.expand(32, -1, -1, -1) + 0.01 * torch.randn(32, 1, 8, 8), data)
    assert "collapsed" in text
    assert watch.samples(one.expand(32, -1, -1, -1), data) == []  # said already
    assert watch.samples(0.5 * torch.randn(32, 1, 8, 8), data) == []


def test_spread_is_the_root_mean_square_distance():
    assert spread(torch.tensor([0.0, 2.0]).view(2, 1, 1, 1).expand(2, 3, 4, 4)) == 2.0
    assert spread(torch.zeros(1, 3, 4, 4)) == 0.0
