"""Fréchet distance at d = 2048: ours beside `scipy.linalg.sqrtm`, in speed and in precision.

    python benchmarks/frechet.py [--dim 2048] [--rounds 3]

Needs SciPy (`pip install sfumato[test]`). Each round times both forms one after the other, in changing order. Writes
docs/results/frechet.md.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from pages import record
from sfumato.metrics import Moments, frechet_distance


def with_sqrtm(real: Moments, fake: Moments) -> float:
    """The formula as it is usually written."""
    root = scipy.linalg.sqrtm(real.covariance.numpy() @ fake.covariance.numpy())
    root = root[0] if isinstance(root, tuple) else root
    means = (real.mean - fake.mean).square().sum().item()
    return means + (real.covariance.trace() + fake.covariance.trace()).item() - 2 * float(np.trace(root).real)


def features(n: int, dim: int, seed: int, scale: float) -> Tensor:
    """Rows with a covariance whose eigenvalues fall as those of Inception features do, about 1/k²."""
    generator = torch.Generator().manual_seed(seed)
    spectrum = scale / torch.arange(1, dim + 1)
    basis, _ = torch.linalg.qr(torch.randn(dim, dim, generator=torch.Generator().manual_seed(0)))
    return (torch.randn(n, dim, generator=generator) * spectrum) @ basis.T + 0.4


def moments(rows: Tensor) -> Moments:
    found = Moments()
    found.update(rows)
    return found


def exact(real: Tensor, fake: Tensor) -> float:
    """By singular values of the rows themselves: no covariance is formed and no small eigenvalue is lost."""
    a, b = real.double(), fake.double()
    mean_a, mean_b = a.mean(0), b.mean(0)
    a, b = (a - mean_a) / (len(a) - 1) ** 0.5, (b - mean_b) / (len(b) - 1) ** 0.5
    r_a, r_b = torch.linalg.qr(a, mode="r").R, torch.linalg.qr(b, mode="r").R
    nuclear = torch.linalg.svdvals(r_a @ r_b.T).sum()
    return ((mean_a - mean_b).square().sum() + a.square().sum() + b.square().sum() - 2 * nuclear).item()


def timed(run: Callable[[], float]) -> tuple[float, float]:
    start = time.perf_counter()
    value = run()
    return time.perf_counter() - start, value


def compare(n: int, dim: int, rounds: int) -> str:
    real, fake = features(n, dim, 1, 1.0), features(n, dim, 2, 1.1)
    a, b = moments(real), moments(fake)
    forms = {"ours": lambda: frechet_distance(a, b), "sqrtm": lambda: with_sqrtm(a, b)}
    seconds: dict[str, list[float]] = {k: [] for k in forms}
    values: dict[str, float] = {}
    for i in range(rounds):
        for k in list(forms) if i % 2 else reversed(forms):
            took, values[k] = timed(forms[k])
            seconds[k].append(took)
    truth = exact(real, fake)
    ours, theirs = (statistics.median(seconds[k]) for k in ("ours", "sqrtm"))
    ratio = statistics.median(t / o for o, t in zip(seconds["ours"], seconds["sqrtm"], strict=True))
    errors = [f"{abs(values[k] - truth) / truth:.1e}" for k in ("ours", "sqrtm")]
    return f"| {n} | {dim} | {ours:.2f} | {theirs:.2f} | {ratio:.1f}× | {errors[0]} | {errors[1]} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dim", type=int, default=2048, help="features")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    lines = [
        "Seconds of ours (symmetric eigen-decomposition) and of `scipy.linalg.sqrtm`, and the relative error of each",
        "against singular values of the features themselves.",
        "",
        f"torch {torch.__version__}, SciPy {scipy.__version__}, {torch.get_num_threads()} threads.",
        "",
        "| pictures | d | ours, s | sqrtm, s | ratio | our relative error | sqrtm's |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [compare(n, given.dim, given.rounds) for n in (given.dim // 4, given.dim * 2, given.dim * 5)]
    record("frechet", f"Fréchet distance in {given.dim:,} dimensions", lines)


if __name__ == "__main__":
    main()
