"""Linear models of what codes or responses tell: the boundary between those with and without, the slope of a number."""

import torch
from torch import Tensor, nn

PENALTY = 1e-2  # of the squared weights of a boundary


def boundary(x: Tensor, has: Tensor, penalty: float = PENALTY) -> Tensor:
    """The normal of the boundary by logistic regression in which both sides weigh alike: (n, d), (n,) bool -> (d,)."""
    y = has.to(x.dtype)
    weight = torch.zeros(x.shape[1], device=x.device, requires_grad=True)
    bias = torch.zeros((), device=x.device, requires_grad=True)
    balance = torch.where(has, 0.5 / y.mean(), 0.5 / (1 - y).mean())
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(x @ weight + bias, y, weight=balance)
        loss = loss + penalty * weight.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    return weight.detach()


def slope(x: Tensor, y: Tensor) -> Tensor:
    """The slope of a number by ridge regression: (n, d) of unit variance, (n,) -> (d,).

    The penalty is that of a slope as likely to point anywhere and of as much noise as signal.
    """
    centred, target = x - x.mean(0), y - y.mean()
    normal = centred.T @ centred + x.shape[1] * torch.eye(x.shape[1], device=x.device)
    return torch.linalg.solve(normal, centred.T @ target)


def ranked_apart(score: Tensor, has: Tensor) -> float:
    """The chance that one with scores above one without, the area under the ROC curve: (n,), (n,) bool."""
    ranks = score.argsort().argsort().double() + 1
    n, m = int(has.sum()), int((~has).sum())
    return float((ranks[has].sum() - n * (n + 1) / 2) / (n * m))
