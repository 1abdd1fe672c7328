"""Verbs that change what a generator draws at a place: brush, dissect."""

from pathlib import Path
from typing import Annotated

import typer

from .edits import Inverting, Space, World, home
from .options import Device, Out, Run, Seed, app, done


@app.command()
def brush(
    run: Run,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A picture, an inversion, or the number of a sample.")
    ] = "0",
    colour: Annotated[
        Path | None, typer.Option(help="A picture, transparent but where it has the colours that are wished.")
    ] = None,
    sketch: Annotated[
        Path | None, typer.Option(help="A picture, transparent but around the lines that edges are to follow.")
    ] = None,
    drag: Annotated[
        Path | None, typer.Option(help="A picture, transparent but over what is dragged --by so many pixels.")
    ] = None,
    by: Annotated[str, typer.Option(help="Pixels down and right that --drag moves, as 4,-2.")] = "0,0",
    seconds: Annotated[float, typer.Option(help="How long the generator looks for a picture.")] = 2.0,
    space: Space = None,
    seed: Seed = 0,
    steps: Inverting = 200,
    out: Out = None,
    device: Device = None,
) -> None:
    """Paint over a picture, and let the generator find one of its own that is like that (iGAN).

    \b
    sfumato brush RUN 12 --colour blue_sky.png
    sfumato brush RUN photo.png --sketch lines.png --seconds 5
    sfumato brush RUN 12 --drag mask.png --by 0,6

    Shown are the picture before and after. What was painted need not be right: it is a wish, and the result is what the
    generator can draw that is nearest to it and to the picture.
    """
    from ..tasks.editing.strokes import brush as paint
    from ..tasks.model import load

    made = paint(
        load(run, device=device), source, colour=colour, sketch=sketch, drag=drag, by=by, seconds=seconds, space=space,
        seed=seed, steps=steps, out=out or home(run) / "brush.png",
    )  # fmt: skip
    typer.echo(f"unmet {made.before:.3g} → {made.after:.3g}")
    done(made.path)


@app.command()
def dissect(
    run: Run,
    layer: Annotated[
        str | None, typer.Option(help="The layer whose units are looked at; one of a quarter of the side if not given.")
    ] = None,
    ablate: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Zero the units that make these pixels appear: hair, roof …")
    ] = None,
    insert: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Paint these pixels --at a place, by the units that make them.")
    ] = None,
    at: Annotated[
        str, typer.Option(help="x,y,radius of the place, in sides of the picture from its upper left corner.")
    ] = "0.5,0.5,0.2",
    n: Annotated[int, typer.Option("--n", help="How many samples are looked at.")] = 256,
    seed: Seed = 0,
    world: World = None,
    out: Out = None,
    device: Device = None,
) -> None:
    """See what each unit of a generator draws, remove a class of things by its units, or paint it somewhere.

    \b
    sfumato dissect runs/00002-stylegan2-faces
    sfumato dissect runs/00002-stylegan2-faces --ablate hair
    sfumato dissect runs/00004-dcgan-scenes --insert roof --at 0.3,0.6,0.15

    A unit draws a class where it is high and the class is seen: the overlap is the intersection over the union of both.
    """
    from ..tasks.editing.removal import dissected
    from ..tasks.model import load

    for line in dissected(
        load(run, device=device), layer=layer, ablate=ablate, insert=insert, at=at, n=n, seed=seed, world=world,
        out=out or home(run) / "dissection.png",
    ):  # fmt: skip
        typer.echo(line)
