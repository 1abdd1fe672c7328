import numpy as np
import ot
import pytest
import scipy.linalg
import torch

from sfumato.metrics import Moments, frechet_distance


def rows(n, d, seed, scale=1.0, rank=None):
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(rank or d, d, generator=generator) * torch.logspace(0, -1.5, d)
    return (torch.randn(n, rank or d, generator=generator) @ mix * scale + 0.3).float()


def with_scipy(real, fake):
    a, b = real.double().numpy(), fake.double().numpy()
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(s @ t)
    root = root[0] if isinstance(root, tuple) else root
    return np.square(a.mean(0) - b.mean(0)).sum() + np.trace(s + t - 2 * root.real)


@pytest.mark.parametrize(("n", "m"), [(500, 400), (40, 500), (500, 40), (65, 64)])
def test_equals_the_formula_with_a_matrix_square_root(n, m):
    real, fake = rows(n, 64, 1), rows(m, 64, 2, 1.3)
    assert frechet_distance(real, fake) == pytest.approx(with_scipy(real, fake), rel=1e-6)


def test_equals_the_bures_wasserstein_distance_of_pot():
    real, fake = rows(400, 32, 3), rows(300, 32, 4, 0.7)
    a, b = real.double().numpy(), fake.double().numpy()
    expected = ot.gaussian.bures_wasserstein_distance(a.mean(0), b.mean(0), np.cov(a.T), np.cov(b.T))
    assert frechet_distance(real, fake) == pytest.approx(expected**2, rel=1e-6)


def test_singular_covariances_of_many_rows():
    real, fake = rows(300, 24, 5, rank=10), rows(300, 24, 6, rank=7)
    real[:, 3] = fake[:, 3] = 0.5  # a feature that never moves
    a, b = (x.double() - x.double().mean(0) for x in (real, fake))
    nuclear = torch.linalg.svdvals(a @ b.T).sum() / 299
    means = (real.double().mean(0) - fake.double().mean(0)).square().sum()
    expected = means + (a.square().sum() + b.square().sum()) / 299 - 2 * nuclear
    assert frechet_distance(real, fake) == pytest.approx(expected.item(), rel=1e-6)


def test_closed_form_of_gaussians_on_the_axes():
    # Diagonal covariances: |μ - ν|² + Σ (σ - τ)². Rows of ± √(n - 1) / √2 give exact sample moments.
    def exact(mean, deviation):
        d = len(mean)
        signed = torch.cat([torch.eye(d), -torch.eye(d)]).double() * ((2 * d - 1) / 2) ** 0.5
        return (signed * torch.tensor(deviation) + torch.tensor(mean)).float()

    real, fake = exact([0.0, 1.0, 2.0], [1.0, 2.0, 0.5]), exact([3.0, 1.0, 0.0], [0.5, 2.0, 4.0])
    assert frechet_distance(real, fake) == pytest.approx(9 + 4 + 0.25 + 3.5**2, rel=1e-6)


@pytest.mark.parametrize("n", [20, 500])
def test_equal_sets_are_at_no_distance_and_order_does_not_matter(n):
    real, fake = rows(n, 48, 7), rows(n, 48, 8)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(real, real.flip(0)) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(real, fake) == pytest.approx(frechet_distance(fake, real), rel=1e-9)


def test_a_shift_of_all_rows_adds_its_square():
    real = rows(200, 16, 9)
    assert frechet_distance(real, real + 2.0) == pytest.approx(16 * 4, rel=1e-5)


@pytest.mark.parametrize("bad", [torch.zeros(1, 4), torch.full((9, 4), torch.nan)])
def test_refuses_what_has_no_covariance(bad):
    with pytest.raises(ValueError, match=r"two pictures|NaN"):
        frechet_distance(bad, torch.randn(9, 4))


@pytest.mark.parametrize("parts", [(7, 50, 443), (1, 1, 498), (200, 300, 0)])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_moments_in_parts_equal_numpy(parts, offset):
    x = rows(500, 20, 10) + offset
    found = Moments()
    for part in x.split(parts):
        found.update(part)
    assert not found.few
    exact = x.double().numpy()
    np.testing.assert_allclose(found.mean, exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(exact.T), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(5, 9), (5, 300), (300, 5), (300, 200), (0, 300), (300, 0)])
def test_merged_moments_are_those_of_all_rows(n, m):
    x, y = rows(n, 20, 11), rows(m, 20, 12, 2.0) + 5
    first, second, together = Moments(), Moments(), Moments()
    first.update(x)
    second.update(y)
    together.update(torch.cat([x, y]))
    first.merge(second)
    assert first.n == n + m
    torch.testing.assert_close(first.mean, together.mean, rtol=1e-12, atol=0)
    torch.testing.assert_close(first.covariance, together.covariance, rtol=1e-9, atol=1e-12)


def test_moments_keep_rows_only_while_they_are_few():
    found = Moments()
    found.update(rows(20, 20, 13))
    assert found.few
    np.testing.assert_allclose(found.covariance, np.cov(rows(20, 20, 13).double().numpy().T), rtol=1e-9)
    found.update(rows(1, 20, 14))
    assert not found.few
