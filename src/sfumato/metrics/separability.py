"""Linear separability: how well planes in a space of codes tell whether pictures have an attribute.

Karras et al., A Style-Based Generator Architecture for GANs, 2018, section 4.2. https://arxiv.org/abs/1812.04948
"""

from collections.abc import Mapping

import torch
from torch import Tensor

KEPT = 0.5  # share of the pictures, those of which a classifier is surest, that count


def linear_svm(x: Tensor, y: Tensor, cost: float = 1.0) -> Tensor:
    """The plane of a linear support vector machine: (n, d), (n,) bool -> (d + 1,) float64, its offset last.

    It minimises |v|² / 2 + cost · Σ max(0, 1 - s (x · v))², where s is ±1 and x ends in a one, by Newton's method on
    the vectors within the margin (Keerthi & DeCoste, 2005). The offset is in |v|, as in LIBLINEAR.
    """
    x = torch.cat([x.double(), torch.ones(len(x), 1, dtype=torch.float64, device=x.device)], 1)
    s = y.double() * 2 - 1
    plane, eye = torch.zeros_like(x[0]), torch.eye(x.shape[1], dtype=torch.float64, device=x.device)

    def loss(v: Tensor) -> Tensor:
        return v.square().sum() / 2 + cost * (1 - s * (x @ v)).clamp(min=0).square().sum()

    for _ in range(100):
        inside = s * (x @ plane) < 1
        near = x[inside]
        slope = plane - 2 * cost * near.T @ (s[inside] - near @ plane)
        step = torch.linalg.solve(eye + 2 * cost * near.T @ near, slope)
        if slope @ step <= 1e-12 * (1 + loss(plane)):
            break
        length = 1.0
        while length > 1e-10 and loss(plane - length * step) > loss(plane) - 1e-4 * length * (slope @ step):
            length /= 2
        plane = plane - length * step
    return plane


def conditional_entropy(y: Tensor, x: Tensor) -> float:
    """H(Y | X) of two rows of yes and no, in nats: (n,) bool twice -> float, from 0 to ln 2."""
    counts = torch.bincount(2 * x.long() + y.long(), minlength=4).view(2, 2).double()
    joint = counts / counts.sum()
    return -(torch.xlogy(joint, joint / joint.sum(1, keepdim=True).clamp(min=1e-300))).sum().item()


def separability(codes: Tensor, attributes: Mapping[str, tuple[Tensor, Tensor]]) -> float:
    """exp Σ H(Y | X) over attributes, X being the side of a plane that a code lies on: (n, d) -> 1 or more.

    An attribute is whether pictures have it, (n,) bool, and how sure that is, (n,). Of each, the surer half of the
    pictures teaches the plane and is then judged by it. Codes are first scaled by one number, their root mean square
    distance from their mean, so that spaces of other units have the same cost. Raises ValueError for fewer than four.
    """
    if len(codes) < 4:
        raise ValueError(f"{len(codes)} pictures are too few; planes need 4 or more")
    codes = codes.double() - codes.double().mean(0)
    codes = codes / codes.square().mean().sqrt().clamp(min=1e-30)
    total = 0.0
    for has, sure in attributes.values():
        kept = sure.argsort(descending=True, stable=True)[: max(2, int(KEPT * len(sure)))]
        x, y = codes[kept], has[kept].to(codes.device)
        plane = linear_svm(x, y)
        total += conditional_entropy(y, x @ plane[:-1] + plane[-1] > 0)
    return float(torch.tensor(total).exp())
