"""Kernel distance, Inception score, precision and recall, classes: against direct computations."""

import itertools
import math

import pytest
import torch

from sfumato.errors import UserError
from sfumato.metrics import (
    METRICS,
    class_accuracy,
    find,
    inception_score,
    kernel_distance,
    mode_coverage,
    precision_recall,
)
from sfumato.networks.pretrained import Observed


def normal(n, d, seed, mean=0.0, scale=1.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) * scale + mean


def test_kernel_distance_equals_a_double_loop():
    x, y = normal(30, 8, 1), normal(30, 8, 2, 0.5)

    def k(a, b):
        return (float(a.double() @ b.double()) / 8 + 1) ** 3

    pairs = list(itertools.permutations(range(30), 2))
    within = sum(k(x[i], x[j]) + k(y[i], y[j]) for i, j in pairs) / (30 * 29)
    across = sum(k(a, b) for a in x for b in y) / 900
    mean, std = kernel_distance(x, y, subsets=3, seed=5)  # a subset of all rows is the set, in another order
    assert mean == pytest.approx(within - 2 * across, rel=1e-5)
    assert std == pytest.approx(0, abs=1e-5)


def test_kernel_distance_has_no_bias_for_few_pictures():
    means = [kernel_distance(normal(40, 6, s), normal(40, 6, 1000 + s), subsets=1)[0] for s in range(300)]
    found = torch.tensor(means)
    assert abs(found.mean()) < 3 * found.std() / 300**0.5
    assert kernel_distance(normal(400, 6, 1), normal(400, 6, 2, 1.0))[0] > 1


def test_kernel_distance_follows_its_seed_and_subset_size():
    x, y = normal(300, 6, 1), normal(200, 6, 2, 0.2)
    one = kernel_distance(x, y, subsets=5, subset_size=50, seed=1)
    assert one == kernel_distance(x, y, subsets=5, subset_size=50, seed=1)
    assert one != kernel_distance(x, y, subsets=5, subset_size=50, seed=2)
    assert one[1] > 0
    with pytest.raises(ValueError, match="two pictures"):
        kernel_distance(x[:1], y)


def test_inception_score_of_known_distributions():
    certain = torch.eye(10).repeat(100, 1)  # every part has each class as often
    assert inception_score(certain) == pytest.approx((10.0, 0.0))
    assert inception_score(torch.full((50, 10), 0.1)) == pytest.approx((1.0, 0.0))
    assert inception_score(torch.eye(10)[[3]].repeat(50, 1)) == pytest.approx((1.0, 0.0))
    half = torch.tensor([[0.8, 0.2], [0.2, 0.8]]).repeat(10, 1)
    entropy = -(0.8 * math.log(0.8) + 0.2 * math.log(0.2))
    assert inception_score(half, splits=5)[0] == pytest.approx(2 * math.exp(-entropy))


def test_inception_score_takes_parts_in_order():
    sorted_by_class = torch.eye(10).repeat_interleave(10, 0)
    assert inception_score(sorted_by_class, splits=10)[0] == pytest.approx(1.0)
    assert inception_score(sorted_by_class, splits=1)[0] == pytest.approx(10.0)
    with pytest.raises(ValueError, match="needs 10 pictures"):
        inception_score(sorted_by_class[:9])


def by_hand(real, fake, k):
    def covered(queries, support):
        radii = [
            sorted(float((a - b).norm()) for j, b in enumerate(support) if j != i)[k - 1] for i, a in enumerate(support)
        ]
        return sum(any(float((q - s).norm()) <= r for s, r in zip(support, radii, strict=True)) for q in queries) / len(
            queries
        )

    return covered(fake.double(), real.double()), covered(real.double(), fake.double())


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("chunk", [7, 1000])
def test_precision_and_recall_equal_brute_force(k, chunk):
    real, fake = normal(40, 3, 1, 50.0), normal(30, 3, 2, 50.5, 0.7)
    assert precision_recall(real, fake, k, chunk) == pytest.approx(by_hand(real, fake, k))


def test_precision_and_recall_tell_apart_what_they_should():
    real = normal(300, 4, 3)
    assert precision_recall(real, real) == (1.0, 1.0)
    precision, recall = precision_recall(real, normal(300, 4, 4, 0.0, 0.1))  # good pictures, all alike
    assert precision > 0.9
    assert recall < 0.1
    precision, recall = precision_recall(real, normal(300, 4, 4, 0.0, 6.0))  # everything, mostly bad
    assert precision < 0.2
    assert recall > 0.9
    assert precision_recall(real, normal(300, 4, 5, 100.0)) == (0.0, 0.0)
    assert precision_recall(real, real[:1].repeat(50, 1)) == (1.0, 1 / 300)  # one picture over and over
    with pytest.raises(ValueError, match="more than 3"):
        precision_recall(real, real[:3])


def test_class_accuracy():
    probabilities = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    assert class_accuracy(probabilities, torch.tensor([0, 1, 1, 1])) == 0.75


def test_mode_coverage():
    read = torch.eye(4)[[0, 0, 0, 1]]
    found = mode_coverage(read)
    assert found.counts.tolist() == [3, 1, 0, 0]
    assert (found.covered, found.smallest) == (2, 0.0)
    assert found.divergence == pytest.approx(0.75 * math.log(0.75 / 0.25) + 0)
    equal = mode_coverage(torch.eye(4).repeat(5, 1))
    assert (equal.covered, equal.smallest, equal.divergence) == (4, 0.25, 0.0)
    assert mode_coverage(read, torch.tensor([30, 10, 0, 0])).divergence == pytest.approx(0, abs=1e-12)
    assert mode_coverage(read, torch.tensor([30, 10, 0, 0])).smallest == 0.25
    assert mode_coverage(read, torch.tensor([40, 0, 0, 0])).divergence == math.inf


def test_measures_are_found_by_name_and_fed_in_parts():
    assert set(METRICS) == {"frechet", "kernel", "inception", "precision-recall", "class-accuracy", "modes"}
    with pytest.raises(LookupError, match="did you mean frechet"):
        find("freche")
    assert issubclass(UserError, Exception)
    real, fake = normal(90, 8, 1), normal(90, 8, 2, 0.3)
    p, labels = torch.softmax(3 * normal(90, 5, 3), 1), torch.arange(90) % 5
    expected = {
        "kernel": kernel_distance(real, fake)[0],
        "inception": inception_score(p)[0],
        "precision": precision_recall(real, fake)[0],
        "class-accuracy": class_accuracy(p, labels),
        "modes": mode_coverage(p).covered,
    }
    found = {}
    for name in METRICS:
        measure = find(name)()
        for rows in torch.arange(90).split(40):
            measure.update(Observed(fake[rows], p[rows], labels[rows]), real=False)
            measure.update(Observed(real[rows], p[rows]), real=True)
        found |= measure.compute()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name
    assert found["modes divergence"] == 0
