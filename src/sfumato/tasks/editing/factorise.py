"""Directions that nothing but the generator is needed for: from its first weights, and from how its codes spread.

Shen & Zhou, Closed-Form Factorization of Latent Semantics in GANs, 2020, section 3, "SeFa".
https://arxiv.org/abs/2007.06600
Härkönen et al., GANSpace: Discovering Interpretable GAN Controls, 2020, section 2. https://arxiv.org/abs/2004.02546
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...networks.stylegan.equalised import Linear
from ...networks.stylegan.latents import StyleSpaces
from ..model import Model
from .codes import chosen_layers, draw, spread
from .directions import Directions

SAMPLES = 2048  # whose codes say how long a standard deviation is
FOUND = 10  # directions


def closed_form(model: Model, *, layers: str = "all", k: int = FOUND, n: int = SAMPLES, seed: int = 0) -> Directions:
    """The k directions that change most what the first weights make of a code, for some layers: "sefa0", "sefa1", …

    They are the eigenvectors of A Aᵀ, A being what codes are multiplied by: the weights of styles, or the first layer's
    where there are no styles. n samples say how long a standard deviation is. They are of W, or of Z without styles; of
    some layers alone, of W+. Raises UserError.
    """
    system = model.system
    space = "w" if isinstance(system, StyleSpaces) else "z"
    chosen = chosen_layers(system.layers, layers) if isinstance(system, StyleSpaces) else []
    with torch.no_grad():
        weight = style_weights(system, chosen) if isinstance(system, StyleSpaces) else _first_weights(model)
        values, vectors = torch.linalg.eigh(weight @ weight.T)
        unit = vectors.flip(1).T[:k]
    codes = draw(model, n, seed=seed, space=space)
    around = spread(codes)
    steps = unit * ((codes - around.mean) @ unit.T).std(0)[:, None]
    x = nn.functional.normalize(around.coordinates(steps + around.mean))
    if isinstance(system, StyleSpaces) and len(chosen) < system.layers:
        kept = torch.zeros(system.layers, 1, device=steps.device)
        kept[chosen] = 1
        space, steps = "w+", steps[:, None] * kept
    names = tuple(f"sefa{i}" for i in range(len(unit)))
    shares = (values.flip(0) / values.sum())[: len(unit)].tolist()
    return Directions(space, names, steps, x @ x.T, tuple(shares), "sefa")


def principal(model: Model, *, space: str = "w", k: int = FOUND, n: int = SAMPLES, seed: int = 0) -> Directions:
    """The k principal axes of n samples' codes, the widest first: "pca0", "pca1", …"""
    around = spread(draw(model, n, seed=seed, space=space))
    steps = around.basis[:k].unflatten(1, around.shape)
    variances = around.basis.square().sum(1)
    names = tuple(f"pca{i}" for i in range(len(steps)))
    eye = torch.eye(len(steps), device=steps.device)
    return Directions(space, names, steps, eye, tuple((variances / variances.sum())[:k].tolist()), "pca")


def style_weights(system: StyleSpaces, layers: Sequence[int]) -> Tensor:
    """What the styles of some layers multiply a point of W by: (w, outputs)."""
    eye = torch.eye(len(system.w_mean), device=system.w_mean.device)
    points = torch.zeros(len(eye) + 1, system.layers, len(eye), device=eye.device)
    points[:-1, list(layers)] = eye[:, None]
    made = torch.cat(system.styles(points), 1)
    return made[:-1] - made[-1:]


def _first_weights(model: Model) -> Tensor:
    """What the first layer multiplies a code by: (z, outputs). Raises UserError if none takes codes as they are."""
    codes, found = model.prior(1), list[tuple[nn.Module, tuple[int, ...]]]()

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0].shape[1] == inputs[0].numel() == codes.numel():
            found.append((module, tuple(inputs[0].shape[1:])))

    kinds = nn.Linear | nn.ConvTranspose2d | nn.Conv2d | Linear
    handles = [m.register_forward_pre_hook(note) for m in model.system.modules() if isinstance(m, kinds)]
    model.decode(codes)
    for handle in handles:
        handle.remove()
    if not found:
        raise UserError(f"{model.name} has no layer that takes codes as they are, so that SeFa cannot be used")
    layer, shape = found[0]
    eye = torch.eye(codes.shape[1], device=codes.device).view(-1, *shape)
    made = layer(torch.cat([eye, torch.zeros_like(eye[:1])]))
    return (made[:-1] - made[-1:]).flatten(1)
