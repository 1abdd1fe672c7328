"""Train a system on pictures: from a name and a source to a run folder with a model, samples, measures and a report."""

import platform
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from .. import catalog
from ..aspect import SQUARE, sides
from ..data.batches import Batches
from ..data.prepare import Pictures, prepare, write_skipped
from ..data.views import VIEWS
from ..errors import UserError, nearest
from ..metrics import METRICS
from ..system import Recipe, System, schedule_named
from ..training import checkpoint, distributed
from ..training.loop import Budget
from ..training.machine import PRECISIONS, Choice, choose_device, prepare_machine
from .model import Facts, Model, load
from .running import run_to_end
from .runs import command, new_run, read_config, versions, write_config


def train(
    system: str,
    *,
    preset: str = "small",
    data: str | Path | None = None,
    size: int | None = None,  # shorter side of the images, pixels
    aspect: str | None = None,  # their shape, width:height, like "3:2"; None = as the recipe has it, a square
    batch: int | None = None,  # images an iteration
    steps: int | None = None,
    images: int | None = None,
    minutes: float | None = None,
    view: str | None = None,
    schedule: str | None = None,  # constant, linear, cosine, linear@0.5, x0.1@0.5,0.75
    clip: float | None = None,
    ema: float | None = None,
    metrics: tuple[str, ...] | None = None,
    channels: int | None = None,  # 1 grey, 3 colour, 4 with transparency; None = 1 or 3, as the pictures are
    fit: str = "crop",  # how a picture gets its shape: crop, fit (distort) or pad
    labels: str | Path | None = None,  # csv or json of names and labels
    holdout: float = 0.0,  # share of the pictures kept from training, to measure against
    per_class: int = 10,  # labelled pictures a class, of the view "semi"
    flip: bool = False,  # mirror half of the pictures
    seed: int = 0,
    out: str | Path | None = None,
    device: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    compile: bool = False,
    micro: int = 1,  # micro-batches an optimiser step
    save_every: int | None = None,  # iterations between checkpoints; None = a minute
    evaluate: bool = True,
    follow: bool = False,  # measure 1,000 images with each grid of samples too
    extractor: str | None = None,
    quiet: bool = False,
    **hyper: Any,
) -> Model:
    """Train a system and return it; the run folder is `model.path`.

    Further keyword arguments are the system's own hyperparameters. Raises UserError for what a user can mend.
    """
    cls = catalog.find(system)
    chosen = catalog.preset(cls, preset)
    known = catalog.hyperparameters(cls)
    for k in hyper:
        nearest(k, known, f"option or hyperparameter of {system}")
    proposed = replace(cls.recipe, **chosen.recipe)
    recipe = _chosen_recipe(
        proposed, data=data and str(data), size=size, aspect=aspect, batch=batch, steps=steps, clip=clip, ema=ema,
        view=view or _at_scale(proposed.view, hyper.get("scale")), metrics=metrics,
        schedule=schedule and schedule_named(schedule),
    )  # fmt: skip
    budget = _budget(recipe, steps, images, minutes)
    _check(recipe, budget, micro)
    _check_shape(system, known, recipe)
    where, choices = _machine(device, precision, threads)
    reading = dict(channels=channels, fit=fit, labels=labels and str(Path(labels).resolve()), holdout=holdout)
    pictures = _pictures(recipe, reading, quiet)
    if view is None and recipe.view == "labelled" and not pictures.classes and _optional(known):
        recipe = replace(recipe, view="image")
    hyper = {**chosen.hyper, **hyper} | described(known, _facts(recipe, pictures))
    torch.manual_seed(seed)
    built = _build(system, hyper)
    options = reading | dict(per_class=per_class, flip=flip, micro=micro, compile=compile, save_every=save_every)
    options["follow"] = follow and _may_follow(recipe)
    config = _config(built, preset, recipe, budget, pictures, options, seed, where, choices)
    run = _new_run(out, config, pictures)
    return _train(run, config, recipe, built, pictures, where, evaluate=evaluate, extractor=extractor, quiet=quiet)


def _budget(recipe: Recipe, steps: int | None, images: int | None, minutes: float | None) -> Budget:
    """What the training ends at: the recipe's steps too, unless images or minutes alone were asked for."""
    limited = steps is not None or (images is None and minutes is None)
    return Budget(recipe.steps if limited else None, images, minutes)


