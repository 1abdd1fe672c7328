"""Paint with a generator: brushes of colour, sketch and warp are wishes that its picture fulfils as far as it can.

Zhu, Krähenbühl, Shechtman & Efros, Generative Visual Manipulation on the Natural Image Manifold, 2016 ("iGAN"),
sections 3.2 and 4.2. https://arxiv.org/abs/1609.03552

Deviations: the code is moved in coordinates in which samples' codes have a standard deviation of 1 in every way, in W
where there is one, so that how far it may go means the same for every generator; steps are Adam's. The term of the
discriminator is left out, as codes stay among those of samples.
"""

import time
from dataclasses import dataclass, field
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import UserError
from ...objectives.oriented import oriented_gradients
from ..model import Model
from .codes import draw, lift, numbered, picture, space_of, spread

SAMPLES = 512  # whose codes say how far a code may go
NEAR = 2e-3  # weight of the squared distance from the code at the start, mean over coordinates
RATE = 0.6  # Adam's, standard deviations: a wish is met in a few steps
CELL = 4  # pixels of a cell in which edges are counted, at 64 px


class Wish(Protocol):
    """What is asked of a picture."""

    def unmet(self, image: Tensor) -> Tensor:
        """How far a picture is from it, mean squares: (1, c, h, w) in [-1, 1] -> ()."""


@dataclass(frozen=True)
class Colour:
    """Pixels under a mask have a colour, or each its own: (h, w) in [0, 1]; (c, 1, 1) or (c, h, w) in [-1, 1]."""

    mask: Tensor
    colour: Tensor

    def unmet(self, image: Tensor) -> Tensor:
        """The mean squared difference under the mask."""
        return _under(self.mask, (image - self.colour).square().mean(1)[0])


@dataclass(frozen=True)
class Sketch:
    """Edges under a mask are those of a drawing: (h, w) in [0, 1]; (1, c, h, w), light lines on dark or the reverse."""

    mask: Tensor
    drawing: Tensor

    def unmet(self, image: Tensor) -> Tensor:
        """The mean squared difference of oriented gradients in the cells under the mask."""
        return _edges_apart(self.mask, image, self.drawing)


@dataclass(frozen=True)
class Warp:
    """What was under a mask in a picture is elsewhere: (h, w) in [0, 1], (1, c, h, w), by pixels down and right.

    Its colours and its edges are asked for where it goes, as in the paper.
    """

    mask: Tensor
    image: Tensor
    by: tuple[int, int]

    def unmet(self, image: Tensor) -> Tensor:
        """The mean squared differences of colours and of oriented gradients, at the place where it goes."""
        mask, there = shifted(self.mask, self.by), shifted(self.image, self.by)
        if not mask.any():
            raise UserError("what is dragged leaves the picture; drag it less far")
        return _under(mask, (image - there).square().mean(1)[0]) + _edges_apart(mask, image, there)


@dataclass
class Session:
    """A picture being painted: the generator, the code at which it began, where it is now, and what is wished.

    `solve` moves the code until the wishes are met as well as they can, or the time is over; the brushes can go on at
    any time, as every solution begins where the last one ended.
    """

    model: Model
    code: Tensor  # (1, …): of the picture now
    space: str
    wishes: list[Wish] = field(default_factory=list)
    noise: list[Tensor] | None = None

    def __post_init__(self) -> None:
        codes = draw(self.model, SAMPLES, space="w" if self.space == "w+" else self.space)
        self._around = spread(codes)
        self._start = self.code.clone()
        self._away = torch.zeros(1, len(self._around.basis), device=self.code.device, requires_grad=True)
        self._optimizer = torch.optim.Adam([self._away], RATE, betas=(0.5, 0.9))
        self._held = [p for p in self.model.system.parameters() if p.requires_grad]

    @property
    def image(self) -> Tensor:
        """The picture now: (1, c, h, w) in [-1, 1]."""
        with torch.no_grad():
            return picture(self.model.system, self.code, self.space, self.noise).clamp(-1, 1)

    def unmet(self) -> float:
        """How far the picture is from what is wished, mean squares."""
        image = self.image
        return float(sum((wish.unmet(image) for wish in self.wishes), torch.zeros(())))

    def step(self) -> float:
        """Move the code once; how far the picture before was from what is wished."""
        return self.solve(0.0, steps=1)

    def solve(self, seconds: float = 0.2, *, steps: int = 1000, enough: float = 1e-3) -> float:
        """Move the code for so long, at least once, or until `enough`; how far the picture before the last step was."""
        if not self.wishes:
            return 0.0
        begun, far = time.perf_counter(), float("inf")
        for parameter in self._held:
            parameter.requires_grad_(False)
        try:
            with torch.enable_grad():
                for _ in range(steps):
                    far = self._moved()
                    if far < enough or time.perf_counter() - begun >= seconds:
                        break
        finally:
            for parameter in self._held:
                parameter.requires_grad_(True)
        return far

    def reset(self) -> None:
        """Back to the picture at the start, without wishes."""
        self.wishes.clear()
        self.code = self._start.clone()
        with torch.no_grad():
            self._away.zero_()
        self._optimizer.state.clear()

    def _moved(self) -> float:
        code = self._now()
        image = picture(self.model.system, code, self.space, self.noise).clamp(-1, 1)
        far = torch.stack([wish.unmet(image) for wish in self.wishes]).sum()
        self._optimizer.zero_grad()
        (far + NEAR * self._away.square().mean()).backward()
        self._optimizer.step()
        self.code = self._now().detach()
        return far.item()

    def _now(self) -> Tensor:
        change = self._around.changes(self._away)
        return self._start + (change[:, None] if self.space == "w+" else change)


def session(
    model: Model, code: Tensor | int = 0, *, space: str | None = None, seed: int = 0, noise: list[Tensor] | None = None
) -> Session:
    """Begin at a code (1, …) of a space, or at the sample of that number. Raises UserError."""
    space = space_of(model, space)
    if isinstance(code, int):
        code = lift(model.system, numbered(model, [code], seed=seed), "z", space).clone()
    return Session(model, code.to(model.device), space, noise=noise)


def shifted(map: Tensor, by: tuple[int, int]) -> Tensor:
    """A map moved by pixels down and right, with nothing where it was: (…, h, w) -> (…, h, w)."""
    h, w = map.shape[-2:]
    down, right = (max(-side, min(side, d)) for side, d in zip((h, w), by, strict=True))
    padded = F.pad(map, (max(right, 0), max(-right, 0), max(down, 0), max(-down, 0)))
    top, left = max(-down, 0), max(-right, 0)
    return padded[..., top : top + h, left : left + w]


def _under(mask: Tensor, map: Tensor) -> Tensor:
    """The mean of a map under a mask: (h, w) twice -> ()."""
    return (map * mask).sum() / mask.sum().clamp(min=1e-6)


def _edges_apart(mask: Tensor, image: Tensor, other: Tensor) -> Tensor:
    cell = max(1, CELL * image.shape[-1] // 64)
    wanted = oriented_gradients(other.expand(1, image.shape[1], -1, -1), cell)
    apart = (oriented_gradients(image, cell) - wanted).square().sum(1)[0]
    return _under(F.max_pool2d(mask[None], cell)[0], apart)
