"""A run from its first or next iteration to its last: saving, logging, drawing and watching as it trains."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data.batches import Batches
from ..data.pictures import save_grid
from ..errors import UserError
from ..system import Recipe, System
from ..training import checkpoint, distributed
from ..training.loop import Budget, DivergedError, State, begin, train
from ..training.runlog import RunLog
from ..training.watch import Watch
from .model import Facts, Model, write_model

GRIDS = 16  # sample grids over a run
TICK = 50  # iterations between log lines
DRAWN = 64  # images of a grid, and of the check for collapse
EARLY = 0.2  # share of the budget in which samples may all be alike
INTERVAL = 60.0  # seconds between checkpoints


class StoppedError(UserError):
    """The run was asked to stop, and is saved."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def run_to_end(
    run: Path,
    config: Mapping[str, Any],
    recipe: Recipe,
    system: System,
    feed: Batches,
    facts: Facts,
    *,
    again: bool = False,
    quiet: bool = False,
    measure: Callable[[Model], Mapping[str, float]] | None = None,
) -> State:
    """Train until the budget is spent, from the newest checkpoint if `again`; the final state, which is saved.

    Only process 0 writes. `measure` is asked of the model with each sample grid. Raises StoppedError after SIGTERM or
    SIGINT (saved first), UserError for what is wrong with the checkpoint or the disk, DivergedError for losses that are
    not finite.
    """
    seed, options, budget = config["seed"], config["options"], Budget(**config["budget"])
    dtype = getattr(torch, config["choices"]["precision"]["value"])
    first = distributed.rank() == 0
    system.to(feed.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if options["compile"]:
        for network in system.children():
            network.compile()
    state = begin(system, ema=recipe.ema, dtype=dtype)
    complaints = _restore(state, run) if again else []
    with RunLog(run if first else None, step=state.step, quiet=quiet or not first) as log, _signals() as stopped:
        host = _Host(run, facts, log, feed, seed, options["save_every"], measure) if first else None
        if host:
            host.welcome(config, state, complaints, budget, again)
        training = train(
            state,
            feed,
            budget,
            seed=seed,
            schedule=recipe.schedule,
            clip=recipe.clip,
            dtype=dtype,
            micro=options["micro"],
        )
        try:
            for _ in training:
                if host:
                    host.after(state, budget.spent(state))
                if stop := int(distributed.agree(stopped())):
                    text = f"stopped at step {state.step:,} and saved; continue with: sfumato resume {run}"
                    if host:
                        host.save(state)
                        log.event(state.step, "stop", text)
                    raise StoppedError(text, 128 + stop)
        except DivergedError as e:
            log.event(state.step, "diverged", str(e))
            raise
        system.finish(feed.epoch())
        if host:
            host.save(state)
    return state


class _Host:
    """What process 0 does for the run beside training: log, draw, watch, save."""

    def __init__(
        self, run: Path, facts: Facts, log: RunLog, feed: Batches, seed: int, save_every: int | None,
        measure: Callable[[Model], Mapping[str, float]] | None,
    ) -> None:  # fmt: skip
        self.run, self.facts, self.log, self.seed, self.save_every = run, facts, log, seed, save_every
        self.measure = measure
        self.watch, self.data = Watch(), feed.at(0).image[:DRAWN]
        self.drawn, self.saved = 0, -1.0

    def welcome(
        self, config: Mapping[str, Any], state: State, complaints: list[str], budget: Budget, again: bool
    ) -> None:
        """Say what is about to happen, on what, and what was chosen why; draw what an untrained system draws."""
        for text in complaints:
            self.log.event(state.step, "warning", text)
        count = sum(p.numel() for p in state.system.parameters())
        verb = f"continuing at step {state.step:,}:" if again else "training"
        self.log.say(f"{verb} {config['system']['name']} ({config['preset']}, {count:,} parameters)")
        for note in config["data"]["notes"]:
            self.log.say(f"  {note}")
        for what, choice in config["choices"].items():
            self.log.say(f"  {what}: {choice['value']} ({choice['why']})")
        self.log.say(f"  run folder: {self.run}")
        self.drawn, self.saved = int(budget.spent(state) * GRIDS), state.seconds
        if not again:
            self.draw(state)

    def after(self, state: State, progress: float) -> None:
        """What is due after an iteration."""
        if state.step % TICK == 0 or progress >= 1:
            values = {k: float(v) for k, v in state.values.items()}
            self.figures(state, progress, values)
            for text in self.watch.figures(values):
                self.log.event(state.step, "warning", text)
        if int(progress * GRIDS) > self.drawn:
            self.drawn = int(progress * GRIDS)
            images = self.draw(state, progress)
            for text in self.watch.samples(images, self.data) if progress > EARLY else ():
                self.log.event(state.step, "warning", text)
        if state.step % self.save_every == 0 if self.save_every else state.seconds - self.saved >= INTERVAL:
            self.save(state)

    def figures(self, state: State, progress: float, values: Mapping[str, float]) -> None:
        """Log what was reported or measured, and learning rates."""
        rates = {k: o.param_groups[0]["lr"] for k, o in state.optimizers.items()}
        self.log.numbers(
            step=state.step, images=state.images, seconds=state.seconds, progress=progress, lr=rates, values=values
        )

    def draw(self, state: State, progress: float = 0.0) -> Tensor:
        """Draw the samples of this moment, from the same noise as at every other, and keep them as a picture.

        If the model is measured as it trains, it is now, but before the first iteration.
        """
        with state.average.inside(state.system) if state.average else nullcontext():
            model = Model(state.system, self.facts, path=self.run)
            drawn = model.sample(DRAWN, seed=self.seed)
            measured = self.measure(model) if self.measure and progress else {}
        state.system.train()
        if measured:
            self.figures(state, progress, measured)
        save_grid(drawn, self.run / "samples" / f"{state.step:09d}.png")
        return drawn

    def save(self, state: State) -> None:
        """Save all that continuing needs, then the model. Raises UserError for weights that are not finite."""
        self.saved = state.seconds
        bad = [k for k, v in state.system.state_dict().items() if v.is_floating_point() and not v.isfinite().all()]
        if bad:
            raise DivergedError(
                f"step {state.step}: {', '.join(bad[:3])} is not finite any more, and was not saved; "
                "the last checkpoint is intact. Lower the learning rate"
            )
        checkpoint.save_state(self.run / "resume", state.step, state.pack())
        weights = state.average.values if state.average else dict(state.system.state_dict())
        write_model(self.run / "model.safetensors", state.system, self.facts, state.step, weights)


def _restore(state: State, run: Path) -> list[str]:
    """Take up the newest whole checkpoint; a line on each newer one that is damaged."""
    packed, complaints = checkpoint.load_state(run / "resume")
    try:
        state.restore(packed)
    except (RuntimeError, KeyError, ValueError, TypeError) as e:
        text = str(e).strip().splitlines()[0]
        raise UserError(
            f"{run}/resume holds the checkpoint of another system than its config.json says: {text}"
        ) from None
    return complaints


@contextmanager
def _signals() -> Iterator[Callable[[], int]]:
    """A function that tells which signal asked to stop, 0 before one did. Asked twice, the process leaves at once."""
    caught = [0]

    def note(number: int, frame: object) -> None:
        if caught[0]:
            raise KeyboardInterrupt
        caught[0] = number

    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    before = {s: signal.signal(s, note) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: caught[0]
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
