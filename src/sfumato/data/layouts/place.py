"""A place on the disk that may be laid out in some known way: its files by name, and what is text among them."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..decode import BrokenError
from ..folder import Folder, walk
from ..labels import TEST_FOLDERS, TRAIN_FOLDERS, VAL_FOLDERS
from ..source import LARGEST, plain
from .opened import header

LONGEST = 1024**2  # bytes of a text that belongs to one picture


@dataclass(frozen=True)
class File:
    """A file as the folder lists it."""

    path: Path
    size: int  # bytes
    changed: int  # ns


@dataclass(frozen=True)
class Place:
    """A folder, or a file by itself."""

    path: Path

    @property
    def name(self) -> str:
        """For messages."""
        return self.path.name or str(self.path)

    @cached_property
    def files(self) -> Mapping[str, File]:
        """Every file at any depth by its name, relative, with forward slashes, sorted. Nothing else is ever opened."""
        if self.path.is_file():
            found = [(self.path.name, self.path, self.path.stat())]
        else:
            found = sorted(walk(self.path))
        return {name: File(path, status.st_size, status.st_mtime_ns) for name, path, status in found}

    @cached_property
    def pictures(self) -> list[str]:
        """The names of the files that may be pictures, sorted."""
        return [name for name, _, _ in Folder(self.name, "folder", path=self.path).files]

    def seal(self, names: Iterable[str] | None = None) -> str:
        """What changes when one of these files does, or any of all: a hash of paths, sizes, times of modification."""
        digest = hashlib.blake2b(str(self.path.resolve()).encode("utf-8", "surrogateescape"), digest_size=16)
        for name in self.files if names is None else names:
            file = self.files[name]
            digest.update(f"{name}\0{file.size}\0{file.changed}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def read(self, name: str, limit: int = LARGEST) -> bytes:
        """A file's bytes. Raises BrokenError if there are too many, or they cannot be read."""
        file = self.files[name]
        if file.size > limit:
            raise BrokenError(f"{file.size / 1e6:.1f} MB: too large")
        try:
            return file.path.read_bytes()
        except OSError as e:
            raise BrokenError(f"cannot be read: {e.strerror}") from None

    def text(self, name: str, limit: int = LARGEST) -> str:
        """A file's text; bytes that are no UTF-8 become "\N{REPLACEMENT CHARACTER}". Raises UserError, as `read`."""
        try:
            return self.read(name, limit).decode("utf-8-sig", "replace")
        except BrokenError as e:
            raise UserError(f"{self.name}: {plain(name)} {e}") from None

    def json(self, name: str) -> Any:
        """What a json file says. Raises UserError if it is none."""
        try:
            return json.loads(self.text(name))
        except RecursionError:
            raise UserError(f"{self.name}: {plain(name)} is nested too deeply") from None
        except ValueError as e:
            raise UserError(f"{self.name}: {plain(name)} is no json file: {e}") from None

    def table(self, name: str) -> list[list[str]]:
        """The rows of a csv file that are not empty, divided by comma, semicolon or tab. Raises UserError."""
        text = self.text(name)
        delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
        try:
            rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
        except csv.Error as e:
            raise UserError(f"{self.name}: {plain(name)} is no csv file: {e}") from None
        return [row for row in rows if any(row)]

    def records(self, name: str, *kinds: Callable[[str], Any]) -> list[list[Any]]:
        """Lines of columns with blanks between, each of its kind; the last takes the rest. Raises UserError."""
        found = []
        for number, line in enumerate(self.text(name).splitlines(), 1):
            if line.strip():
                try:
                    found.append(
                        [kind(cell) for kind, cell in zip(kinds, line.split(None, len(kinds) - 1), strict=True)]
                    )
                except ValueError:
                    raise UserError(
                        f"{self.name}: {plain(name)}, line {number}: {plain(line[:40])!r} has not the columns "
                        f"{' '.join(kind.__name__ for kind in kinds)}"
                    ) from None
        return found

    def sides(self, name: str) -> tuple[int, int] | None:
        """Width and height of a picture, None if they cannot be read, or EXIF turns it."""
        if name not in self._sides:
            try:
                self._sides[name] = header(self.read(name))
            except BrokenError:
                self._sides[name] = None
        return self._sides[name]

    @cached_property
    def _sides(self) -> dict[str, tuple[int, int] | None]:
        return {}


class Lookup:
    """The picture that a name in a text means: a path from the root, or the end of one where it is the only such."""

    def __init__(self, names: Iterable[str]) -> None:
        self.full = set(names)
        self.ends: dict[str, str] = {}
        for name in sorted(self.full):
            parts = name.split("/")
            for k in range(1, len(parts)):
                end = "/".join(parts[k:])
                self.ends[end] = "" if end in self.ends else name

    def __call__(self, name: str) -> str | None:
        """The full name, None if there is no such picture or there are several."""
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        while parts:
            end = "/".join(parts)
            if end in self.full or end in self.ends:
                return end if end in self.full else self.ends[end] or None
            parts = parts[1:]
        return None


def split_name(folder: str) -> str | None:
    """What a folder is called for: "train", "test" or "val"; None if for something else. 2017 may follow."""
    name = folder.lower().rstrip("0123456789_")
    kinds = (("train", TRAIN_FOLDERS), ("test", TEST_FOLDERS), ("val", VAL_FOLDERS))
    return next((kind for kind, known in kinds if name in known), None)


def splits(folders: Iterable[str], val_first: bool = False) -> dict[str, str]:
    """Folders to splits: "train", "test", or "val" for what is neither, as `from_folders` calls it.

    All are "train" unless there is something to train on and something to test on. `val_first`: where there are both,
    val is tested on and test is neither.
    """
    kinds = {folder: split_name(folder) or "train" for folder in folders}
    found = set(kinds.values())
    if "train" not in found or not found & {"test", "val"}:
        return dict.fromkeys(kinds, "train")
    tested = "val" if "val" in found and (val_first or "test" not in found) else "test"
    return {name: "train" if kind == "train" else "test" if kind == tested else "val" for name, kind in kinds.items()}
