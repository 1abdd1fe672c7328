"""Losses between what networks see in two pictures, layer by layer: lists of maps (b, c, h, w)."""

from collections.abc import Sequence

import torch
from torch import Tensor


def layers_matched(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """The mean absolute difference of discriminators' maps, scores, which come last, left out: -> ().

    Summed over layers, averaged over discriminators. Wang et al., 2018, eq. 4, averaged as in the authors' code.
    https://arxiv.org/abs/1711.11585
    """
    found = [
        (a.detach() - b).abs().mean()
        for ours, theirs in zip(real, fake, strict=True)
        for a, b in zip(ours[:-1], theirs[:-1], strict=True)
    ]
    return torch.stack(found).sum() / len(real)


def deep_heavy(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """The mean absolute difference of frozen features, deeper layers heavier: -> (b,).

    The last weighs 1, the one before 1/4, each before that half as much. Wang et al., 2018, in the authors' code.
    """
    last = len(real) - 1
    weights = [1.0 if k == last else 2.0 ** (k - last - 1) for k in range(len(real))]
    found = [w * (a - b).abs().flatten(1).mean(1) for w, a, b in zip(weights, real, fake, strict=True)]
    return torch.stack(found).sum(0)


def hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    """Reals below 1 and fakes above -1 cost what they lack. Lim & Ye, 2017; Park et al., 2019.

    https://arxiv.org/abs/1705.02894
    """
    return torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()