def resume(
    run: str | Path,
    *,
    steps: int | None = None,
    images: int | None = None,
    minutes: float | None = None,
    evaluate: bool = True,
    extractor: str | None = None,
    quiet: bool = False,
) -> Model:
    """Continue a run from its newest whole checkpoint, as if it had never stopped; a new budget replaces the old.

    Raises UserError if there is nothing to continue or the pictures have changed.
    """
    run = Path(run)
    config = read_config(run)
    checkpoint.sweep(run)
    if (steps, images, minutes) != (None, None, None):
        config["budget"] = dict(steps=steps, images=images, minutes=minutes)
        if distributed.rank() == 0:
            write_config(run, config)
    where = distributed.join(choose_device(config["device"]))
    same = config["choices"]  # other threads or precision would give other sums
    prepare_machine(where, same["precision"]["value"], same["threads"]["value"])
    recipe = _recipe(config)
    reading = {k: config["options"][k] for k in ("channels", "fit", "labels", "holdout")}
    pictures = _pictures(recipe, reading, quiet)
    if pictures.fingerprint != config["data"]["fingerprint"]:
        raise UserError(f"{recipe.data} has changed since {run} was started; train anew, or restore the pictures")
    torch.manual_seed(config["seed"])
    built = catalog.rebuild(config["system"])
    return _train(
        run, config, recipe, built, pictures, where, evaluate=evaluate, extractor=extractor, quiet=quiet, again=True
    )  # fmt: skip


def _train(
    run: Path,
    config: Mapping[str, Any],
    recipe: Recipe,
    system: System,
    pictures: Pictures,
    device: torch.device,
    *,
    evaluate: bool,
    extractor: str | None,
    quiet: bool,
    again: bool = False,
) -> Model:
    """Train to the end, measure, report, and give back the model."""
    from .evaluate import evaluate as measure
    from .evaluate import follow
    from .pages.report import write_report

    facts = _facts(recipe, pictures)
    feed = Batches(
        pictures,
        view=recipe.view,
        batch=recipe.batch,
        seed=config["seed"],
        flip=config["options"]["flip"],
        device=device,
        per_class=config["options"]["per_class"],
    )
    try:
        wanted = config["options"].get("follow") and _may_follow(recipe)
        followed = follow(Model(system, facts, path=run), recipe.metrics, extractor) if wanted else None
        state = run_to_end(run, config, recipe, system, feed, facts, again=again, quiet=quiet, measure=followed)
        if distributed.rank() > 0:
            return Model(state.system, facts, step=state.step, path=run)
    except UserError:
        if distributed.rank() == 0:
            with suppress(UserError, OSError):  # the disk may be what is wrong
                write_report(run)
        raise
    finally:
        distributed.leave()
    model = load(run, device=str(device))
    if evaluate:
        measure(model, extractor=extractor, quiet=quiet)
    write_report(run)
    return model


def _facts(recipe: Recipe, pictures: Pictures) -> Facts:
    return Facts(str(recipe.data), recipe.size, pictures.channels, tuple(pictures.classes), recipe.view, recipe.aspect)


def _chosen_recipe(recipe: Recipe, **given: Any) -> Recipe:
    """The recipe with what was given (not None); a path is made whole, so that a run can be resumed from anywhere."""
    recipe = replace(recipe, **{k: v for k, v in given.items() if v is not None})
    nearest(recipe.view, VIEWS, "view")
    path = Path(recipe.data)
    return replace(recipe, data=str(path.resolve())) if path.exists() else recipe


def _at_scale(view: str, scale: Any) -> str:
    """The view of pictures that are as many times smaller as the system enlarges, where that is asked for."""
    return view if scale is None else re.sub(r"-x\d+$", f"-x{scale}", view)


def _machine(device: str | None, precision: str | None, threads: int | None) -> tuple[torch.device, dict[str, Choice]]:
    """The device, and what was chosen for it; every process probes, and all take the precision of the first."""
    where = distributed.join(choose_device(device))
    choices = prepare_machine(where, precision, threads)
    kinds = list(PRECISIONS)
    agreed = kinds[int(distributed.agree(kinds.index(str(choices["precision"].value))))]
    return where, choices | {"precision": replace(choices["precision"], value=agreed)}


