"""Verbs of runs: train, resume, sample, evaluate, export, compare, report."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UserError, nearest
from .options import (
    Aspect,
    Channels,
    Data,
    Device,
    ExtractorName,
    Fit,
    Follow,
    Images,
    Minutes,
    Number,
    Quiet,
    Run,
    Seed,
    Size,
    Steps,
    app,
    done,
)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train(
    context: typer.Context,
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="A name of `sfumato list`.", show_default=False)],
    data: Data = None,
    preset: Annotated[str, typer.Option(help="A configuration of `sfumato info SYSTEM`: small, paper, …")] = "small",
    size: Size = None,
    aspect: Aspect = None,
    steps: Steps = None,
    images: Images = None,
    minutes: Minutes = None,
    batch: Annotated[int | None, typer.Option(help="Images an iteration, over all processes.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; runs/00000-SYSTEM-DATA if not given.")] = None,
    seed: Seed = 0,
    fit: Fit = "crop",
    channels: Channels = None,
    labels: Annotated[Path | None, typer.Option(help="A csv or json file of names and labels.")] = None,
    holdout: Annotated[float, typer.Option(help="Share of the pictures kept from training to measure against.")] = 0.0,
    per_class: Annotated[int, typer.Option(help="Labelled pictures a class, for semi-supervised systems.")] = 10,
    flip: Annotated[bool, typer.Option("--flip", help="Mirror half of the pictures.")] = False,
    view: Annotated[
        str | None, typer.Option(help="The shape of a batch: image, labelled, semi, caption, maps, paired …")
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(help="Of the learning rate: constant, linear, cosine, linear@0.5 (from half on), x0.1@0.5,0.75."),
    ] = None,
    clip: Annotated[float | None, typer.Option(help="Ceiling of the gradient norm, 0 for none.")] = None,
    ema: Annotated[
        float | None, typer.Option(help="Decay of the averaged weights that are sampled from, 0 for none.")
    ] = None,
    metric: Annotated[list[str] | None, typer.Option(help="A measure to compute at the end; may be repeated.")] = None,
    extractor: ExtractorName = None,
    evaluate: Annotated[bool, typer.Option(help="Whether to measure at the end.")] = True,
    follow: Follow = False,
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
    from .. import catalog
    from ..tasks.train import train as run

    options = [p.name for p in context.command.params if p.name and p.name != "system"]
    hyper = _hyper(context.args, catalog.hyperparameters(catalog.find(system)), options, system)
    run(
        system, preset=preset, data=data, size=size, aspect=aspect, batch=batch, steps=steps, images=images,
        minutes=minutes, view=view, schedule=schedule, clip=clip, ema=ema, metrics=tuple(metric or ()) or None,
        channels=channels, fit=fit, labels=labels, holdout=holdout, per_class=per_class, flip=flip, seed=seed, out=out,
        device=device, precision=precision, threads=threads, compile=compile, micro=micro, save_every=save_every,
        evaluate=evaluate, follow=follow, extractor=extractor, quiet=quiet, **hyper,
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
    from ..tasks.train import resume as again

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
    from ..tasks.model import load
    from ..tasks.sample import write_samples

    done(write_samples(load(run, device=device), n, seed=seed, label=label, out=out))


@app.command()
def evaluate(
    run: Run,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="A measure; may be repeated. The system's own if not given. Of spaces of codes: path-length, "
            "separability."
        ),
    ] = None,
    data: Data = None,
    n: Annotated[int, typer.Option("--n", help="How many images are drawn.")] = 2048,
    seed: Seed = 0,
    extractor: ExtractorName = None,
    sha256: Annotated[str | None, typer.Option(help="The checksum that the extractor's weights must have.")] = None,
    lpips: Annotated[
        str | None, typer.Option(help="For path-length: alex:FILE, vgg:FILE or squeeze:FILE; needs --heads.")
    ] = None,
    heads: Annotated[str | None, typer.Option(help="The linear heads of LPIPS for that network.")] = None,
    out: Annotated[Path | None, typer.Option(help="A .json file; RUN/measures.json if not given.")] = None,
    device: Device = None,
) -> None:
    """Measure a trained model against real pictures, held-out ones where there are any."""
    from ..tasks.evaluate import evaluate as measure
    from ..tasks.model import load

    measure(
        load(run, device=device), metrics=metric, data=data, n=n, seed=seed, extractor=extractor, sha256=sha256,
        lpips=lpips, heads=heads, out=out,
    )  # fmt: skip


@app.command()
def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="A run, a model file, or a public .pth of an enlarging network.", show_default=False
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="The .onnx file; G.onnx or upscale.onnx if not given.")] = None,
    space: Annotated[
        str, typer.Option(help="What a generator is given: z, normal codes, or w in the StyleGAN line.")
    ] = "z",
) -> None:
    """Write a generator, or a network that enlarges pictures, as ONNX, which other programs run.

    \b
    sfumato export runs/00002-stylegan2-faces --out G.onnx      code (batch, z) -> image (batch, c, h, w)
    sfumato export runs/00002-stylegan2-faces --space w         code (batch, w), noise as in the run
    sfumato export runs/00003-edsr-div2k --out edsr.onnx        image (batch, c, h, w) -> large, any sides

    Pictures are in [-1, 1] and the batch is free. What onnxruntime makes of the file is compared with torch. It needs
    pip install 'sfumato[onnx]'.
    """
    from ..tasks.export import export as write

    path, worst = write(run, out, space=space)
    typer.echo(f"onnxruntime's pictures differ by {worst:.1g} at most, of [-1, 1]")
    done(path)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN …", help="Run folders.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="An .html file with the samples side by side.")] = None,
) -> None:
    """Set runs side by side: settings, speed, measures, samples."""
    from ..tasks.pages.comparison import print_comparison, write_comparison

    print_comparison(runs)
    if out:
        done(write_comparison(runs, out))


@app.command()
def report(run: Run) -> None:
    """Write a run's report.html anew."""
    from ..tasks.pages.report import write_report

    done(write_report(run))


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
