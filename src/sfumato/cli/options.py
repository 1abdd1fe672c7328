"""The command line's root, and the options that mean the same in every verb."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Deep image synthesis: train, sample, measure and edit with every classical generative system.\n\n"
    "Start with:  sfumato train dcgan --data digits     then:  sfumato sample runs/00000-dcgan-digits",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Run = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run folder (runs/00000-…) or a model file.", show_default=False)
]
Data = Annotated[
    str | None,
    typer.Option(help="Folder, zip, tar, MNIST or CIFAR files, or built-in: digits, shapes, scenes, faces."),
]
Size = Annotated[int | None, typer.Option(help="Shorter side of the pictures, pixels.")]
Aspect = Annotated[
    str | None,
    typer.Option(help="Their shape, width:height: 3:2 with --size 64 is 96 wide and 64 high; squares if not given."),
]
Fit = Annotated[str, typer.Option(help="How pictures get their shape: crop to the middle, fit (distort) or pad.")]
Channels = Annotated[
    int | None,
    typer.Option(help="1 for grey, 3 for colour, 4 to keep transparency; 1 or 3, as the pictures are, if not given."),
]
Follow = Annotated[
    bool, typer.Option("--follow", help="Measure 1,000 images 16 times on the way too; the report has the curve.")
]
Number = Annotated[int, typer.Option("--n", help="How many images.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same result.")]
Out = Annotated[Path | None, typer.Option(help="Where the result goes.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or mps; chosen if not given.")]
Steps = Annotated[int | None, typer.Option(help="Train for so many iterations in all.")]
Images = Annotated[int | None, typer.Option(help="Train for so many images in all.")]
Minutes = Annotated[float | None, typer.Option(help="Train for so long in all.")]
ExtractorName = Annotated[
    str | None,
    typer.Option(
        help="Looked through to measure: reader:WORLD (built in), or squeezenet:, inception:, fid-inception:FILE."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")]


def done(path: Path | None) -> None:
    """Say where a result is."""
    if path:
        typer.echo(str(path))
