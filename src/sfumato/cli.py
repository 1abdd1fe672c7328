"""The command line: every verb of sfumato, thin over `tasks`. Nothing here imports torch before a verb runs."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .errors import UserError, nearest

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
Size = Annotated[int | None, typer.Option(help="Image side, pixels.")]
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


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train(
    context: typer.Context,
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="A name of `sfumato list`.", show_default=False)],
    data: Data = None,
    preset: Annotated[str, typer.Option(help="A configuration of `sfumato info SYSTEM`: small, paper, …")] = "small",
    size: Size = None,
    steps: Steps = None,
    images: Images = None,
    minutes: Minutes = None,
    batch: Annotated[int | None, typer.Option(help="Images an iteration, over all processes.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; runs/00000-SYSTEM-DATA if not given.")] = None,
    seed: Seed = 0,
    fit: Annotated[str, typer.Option(help="How pictures become square: crop, fit (distort) or pad.")] = "crop",
    channels: Annotated[
        int | None, typer.Option(help="1 for grey, 3 for colour; as the pictures are if not given.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="A csv or json file of names and labels.")] = None,
    holdout: Annotated[float, typer.Option(help="Share of the pictures kept from training to measure against.")] = 0.0,
    per_class: Annotated[int, typer.Option(help="Labelled pictures a class, for semi-supervised systems.")] = 10,
    flip: Annotated[bool, typer.Option("--flip", help="Mirror half of the pictures.")] = False,
    view: Annotated[
        str | None, typer.Option(help="The shape of a batch: image, labelled, semi, caption, maps, paired …")
    ] = None,
    schedule: Annotated[str | None, typer.Option(help="Of the learning rate: constant, linear, cosine.")] = None,
    clip: Annotated[float | None, typer.Option(help="Ceiling of the gradient norm, 0 for none.")] = None,
    ema: Annotated[
        float | None, typer.Option(help="Decay of the averaged weights that are sampled from, 0 for none.")
    ] = None,
    metric: Annotated[list[str] | None, typer.Option(help="A measure to compute at the end; may be repeated.")] = None,
    extractor: ExtractorName = None,
    evaluate: Annotated[bool, typer.Option(help="Whether to measure at the end.")] = True,
    device: Device = None,
    precision: Annotated[
        str | None, typer.Option(help="float32, bfloat16 or float16; chosen by a probe if not given.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; chosen by a probe if not given.")] = None,
    compile: Annotated[
        bool, typer.Option("--compile", help="Compile the networks (pays on a GPU, costs a minute).")
    ] = False,
    micro: Annotated[int, typer.Option(help="Micro-batches an optimiser step, for memory.")] = 1,
    save_every: Annotated[
        int | None, typer.Option(help="Iterations between checkpoints; once a minute if not given.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train a system on pictures.

    The run folder holds the model, samples over time, measures and report.html. Hyperparameters of the system are
    options too: `sfumato info SYSTEM` lists them (`--ch 32 --lr 1e-4`). Ctrl-C or SIGTERM saves and leaves;
    `sfumato resume RUN` continues exactly there. Under torchrun the batch is shared by the processes.
    """
    from . import catalog
    from .tasks.train import train as run

    options = [p.name for p in context.command.params if p.name and p.name != "system"]
    hyper = _hyper(context.args, catalog.hyperparameters(catalog.find(system)), options, system)
    run(
        system, preset=preset, data=data, size=size, batch=batch, steps=steps, images=images, minutes=minutes,
        view=view, schedule=schedule, clip=clip, ema=ema, metrics=tuple(metric or ()) or None, channels=channels,
        fit=fit, labels=labels, holdout=holdout, per_class=per_class, flip=flip, seed=seed, out=out, device=device,
        precision=precision, threads=threads, compile=compile, micro=micro, save_every=save_every, evaluate=evaluate,
        extractor=extractor, quiet=quiet, **hyper,
    )  # fmt: skip


@app.command()
def resume(
    run: Run,
    steps: Steps = None,
    images: Images = None,
    minutes: Minutes = None,
    evaluate: Annotated[bool, typer.Option(help="Whether to measure at the end.")] = True,
    extractor: ExtractorName = None,
    quiet: Quiet = False,
) -> None:
    """Continue a run from its newest whole checkpoint, exactly as if it had never stopped.

    A new budget replaces the old: `sfumato resume RUN --steps 20000` trains a finished run on to step 20,000.
    """
    from .tasks.train import resume as again

    again(run, steps=steps, images=images, minutes=minutes, evaluate=evaluate, extractor=extractor, quiet=quiet)


