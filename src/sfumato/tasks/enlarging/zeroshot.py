"""Enlarge one picture by what it teaches about itself: no training set, no weights, and any blur kernel."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ... import catalog
from ...errors import UserError
from ...formats.matlab import read_matrices
from ...networks.superres.internal import at_turn
from ...networks.superres.kernels import centred
from ...system import Batch, Recipe
from ...training.loop import Budget, begin, train
from ..progress import Advance

LEAST_RATE = 9e-3  # of the first: less, and the network of the paper has learned what it can
LARGEST_KERNEL = 64  # pixels a side
GAMES = 3  # for a kernel, at most


def zero_shot(
    colour: Tensor,
    scale: int,
    *,
    kernel: Tensor | Literal["estimate"] | Path | None = None,
    seed: int = 0,
    advance: Advance = lambda share: None,
    preset: str = "small",
    steps: int | None = None,
    minutes: float | None = None,
    gradual: int = 1,
) -> Tensor:
    """A picture enlarged by a network that learns from it alone: (1, c, h, w) in [-1, 1] -> (1, c, s · h, s · w).

    `kernel` is what blurred it: (k, k), a file (`read_kernel`), "estimate" to find it
    first (`find_kernel`), None for bicubic. `gradual` is the number of scales on the way there, whose results become
    pictures to learn from too; it is for bicubic. `steps` or `minutes` limit what each scale learns, `advance` is told
    what share is done. Raises UserError for a picture that is too small, or a kernel that is not one or too large.
    """
    if kernel is not None and gradual > 1:
        raise UserError("scales on the way are for pictures without a kernel of their own")
    with _learning(seed):
        picture, told = colour.detach().clone().float(), advance
        if isinstance(kernel, str):
            kernel = find_kernel(
                picture, scale, seed=seed, advance=lambda share: told(share / 3), preset=preset, steps=steps
            )
            advance = lambda share: told((1 + 2 * share) / 3)  # noqa: E731
        elif isinstance(kernel, Path):
            kernel = read_kernel(kernel, scale)
        system, recipe = _made("zssr", preset, picture, scale=scale)
        budget = Budget(steps or (None if minutes else recipe.steps), minutes=minutes)
        more = {"kernel": kernel.to(picture)[None]} if isinstance(kernel, Tensor) else {}
        fathers = [picture]
        for stage in range(gradual):
            system.ratio.fill_(1 + (scale - 1) * (stage + 1) / gradual)
            feed = _Fathers(fathers, seed, more)
            for state in train(begin(system), feed, budget, seed=seed, schedule=recipe.schedule):
                advance((stage + 0.95 * min(budget.spent(state), 1)) / gradual)
                if system.patience.factor < LEAST_RATE:
                    break
            system.eval().patience.reset()
            with torch.no_grad():
                fathers.append(system.upscale(picture))
        advance(1.0)
    return fathers[-1]


def find_kernel(
    colour: Tensor,
    scale: int = 2,
    *,
    seed: int = 0,
    advance: Advance = lambda share: None,
    preset: str = "small",
    steps: int | None = None,
) -> Tensor:
    """The blur kernel of a picture for a scale of 2 or 4, from a game with itself: (1, c, h, w) in [-1, 1] -> (k, k).

    A game that is lost, whose generator has come to nothing, is begun again with the next seed, at most twice.
    Raises UserError for another scale, or a picture that is too small.
    """
    if scale not in (2, 4):
        raise UserError(f"kernels are found for a scale of 2 or 4, not {scale}")
    picture = colour.detach().clone().float()
    for start in range(GAMES):
        with _learning(seed + start):
            system, recipe = _made("kernelgan", preset, picture)
            if min(picture.shape[-2:]) < system.crop:
                raise UserError(f"pictures of {system.crop} pixels a side are the smallest whose kernel can be found")
            budget = Budget(steps or recipe.steps)
            feed = _Fathers([picture.expand(recipe.batch, -1, -1, -1)], seed + start)
            for state in train(begin(system), feed, budget, seed=seed + start):
                if not start:  # what is told never falls
                    advance(budget.spent(state))
            if not system.lost():
                break
    found: Tensor = system.kernel(scale)
    return found


def read_kernel(path: Path, scale: int) -> Tensor:
    """A kernel from a .mat file that has a matrix "Kernel", or only one, centred: -> (k, k) float32.

    Raises UserError if the file holds no kernel.
    """
    found = read_matrices(path)
    if "Kernel" not in found and len(found) != 1:
        raise UserError(f'{path} has no matrix "Kernel"; it has {", ".join(sorted(found)) or "none"}')
    values = torch.from_numpy(found.get("Kernel", next(iter(found.values()))).copy())
    k = len(values)
    if values.shape != (k, k) or not 2 <= k <= LARGEST_KERNEL or not values.isfinite().all():
        raise UserError(f"{path}: a blur kernel is a square of 2 to {LARGEST_KERNEL} numbers a side")
    if values.sum() <= 0.1 * values.abs().sum():
        raise UserError(f"{path}: a blur kernel has a positive sum")
    return centred(values, scale)


def _made(name: str, preset: str, picture: Tensor, **more: object) -> tuple[Any, Recipe]:
    """A system for a picture, where that is, and how it is trained."""
    cls = catalog.find(name)
    chosen = catalog.preset(cls, preset)
    system: Any = catalog.build(name, **{**chosen.hyper, **more, "channels": picture.shape[1]})
    return system.to(picture.device, memory_format=torch.channels_last), replace(cls.recipe, **chosen.recipe)


@dataclass(frozen=True)
class _Fathers:
    """Pictures to learn from, the larger the oftener, and what is known of their blur."""

    pictures: Sequence[Tensor]
    seed: int
    more: Mapping[str, Tensor] = field(default_factory=dict)

    def at(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """As `training.loop.Feed` says."""
        areas = torch.tensor([float(p.shape[-1] * p.shape[-2]) for p in self.pictures])
        low = self.pictures[at_turn(step, areas / areas.sum())]
        noise = int(np.random.SeedSequence([self.seed, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))
        return Batch(seed=noise, low=low).having(low=low, **self.more)


@contextmanager
def _learning(seed: int) -> Iterator[None]:
    """Gradients, whatever is around; randomness of its own, leaving that around as it was."""
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
