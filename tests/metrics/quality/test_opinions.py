"""Agreement with opinions against SciPy, and fusions of ranks by hand."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch

from sfumato.metrics.quality import agreement, ras, reciprocal_rank
from sfumato.metrics.quality.agreement import kendall, logistic, pearson, ranks, spearman
from sfumato.metrics.quality.fusion import rank_adjusted


def pairs(n=300, ties=False, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, generator=generator).double()
    y = 3 / (1 + torch.exp(-2 * (x - 0.3))) + 0.2 * x + 0.1 * torch.randn(n, generator=generator)
    return ((x * 3).round(), (y * 4).round()) if ties else (x, y)


@pytest.mark.parametrize("ties", [False, True])
def test_correlations_equal_scipys(ties):
    x, y = pairs(1500 if not ties else 300, ties)
    assert pearson(x, y) == pytest.approx(scipy.stats.pearsonr(x, y)[0])
    assert spearman(x, y) == pytest.approx(scipy.stats.spearmanr(x, y)[0])
    assert kendall(x, y) == pytest.approx(scipy.stats.kendalltau(x, y)[0])
    assert ranks(x).tolist() == scipy.stats.rankdata(x).tolist()
    assert kendall(x, -y) == pytest.approx(-kendall(x, y)) and spearman(x, x.exp()) == pytest.approx(1)


def curve(x, a, b, c, d, e):
    return a * (0.5 - 1 / (1 + np.exp(b * (x - c)))) + d * x + e


def test_the_logistic_curve_is_found_where_it_was():
    x, _ = pairs()
    y = torch.from_numpy(curve(x.numpy(), -40.0, 1.7, 0.4, 2.0, 55.0))
    torch.testing.assert_close(logistic(x, y), y, atol=2e-3, rtol=0)
    torch.testing.assert_close(logistic(1000 * x + 5, y), y, atol=2e-3, rtol=0)  # whatever the scale


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("n", [12, 60, 300])
def test_the_fit_is_no_worse_than_scipys(n, sign):
    x, y = pairs(n)
    with np.errstate(over="ignore"):
        best, _ = scipy.optimize.curve_fit(curve, x.numpy(), y.numpy(), [3, 1, 0, 0, 1.5], maxfev=20_000)
        error = np.sqrt(np.mean((curve(x.numpy(), *best) - y.numpy()) ** 2))
    found = agreement(sign * x, y)
    assert found.rmse <= error * (1 + 1e-4)
    assert found.plcc == pytest.approx(np.sqrt(1 - found.rmse**2 / y.var(correction=0).item()), rel=1e-6)
    assert found.srcc == pytest.approx(sign * spearman(x, y)) and found.krcc == pytest.approx(sign * kendall(x, y))
    assert found.as_dict().keys() == {"plcc", "srcc", "krcc", "rmse"}


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([1.0, 2, 3, 4, 5], [1.0] * 5),
        ([1.0] * 8, [*range(8)]),
        ([*range(8)], [2.0] * 8),
        ([*range(7), np.nan], [*range(8)]),
    ],
)
def test_what_cannot_agree(x, y):
    with pytest.raises(ValueError, match=r"six pairs|all are equal|no finite"):
        agreement(torch.tensor(x).double(), torch.tensor(y).double())


def test_reciprocal_ranks_by_hand():
    scores = torch.tensor([[0.9, 10.0], [0.5, 30.0], [0.7, 20.0]])
    # ranks: 1, 3, 2 and 3, 1, 2
    expected = [1 / 61 + 1 / 63, 1 / 63 + 1 / 61, 2 / 62]
    assert reciprocal_rank(scores).tolist() == pytest.approx(expected)
    assert reciprocal_rank(scores, k=0).tolist() == pytest.approx([1 + 1 / 3, 1 / 3 + 1, 1])
    tied = torch.tensor([[2.0], [5.0], [2.0], [1.0]])
    assert reciprocal_rank(tied, k=0).tolist() == pytest.approx([(1 / 2 + 1 / 3) / 2, 1, (1 / 2 + 1 / 3) / 2, 1 / 4])


def test_adjusted_scores_by_hand():
    base, order = torch.tensor([0.2, 0.6, 0.4]), torch.tensor([3.0, 1.0, 2.0])
    # λ = 4 · 0.4 / 3; the first has two below it and none above, the second the reverse
    step = 4 * 0.4 / 3
    assert rank_adjusted(base, order).tolist() == pytest.approx([0.2 + step, 0.6 - step, 0.4])
    assert rank_adjusted(base, torch.ones(3)).tolist() == pytest.approx(base.tolist())


def test_fusion_beats_its_parts_and_needs_no_opinion():
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(200, generator=generator).double()
    noisy = torch.stack([(truth + 0.7 * torch.randn(200, generator=generator)) * s for s in (1, 50, 0.01, 3)], 1)
    single = max(spearman(v, truth) for v in noisy.unbind(1))
    assert spearman(ras(noisy), truth) > single
    one = torch.stack([truth, truth * 2], 1)
    assert spearman(reciprocal_rank(one), truth) == pytest.approx(1) and spearman(ras(one), truth) == pytest.approx(1)
    torch.testing.assert_close(ras(noisy), rank_adjusted(noisy[:, 0], reciprocal_rank(noisy)))
