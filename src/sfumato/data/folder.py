"""Folders of pictures, and single pictures."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from .decode import BrokenError, looks_like_picture
from .source import ARCHIVES, LARGEST, Base, Item, broken, hidden, is_labels, is_picture, suffix


@dataclass
class Folder(Base):
    """Every picture below a folder, sorted by path; or one file."""

    path: Path = Path()
    others: list[str] = field(default_factory=list)  # labels files and their status

    @cached_property
    def files(self) -> list[tuple[str, Path, os.stat_result]]:
        """Name, path and status of what may be a picture."""
        if self.path.is_file():
            return [(self.path.name, self.path, self.path.stat())]
        found = []
        for name, path, status in walk(self.path):
            if is_labels(name):
                self.offer_labels(name, partial(_read, path))
                self.others.append(f"{name}\0{status.st_size}\0{status.st_mtime_ns}")
            elif is_picture(name) or (suffix(name) not in ARCHIVES and _sniff(path)):
                found.append((name, path, status))
            else:
                self.ignored[suffix(name) or "no extension"] += 1
        return sorted(found)

    def stamp(self) -> str:
        """A hash of every file's path, size and time of modification, and of how much else there is."""
        digest = hashlib.blake2b(str(self.path.resolve()).encode("utf-8", "surrogateescape"), digest_size=16)
        for name, _, status in self.files:
            line = f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
        digest.update(repr((self.others, sorted(self.ignored.items()))).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def count(self) -> int:
        """How many files may be pictures."""
        return len(self.files)

    def items(self, size: int) -> Iterator[Item]:
        """One item a file."""
        for name, path, status in self.files:
            if status.st_size > LARGEST:
                yield broken(name, f"{status.st_size / 1e6:.0f} MB: too large for a picture")
            else:
                yield Item(name, partial(_read, path), cost=status.st_size)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise BrokenError(f"cannot be read: {e.strerror}") from None


def _sniff(path: Path) -> bool:
    try:
        with path.open("rb") as f:
            return looks_like_picture(f.read(16))
    except OSError:
        return False


def walk(root: Path) -> Iterator[tuple[str, Path, os.stat_result]]:
    """Regular files below a folder. Links are followed, but into no folder twice; pipes and devices are left alone."""
    seen, folders = set(), [(root, "")]
    while folders:
        folder, prefix = folders.pop()
        try:
            status = folder.stat()
            entries = list(os.scandir(folder))
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in sorted(entries, key=lambda e: e.name):
            name = prefix + entry.name
            if hidden(entry.name):
                continue
            try:
                status = entry.stat()
            except OSError:  # a link that leads nowhere
                continue
            if stat.S_ISDIR(status.st_mode):
                folders.append((Path(entry.path), name + "/"))
            elif stat.S_ISREG(status.st_mode):
                yield name, Path(entry.path), status
