"""Enlarge pictures: one file, or a folder with all that is below it."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ..data.decode import BrokenError
from ..data.folder import walk
from ..data.prepare import Skipped
from ..data.source import is_picture, plain
from ..errors import UserError
from ..networks.pretrained.weights import digest
from ..training.checkpoint import sweep, write_text
from .enlarge import Method, choose_method, enlarge, shipped, tiling
from .photo import WRITTEN, check_output, read_photo, write_photo

SETTINGS = "upscale.json"  # in a folder of enlarged pictures: how they were made
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
    quiet: bool = False,
) -> Path:
    """Enlarge a picture, or every picture of a folder and the folders in it; where the result is.

    `scale` is any number from 1, 2 or what the network does if not given. `model` is a run folder or model file of a
    system that enlarges, or a public checkpoint (`formats.superres.read_upscaler`); `like` is "bicubic" or "bilinear".
    `tile` and `overlap` are in pixels of the picture. Depth, alpha, colour profile and EXIF are kept, `out`'s extension
    says the format. In a folder, pictures done before are left as they are, and broken ones listed in skipped.csv.
    Raises UserError if nothing can be enlarged.
    """
    source = Path(pictures)
    for name, value, least in (("tile", tile, 1), ("overlap", overlap, 0)):
        if value is not None and value < least:
            raise UserError(f"--{name} is {value}; it must be {least} or more pixels")
    if scale is not None and not 1 <= scale <= LARGEST:
        raise UserError(f"--scale is {scale:g}; it must be from 1 to {LARGEST}")
    if not source.exists():
        raise UserError(f"there is no picture or folder {source}")
    method = choose_method(model, like, scale, device)
    times = scale or (method.scale if method.network else 2)
    target = Path(out) if out is not None else _beside(source, times)
    console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
    console.print(f"×{times:g} by {method.words}", markup=False)
    if not tiling(method, 1, tile, overlap).exact:
        far = f"{method.reach} pixels" if method.reach else "the whole picture"
        console.print(f"  it sees {far}: where a picture takes several tiles, they are faded into each other")
    job = _Job(method, times, tile, overlap, console)
    if source.is_dir():
        settings = {"scale": times, "method": _identity(method, model, times), "tile": tile, "overlap": overlap}
        return _folder(source, target, settings, job)
    if target.is_dir():
        target = target / _named(source.name)
    check_output(target, 1, 1)
    if target.exists() and target.samefile(source):
        raise UserError(f"--out {target} is the picture itself; give another name")
    try:
        with _bar(console, 1) as advance:
            job.do(source, target, advance)
    except BrokenError as e:
        raise UserError(f"{source} can't be read: {plain(str(e))}") from None
    return target


@dataclass(frozen=True)
class _Job:
    """What is done to each picture."""

    method: Method
    scale: float
    tile: int | None
    overlap: int | None
    console: Console

    def do(self, source: Path, target: Path, advance: Callable[[float], None]) -> None:
        """One picture from file to file. Raises BrokenError if it can't be read."""
        photo = read_photo(source)
        height, width = photo.colour.shape[:2]
        form = check_output(target, round(height * self.scale), round(width * self.scale))
        notes = list(photo.notes)
        if photo.alpha is not None and form in ("JPEG", "BMP"):
            notes.append(f"{form} holds no transparency; it is laid on white")
        for note in notes:
            self.console.print(f"  {plain(source.name)}: {note}", markup=False)
        large = enlarge(photo, self.method, self.scale, tile=self.tile, overlap=self.overlap, advance=advance)
        write_photo(large, target)


def _folder(source: Path, target: Path, settings: dict[str, Any], job: _Job) -> Path:
    """Every picture below a folder, by name; those that are there already are not made again."""
    if target.exists() and not target.is_dir():
        raise UserError(f"--out {target} is a file; pictures of a folder go into a folder")
    if target.exists() and target.samefile(source):
        raise UserError(f"--out {target} is the folder itself; give another")
    inside, console = target.resolve(), job.console
    found = {n: p for n, p, _ in walk(source) if is_picture(n) and inside not in p.resolve().parents}
    if not found:
        raise UserError(f"there is no picture in {source}")
    _agree(target, settings)
    sweep(target)
    todo = {n: p for n, p in sorted(found.items()) if not _done(p, target / _named(n))}
    if len(todo) < len(found):
        console.print(f"{len(found) - len(todo)} of {len(found)} are there already", markup=False)
    skipped = []
    with _bar(console, len(todo)) as advance:
        for k, (name, path) in enumerate(todo.items()):

            def partly(share: float, before: int = k) -> None:
                advance(before + share)

            try:
                job.do(path, target / _named(name), partly)
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


def _identity(method: Method, model: str | Path | None, scale: float) -> str:
    """What tells one method from another: the checksum of a network's file, or the kernel."""
    if method.network is None:
        return method.kernel
    path = Path(model) if model is not None else shipped(scale)
    assert path is not None
    file = path / "model.safetensors" if path.is_dir() else path
    return digest(file.with_suffix(".bin") if file.suffix == ".param" else file)


def _list(skipped: list[Skipped], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as f:
        csv.writer(f).writerows([Skipped._fields, *skipped])


def _named(name: str) -> str:
    """The name of a result: the picture's, with .png added where its format is not written."""
    return name if Path(name).suffix.lower() in WRITTEN else f"{name}.png"


def _beside(source: Path, scale: float) -> Path:
    """Where a result goes if nobody says: here, with the scale in its name."""
    if source.is_dir():
        return Path(f"{source.resolve().name}-x{scale:g}")
    return Path(_named(f"{source.stem}-x{scale:g}{source.suffix}"))


@contextmanager
def _bar(console: Console, total: int) -> Iterator[Callable[[float], None]]:
    """A progress bar on a terminal; what moves it to so many pictures."""
    columns = BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TextColumn("eta"), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)
