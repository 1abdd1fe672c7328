"""Invert a picture's file: its code beside it, and a picture of how well the generator has it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from torch import Tensor

from ...data.decode import BrokenError, decode, strict_pillow
from ...data.pictures import save_grid
from ...errors import UserError
from ...networks.editing.spaces import parts
from ...networks.stylegan.latents import StyleSpaces
from ...objectives.inversion import masked_mse, psnr_of
from ..invert import Inversion, invert
from ..model import Model, load
from ..progress import Advance
from .regions import compose, inpaint


def invert_file(
    run: Path,
    picture: Path,
    *,
    method: str = "hybrid",
    space: str | None = None,
    encoder: Path | None = None,
    steps: int = 200,
    noise: bool = False,
    mask: Path | None = None,
    fill: bool = False,
    out: Path | None = None,
    seed: int = 0,
    device: str | None = None,
    quiet: bool = False,
) -> tuple[Path, Path]:
    """Write a picture beside its reconstruction as a PNG, and the code beside that: the paths of both.

    With `fill`, what a mask shows white is filled instead, and there are three pictures: the one with a hole, all of it
    by the generator, and the one that is filled. Raises UserError for what can't be read, or does not belong together.
    """
    if (mask is None) == fill:
        raise UserError("--mask and --inpaint belong together: the mask is white where the picture is to be filled")
    path = out or picture.with_name(f"{picture.stem}-inverted.png")
    if path.suffix.lower() != ".png":
        raise UserError(f"--out {path}: a .png; the code is written beside it as {path.stem}.safetensors")
    model = load(run, device=device)
    console = Console(quiet=quiet, stderr=True)
    image = read_fitting(picture, model, model.facts.channels, console)
    where = space or ("w+" if isinstance(model.system, StyleSpaces) else "z")
    with _bar(console) as advance:
        if mask is None:
            look = load(encoder, device=device) if encoder else None
            found = invert(
                model, image, method=method, space=where, encoder=look, steps=steps, noise=noise, seed=seed,
                advance=advance,
            )  # fmt: skip
            shown = [image, found.image.to(image)]
        else:
            hole = (read_fitting(mask, model, 1, console) > 0).to(image)
            found, shown = _filled(model, image, hole, where, steps, seed, advance)
    save_grid(torch.cat(shown), path, columns=len(shown))
    code = found.save(path.with_suffix(".safetensors"))
    numbers = sum(part[0].numel() for part in parts(found.code))
    console.print(
        f"{found.psnr.item():.1f} dB, feature distance {found.distance.item():.3f}; {numbers:,} numbers of "
        f"{found.space}; {found.seconds:.0f} s",
        highlight=False,
    )
    return path, code


def _filled(
    model: Model, image: Tensor, hole: Tensor, space: str, steps: int, seed: int, advance: Advance
) -> tuple[Inversion, list[Tensor]]:
    """A picture with its hole filled: by W+ and noise where there are these, else from the code of the rest."""
    if not hole.any() or hole.all():
        raise UserError("the mask is of one colour; white is filled, and black is what it is filled from")
    if isinstance(model.system, StyleSpaces) and space == "w+":
        edited = inpaint(model, image, hole, steps=steps, seed=seed, advance=advance)
        mse = masked_mse(edited.made, image, 1 - hole).cpu()
        found = Inversion(
            edited.code, "w+", edited.noise, edited.made, mse, psnr_of(mse), torch.zeros(1), edited.seconds, "inpaint"
        )
        return found, [image * (1 - hole), edited.made, edited.image]
    found = invert(model, image, space=space, steps=steps, seed=seed, mask=1 - hole, advance=advance)
    made = found.image.to(image)
    return found, [image * (1 - hole), made, compose(image, made, hole)[0]]


def read_fitting(path: Path, model: Model, channels: int, console: Console) -> Tensor:
    """A picture as a generator has them: -> (1, channels, h, w) in [-1, 1], its device's.

    Says so if it had another size. Raises UserError if it can't be read.
    """
    try:
        with strict_pillow():
            found = decode(path.read_bytes(), model.facts.fitting(channels))
    except OSError as e:
        raise UserError(f"{path} can't be read: {e.strerror or e}") from None
    except BrokenError as e:
        raise UserError(f"{path} can't be read: {e}") from None
    if (found.height, found.width) != model.facts.sides:
        part = "part" if model.oblong else "square"
        console.print(
            f"{path.name}: {found.width}×{found.height} pixels; its middle {part} is taken at {model.facts.shown}, as "
            f"{model.name} draws",
            highlight=False,
        )
    return (torch.tensor(found.pixels).permute(2, 0, 1)[None].float() / 127.5 - 1).to(model.device)


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal with the time that is left."""
    columns = BarColumn(), TaskProgressColumn(), TextColumn("eta"), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda share: bar.update(task, completed=share)
