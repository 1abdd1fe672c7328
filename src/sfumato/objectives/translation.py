"""Losses of image translation: of what networks see in two pictures, layer by layer (lists of maps (b, c, h, w)), of
several discriminators at once, of three-way ones, and of codes."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
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


def hinge_g(fake: Tensor) -> Tensor:
    """Minus the scores of fakes. Lim & Ye, 2017."""
    return -fake.mean()


def over_scales(loss: Callable[..., Tensor], *scores: Sequence[Sequence[Tensor]]) -> Tensor:
    """The sum over several discriminators of a loss of their scores, which come last of their maps: -> ()."""
    return torch.stack([loss(*(maps[-1] for maps in found)) for found in zip(*scores, strict=True)]).sum()


def unit_divergence(mean: Tensor) -> Tensor:
    """The divergence of normal codes of variance 1 from standard normal ones, a number of the code: (b, …) -> (b,).

    Half the mean square. Liu et al., 2017, section 2, whose codes have no other variance.
    https://arxiv.org/abs/1703.00848
    """
    return mean.square().flatten(1).mean(1) / 2


def domain_invariant(before: Sequence[Tensor], after: Sequence[Tensor]) -> Tensor:
    """The mean square difference of frozen features, each map at mean 0 and variance 1 first: -> (b,).

    So that what all pictures of a domain have in common weighs little. Huang et al., 2018, section 5.1.
    https://arxiv.org/abs/1804.04732
    """
    pairs = [(F.instance_norm(a), F.instance_norm(b)) for a, b in zip(before, after, strict=True)]
    return torch.stack([(a - b).square().flatten(1).mean(1) for a, b in pairs]).sum(0)


def ternary_d(of_source: Tensor, of_target: Tensor, real: Tensor) -> Tensor:
    """How badly what was made of sources, what was made of targets, and targets are told apart: (b, 3) each -> ().

    Taigman et al., 2016, eq. 3. https://arxiv.org/abs/1611.02200
    """
    found = [_named(logits, k) for k, logits in enumerate((of_source, of_target, real))]
    return torch.stack(found).sum()


def ternary_g(of_source: Tensor, of_target: Tensor) -> Tensor:
    """How far both kinds of what was made are from being taken for targets: (b, 3) each -> ().

    Taigman et al., 2016, eq. 4.
    """
    return _named(of_source, 2) + _named(of_target, 2)


def _named(logits: Tensor, k: int) -> Tensor:
    return -logits.log_softmax(1)[:, k].mean()


def smoothness(image: Tensor) -> Tensor:
    """The sum of the lengths of a picture's gradients, by neighbours to the right and below: (b, c, h, w) -> (b,).

    Taigman et al., 2016, eq. 8, for B = 1, with 1e-8 below the root, whose slope would else be infinite at 0.
    """
    across, down = image[..., :-1, 1:] - image[..., :-1, :-1], image[..., 1:, :-1] - image[..., :-1, :-1]
    return (across.square() + down.square() + 1e-8).sqrt().flatten(1).sum(1)
