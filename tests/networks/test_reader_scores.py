import math

import pytest
import torch

from sfumato.networks.pretrained.scores import confusion, factor_scores, overlaps, separation, verification

NAN = float("nan")


def test_classes_count_where_they_can_be_seen():
    found = {"time": torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.1, 0.9]]), "unasked": torch.rand(4, 2)}
    truth = {"time": torch.tensor([0, 1, 1, -1]), "unread": torch.zeros(4)}
    assert factor_scores(found, truth) == {"time": pytest.approx(2 / 3)}


def test_numbers_count_where_they_can_be_seen():
    truth = torch.tensor([1.0, 2.0, 3.0, NAN])
    found = torch.tensor([1.5, 2.0, 2.5, 99.0])
    assert factor_scores({"x": found}, {"x": truth})["x"] == pytest.approx(1 - 0.5 / 2)
    assert factor_scores({"x": torch.full((4,), 2.0)}, {"x": truth})["x"] == pytest.approx(0)
    assert factor_scores({"x": truth.nan_to_num()}, {"x": truth})["x"] == 1
    for blind in (torch.full((4,), NAN), torch.ones(4)):
        assert math.isnan(factor_scores({"x": found}, {"x": blind})["x"])
    assert math.isnan(factor_scores({"c": torch.rand(2, 3)}, {"c": torch.tensor([-1, -1])})["c"])


def test_overlap_of_parts_by_hand():
    truth = torch.tensor([[0, 0, 1], [1, 1, 255]], dtype=torch.uint8)
    found = torch.tensor([[0, 1, 1], [1, 2, 0]])
    counts = confusion(found, truth, 4)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 2, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert torch.equal(counts, confusion(found[:1], truth[:1], 4) + confusion(found[1:], truth[1:], 4))
    iou = overlaps(counts)
    assert iou[:2].tolist() == [1 / 2, 2 / 4]
    assert iou[2:].isnan().all()  # none of them is there


def test_people_told_apart_without_error_and_by_chance():
    places = torch.eye(4).repeat_interleave(3, 0)
    score = verification(places, torch.arange(4).repeat_interleave(3))
    assert score == {"equal error rate": 0, "accuracy": 1, "threshold": 0}
    random = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    score = verification(random, torch.arange(400) % 20)
    assert score["equal error rate"] == pytest.approx(0.5, abs=0.03)
    assert score["accuracy"] == pytest.approx(0.5, abs=0.03)
    with pytest.raises(ValueError, match="pairs of the same"):
        verification(random, torch.arange(400))


def test_verification_by_hand():
    # Distances on a line: of the same 1 and 3, of others 2, 3 + ε, 5 and 6.
    place = torch.tensor([[0.0], [1.0], [3.0 + 1e-5], [6.0]])
    score = verification(place, torch.tensor([0, 0, 1, 1]))
    # At 3, of 2 and 3, both pairs of the same are taken and one of the four others: (1 + 3/4) / 2.
    assert score["accuracy"] == pytest.approx(0.875)
    assert score["threshold"] == pytest.approx(3, abs=1e-4)
    # At 2 half of the same are refused and a quarter of the others taken, at 3 none and a quarter: they meet between.
    assert score["equal error rate"] == pytest.approx(0.25)


def test_separation_counts_pairs_and_halves_ties():
    assert separation(torch.tensor([3.0, 2.0]), torch.tensor([1.0, 0.0])) == 1
    assert separation(torch.tensor([0.0]), torch.tensor([1.0, 2.0])) == 0
    assert separation(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0])) == pytest.approx(3.5 / 4)
    assert separation(torch.ones(3), torch.ones(5)) == pytest.approx(0.5)
