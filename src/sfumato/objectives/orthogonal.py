"""Filters that do not repeat each other."""

from collections.abc import Iterable

import torch
from torch import Tensor


def orthogonal(weights: Iterable[Tensor]) -> Tensor:
    """The squared products of every two different filters, summed over weights (out, …): -> ().

    Brock et al., 2018, eq. 3: lengths, the diagonal of the products, are free. https://arxiv.org/abs/1809.11096
    """
    found = []
    for weight in weights:
        with torch.autocast(weight.device.type, enabled=False):
            rows = weight.flatten(1)
            products = rows @ rows.T
            found.append(products.square().sum() - products.diagonal().square().sum())
    return torch.stack(found).sum()
