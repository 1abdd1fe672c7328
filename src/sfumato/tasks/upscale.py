"""Enlarge pictures and films: one file, or a folder with all that is below it."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ..data.decode import BrokenError
from ..data.source import plain
from ..errors import UserError
from .enlarging.enlarge import enlarge, tiling
from .enlarging.method import Method, choose_method
from .files.films import remake_film
from .files.jobs import Job, agree, over_folder, target_of
from .files.photo import WRITTEN, Photo, check_output, read_photo, write_photo
from .files.reels import is_film, reel
from .progress import Advance, bar

LARGEST = 64  # times, the most that is asked for


def upscale(
    pictures: str | Path,
    *,
    scale: float | None = None,
    out: str | Path | None = None,
    model: str | Path | None = None,
    like: str | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    device: str | None = None,
    precision: str | None = None,
    quiet: bool = False,
) -> Path:
    """Enlarge a picture or a film, or every one of a folder and the folders in it; where the result is.

    `scale` is any number from 1, 2 or what the network does if not given. `model` is a run folder or model file of a
    system that enlarges, or a public checkpoint (`formats.superres.read_upscaler`); `like` is "photo", "sharp",
    "blend=0.3", "zero-shot", "bicubic" or "bilinear". `tile` and `overlap` are in pixels of the picture; `precision` is
    "float32" or "bfloat16", the quickest that is faithful if not given. Depth, alpha, colour profile and EXIF are kept,
    `out`'s extension says the format, and a film becomes frames where it has none. What is done of a folder or film is
    not done again, and what is broken in a folder is listed in skipped.csv. Raises UserError if nothing can be done.
    """
    source = Path(pictures)
    for name, value, least in (("tile", tile, 1), ("overlap", overlap, 0)):
        if value is not None and value < least:
            raise UserError(f"--{name} is {value}; it must be {least} or more pixels")
    if scale is not None and not 1 <= scale <= LARGEST:
        raise UserError(f"--scale is {scale:g}; it must be from 1 to {LARGEST}")
    if not source.exists():
        raise UserError(f"there is no picture, film or folder {source}")
    method = choose_method(model, like, scale, device, precision)
    times = scale or (method.scale if method.network else 2)
    console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
    console.print(f"×{times:g} by {method.words}", markup=False)
    if method.whole is None and not tiling(method, 1, tile, overlap).exact:
        far = f"{method.reach} pixels" if method.reach else "the whole picture"
        console.print(f"  it sees {far}: where a picture takes several tiles, they are faded into each other")
    work, given = _Work(method, times, tile, overlap, console), None if out is None else Path(out)
    if source.is_dir():
        return over_folder(source, given or Path(f"{source.resolve().name}-x{times:g}"), work.job())
    target = target_of(source, given, f"x{times:g}", "upscale")
    try:
        with bar(console, 1) as advance:
            work.do(source, target, advance)
    except BrokenError as e:
        raise UserError(f"{source} can't be read: {plain(str(e))}") from None
    return target


@dataclass(frozen=True)
class _Work:
    """What is done to each picture."""

    method: Method
    scale: float
    tile: int | None
    overlap: int | None
    console: Console

    def job(self, **more: Any) -> Job:
        """The work, and all that results depend on."""
        settings = {"scale": self.scale, "method": self.method.identity, "tile": self.tile, "overlap": self.overlap}
        return Job(self.do, "upscale", settings | more, self.console)

    def do(self, source: Path, target: Path, advance: Advance) -> None:
        """One picture or film from file to file. Raises BrokenError if it can't be read."""
        if is_film(source) and target.suffix.lower() not in WRITTEN:
            self._film(source, target, advance)
            return
        photo = read_photo(source)
        height, width = photo.colour.shape[:2]
        form = check_output(target, round(height * self.scale), round(width * self.scale))
        self._note(source, *photo.notes)
        if photo.alpha is not None and form in ("JPEG", "BMP"):
            self._note(source, f"{form} holds no transparency; it is laid on white")
        write_photo(self._enlarge(photo, advance), target)

    def _film(self, source: Path, target: Path, advance: Advance) -> None:
        """A film, whose finished parts lie in a folder beside it until all are there."""
        parts = target.with_name(f"{target.name}.parts") if target.suffix else target
        about, stamp = reel(source), source.stat()
        agree(parts, self.job(film=[source.name, stamp.st_size, stamp.st_mtime_ns]))
        self._note(source, *remake_film(source, about, target, self._enlarge, parts, advance))
        if parts != target:
            shutil.rmtree(parts)

    def _enlarge(self, photo: Photo, advance: Advance) -> Photo:
        return enlarge(photo, self.method, self.scale, tile=self.tile, overlap=self.overlap, advance=advance)

    def _note(self, source: Path, *notes: str) -> None:
        for note in notes:
            self.console.print(f"  {plain(source.name)}: {note}", markup=False)
