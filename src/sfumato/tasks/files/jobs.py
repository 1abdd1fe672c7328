"""The same done to every picture and film of a folder, so that a command that was stopped goes on where it was."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ...data.decode import BrokenError
from ...data.folder import walk
from ...data.layouts.films import EXTENSIONS
from ...data.prepare import Skipped
from ...data.source import is_picture, plain
from ...errors import UserError
from ...training.checkpoint import sweep, write_text
from ..enlarging.method import Advance
from ..enlarging.video import FILMS
from .photo import WRITTEN
from .reels import is_film


@dataclass(frozen=True)
class Job:
    """What is done to each file."""

    do: Callable[[Path, Path, Advance], None]  # from file to file; raises BrokenError if it can't be read
    verb: str  # names the file of settings
    settings: Mapping[str, Any]  # what results depend on
    console: Console


def over_folder(source: Path, target: Path, job: Job) -> Path:
    """Every picture and film below a folder, by name; those that are there already are not made again.

    What can't be read is listed in skipped.csv. Raises UserError if nothing can, or if the target holds other results.
    """
    if target.exists() and not target.is_dir():
        raise UserError(f"--out {target} is a file; pictures of a folder go into a folder")
    if target.exists() and target.samefile(source):
        raise UserError(f"--out {target} is the folder itself; give another")
    inside = target.resolve()
    found = {
        name: path
        for name, path, _ in walk(source)
        if (is_picture(name) or path.suffix.lower() in EXTENSIONS) and inside not in path.resolve().parents
    }
    if not found:
        raise UserError(f"there is no picture in {source}")
    agree(target, job)
    sweep(target)
    todo = {n: p for n, p in sorted(found.items()) if not _done(p, target / named(p, n))}
    if len(todo) < len(found):
        job.console.print(f"{len(found) - len(todo)} of {len(found)} are there already", markup=False)
    skipped = []
    with bar(job.console, len(todo)) as advance:
        for k, (name, path) in enumerate(todo.items()):

            def partly(share: float, before: int = k) -> None:
                advance(before + share)

            try:
                job.do(path, target / named(path, name), partly)
            except BrokenError as e:
                skipped.append(Skipped(plain(name), plain(str(e))))
    _list(skipped, target / "skipped.csv")
    if skipped and len(skipped) == len(found):
        raise UserError(f"no picture in {source} can be read; {skipped[0].name}: {skipped[0].reason}")
    if skipped:
        job.console.print(f"{len(skipped)} skipped: see {target / 'skipped.csv'}", markup=False)
    return target


def agree(target: Path, job: Job) -> None:
    """Write down how a folder's results are made. Raises UserError if those in it were made otherwise."""
    path, text = target / f"{job.verb}.json", json.dumps(job.settings, indent=2) + "\n"
    try:
        target.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if path.exists() else text
    except OSError as e:
        raise UserError(f"can't use the folder {target}: {e.strerror}; give another --out") from None
    if before != text:
        raise UserError(f"{target} holds pictures made with other settings (see {path}); give another --out")
    write_text(path, text)


def named(source: Path, name: str) -> str:
    """The name of a result: the source's, with .png or .mp4 added where its format is not written."""
    film = is_film(source)
    kept = (*FILMS, ".gif") if film else tuple(WRITTEN)
    return name if Path(name).suffix.lower() in kept else f"{name}{'.mp4' if film else '.png'}"


@contextmanager
def bar(console: Console, total: int) -> Iterator[Callable[[float], None]]:
    """A progress bar on a terminal; what moves it to so many files."""
    columns = BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TextColumn("eta"), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("", total=total)
        yield lambda done: shown.update(task, completed=done)


def _done(source: Path, target: Path) -> bool:
    """Whether a result is there and not older than its source."""
    return target.exists() and target.stat().st_mtime >= source.stat().st_mtime


def _list(skipped: list[Skipped], path: Path) -> None:
    if not skipped:
        path.unlink(missing_ok=True)
        return
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as f:
        csv.writer(f).writerows([Skipped._fields, *skipped])
