"""Verbs that say what there is: list, info, data, version."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Aspect, Fit, Seed, app


@app.command("list")
def list_() -> None:
    """Every system, what it can do, and its paper."""
    from ..tasks.catalogue import list_systems

    list_systems()


@app.command()
def info(system: Annotated[str, typer.Argument(metavar="SYSTEM", show_default=False)]) -> None:
    """A system's paper, deviations, presets and hyperparameters."""
    from ..tasks.catalogue import describe_system

    describe_system(system)


@app.command()
def data(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="As for --data of `train`.", show_default=False)],
    show: Annotated[
        Path | None, typer.Option(help="Draw some of the pictures, as training sees them, to this .png.")
    ] = None,
    view: Annotated[
        str, typer.Option(help="With what else that is known of them: caption, maps, depth, clips, people …")
    ] = "image",
    size: Annotated[int, typer.Option(help="Shorter side of the pictures, pixels.")] = 64,
    aspect: Aspect = None,
    n: Annotated[int | None, typer.Option("--n", help="How many are drawn.")] = None,
    seed: Seed = 0,
    fit: Fit = "crop",
    labels: Annotated[Path | None, typer.Option(help="A csv or json file of names and labels.")] = None,
) -> None:
    """Say what is in a source of pictures, and what of it is broken and why."""
    from ..tasks.data import inspect

    inspect(source, show=show, view=view, size=size, aspect=aspect or "1:1", n=n, seed=seed, fit=fit, labels=labels)


@app.command()
def version() -> None:
    """The versions that matter in a report of a fault."""
    from ..tasks.runs import versions

    typer.echo("\n".join(f"{k} {v}" for k, v in versions().items()))
