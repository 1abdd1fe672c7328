"""Several codes make one picture: their maps at a layer, weighted channel by channel, are added and drawn on.

Gu, Shen & Zhou, Image Processing Using Multi-Code GAN Prior, 2019, section 3.1. https://arxiv.org/abs/1912.07116
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from ..stylegan.latents import StyleSpaces
from .inside import module_at


class MultiCode(nn.Module):
    """Codes (n, codes, z or w) and their channels' importance (n, codes, c) make n pictures.

    They meet behind the last layer of `side` pixels. Codes of style-based generators are points of W; layers behind the
    meeting are given their mean, and the small pictures that the levels before it make are averaged. `drawn` are
    codes (m, z) of the generator, to look at its layers. Raises UserError if it has no map of this side.
    """

    def __init__(self, generator: Any, drawn: Tensor, n: int, codes: int, side: int) -> None:
        super().__init__()
        self.styled, self.codes = isinstance(generator, StyleSpaces), codes
        with torch.no_grad():
            if self.styled:
                sides = [min(generator.G.noises[-1]) >> k for k in reversed(range(generator.G.layers // 2))]
                if side not in sides:
                    raise UserError(f"layer: this generator has no map of {side} pixels; it has {sides}")
                self.level, drawn = sides.index(side), generator.mapping(drawn)
                older = hasattr(generator.G, "styled")  # StyleGAN's, with two layers in the first level
                self.place = f"G.styled.{2 * self.level + 1}" if older else f"G.convs.{2 * self.level}"
            else:
                self.place = module_at(generator, lambda: generator.decode(drawn[:1]), side)
            widths: list[int] = []
            self.code = nn.Parameter(torch.zeros(n, codes, drawn.shape[1]))
            with _replacing({generator.get_submodule(self.place): lambda y: widths.append(y.shape[1])}):
                generator.synthesis(drawn[:1]) if self.styled else generator.decode(drawn[:1])
        self.importance = nn.Parameter(torch.full((n, codes, widths[-1]), 1 / codes))

    def begin(self, generator: Any, drawn: Tensor) -> None:
        """Start from drawn codes (n · codes, z), all of the same importance."""
        with torch.no_grad():
            found = generator.mapping(drawn) if self.styled else drawn
            self.code.copy_(found.view_as(self.code))
            self.importance.fill_(1 / self.codes)

    def forward(self, generator: Any) -> Tensor:
        """The pictures, not clipped: (n, channels, h, w)."""
        meeting: dict[nn.Module, Callable[[Tensor], Any]] = {generator.get_submodule(self.place): self.compose}
        if not self.styled:
            with _replacing(meeting):
                return generator.decode(self.code.flatten(0, 1)).float()
        one, all_of = generator.styles(self.code.mean(1)), generator.styles(self.code.flatten(0, 1))
        layers, last = len(one) - len(generator.G.pictures), int(self.place.rpartition(".")[2])
        early = [*range(last + 1), *range(layers, layers + self.level)]  # convolutions, then small pictures
        if "styled" in self.place or generator.G.grows:
            layers, early = len(one), [*range(last + 1 + len(one) - len(generator.G.noises))]
        styles = [all_of[i] if i in early else style for i, style in enumerate(one)]
        if layers < len(one):
            small = list(generator.G.pictures)[: self.level]
            meeting |= {m: lambda y: y.unflatten(0, (-1, self.codes)).mean(1) for m in small}
        with _replacing(meeting):
            return generator.render(styles)

    def compose(self, maps: Tensor) -> Tensor:
        """What the codes give, weighted and added: (n · codes, c, h, w) -> (n, c, h, w)."""
        weight = self.importance.to(maps)[..., None, None]
        return (maps.unflatten(0, (-1, self.codes)) * weight).sum(1)


@contextmanager
def _replacing(by: dict[nn.Module, Callable[[Tensor], Any]]) -> Iterator[None]:
    """Meanwhile the outputs of these modules are what the functions make of them, unless that is None."""
    with ExitStack() as stack:
        for module, make in by.items():
            stack.callback(module.register_forward_hook(lambda m, given, output, f=make: f(output)).remove)
        yield
