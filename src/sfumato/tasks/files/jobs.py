"""The same done to every picture and film of a folder, so that a command that was stopped goes on where it was."""

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ...data.decode import BrokenError
from ...data.folder import walk
from ...data.layouts.films import EXTENSIONS
from ...data.prepare import Skipped
from ...data.source import is_picture, plain
from ...errors import UserError
from ...training.checkpoint import sweep, write_text
from ..progress import Advance, bar
from .films import FILMS
from .photo import WRITTEN, check_output
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
    check_apart(source, target)
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
    skipped = each(todo, lambda name, path, advance: job.do(path, target / named(path, name), advance), job.console)
    note_skipped(skipped, len(found), source, target, job.console)
    return target


def check_apart(source: Path, target: Path) -> None:
    """Raises UserError unless results of a folder go into another folder."""
    if target.exists() and not target.is_dir():
        raise UserError(f"--out {target} is a file; pictures of a folder go into a folder")
    if target.exists() and target.samefile(source):
        raise UserError(f"--out {target} is the folder itself; give another")


def each(files: Mapping[str, Path], do: Callable[[str, Path, Advance], None], console: Console) -> list[Skipped]:
    """Do something to files by name, under a progress bar; those that can't be read (BrokenError), and why."""
    skipped = []
    with bar(console, len(files)) as advance:
        for k, (name, path) in enumerate(files.items()):

            def partly(share: float, before: int = k) -> None:
                advance(before + share)

            try:
                do(name, path, partly)
            except BrokenError as e:
                skipped.append(Skipped(plain(name), plain(str(e))))
    return skipped


def note_skipped(
    skipped: list[Skipped], total: int, source: Path, target: Path, console: Console, done: str = "read"
) -> None:
    """List what was skipped in the target's skipped.csv, and say so. Raises UserError if nothing could be `done`."""
    path = target / "skipped.csv"
    path.unlink(missing_ok=True)
    if not skipped:
        return
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as f:
        csv.writer(f).writerows([Skipped._fields, *skipped])
    if len(skipped) == total:
        raise UserError(f"no picture in {source} can be {done}; {skipped[0].name}: {skipped[0].reason}")
    console.print(f"{len(skipped)} skipped: see {path}", markup=False)


def target_of(source: Path, out: Path | None, ending: str, verb: str) -> Path:
    """Where the result of one file goes, here with an ending if not said. Raises UserError if it can't be written."""
    if out is None:
        return Path(named(source, f"{source.stem}-{ending}{source.suffix}"))
    film = is_film(source)
    if out.is_dir() and not (film and (out / f"{verb}.json").exists()):
        out = out / named(source, source.name)
    if out.exists() and out.samefile(source):
        raise UserError(f"--out {out} is the {'film' if film else 'picture'} itself; give another name")
    kind = out.suffix.lower()
    still = kind in WRITTEN and source.suffix.lower() not in EXTENSIONS  # of a moving picture: its first frame
    if film and not still:
        if kind not in (*FILMS, ".gif") and (kind or out.is_file()):
            raise UserError(f"{out}: films are written as {', '.join(FILMS)}, .gif, or a folder of frames")
    else:
        check_output(out, 1, 1)
    return out


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


def _done(source: Path, target: Path) -> bool:
    """Whether a result is there and not older than its source."""
    return target.exists() and target.stat().st_mtime >= source.stat().st_mtime
