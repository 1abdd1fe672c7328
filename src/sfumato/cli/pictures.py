"""Verbs of photographs and pictures: measure, upscale."""

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
            "the picture), bicubic (as MATLAB's), bilinear."
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
