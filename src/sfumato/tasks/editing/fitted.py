"""Systems that learn a few pictures in memory, of a generator that stays as it is."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ... import catalog
from ...errors import UserError
from ...system import Batch
from ...training.loop import Budget, begin, train
from ..model import Model
from ..progress import Advance


def fit(
    name: str,
    model: Model,
    pictures: int,
    fields: Mapping[str, Tensor],
    *,
    steps: int | None = None,
    advance: Advance | None = None,
    seed: int = 0,
    **hyper: Any,
) -> Any:
    """A system on a model's generator, by its preset "small", after it has learned a batch in so many `seconds`."""
    cls = catalog.find(name)
    chosen = catalog.preset(cls, "small")
    recipe = replace(cls.recipe, **chosen.recipe)
    facts = dict(size=model.facts.size, aspect=model.facts.aspect, channels=model.facts.channels)
    described = dict(generator=model.system, pictures=pictures, **facts)
    with frozen(seed, model.system):
        system: Any = catalog.build(name, **{**chosen.hyper, **described, **hyper}).to(model.device)
        budget = Budget(recipe.steps if steps is None else steps)
        feed = _Same({k: v.detach().to(model.device).float() for k, v in fields.items()}, seed)
        begun = time.perf_counter()
        for state in train(begin(system), feed, budget, seed=seed, schedule=recipe.schedule):
            if advance:
                advance(budget.spent(state))
        system.__dict__["seconds"] = time.perf_counter() - begun
    return system.eval()


def check_pictures(model: Model, image: Tensor) -> None:
    """Raises UserError if pictures are not of the generator's sides and channels: (b, channels, h, w)."""
    facts = model.facts
    if image.shape[1:] != (facts.channels, *facts.sides) or not len(image):
        raise UserError(
            f"this generator draws {facts.shown} pixels of {facts.channels} channels; give it such pictures"
        )


def binary(mask: Tensor, image: Tensor) -> Tensor:
    """A mask (b or 1, 1, h, w) as 0 and 1 for each picture: -> (b, 1, h, w). Raises UserError for another size."""
    if mask.shape[-2:] != image.shape[-2:] or mask.dim() != 4 or mask.shape[1] != 1 or len(mask) not in (1, len(image)):
        raise UserError(f"a mask is (1, 1, {image.shape[-2]}, {image.shape[-1]}) here, not {tuple(mask.shape)}")
    return (mask > 0.5).to(image).expand(len(image), 1, -1, -1).contiguous()


@dataclass(frozen=True)
class _Same:
    """The same batch at each step, with noise of its own."""

    fields: Mapping[str, Tensor]
    seed: int

    def at(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """As `training.loop.Feed` says."""
        noise = int(np.random.SeedSequence([self.seed, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))
        return Batch(seed=noise, image=next(iter(self.fields.values()))).having(**self.fields)


@contextmanager
def frozen(seed: int, *systems: Any) -> Iterator[None]:
    """Gradients whatever is around, but none of these systems' own; randomness that leaves that around as it was."""
    held = [(p, p.requires_grad) for s in systems for p in s.parameters()]
    modes = [(s, s.training) for s in systems]
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for p, _ in held:
            p.requires_grad_(False)
        for s in systems:
            s.eval()
        try:
            yield
        finally:
            for p, wanted in held:
                p.requires_grad_(wanted)
            for s, training in modes:
                s.train(training)
