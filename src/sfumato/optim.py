"""An optimiser for pictures: L-BFGS that asks for one gradient a step, as the trainer gives it."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

LONGER = 10.0  # how many times longer than the last a step may be, as models mislead far away
CONCAVE = 2.0  # how many times longer it is where the way down became steeper, of which models know nothing
UPHILL = 0.9  # of the slope at first: what is left of it, uphill, where a step went too far. Strong Wolfe's c2


class LBFGS(Optimizer):
    """Limited-memory BFGS whose line search needs no values of the function, and so no closure.

    Each row of a parameter (b, …) is a problem of its own, with its own history and steps. A step goes the whole way
    that the quadratic model proposes. If the next gradient says that it went too far uphill, it goes back to where
    the secant of the two slopes is zero; else that gradient begins the next step.
    Nocedal & Wright, Numerical Optimization, 2006, algorithm 7.4, eq. 7.20 and 3.7b.
    """

    def __init__(self, params: Iterable[Tensor], lr: float = 1.0, history: int = 10) -> None:
        super().__init__(params, {"lr": lr, "history": history})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    move = _move(self.state[p], p.flatten(1), p.grad.flatten(1), group["lr"], group["history"])
                    p.copy_(move.view(p.shape))


def _move(held: dict[str, Any], x: Tensor, slope: Tensor, lr: float, history: int) -> Tensor:
    """Where to go from x (b, n), given the gradient there and what is held of the steps before."""
    if not held:
        held |= {"count": 0, "length": x.new_ones(len(x), 1), "weight": x.new_zeros(history, len(x), 1)}
        held |= {k: torch.zeros_like(x) for k in ("from", "slope", "way")}
        held |= {k: x.new_zeros(history, *x.shape) for k in ("moves", "turns")}
    before, after = dot(held["slope"], held["way"]), dot(slope, held["way"])  # slopes along the way, at both ends
    far = after > -UPHILL * before
    if held["count"]:
        move = x - held["from"]
        convex = _learn(held, move, slope - held["slope"], ~far)
        way = lr * _way(held, slope)
        growth = dot(move, move).sqrt() / dot(way, way).sqrt().clamp(min=1e-30)
        way = way * torch.where(convex, (LONGER * growth).clamp(max=1.0), CONCAVE * growth)
    else:
        way = lr * _way(held, slope)
    held["length"] = torch.where(far, held["length"] * before / (before - after), 1.0)
    for k, new in (("from", x), ("slope", slope), ("way", way)):
        held[k] = torch.where(far, held[k], new)
    held["count"] += 1
    return held["from"] + held["length"] * held["way"]


def _learn(held: dict[str, Any], move: Tensor, turn: Tensor, good: Tensor) -> Tensor:
    """Remember a move and how much the gradient turned on it, if it is good, and say where the function is convex."""
    slot, product = (held["count"] - 1) % len(held["moves"]), dot(move, turn)
    convex = product > 1e-8 * (dot(move, move) * dot(turn, turn)).sqrt()
    held["moves"][slot], held["turns"][slot] = move, turn
    held["weight"][slot] = torch.where(good & convex, 1 / product, 0.0)
    return convex


def _way(held: dict[str, Any], slope: Tensor) -> Tensor:
    """Minus the inverse Hessian of what is remembered, times the gradient: algorithm 7.4."""
    n = len(held["moves"])
    order = [(held["count"] - 1 - i) % n for i in range(min(held["count"], n))]  # newest first
    moves, turns, weight = held["moves"], held["turns"], held["weight"]
    q, shares = -slope, {}
    scale = torch.zeros_like(slope[:, :1])
    for i in order:
        shares[i] = weight[i] * dot(moves[i], q)
        q = q - shares[i] * turns[i]
        newest = (scale == 0) & (weight[i] > 0)
        scale = torch.where(newest, 1 / (weight[i] * dot(turns[i], turns[i])), scale)
    first = 1 / slope.abs().sum(1, keepdim=True).clamp(min=1.0)  # with no history
    q = q * torch.where(scale == 0, first, scale)
    for i in reversed(order):
        q = q + (shares[i] - weight[i] * dot(turns[i], q)) * moves[i]
    return q


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner products of rows: (b, n), (b, n) -> (b, 1)."""
    return (a * b).sum(1, keepdim=True)
