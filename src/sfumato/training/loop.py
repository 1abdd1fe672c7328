"""The one training loop: it runs a system's generator of losses and takes the optimiser steps that it asks for."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from ..errors import UserError, nearest
from ..system import Batch, Losses, Schedule, System, constant
from . import distributed


class DivergedError(UserError):
    """A loss or a gradient is not finite any more."""


class Feed(Protocol):
    """Where batches come from: a pure function of the step and of the part of it that is asked for."""

    def at(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """Part `part` of `parts` of the batch of iteration `step`."""


@dataclass(frozen=True)
class Budget:
    """When a training is over: after so many iterations, images or minutes, whichever comes first."""

    steps: int | None = None
    images: int | None = None
    minutes: float | None = None

    def spent(self, state: "State") -> float:
        """The fraction that is used up, 1 or more when it is over."""
        shares = [
            done / limit if limit else 1.0
            for done, limit in (
                (state.step, self.steps),
                (state.images, self.images),
                (distributed.agree(state.seconds / 60) if self.minutes else 0.0, self.minutes),
            )
            if limit is not None
        ]
        return max(shares, default=0.0)


class Average:
    """An exponential moving average of a system's parameters and buffers, to sample from."""

    def __init__(self, system: System, decay: float) -> None:
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in system.state_dict().items()}

    @torch.no_grad()
    def update(self, system: System, step: int) -> None:
        """Move towards the system's present values; faster at first, so that the start is forgotten."""
        now = system.state_dict()
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        moving = [k for k, v in now.items() if v.is_floating_point()]
        torch._foreach_lerp_([self.values[k] for k in moving], [now[k] for k in moving], weight)
        for k in now.keys() - set(moving):
            self.values[k].copy_(now[k])

    @contextmanager
    def inside(self, system: System) -> Iterator[None]:
        """Lend the average to the system."""
        own = {k: v.detach().clone() for k, v in system.state_dict().items()}
        system.load_state_dict(self.values)
        try:
            yield
        finally:
            system.load_state_dict(own)


@dataclass
class State:
    """Everything that a training is between two iterations."""

    system: System
    optimizers: dict[str, Optimizer]
    average: Average | None = None
    scaler: torch.amp.GradScaler | None = None  # for float16
    step: int = 0  # iterations done
    images: int = 0  # images seen, by all processes
    seconds: float = 0.0  # time spent in iterations
    values: dict[str, Tensor] = field(default_factory=dict)  # losses and reports of the last iteration

    def pack(self) -> dict[str, Any]:
        """What a checkpoint holds. The random state is not in it: it is a function of the seed and the step."""
        return {
            "step": self.step,
            "images": self.images,
            "seconds": self.seconds,
            "system": dict(self.system.state_dict()),
            "average": self.average and self.average.values,
            "scaler": self.scaler and self.scaler.state_dict(),
            "optimizers": {k: o.state_dict() for k, o in self.optimizers.items()},
        }

    def restore(self, packed: Mapping[str, Any]) -> None:
        """Become what was packed."""
        self.step, self.images, self.seconds = packed["step"], packed["images"], packed["seconds"]
        self.system.load_state_dict(packed["system"])
        for k, o in self.optimizers.items():
            o.load_state_dict(packed["optimizers"][k])
            _lay_out(o)
        if self.average:
            self.average.values = {k: v.to(self.average.values[k].device) for k, v in packed["average"].items()}
        if self.scaler:
            self.scaler.load_state_dict(packed["scaler"])


def begin(system: System, *, ema: float = 0.0, dtype: torch.dtype = torch.float32) -> State:
    """The state before the first iteration."""
    distributed.share(system.state_dict().values())
    scaler = torch.amp.GradScaler(_device(system).type) if dtype == torch.float16 else None
    state = State(system, system.optimizers(), Average(system, ema) if ema else None, scaler)
    for group in _groups(state):
        group["initial_lr"] = group["lr"]
    return state


def train(
    state: State,
    feed: Feed,
    budget: Budget,
    *,
    seed: int = 0,
    schedule: Schedule = constant,
    clip: float = 0.0,
    dtype: torch.dtype = torch.float32,
    micro: int = 1,
) -> Iterator[State]:
    """Train until the budget is spent, yielding the state after each iteration.

    `micro` micro-batches share an optimiser step: as many generators advance in lockstep, and their gradients are
    averaged. The random state is set before each iteration from (seed, step), so that to continue from a checkpoint
    is to do what an uninterrupted run would have done. Raises DivergedError before a step on a loss that is not finite.
    """
    system, rank, parts = state.system, distributed.rank(), distributed.world() * micro
    system.train()
    while (progress := budget.spent(state)) < 1:
        begun = time.perf_counter()
        system.iteration, system.progress = state.step, progress
        for group in _groups(state):
            group["lr"] = group["initial_lr"] * schedule(progress)
        torch.manual_seed(hash((seed, state.step, rank)) & 0x7FFF_FFFF_FFFF_FFFF)
        batches = [feed.at(state.step, rank * micro + m, parts) for m in range(micro)]
        if state.step == 0:
            _start(state, batches[0])
        state.values = _iterate(state, batches, clip, dtype)
        if state.average:
            state.average.update(system, state.step)
        state.step += 1
        state.images += batches[0].total
        state.seconds += time.perf_counter() - begun
        yield state


