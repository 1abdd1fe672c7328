"""Paint pictures and films in a style: one file, or a folder with all that is below it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from rich.console import Console

from ..data.decode import BrokenError
from ..data.source import plain
from ..errors import UserError
from ..networks.pretrained.weights import digest
from ..training.machine import choose_device, choose_threads, keep_memory
from .enlarging.tiles import Box
from .files.films import remake_film
from .files.jobs import Job, agree, over_folder, target_of
from .files.photo import WRITTEN, Photo, as_floats, as_numbers, check_output, read_photo, write_photo
from .files.reels import is_film, reel
from .painting.restyle import Painter, read_regions
from .painting.steady import Steady
from .painting.styles import choose_stylist, parse
from .progress import Advance, bar

EVERY = 2.0  # seconds between pictures on the way


def stylise(
    pictures: str | Path,
    *,
    style: str | Path | Sequence[str | Path] = (),
    out: str | Path | None = None,
    strength: float = 1.0,
    mask: str | Path | Sequence[str | Path] = (),
    keep_colour: bool = False,
    size: int | None = None,
    style_size: int = 512,
    model: str | Path | None = None,
    features: str | None = None,
    decoder: str | None = None,
    optimise: bool = False,
    steady: bool = True,
    tile: int | None = None,
    device: str | None = None,
    quiet: bool = False,
) -> Path:
    """Paint a picture or a film, or every one of a folder and the folders in it, like others; where the result is.

    `style` is one picture or several, "a.jpg=0.3" with a share; of a cin, the numbers of its styles. `strength` is from
    0, the picture, to 1. A `mask` is a picture that is white where a style is used, one for each, or one for two.
    `size` is the longer side of the result, `style_size` that of the styles at most, pixels: larger is broader.
    `model` is a run folder or model file of adain, cin or fast-style; `features` a published encoder with its
    `decoder`, or with `optimise` any that `networks.pretrained.features` knows. Films are kept from flickering if
    `steady`. Depth, alpha, colour profile and EXIF are kept. Raises UserError if nothing can be done.
    """
    source = Path(pictures)
    if not source.exists():
        raise UserError(f"there is no picture, film or folder {source}")
    if not 0 <= strength <= 1:
        raise UserError(f"--strength is {strength:g}; it must be from 0, the picture as it is, to 1")
    for name, value in (("size", size), ("style-size", style_size), ("tile", tile)):
        if value is not None and value < 1:
            raise UserError(f"--{name} is {value}; it must be 1 or more pixels")
    where = choose_device(device)
    if where.type == "cpu":
        keep_memory()
        torch.set_num_threads(int(choose_threads().value))
    styles, masks = [parse(str(s)) for s in _several(style)], _several(mask)
    regions = read_regions(masks, len(styles))
    stylist = choose_stylist(
        styles, model=model, features=features, decoder=decoder, optimise=optimise, strength=strength,
        style_size=style_size, regions=len(regions) > 1, keep_colour=keep_colour, device=where,
    )  # fmt: skip
    if len(regions) > 1 and not stylist.regions:
        raise UserError(f"{stylist.words} knows no regions; give one --mask, or a --model of adain")
    console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
    console.print(f"by {stylist.words}", markup=False)
    work = _Work(Painter(stylist, regions, size, keep_colour, tile), steady, console)
    settings = {
        "stylist": stylist.identity, "strength": strength, "masks": [digest(Path(m)) for m in masks], "size": size,
        "style_size": style_size, "keep_colour": keep_colour, "steady": steady,
    }  # fmt: skip
    job = Job(work.do, "stylise", settings, console)
    if source.is_dir():
        return over_folder(source, Path(out) if out is not None else Path(f"{source.resolve().name}-stylised"), job)
    target = target_of(source, Path(out) if out is not None else None, "stylised", "stylise")
    if is_film(source) and target.suffix.lower() not in WRITTEN:
        parts = target if not target.suffix else target.with_name(f"{target.name}.parts")
        agree(parts, job)
    try:
        with bar(console, 1) as advance:
            work.do(source, target, advance)
    except BrokenError as e:
        raise UserError(f"{source} can't be read: {plain(str(e))}") from None
    return target


@dataclass(frozen=True)
class _Work:
    """What is done to each file."""

    painter: Painter
    steady: bool
    console: Console

    def do(self, source: Path, target: Path, advance: Advance) -> None:
        """One picture or film from file to file. Raises BrokenError if it can't be read."""
        if is_film(source) and target.suffix.lower() not in WRITTEN:
            self._film(source, target, advance)
            return
        photo = read_photo(source)
        form = check_output(target, *photo.colour.shape[:2])
        self._note(source, *photo.notes)
        if photo.alpha is not None and form in ("JPEG", "BMP"):
            self._note(source, f"{form} holds no transparency; it is laid on white")
        shown = monotonic()

        def show(partial: Photo) -> None:
            nonlocal shown
            if monotonic() - shown > EVERY:
                write_photo(partial, target)
                shown = monotonic()

        write_photo(self.painter.paint(photo, advance, show), target)

    def _film(self, source: Path, target: Path, advance: Advance) -> None:
        """A film, frame by frame from its beginning, as each frame depends on the one before."""
        parts = target.with_name(f"{target.name}.parts") if target.suffix else target
        if target.suffix:
            shutil.rmtree(parts, ignore_errors=True)
            parts.mkdir(parents=True)
        mix = Steady() if self.steady else None

        def painted(photo: Photo, partly: Advance) -> Photo:
            done = self.painter.paint(photo, partly)
            if mix is None or photo.colour.shape != done.colour.shape:
                return done
            box = Box(0, 0, *photo.colour.shape[:2])
            kept = mix(as_floats(photo.colour, box), as_floats(done.colour, box))
            return replace(done, colour=as_numbers(kept, done.colour.dtype))

        self._note(source, *remake_film(source, reel(source), target, painted, parts, advance))
        if parts != target:
            shutil.rmtree(parts)

    def _note(self, source: Path, *notes: str) -> None:
        for note in notes:
            self.console.print(f"  {plain(source.name)}: {note}", markup=False)


def _several(given: str | Path | Sequence[str | Path]) -> list[Any]:
    return [given] if isinstance(given, str | Path) else list(given)
