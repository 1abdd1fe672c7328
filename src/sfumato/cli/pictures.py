"""Verbs of photographs and pictures: measure, upscale, translate, stylise."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError
from .options import Device, Quiet, app, done


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
        from ..tasks.rank import rank

        rank(scores, as_json=json)
        return
    if not pictures or len(pictures) > 2:
        raise UserError("measure needs a reference and a picture (or a folder of each), or --rank scores.csv")
    from ..tasks.measure import measure as run

    run(
        *pictures, luma=luma, crop_border=crop_border, niqe=niqe, sff=sff, lpips=lpips, heads=heads, as_json=json
    )  # fmt: skip


@app.command()
def upscale(
    pictures: Annotated[
        Path,
        typer.Argument(metavar="IN", help="A picture, a film, a moving GIF, or a folder of them.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="A file, whose extension says the format, or a folder. IN-x2 here if not given."),
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="How many times larger, any number from 1; 2 or the network's if not given.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="A run, a model file, or a public checkpoint: SRGAN, ESRGAN, Real-ESRGAN, EDSR, ncnn."),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            help="photo (nearest to the truth), sharp (made-up detail), blend=0.3 (30 % of it), zero-shot (learns from "
            "the picture; zero-shot=blind finds its blur first, zero-shot=FILE.mat is told it), bicubic (as MATLAB's), "
            "bilinear."
        ),
    ] = None,
    tile: Annotated[
        int | None, typer.Option(help="Side of what is enlarged at a time, pixels; by free memory if not given.")
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(help="Pixels that a tile sees around it; all that the network can, if not too far.")
    ] = None,
    device: Device = None,
    precision: Annotated[
        str | None, typer.Option(help="float32 or bfloat16; what is quickest and within 40 dB if not given.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Enlarge a picture, a film, or a folder of them.

    \b
    sfumato upscale photo.jpg --out big.png               twice as large
    sfumato upscale photo.jpg --scale 3.5 --out big.tif   any factor
    sfumato upscale photo.jpg --like blend=0.3 --out big.png
    sfumato upscale photo.jpg --model RealESRGAN_x4plus.pth --out big.png
    sfumato upscale photos --model runs/00003-edsr-div2k --out large
    sfumato upscale film.mp4 --out large.mp4              or large.mkv, large.gif, frames

    The network is applied until the picture is large enough, then bicubic makes the exact size.
    Depth (8 or 16 bits), alpha, greyscale, colour profile and EXIF are kept, and pictures are turned upright. A folder
    keeps its names and lists what is broken in skipped.csv. A film keeps its sound and the times of its frames. Either
    goes on where it stopped when the command is given again.
    Tiles bound the memory; they give what the whole picture would where they overlap by all that the network sees.
    """
    from ..tasks.upscale import upscale as run

    done(
        run(
            pictures, scale=scale, out=out, model=model, like=like, tile=tile, overlap=overlap, device=device,
            precision=precision, quiet=quiet,
        )
    )  # fmt: skip