def _start(state: State, batch: Batch) -> None:
    state.system.start(batch)
    distributed.share(state.system.state_dict().values())
    if state.average:
        state.average = Average(state.system, state.average.decay)


def _iterate(state: State, batches: list[Batch], clip: float, dtype: torch.dtype) -> dict[str, Tensor]:
    """One iteration: every phase of every micro-batch's generator, and an optimiser step after each phase."""
    values: dict[str, Tensor] = {}
    phases = [state.system.step(batch) for batch in batches]
    while True:
        players: list[str] = []
        for generator in phases:
            with torch.autocast(batches[0].device.type, dtype, enabled=dtype != torch.float32):
                losses = next(generator, None)
            if losses is None:
                break
            if not players:
                players = [nearest(k, state.optimizers, "player") for k in losses]
                for k in players:
                    state.optimizers[k].zero_grad(set_to_none=True)
            elif players != list(losses):
                raise RuntimeError(f"micro-batches of one step disagree on who plays: {players} and {list(losses)}")
            values |= _backward(state, losses, len(batches))
        if not players:
            return values | state.system.__dict__.pop("reported", {})
        for k in players:
            _advance(state, k, clip)
        if state.scaler:
            state.scaler.update()


def _backward(state: State, losses: Losses, parts: int) -> dict[str, Tensor]:
    """Add the gradients of each player's loss to that player's parameters, and to nobody else's."""
    values: dict[str, Tensor] = {}
    for i, (player, terms) in enumerate(losses.items()):
        named = terms if isinstance(terms, Mapping) else {"loss": terms}
        means = {f"{player}/{k}": t.float().mean() for k, t in named.items()}
        total = torch.stack(list(means.values())).sum() if len(means) > 1 else next(iter(means.values()))
        if not total.isfinite():
            bad = ", ".join(f"{k} = {v.item()}" for k, v in means.items() if not v.isfinite()) or f"{player}'s total"
            raise DivergedError(f"step {state.step}: {bad}; no optimiser step was taken on it. Lower the learning rate")
        scaled = state.scaler.scale(total) if state.scaler else total
        (scaled / parts if parts > 1 else scaled).backward(
            inputs=list(_parameters(state.optimizers[player])), retain_graph=i + 1 < len(losses)
        )
        values |= {k: v.detach() for k, v in means.items()}
    return values


def _advance(state: State, player: str, clip: float) -> None:
    """One optimiser step on gradients that all processes agree on."""
    optimizer = state.optimizers[player]
    gradients = [p.grad for p in _parameters(optimizer) if p.grad is not None]
    distributed.average(gradients)
    if state.scaler:
        state.scaler.unscale_(optimizer)
    if clip:
        norm = torch.nn.utils.clip_grad_norm_(_parameters(optimizer), clip)
        if not norm.isfinite() and not state.scaler:
            names = {id(p): n for n, p in state.system.named_parameters()}
            bad = [
                names.get(id(p), "?")
                for p in _parameters(optimizer)
                if p.grad is not None and not p.grad.isfinite().all()
            ]
            raise DivergedError(f"step {state.step}: the gradient of {player} is not finite in {', '.join(bad[:3])}")
    if state.scaler:
        state.scaler.step(optimizer)
    else:
        optimizer.step()


def _lay_out(optimizer: Optimizer) -> None:
    """Give loaded moments the strides of their parameters: fused kernels walk both as one line of memory."""
    for p, held in optimizer.state.items():
        for k, v in held.items():
            if isinstance(v, Tensor) and v.shape == p.shape:
                held[k] = torch.empty_like(p).copy_(v)


def _parameters(optimizer: Optimizer) -> Iterable[Tensor]:
    return (p for g in optimizer.param_groups for p in g["params"])


def _groups(state: State) -> Iterable[dict[str, Any]]:
    return (g for o in state.optimizers.values() for g in o.param_groups)


def _device(system: System) -> torch.device:
    return next(system.parameters()).device