@app.command()
def sample(
    run: Run,
    n: Number = 64,
    seed: Seed = 0,
    label: Annotated[str | None, typer.Option(help="A class, by name or number.")] = None,
    out: Annotated[Path | None, typer.Option(help="A .png for a grid, or a folder for single pictures.")] = None,
    device: Device = None,
) -> None:
    """Draw images from a trained model: a grid, or single pictures into a folder."""
    from .tasks.model import load
    from .tasks.sample import write_samples

    _done(write_samples(load(run, device=device), n, seed=seed, label=label, out=out))


@app.command()
def evaluate(
    run: Run,
    metric: Annotated[
        list[str] | None, typer.Option(help="A measure; may be repeated. The system's own if not given.")
    ] = None,
    data: Data = None,
    n: Annotated[int, typer.Option("--n", help="How many images are drawn.")] = 2048,
    seed: Seed = 0,
    extractor: ExtractorName = None,
    sha256: Annotated[str | None, typer.Option(help="The checksum that the extractor's weights must have.")] = None,
    out: Annotated[Path | None, typer.Option(help="A .json file; RUN/measures.json if not given.")] = None,
    device: Device = None,
) -> None:
    """Measure a trained model against real pictures, held-out ones where there are any."""
    from .tasks.evaluate import evaluate as measure
    from .tasks.model import load

    measure(
        load(run, device=device), metrics=metric, data=data, n=n, seed=seed, extractor=extractor, sha256=sha256, out=out
    )


@app.command()
def measure(
    pictures: Annotated[
        list[Path] | None,
        typer.Argument(metavar="REF IMG", help="A reference and a picture, or a folder of each.", show_default=False),
    ] = None,
    luma: Annotated[bool, typer.Option("--luma", help="Compare Y of BT.601 instead of R, G and B.")] = False,
    crop_border: Annotated[int, typer.Option(help="Pixels shaved off each side first.")] = 0,
    niqe: Annotated[str | None, typer.Option(help="NIQE's natural pictures: a .npz, .mat or .safetensors.")] = None,
    sff: Annotated[str | None, typer.Option(help="SFF's detector: a .mat, .npz or .safetensors.")] = None,
    lpips: Annotated[str | None, typer.Option(help="alex:FILE, vgg:FILE or squeeze:FILE; needs --heads.")] = None,
    heads: Annotated[str | None, typer.Option(help="The linear heads of LPIPS for that network.")] = None,
    scores: Annotated[
        Path | None,
        typer.Option("--rank", help="Instead: how well the columns of this .csv agree with its column mos."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare a picture with its reference by every measure of quality that applies; one picture is judged alone.

    With two folders, pictures of equal names are compared. `--rank scores.csv` evaluates measures instead.
    """
    if scores:
        from .tasks.rank import rank

        rank(scores, as_json=json)
        return
    if not pictures or len(pictures) > 2:
        raise UserError("measure needs a reference and a picture (or a folder of each), or --rank scores.csv")
    from .tasks.measure import measure as run

    run(
        *pictures, luma=luma, crop_border=crop_border, niqe=niqe, sff=sff, lpips=lpips, heads=heads, as_json=json
    )  # fmt: skip


@app.command()
def upscale(
    pictures: Annotated[Path, typer.Argument(metavar="IN", help="A picture, or a folder of them.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="A picture or folder; the extension says the format. IN-x2 here if not given.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="How many times larger, any number from 1; 2 or the network's if not given.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="A run, a model file, or a public checkpoint: SRGAN, ESRGAN, Real-ESRGAN, EDSR, ncnn."),
    ] = None,
    like: Annotated[str | None, typer.Option(help="Without a network: bicubic (as MATLAB's), bilinear.")] = None,
    tile: Annotated[
        int | None, typer.Option(help="Side of what is enlarged at a time, pixels; by free memory if not given.")
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(help="Pixels that a tile sees around it; all that the network can, if not too far.")
    ] = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Enlarge a picture, or a folder of them.

    \b
    sfumato upscale photo.jpg --out big.png               twice as large
    sfumato upscale photo.jpg --scale 3.5 --out big.tif   any factor
    sfumato upscale photo.jpg --model RealESRGAN_x4plus.pth --out big.png
    sfumato upscale photos --model runs/00003-edsr-div2k --out large

    The network is applied until the picture is large enough, then bicubic makes the exact size.
    Depth (8 or 16 bits), alpha, greyscale, colour profile and EXIF are kept, and pictures are turned upright. A folder
    keeps its names, lists what is broken in skipped.csv, and goes on where it stopped when the command is given again.
    Tiles bound the memory; they give what the whole picture would where they overlap by all that the network sees.
    """
    from .tasks.upscale import upscale as run

    _done(
        run(
            pictures, scale=scale, out=out, model=model, like=like, tile=tile, overlap=overlap, device=device,
            quiet=quiet,
        )
    )  # fmt: skip


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN …", help="Run folders.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="An .html file with the samples side by side.")] = None,
) -> None:
    """Set runs side by side: settings, speed, measures, samples."""
    from .tasks.comparison import print_comparison, write_comparison

    print_comparison(runs)
    if out:
        _done(write_comparison(runs, out))


