"""Codes as editing has them: one tensor in every space, samples of each, their pictures, their layers, their spread."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import UserError
from ...networks.editing import spaces
from ...networks.editing.spaces import Code, check_space
from ...networks.stylegan.latents import StyleSpaces
from ...system import System
from ..model import CHUNK, Model

PARTS = ("coarse", "middle", "fine")
RANK = 1e-6  # of the largest variance: ways in which codes vary less are none


def space_of(model: Model, name: str | None) -> str:
    """The space asked for, else that in which edits are the cleanest: W if there is one. Raises UserError."""
    return check_space(model.system, name or ("w" if isinstance(model.system, StyleSpaces) else "z"))


def flat(code: Code) -> Tensor:
    """A code as one tensor: the styles of S side by side, every other as it is."""
    return code if isinstance(code, Tensor) else torch.cat(list(code), 1)


@torch.no_grad()
def lift(system: System, code: Tensor, space: str, to: str) -> Tensor:
    """The same pictures' codes in a larger space, see `networks.editing.spaces`; no gradients. Raises UserError."""
    return flat(spaces.lift(system, code, space, to))


def picture(system: System, code: Tensor, space: str, noise: Sequence[Tensor] | None = None) -> Tensor:
    """Pictures of codes, differentiable: z (b, z), w (b, w), w+ (b, layers, w), s (b, all styles) -> (b, c, h, w)."""
    if space != "s" or not isinstance(system, StyleSpaces):
        return spaces.picture(system, code, space, noise)
    sides = [style.shape[1] for style in system.styles(system.w_mean[None])]
    return spaces.picture(system, list(code.split(sides, 1)), space, noise)


def render(model: Model, code: Tensor, space: str, noise: Sequence[Tensor] | None = None) -> Tensor:
    """Pictures of codes in [-1, 1] (see `picture`), a few at a time, without gradients; noise is shared by all."""
    with model._ready(0):
        each = code.to(model.device).split(CHUNK)
        return torch.cat([picture(model.system, part, space, noise).float().clamp(-1, 1) for part in each])


def draw(model: Model, n: int, *, seed: int = 0, space: str = "z") -> Tensor:
    """Codes of samples: (n, …). In w+ and s each is mixed of three, so that layers differ as in style mixing."""
    system = model.system
    if space in ("z", "w"):
        return lift(system, model.prior(n, seed=seed), "z", space)
    three = draw(model, 3 * n, seed=seed, space="w").chunk(3)
    assert isinstance(system, StyleSpaces)
    mixed = system.extend(three[0]).clone()
    for part, w in zip(PARTS[1:], three[1:], strict=True):
        mixed[:, chosen_layers(system.layers, part)] = w[:, None]
    return lift(system, mixed, "w+", space)


def numbered(model: Model, numbers: Sequence[int], *, seed: int = 0) -> Tensor:
    """Codes z of samples by number, as `sfumato sample` draws them with a seed: (n, z). Raises UserError."""
    check_space(model.system, "z")
    return torch.cat([model.prior(1, seed=seed, first=number) for number in numbers])


def chosen_layers(layers: int, text: str) -> list[int]:
    """Numbers of layers: "coarse", "middle", "fine", "all", "0-3", "0,5". Raises UserError.

    Coarse are the first four, and fine those from the ninth, as in StyleGAN (section 3.1); a generator of few layers is
    cut into thirds.
    """
    ends = 0, min(4, round(layers / 3)), min(8, round(2 * layers / 3)), layers
    if text in PARTS:
        k = PARTS.index(text)
        return list(range(ends[k], ends[k + 1]))
    if text == "all":
        return list(range(layers))
    try:
        ranges = [(int(first), int(last or first)) for first, _, last in (p.partition("-") for p in text.split(","))]
    except ValueError:
        raise UserError(f"layers {text!r}: give {', '.join(PARTS)}, all, or numbers as 0-3 or 0,5") from None
    if not all(0 <= first <= last < layers for first, last in ranges):
        raise UserError(f"layers {text!r}: there are 0 to {layers - 1}")
    return sorted({k for first, last in ranges for k in range(first, last + 1)})


def only_layers(system: System, change: Tensor, space: str, layers: str) -> Tensor:
    """A change of w+ or s with nothing left in other layers: (…, layers, w) or (…, all styles). Raises UserError.

    In s a level's picture goes with the convolution that shares its point of W.
    """
    assert isinstance(system, StyleSpaces)
    chosen = chosen_layers(system.layers, layers)
    kept = torch.zeros(system.layers, 1, device=change.device)
    kept[chosen] = 1
    if space == "w+":
        return change * kept
    with torch.no_grad():  # a style is of a layer if that layer's point of W moves it
        still = system.styles(torch.zeros(1, system.layers, len(system.w_mean), device=change.device))
        moved = system.styles(torch.ones(1, system.layers, len(system.w_mean), device=change.device) * kept)
    return change * torch.cat([(a != b).float() for a, b in zip(still, moved, strict=True)], 1)[0]


@dataclass(frozen=True)
class Spread:
    """How codes spread: coordinates in which they have no correlation and a standard deviation of 1 in every way.

    There a step has the length of one standard deviation, and right angles are statistical independence. Ways in which
    codes do not vary (W+ of samples, S) are no coordinates.
    """

    mean: Tensor  # (d,)
    basis: Tensor  # (k, d): principal axes times standard deviations, the widest first
    shape: tuple[int, ...]  # of one code, d numbers

    def coordinates(self, codes: Tensor) -> Tensor:
        """(n, …) -> (n, k)."""
        return (codes.flatten(1) - self.mean) @ (self.basis / self.basis.square().sum(1, keepdim=True)).T

    def changes(self, coordinates: Tensor) -> Tensor:
        """Changes of codes that changes of coordinates are: (n, k) -> (n, …)."""
        return (coordinates @ self.basis).unflatten(1, self.shape)


def spread(codes: Tensor) -> Spread:
    """The spread of codes (n, …); n should be several times the numbers in a code."""
    flat = codes.flatten(1)
    mean = flat.mean(0)
    _, deviations, axes = torch.linalg.svd((flat - mean) / max(1, len(flat) - 1) ** 0.5, full_matrices=False)
    kept = deviations.square() > RANK * deviations[0].square()
    return Spread(mean, axes[kept] * deviations[kept, None], tuple(codes.shape[1:]))
