"""Verbs that edit pictures by their codes: directions, edit, clip."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Device, Out, Run, Seed, app, done

Space = Annotated[
    str | None,
    typer.Option(help="Where codes move: z, w, w+ or s; w+ for generators with styles, z for others, if not given."),
]
World = Annotated[
    str | None, typer.Option(help="Whose reader looks at samples: faces or scenes; what the run was trained on.")
]
Strengths = Annotated[
    list[str] | None,
    typer.Option(
        "--direction",
        help="NAME=STRENGTH in standard deviations: smile=+2, hair:long=1, sefa0=-3. May be repeated.",
    ),
]
Given = Annotated[Path | None, typer.Option("--directions", help="A file that `sfumato directions` made.")]
Inverting = Annotated[int, typer.Option("--steps", help="Iterations in which a file's code is looked for.")]


def strengths(words: list[str] | None) -> dict[str, float]:
    """NAME=STRENGTH as numbers by name. Raises UserError."""
    from ..errors import UserError

    found = {}
    for word in words or ():
        name, _, strength = word.rpartition("=")
        try:
            found[name] = float(strength)
        except ValueError:
            name = ""
        if not name:
            raise UserError(f"--direction {word}: give a name and a strength, as smile=+2 or age=-1")
    return found


@app.command()
def directions(
    run: Run,
    by: Annotated[
        str,
        typer.Option(
            help="reader (what a world's reader tells of samples), sefa or pca (without labels), or a .csv: a column "
            "sample with numbers of samples, then one for each label, 0 and 1 or numbers."
        ),
    ] = "reader",
    space: Space = None,
    layers: Annotated[str, typer.Option(help="For sefa: coarse, middle, fine, all, or numbers as 0-3.")] = "all",
    n: Annotated[int, typer.Option("--n", help="How many samples are looked at.")] = 2048,
    seed: Seed = 0,
    world: World = None,
    out: Out = None,
    device: Device = None,
) -> None:
    """Find directions of the latent space with names, and how well each can be told from the codes.

    \b
    sfumato directions runs/00002-stylegan2-faces               yaw, age, smile, hair:long, glasses …
    sfumato directions runs/00002-stylegan2-faces --by sefa --layers coarse
    sfumato directions runs/00003-stylegan2-cats --by labels.csv

    The score of what a picture has or not is the area under the ROC curve (0.5 is chance), that of a number the
    correlation, both on samples that were not learned from; without labels it is the share of what is explained.
    """
    from ..tasks.editing.codes import space_of
    from ..tasks.editing.finding import find
    from ..tasks.model import load

    model = load(run, device=device)
    found = find(model, by, space=space_of(model, space), layers=layers, n=n, seed=seed, world=world)
    for name, score in sorted(zip(found.names, found.scores, strict=True), key=lambda pair: -pair[1]):
        typer.echo(f"{name:24}{score:.2f}")
    word = Path(by).stem
    done(found.save(out or home(run) / f"directions-{word}-{found.space}.safetensors"))


@app.command()
def edit(
    run: Run,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A picture, an inversion (.safetensors), or the number of a sample of --seed.",
        ),
    ] = "0",
    direction: Strengths = None,
    given: Given = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="A direction that the others must leave alone. May be repeated.")
    ] = None,
    mix: Annotated[
        str | None, typer.Option(help="Another picture, inversion or number of a sample, whose --layers are taken.")
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help="Which layers move or are taken: coarse, middle, fine, or numbers as 0-3.")
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="White where the picture is edited; elsewhere it stays.")] = None,
    space: Space = None,
    seed: Seed = 0,
    steps: Inverting = 200,
    world: World = None,
    out: Out = None,
    alone: Annotated[bool, typer.Option("--alone", help="Write the edited picture without the others.")] = False,
    device: Device = None,
) -> None:
    """Edit a picture: make it smile, older, turned; or give it the pose or the colours of another.

    \b
    sfumato edit RUN photo.png --direction smile=+2 --direction age=-1
    sfumato edit RUN 12 --direction yaw=2 --keep glasses       sample 12 of `sfumato sample`
    sfumato edit RUN photo.png --mix other.png --layers fine   the colours of another picture
    sfumato edit RUN 12 --mix 30 --layers coarse               its pose and shape
    sfumato edit RUN 12 --direction sefa0=3 --layers 0-3

    Shown are the picture, what the generator makes of it, and that edited. A photo is inverted first (see `sfumato
    invert`). Strengths are standard deviations of the samples' codes: 1 is a little, 3 is a lot. Directions are found
    the first time and kept in the run's folder; `sfumato directions` lists them.
    """
    from ..tasks.edit import edit as run_edit
    from ..tasks.model import load

    made = run_edit(
        load(run, device=device), source, strengths(direction), given=given, keep=keep or (), mix=mix, layers=layers,
        mask=mask, space=space, seed=seed, steps=steps, world=world, out=out or home(run) / "edit.png", alone=alone,
    )  # fmt: skip
    for name, (before, after) in made.figures.items():
        typer.echo(f"{name} {before:.2f} → {after:.2f}")
    done(made.path)


@app.command()
def clip(
    run: Run,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE …", help="Pictures, inversions, or numbers of samples, in this order.", show_default=False
        ),
    ],
    direction: Strengths = None,
    given: Given = None,
    layers: Annotated[str, typer.Option(help="Which layers a direction moves: coarse, middle, fine, 0-3.")] = "all",
    space: Annotated[
        str | None, typer.Option(help="z: on great circles; w or w+: on straight lines. w if there is one.")
    ] = None,
    frames: Annotated[int, typer.Option(help="From one picture to the next, or of a swing along a direction.")] = 40,
    rate: Annotated[int, typer.Option(help="Frames a second.")] = 20,
    seed: Seed = 0,
    steps: Inverting = 200,
    out: Annotated[
        Path | None, typer.Option(help="A .mp4, .mkv (with sfumato[video]) or .gif; clip.mp4 in the run's folder.")
    ] = None,
    device: Device = None,
) -> None:
    """Make a looped clip: from picture to picture through the latent space, or along a direction and back.

    \b
    sfumato clip RUN 3 7 12 --out walk.mp4
    sfumato clip RUN photo.png other.png --space w+ --out morph.gif
    sfumato clip RUN 3 --direction yaw=3 --out turn.gif
    """
    from ..tasks.editing.clips import clip as run_clip
    from ..tasks.model import load

    done(
        run_clip(
            load(run, device=device), sources, strengths(direction), given=given, layers=layers, space=space,
            frames=frames, rate=rate, seed=seed, steps=steps, out=out,
        )
    )  # fmt: skip


def home(run: Path) -> Path:
    """Where results of a run go: its folder, or here for a model file."""
    return run if run.is_dir() else Path()