@app.command("list")
def list_() -> None:
    """Every system, what it can do, and its paper."""
    from .tasks.catalogue import list_systems

    list_systems()


@app.command()
def info(system: Annotated[str, typer.Argument(metavar="SYSTEM", show_default=False)]) -> None:
    """A system's paper, deviations, presets and hyperparameters."""
    from .tasks.catalogue import describe_system

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
    size: Annotated[int, typer.Option(help="Image side, pixels.")] = 64,
    n: Annotated[int | None, typer.Option("--n", help="How many are drawn.")] = None,
    seed: Seed = 0,
    fit: Annotated[str, typer.Option(help="How pictures become square: crop, fit (distort) or pad.")] = "crop",
    labels: Annotated[Path | None, typer.Option(help="A csv or json file of names and labels.")] = None,
) -> None:
    """Say what is in a source of pictures, and what of it is broken and why."""
    from .tasks.data import inspect

    inspect(source, show=show, view=view, size=size, n=n, seed=seed, fit=fit, labels=labels)


@app.command()
def interpolate(
    run: Run,
    n: Annotated[int, typer.Option("--n", help="How many rows.")] = 8,
    seed: Seed = 0,
    out: Out = None,
    device: Device = None,
) -> None:
    """Walk through the latent space: each row goes from one sample to another."""
    from .tasks import latent
    from .tasks.model import load

    _done(latent.interpolate(load(run, device=device), n, seed=seed, out=out).path)


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
    from .tasks import latent
    from .tasks.model import load

    result = latent.arithmetic(load(run, device=device), expression, seed=seed, out=out, extractor=extractor)
    typer.echo("  ".join(f"{k} {v:.3g}" for k, v in result.figures.items()))
    _done(result.path)


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
    from .tasks import latent
    from .tasks.model import load

    result = latent.turn(load(run, device=device), factor, n=n, seed=seed, out=out, extractor=extractor)
    typer.echo("  ".join(f"{k} {v:.3g}" for k, v in result.figures.items()))
    _done(result.path)


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
    from .tasks.ablate import ablate as drop
    from .tasks.model import load

    result = drop(load(run, device=device), object, layer=layer, n=n, seed=seed, out=out, extractor=extractor)
    typer.echo(str(result))
    _done(result.path)


@app.command()
def report(run: Run) -> None:
    """Write a run's report.html anew."""
    from .tasks.report import write_report

    _done(write_report(run))


@app.command()
def version() -> None:
    """The versions that matter in a report of a fault."""
    from .tasks.runs import versions

    typer.echo("\n".join(f"{k} {v}" for k, v in versions().items()))


def main() -> None:
    """Run the command line: one line and a non-zero exit for what the user can mend."""
    try:
        app()
    except UserError as e:
        typer.echo(f"sfumato: {e}", err=True)
        sys.exit(getattr(e, "code", 1))
    except KeyboardInterrupt:
        typer.echo("sfumato: interrupted", err=True)
        sys.exit(130)
    except MemoryError:
        typer.echo("sfumato: out of memory; try a smaller --batch or --size", err=True)
        sys.exit(1)


def _hyper(arguments: list[str], known: Any, options: list[str], system: str) -> dict[str, Any]:
    """Hyperparameters from what is left of a command line: `--ch 32 --lr=1e-4`."""
    found: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise UserError(f"{word!r} belongs to no option; options are written --name value")
        name, equals, value = word[2:].partition("=")
        name = name.replace("-", "_")
        nearest(name, [*known, *options], f"option or hyperparameter of {system}")
        if not equals:
            if not rest:
                raise UserError(f"--{name} needs a value")
            value = rest.pop(0)
        found[name] = _value(name, value, known[name])
    return found


def _value(name: str, text: str, parameter: Any) -> Any:
    """Text as the type of a hyperparameter's default."""
    kind = type(parameter.default)
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        return int(text) if kind is int else float(text) if kind is float else text
    except (ValueError, KeyError):
        raise UserError(f"--{name} is {text!r}; it must be of the kind of its default, {parameter.default}") from None


def _done(path: Path | None) -> None:
    if path:
        typer.echo(str(path))
