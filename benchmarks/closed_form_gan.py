"""Checks the objectives of GAN, LSGAN, WGAN and WGAN-GP against divergences of normal distributions in closed form.

    python benchmarks/closed_form_gan.py

Writes docs/results/closed_form_gan.md. A discriminator (a small network on one number) is trained to its optimum
between two fixed distributions; what its objective then says of the generator is compared with the divergence that the
paper's theorem names, by quadrature: 2 JSD - log 4 (Goodfellow et al., 2014, theorem 1), Pearson χ² (Mao et al., 2016,
section 3.2.1) and the Wasserstein-1 distance (Arjovsky et al., 2017; Gulrajani et al., 2017).
"""

from collections.abc import Callable, Iterator
from math import log

import numpy as np
import torch
from torch import Tensor, nn

from pages import record
from sfumato.objectives.adversarial import (
    interpolated,
    least_squares_d,
    least_squares_g,
    logistic_d,
    wasserstein_d,
)

Normal = tuple[float, float]  # mean, standard deviation
PAIRS: list[tuple[Normal, Normal]] = [
    ((0, 1), (0, 1)),
    ((0, 1), (0.5, 1)),
    ((0, 1), (1, 1)),
    ((0, 1), (0, 2)),
    ((-1, 0.7), (1, 1.6)),
    ((0, 1), (3, 1)),
]
SHIFTS: list[tuple[Normal, Normal]] = [((0, 1), (d, 1)) for d in (0, 0.25, 0.5, 1, 2, 3)]
CLIP, GP = 0.1, 100.0
x = np.linspace(-20, 20, 200_001)


def density(p: Normal) -> np.ndarray:
    return np.exp(-0.5 * ((x - p[0]) / p[1]) ** 2) / (p[1] * np.sqrt(2 * np.pi))


def integral(y: np.ndarray) -> float:
    return float(np.trapezoid(y, x))


def jensen_shannon(p: Normal, q: Normal) -> float:
    a, b = density(p) + 1e-300, density(q) + 1e-300
    return 0.5 * integral(a * np.log(2 * a / (a + b)) + b * np.log(2 * b / (a + b)))


def pearson(p: Normal, q: Normal) -> float:
    a, b = density(p) + 1e-300, density(q) + 1e-300
    return integral((b - a) ** 2 / (a + b))


def wasserstein(p: Normal, q: Normal) -> float:
    step = x[1] - x[0]
    return integral(np.abs(np.cumsum(density(p) - density(q)) * step))


def best(
    p: Normal,
    q: Normal,
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor],
    after: Callable[[nn.Module], None],
    act: type[nn.Module] = nn.Tanh,
) -> nn.Module:
    """A network of one number that minimises the loss between draws of two normal distributions."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 48), act(), nn.Linear(48, 48), act(), nn.Linear(48, 1))
    steps = 1000
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 - t / steps)
    for _ in range(steps):
        real, fake = (m + s * torch.randn(512, 1) for m, s in (p, q))
        optimizer.zero_grad()
        loss(net, real, fake).backward()
        optimizer.step()
        schedule.step()
        after(net)
    return net


def expectation(score: Callable[[Tensor], Tensor], p: Normal) -> Tensor:
    """A score at the quantiles of a normal distribution, which stand for it with equal weights: (n,)."""
    u = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    draws = p[0] + p[1] * torch.special.ndtri(u)
    with torch.no_grad():
        return score(draws.float()[:, None]).flatten()


def nothing(net: nn.Module) -> None:
    """No line after the step."""


def clip(net: nn.Module) -> None:
    with torch.no_grad():
        for p in net.parameters():
            p.clamp_(-CLIP, CLIP)


def penalised(net: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return wasserstein_d(net(real), net(fake)) + GP * interpolated(net, real, fake, torch.rand(len(real), 1))


def measured() -> Iterator[tuple[str, Normal, Normal, float, float]]:
    """Objective, distributions, what the trained discriminator says, the closed form."""
    for p, q in PAIRS:
        net = best(p, q, lambda D, r, f: logistic_d(D(r), D(f)), nothing)
        value = -logistic_d(expectation(net, p), expectation(net, q)).item()
        yield "gan: C(G)", p, q, value, 2 * jensen_shannon(p, q) - log(4)
    for p, q in PAIRS:
        net = best(p, q, lambda D, r, f: least_squares_d(D(r), D(f), -1, 1), nothing)
        value = 2 * (least_squares_g(expectation(net, p), 0) + least_squares_g(expectation(net, q), 0)).item()
        yield "lsgan: 2 C(G)", p, q, value, pearson(p, q)
    for p, q in SHIFTS:
        net = best(p, q, lambda D, r, f: wasserstein_d(D(r), D(f)), clip)
        value = -wasserstein_d(expectation(net, p), expectation(net, q)).item()
        yield "wgan: estimate", p, q, value, wasserstein(p, q)
    for p, q in PAIRS:
        net = best(p, q, penalised, nothing, nn.ReLU)  # whose slope can turn at a point
        value = -wasserstein_d(expectation(net, p), expectation(net, q)).item()
        yield "wgan-gp: estimate", p, q, value, wasserstein(p, q)


def ranks(values: list[float]) -> np.ndarray:
    return np.argsort(np.argsort(values)).astype(float)


def main() -> None:
    """Write the tables."""
    lines = ["| objective | data | generator | trained | closed form |", "|---|---|---|---:|---:|"]
    pairs: dict[str, list[tuple[float, float]]] = {}
    for name, p, q, value, truth in measured():
        pairs.setdefault(name, []).append((value, truth))
        lines.append(f"| {name} | N({p[0]}, {p[1]}²) | N({q[0]}, {q[1]}²) | {value:.4f} | {truth:.4f} |")
    lines += [
        "",
        "| objective | rank correlation | greatest difference | trained / closed form |",
        "|---|---:|---:|---:|",
    ]
    for name, rows in pairs.items():
        values, truths = map(list, zip(*rows, strict=True))
        correlation = np.corrcoef(ranks(values), ranks(truths))[0, 1]
        worst = max(abs(v - t) for v, t in rows)
        ratios = [v / t for v, t in rows if abs(t) > 1e-3]
        lines.append(f"| {name} | {correlation:.3f} | {worst:.4f} | {min(ratios):.3f} … {max(ratios):.3f} |")
    lines += [
        "",
        f"The clip of {CLIP} gives WGAN's critic a Lipschitz constant of its own: its estimate is a multiple of W1.",
        f"A penalty of weight λ = {GP:g} lets the slope exceed one: the estimate of a shift d is d + d²/2λ.",
    ]
    record("closed_form_gan", "Objectives against divergences in closed form", lines)


if __name__ == "__main__":
    main()
