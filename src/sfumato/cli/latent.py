"""Verbs of latent spaces: interpolate, arithmetic, turn, ablate."""

from typing import Annotated

import typer

from .options import Device, ExtractorName, Out, Run, Seed, app, done


@app.command()
def interpolate(
    run: Run,
    n: Annotated[int, typer.Option("--n", help="How many rows.")] = 8,
    seed: Seed = 0,
    out: Out = None,
    device: Device = None,
) -> None:
    """Walk through the latent space: each row goes from one sample to another."""
    from ..tasks import latent
    from ..tasks.model import load

    done(latent.interpolate(load(run, device=device), n, seed=seed, out=out).path)


@app.command()
def arithmetic(
    run: Run,
    expression: Annotated[
        str, typer.Argument(help="'red circle - blue circle + blue square', or sample numbers: '3,7,9 - 1,4 + 2,5'.")
    ],
    seed: Seed = 0,
    out: Out = None,
    extractor: ExtractorName = None,
    device: Device = None,
) -> None:
    """Add and subtract codes, each the mean of samples of a class (DCGAN, section 6.3.2)."""
    from ..tasks import latent
    from ..tasks.model import load

    result = latent.arithmetic(load(run, device=device), expression, seed=seed, out=out, extractor=extractor)
    typer.echo("  ".join(f"{k} {v:.3g}" for k, v in result.figures.items()))
    done(result.path)


@app.command()
def turn(
    run: Run,
    factor: Annotated[
        str, typer.Argument(help="What to turn: x, y, area, lightness, slant, saturation, or two classes 'A:B'.")
    ],
    n: Annotated[int, typer.Option("--n", help="How many rows.")] = 8,
    seed: Seed = 0,
    out: Out = None,
    extractor: ExtractorName = None,
    device: Device = None,
) -> None:
    """Find the direction of the latent space that changes one thing, and turn samples along it (DCGAN, figure 8)."""
    from ..tasks import latent
    from ..tasks.model import load

    result = latent.turn(load(run, device=device), factor, n=n, seed=seed, out=out, extractor=extractor)
    typer.echo("  ".join(f"{k} {v:.3g}" for k, v in result.figures.items()))
    done(result.path)


@app.command()
def ablate(
    run: Run,
    object: Annotated[str, typer.Argument(metavar="CLASS", help="The class of objects to remove.")],
    layer: Annotated[
        str | None, typer.Option(help="The layer whose channels are dropped; chosen if not given.")
    ] = None,
    n: Annotated[int, typer.Option("--n", help="How many samples to learn from and to judge by.")] = 1024,
    seed: Seed = 0,
    out: Out = None,
    extractor: ExtractorName = None,
    device: Device = None,
) -> None:
    """Drop the channels tied to one class of objects and leave the rest (DCGAN, section 6.3.1)."""
    from ..tasks.ablate import ablate as drop
    from ..tasks.model import load

    result = drop(load(run, device=device), object, layer=layer, n=n, seed=seed, out=out, extractor=extractor)
    typer.echo(str(result))
    done(result.path)
