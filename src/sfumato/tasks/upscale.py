"""Enlarge pictures and films: one file, or a folder with all that is below it."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ..data.decode import BrokenError
from ..data.folder import walk
from ..data.layouts.films import EXTENSIONS
from ..data.prepare import Skipped
from ..data.source import is_picture, plain
from ..errors import UserError
from ..training.checkpoint import sweep, write_text
from .enlarging.enlarge import enlarge, tiling
from .enlarging.method import Advance, Method, choose_method
from .enlarging.video import FILMS, enlarge_film
from .files.photo import WRITTEN, Photo, check_output, read_photo, write_photo
from .files.reels import is_film, reel

SETTINGS = "upscale.json"  # in a folder of enlarged pictures or frames: how they were made
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
    job = _Job(method, times, tile, overlap, console)
    if source.is_dir():
        return _folder(source, Path(out) if out is not None else Path(f"{source.resolve().name}-x{times:g}"), job)
    target = _target(source, Path(out) if out is not None else None, times)
    try:
        with _bar(console, 1) as advance:
            job.do(source, target, advance)
    except BrokenError as e:
        raise UserError(f"{source} can't be read: {plain(str(e))}") from None
    return target


def _target(source: Path, out: Path | None, scale: float) -> Path:
    """Where the result of one file goes. Raises UserError if it can't be written there."""
    if out is None:
        return Path(_named(source, f"{source.stem}-x{scale:g}{source.suffix}"))
    film = is_film(source)
    if out.is_dir() and not (film and (out / SETTINGS).exists()):
        out = out / _named(source, source.name)
    if out.exists() and out.samefile(source):
        raise UserError(f"--out {out} is the {'film' if film else 'picture'} itself; give another name")
    ending = out.suffix.lower()
    still = ending in WRITTEN and source.suffix.lower() not in EXTENSIONS  # of a moving picture: its first frame
    if film and not still:
        if ending not in (*FILMS, ".gif") and (ending or out.is_file()):
            raise UserError(f"{out}: films are written as {', '.join(FILMS)}, .gif, or a folder of frames")
    else:
        check_output(out, 1, 1)
    return out


@dataclass(frozen=True)
class _Job:
    """What is done to each picture."""

    method: Method
    scale: float
    tile: int | None
    overlap: int | None
    console: Console

    @property
    def settings(self) -> dict[str, Any]:
        """What results depend on."""
        return {"scale": self.scale, "method": self.method.identity, "tile": self.tile, "overlap": self.overlap}

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
        _agree(parts, self.settings | {"film": [source.name, stamp.st_size, stamp.st_mtime_ns]})
        self._note(source, *enlarge_film(source, about, target, self._enlarge, parts, advance))
        if parts != target:
            shutil.rmtree(parts)

    def _enlarge(self, photo: Photo, advance: Advance) -> Photo:
        return enlarge(photo, self.method, self.scale, tile=self.tile, overlap=self.overlap, advance=advance)

    def _note(self, source: Path, *notes: str) -> None:
        for note in notes:
            self.console.print(f"  {plain(source.name)}: {note}", markup=False)


def _folder(source: Path, target: Path, job: _Job) -> Path:
    """Every picture and film below a folder, by name; those that are there already are not made again."""
    if target.exists() and not target.is_dir():
        raise UserError(f"--out {target} is a file; pictures of a folder go into a folder")
    if target.exists() and target.samefile(source):
        raise UserError(f"--out {target} is the folder itself; give another")
    inside, console = target.resolve(), job.console
    found = {
        name: path
        for name, path, _ in walk(source)
        if (is_picture(name) or path.suffix.lower() in EXTENSIONS) and inside not in path.resolve().parents
    }
    if not found:
        raise UserError(f"there is no picture in {source}")
    _agree(target, job.settings)
    sweep(target)
    todo = {n: p for n, p in sorted(found.items()) if not _done(p, target / _named(p, n))}
    if len(todo) < len(found):
        console.print(f"{len(found) - len(todo)} of {len(found)} are there already", markup=False)
    skipped = []
    with _bar(console, len(todo)) as advance:
        for k, (name, path) in enumerate(todo.items()):

            def partly(share: float, before: int = k) -> None:
                advance(before + share)

            try:
                job.do(path, target / _named(path, name), partly)
            except BrokenError as e:
                skipped.append(Skipped(plain(name), plain(str(e))))
    if skipped:
        _list(skipped, target / "skipped.csv")
        if len(skipped) == len(found):
            raise UserError(f"no picture in {source} can be read; {skipped[0].name}: {skipped[0].reason}")
        console.print(f"{len(skipped)} skipped: see {target / 'skipped.csv'}", markup=False)
    else:
        (target / "skipped.csv").unlink(missing_ok=True)
    return target


def _agree(target: Path, settings: dict[str, Any]) -> None:
    """Write down how a folder's pictures are made. Raises UserError if those in it were made otherwise."""
    path, text = target / SETTINGS, json.dumps(settings, indent=2) + "\n"
    try:
        target.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if path.exists() else text
    except OSError as e:
        raise UserError(f"can't use the folder {target}: {e.strerror}; give another --out") from None
    if before != text:
        raise UserError(f"{target} holds pictures made with other settings (see {path}); give another --out")
    write_text(path, text)


def _done(source: Path, target: Path) -> bool:
    """Whether a result is there and not older than its picture."""
    return target.exists() and target.stat().st_mtime >= source.stat().st_mtime


def _list(skipped: list[Skipped], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as f:
        csv.writer(f).writerows([Skipped._fields, *skipped])


def _named(source: Path, name: str) -> str:
    """The name of a result: the source's, with .png or .mp4 added where its format is not written."""
    film, ending = is_film(source), Path(name).suffix.lower()
    kept = (*FILMS, ".gif") if film else WRITTEN
    return name if ending in kept else f"{name}{'.mp4' if film else '.png'}"


@contextmanager
def _bar(console: Console, total: int) -> Iterator[Callable[[float], None]]:
    """A progress bar on a terminal; what moves it to so many pictures."""
    columns = BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TextColumn("eta"), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)
