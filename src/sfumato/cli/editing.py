"""Verbs of real pictures in a generator's space: invert."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Device, Quiet, Run, Seed, app, done


@app.command()
def invert(
    run: Run,
    picture: Annotated[Path, typer.Argument(metavar="PHOTO", help="A picture's file.", show_default=False)],
    method: Annotated[
        str,
        typer.Option(
            help="hybrid (from the encoder's answer, else the nearest sample), optimise (from the mean), encoder."
        ),
    ] = "hybrid",
    space: Annotated[
        str | None,
        typer.Option(help="z, w, w+ or s: each holds more pictures than the one before, and edits less cleanly."),
    ] = None,
    encoder: Annotated[
        Path | None, typer.Option(help="A run of `inversion` or `in-domain` that was trained for this generator.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Of the optimisation. More is closer; 1000 is thorough.")] = 200,
    noise: Annotated[
        bool, typer.Option("--noise", help="Also look for the noise of each layer, which holds fine detail.")
    ] = False,
    mask: Annotated[Path | None, typer.Option(help="With --inpaint: white where the picture is to be filled.")] = None,
    inpaint: Annotated[bool, typer.Option("--inpaint", help="Fill what the mask shows white.")] = False,
    out: Annotated[Path | None, typer.Option(help="A .png; PHOTO-inverted.png beside the photo if not given.")] = None,
    seed: Seed = 0,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Find a real picture in the space of a generator: the code from which it draws that picture, or nearly.

    \b
    sfumato invert runs/00007-stylegan2-faces portrait.jpg
    sfumato invert runs/00007-stylegan2-faces portrait.jpg --space w --method optimise --steps 1000
    sfumato train inversion --generator runs/00007-stylegan2-faces --data faces --size 64
    sfumato invert runs/00007-stylegan2-faces portrait.jpg --encoder runs/00008-inversion-faces
    sfumato invert runs/00007-stylegan2-faces portrait.jpg --mask hole.png --inpaint

    Writes two files: the picture beside its reconstruction (.png), and the code (.safetensors), which `edit` and Python
    (sfumato.tasks.invert.Inversion.load) read. Generators without styles, like dcgan, have the space z alone. A picture
    of another size is cut to its middle and resized.
    """
    from ..tasks.editing.inverted import invert_file

    for path in invert_file(
        run, picture, method=method, space=space, encoder=encoder, steps=steps, noise=noise, mask=mask, fill=inpaint,
        out=out, seed=seed, device=device, quiet=quiet,
    ):  # fmt: skip
        done(path)