def _pictures(recipe: Recipe, reading: Mapping[str, Any], quiet: bool) -> Pictures:
    """The decoded pictures, with a bar while they are decoded; the first process decodes, others find its cache."""
    console = Console(stderr=True)
    hidden = quiet or distributed.rank() > 0 or not console.is_terminal
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("decoding", total=None)

        def progress(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        if distributed.rank() > 0:
            distributed.wait()
        pictures = prepare(
            recipe.data, size=recipe.size, aspect=recipe.aspect, view=recipe.view, progress=progress, **reading
        )
        if distributed.rank() == 0:
            distributed.wait()
    return pictures


def described(known: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """The hyperparameters that describe the data, where the system asks for them.

    A system whose `classes` are 0 by default can do without: it is told of them by the view "labelled" alone.
    Raises UserError if there are none and it cannot.
    """
    classes = len(facts.classes)
    if _optional(known):
        classes = classes if facts.view == "labelled" else 0
    elif "classes" in known and not classes:
        raise UserError(
            f"{facts.source} has no classes, which this system needs; "
            "sort the pictures into a folder for each class, or give --labels names.csv (lines: name,label)"
        )
    found = {"size": facts.size, "aspect": facts.aspect, "channels": facts.channels, "classes": classes}
    return {k: v for k, v in found.items() if k in known}


def _optional(known: Mapping[str, Any]) -> bool:
    """Whether a system takes classes, but does not need them."""
    return "classes" in known and known["classes"].default == 0


def _build(name: str, hyper: Mapping[str, Any]) -> System:
    try:
        return catalog.build(name, **hyper)
    except (ValueError, TypeError) as e:
        raise UserError(f"{name} cannot be built with {', '.join(f'{k}={v}' for k, v in hyper.items())}: {e}") from None


def _recipe(config: Mapping[str, Any]) -> Recipe:
    known = {"aspect": SQUARE} | config["recipe"]  # runs of the first version, all of squares, do not say so
    held = {f.name: known[f.name] for f in fields(Recipe)}
    return Recipe(**held | {"schedule": schedule_named(held["schedule"]), "metrics": tuple(held["metrics"])})


def _check(recipe: Recipe, budget: Budget, micro: int) -> None:
    for name, value in {**asdict(budget), "size": recipe.size, "batch": recipe.batch}.items():
        if value is not None and value <= 0:
            raise UserError(f"--{name} is {value}; it must be above 0")
    parts = micro * distributed.world()
    if micro < 1 or recipe.batch % parts:
        raise UserError(
            f"--batch {recipe.batch} cannot be shared by {parts} processes and micro-batches; give a multiple of it"
        )


def _check_shape(name: str, known: Mapping[str, Any], recipe: Recipe) -> None:
    """Raises UserError for a shape that is none, or that the system cannot draw."""
    high, wide = sides(recipe.size, recipe.aspect)
    if high != wide and "size" in known and "aspect" not in known:
        raise UserError(f"{name} draws squares: leave out --aspect {recipe.aspect}")


def _may_follow(recipe: Recipe) -> bool:
    """True. Raises UserError if there is no measure that could be followed, or there are processes beside this one."""
    if distributed.world() > 1:
        raise UserError("--follow measures in one process alone; leave it out under torchrun")
    if not set(recipe.metrics) & METRICS.keys():
        raise UserError("--follow: this system has no measure that could be followed; leave it out, or give a --metric")
    return True


def _new_run(out: str | Path | None, config: Mapping[str, Any], pictures: Pictures) -> Path:
    """A run folder with what it will be made of, written by process 0."""
    if distributed.rank() > 0:
        return Path()
    run = new_run(out, config["system"]["name"], config["recipe"]["data"])
    write_config(run, config)
    if pictures.skipped:
        write_skipped(pictures, run / "skipped.csv")
    return run


def _config(
    built: System,
    preset: str,
    recipe: Recipe,
    budget: Budget,
    pictures: Pictures,
    options: Mapping[str, Any],
    seed: int,
    where: torch.device,
    choices: Mapping[str, Choice],
) -> dict[str, Any]:
    """Everything that a run is made of, and by what, where and when it was made."""
    return {
        "sfumato": versions()["sfumato"],
        "versions": versions(),
        "platform": f"{platform.system()} {platform.machine()}",
        "command": command(),
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "paper": asdict(built.paper),
        "system": dict(built.spec),
        "preset": preset,
        "recipe": asdict(recipe) | {"schedule": recipe.schedule.__name__},
        "data": _describe(recipe, pictures),
        "options": dict(options),
        "seed": seed,
        "device": where.type,
        "choices": {k: asdict(v) for k, v in choices.items()},
        "budget": asdict(budget),
    }


def _describe(recipe: Recipe, pictures: Pictures) -> dict[str, Any]:
    return {
        "source": str(recipe.data),
        "fingerprint": pictures.fingerprint,
        "n": len(pictures),
        "size": recipe.size,
        "aspect": recipe.aspect,
        "channels": pictures.channels,
        "classes": list(pictures.classes),
        "notes": list(pictures.notes),
        "skipped": len(pictures.skipped),
    }