@app.command()
def translate(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="A run, a model file, or a public .pth of pix2pix or CycleGAN: U-Net, ResNet.",
            show_default=False,
        ),
    ],
    pictures: Annotated[
        Path, typer.Argument(metavar="IN", help="A picture or map, or a folder of them.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="A picture or folder; the extension says the format. IN-translated if not given."),
    ] = None,
    direction: Annotated[
        str | None, typer.Option(help="AtoB, or BtoA for systems that go both ways (cyclegan); AtoB if not given.")
    ] = None,
    style: Annotated[
        list[str] | None,
        typer.Option(
            help="A picture whose style is taken, or random (munit). Of maps, how a class is painted: road=2; or one "
            "object of it: car#3=1. May be repeated."
        ),
    ] = None,
    like: Annotated[
        list[Path] | None,
        typer.Option(
            help="A picture of the class that pictures become, or a folder of them (funit). May be repeated: the "
            "more, the surer."
        ),
    ] = None,
    n: Annotated[int, typer.Option("--n", help="How many random styles; each picture has a result in each.")] = 1,
    seed: Annotated[int, typer.Option(help="Of random styles: the same number, the same styles.")] = 0,
    tile: Annotated[
        int | None, typer.Option(help="Side of what is translated at a time, pixels; the whole if memory suffices.")
    ] = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Translate a picture, or a folder of them, to what a network has learned to make of it.

    \b
    sfumato translate runs/00004-pix2pix-facades drawings
    sfumato translate runs/00005-cyclegan-horses zebra.jpg --direction BtoA --out horse.jpg
    sfumato translate latest_net_G.pth photos --out painted
    sfumato translate runs/00006-pix2pixhd-cityscapes maps --style road=2 --style car#26001=1
    sfumato translate runs/00007-munit-shoes sketch.png --n 5 --seed 3           five styles, sketch-translated-1.png …
    sfumato translate runs/00007-munit-shoes sketch.png --style boot.jpg         the style of boot.jpg
    sfumato translate runs/00008-funit-animals cat.jpg --like fox1.jpg --like fox2.jpg

    Pictures keep their size, names, alpha and EXIF; what can't be used is listed in skipped.csv. Systems like pix2pixhd
    paint maps: those in labels/ (or test_label/, …_labelIds.png), with the map of objects of the same name in
    instances/ (test_inst/, …_instanceIds.png). Classes are called as in the legend of the data that was trained on.
    """
    from ..tasks.translate import translate as run

    done(
        run(
            model, pictures, out=out, direction=direction, style=style or (), like=like or (), n=n, seed=seed,
            tile=tile, device=device, quiet=quiet,
        )
    )  # fmt: skip


@app.command()
def stylise(
    pictures: Annotated[
        Path, typer.Argument(metavar="IN", help="A picture, a film, or a folder of them.", show_default=False)
    ],
    style: Annotated[
        list[str] | None,
        typer.Option(help="A picture to paint like; again, with shares, to blend: --style a.jpg=0.3 --style b.jpg=1."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A picture, film or folder; the extension says the format. IN-stylised here if not given."),
    ] = None,
    strength: Annotated[float, typer.Option(help="From 0, the picture as it is, to 1, all of the style.")] = 1.0,
    mask: Annotated[
        list[Path] | None,
        typer.Option(help="White where the style is used. One for each --style, or one for two of them."),
    ] = None,
    keep_colour: Annotated[
        bool, typer.Option("--keep-colour", help="Paint the brightness alone; the picture's colours stay.")
    ] = False,
    size: Annotated[int | None, typer.Option(help="Longer side of the result, pixels; the picture's own.")] = None,
    style_size: Annotated[
        int, typer.Option(help="Longer side of the styles, pixels at most. Smaller ones give finer strokes.")
    ] = 512,
    model: Annotated[Path | None, typer.Option(help="A run or model file of adain, cin or fast-style.")] = None,
    features: Annotated[
        str | None,
        typer.Option(help="A published encoder (normalised VGG-19); with --optimise, vgg19:FILE or others."),
    ] = None,
    decoder: Annotated[str | None, typer.Option(help="The decoder of --features, if it does not lie beside.")] = None,
    optimise: Annotated[
        bool, typer.Option("--optimise", help="Paint by optimisation (neural-style), in a minute or so.")
    ] = False,
    steady: Annotated[bool, typer.Option(help="Keep films from flickering.")] = True,
    tile: Annotated[
        int | None, typer.Option(help="Side of what is painted at a time, pixels; by free memory if not given.")
    ] = None,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Paint a photo, a film, or a folder of them in the style of other pictures.

    \b
    sfumato stylise photo.jpg --style painting.jpg --out result.png
    sfumato stylise photo.jpg --style a.jpg=0.3 --style b.jpg=0.7 --strength 0.8
    sfumato stylise photo.jpg --style a.jpg --style b.jpg --mask sky.png   a in the sky, b below
    sfumato stylise film.mp4 --style painting.jpg --out painted.mp4
    sfumato stylise photo.jpg --style painting.jpg --optimise              slower, closer to the painting
    sfumato stylise photo.jpg --model runs/00003-fast-style-photos         a style that was learned

    Without --model, a network that comes with sfumato takes the style of any picture in seconds. For one style that is
    used often, train a network of its own:  sfumato train fast-style --style painting.jpg --data photos
    Depth (8 or 16 bits), alpha, colour profile and EXIF are kept. A folder goes on where it stopped.
    """
    from ..tasks.stylise import stylise as run

    done(
        run(
            pictures, style=style or (), out=out, strength=strength, mask=mask or (), keep_colour=keep_colour,
            size=size, style_size=style_size, model=model, features=features, decoder=decoder, optimise=optimise,
            steady=steady, tile=tile, device=device, quiet=quiet,
        )
    )  # fmt: skip
