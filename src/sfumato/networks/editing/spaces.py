"""Where the codes of a picture can lie, from Z to S, with one way to draw, to lift and to render them.

A code is one tensor, (b, z), (b, w) or (b, layers, w), or in S a list of (b, n). The spaces of a style-based generator
are those of `networks.stylegan.latents`; every other system that decodes has Z alone. Xia et al., GAN Inversion: A
Survey, 2021, section 3.1. https://arxiv.org/abs/2101.05278
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ...errors import UserError, nearest
from ..stylegan.latents import StyleSpaces

SPACES = ("z", "w", "w+", "s")
Code = Tensor | list[Tensor]
Generator = Any  # a system that has `prior` and `decode`


def check_space(generator: Generator, space: str) -> str:
    """The space if the generator has it. Raises UserError if there is no such space, or the generator has it not."""
    nearest(space, SPACES, "space")
    if not hasattr(generator, "decode") or not hasattr(generator, "prior"):
        raise UserError("only a generator that makes pictures of codes can be inverted; `sfumato list` shows which do")
    if space != "z" and not isinstance(generator, StyleSpaces):
        raise UserError(f"space {space} is one of style-based generators; this one has z alone: --space z")
    return space


def parts(code: Code) -> list[Tensor]:
    """A code as a list of tensors, which it is in S already."""
    return list(code) if isinstance(code, Sequence) else [code]


def whole(found: Sequence[Tensor], space: str) -> Code:
    """The way back from `parts`."""
    return list(found) if space == "s" else found[0]


def lift(generator: Generator, code: Code, space: str, to: str) -> Code:
    """A code of one space in that space or a larger one: the same picture, further to move in.

    Raises UserError if `to` is smaller.
    """
    check_space(generator, to)
    path = SPACES[SPACES.index(space) : SPACES.index(to) + 1]
    if not path:
        raise UserError(f"a code of {space} has no place in {to}; ask for {space}, or a larger space")
    for step in path[1:]:
        if step == "w":
            code = generator.truncate(generator.mapping(code), generator.psi)
        else:
            code = generator.extend(code) if step == "w+" else generator.styles(code)
    return code


def picture(generator: Generator, code: Code, space: str, noise: Sequence[Tensor] | None = None) -> Tensor:
    """Pictures of codes, not clipped where the generator does not need it: -> (b, channels, h, w), float32."""
    if not isinstance(generator, StyleSpaces):
        return generator.decode(code).float()
    if space == "s":
        return generator.render(parts(code), noise)
    point: Any = code if space != "z" else lift(generator, code, "z", "w")
    return generator.synthesis(point, noise)


def statistics(generator: Generator, codes: Tensor, space: str) -> tuple[list[Tensor], list[Tensor]]:
    """The mean of drawn codes (n, z), lifted, and how far a number is from it: (1, …) and () for each part."""
    found = parts(lift(generator, codes, "z", space))
    means = [part.mean(0, keepdim=True) for part in found]
    return means, [(p - m).square().mean().sqrt().clamp(min=1e-6) for p, m in zip(found, means, strict=True)]


def fresh_noise(generator: Generator, n: int) -> list[Tensor]:
    """The noise that a generator's pictures share, once for each of n: (n, 1, side, side); nothing if it has none."""
    if not isinstance(generator, StyleSpaces):
        return []
    return [maps.detach().expand(n, -1, -1, -1).clone() for maps in generator.noise()]


class Drawing(nn.Module):
    """A generator as a module from codes of a space to pictures, as `picture` makes them."""

    def __init__(self, generator: Generator, space: str) -> None:
        super().__init__()
        self.generator, self.space = generator, space

    def forward(self, code: Tensor) -> Tensor:
        """As the class says."""
        return picture(self.generator, code, self.space)
