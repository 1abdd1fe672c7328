"""Zip and tar archives, read in place: nothing is ever extracted, and nothing that leaves the archive is followed."""

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ..errors import UserError
from .decode import BrokenError, looks_like_picture
from .source import ARCHIVES, LARGEST, Base, Item, at_hand, broken, hidden, is_labels, is_picture, suffix

RATIO = 200  # how many times an archive may grow, beyond
SLACK = 64 * 1024**2  # bytes
_READ_ERRORS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


def fault(name: str) -> str | None:
    """Why a member's name is not to be trusted, None if it is."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or (len(parts[0]) == 2 and parts[0][1] == ":"):
        return "an absolute path inside an archive"
    if ".." in parts:
        return "a path that leaves the archive"
    return None


def tidy(name: str) -> str:
    """A member's name with forward slashes and without "./"."""
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


@dataclass
class Archive(Base):
    """What zip and tar have in common: which members are pictures."""

    path: Path = Path()

    def stamp(self) -> str:
        """Path, size and time of modification of the archive."""
        status = self.path.stat()
        return f"{self.path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"

    def sort(self, name: str, problem: str | None, size: int, seen: set[str], head: Callable[[], bytes]) -> Item | bool:
        """True for a picture, False for a file to ignore, an item that is broken for one to list."""
        clean = tidy(name)
        if problem := problem or fault(name):
            return broken(name, problem)
        if hidden(clean):
            return False
        if suffix(clean) in ARCHIVES:
            return broken(clean, "an archive inside an archive: give it by itself")
        if not is_picture(clean) and not is_labels(clean):
            try:
                picture = looks_like_picture(head())
            except (*_READ_ERRORS, BrokenError):
                picture = False
            if not picture:
                self.ignored[suffix(clean) or "no extension"] += 1
                return False
        if size > LARGEST:
            return broken(clean, f"{size / 1e6:.0f} MB: too large for a picture")
        if clean in seen:
            return broken(clean, "the archive holds another file of this name")
        seen.add(clean)
        return True


@dataclass
class Zip(Archive):
    """The pictures of a zip archive, sorted by name and read by random access."""

    @cached_property
    def archive(self) -> zipfile.ZipFile:
        """The open archive. Raises UserError if its directory is damaged."""
        try:
            return zipfile.ZipFile(self.path)
        except _READ_ERRORS as e:
            raise UserError(f"{self.path} is no readable zip archive (truncated?): {e}") from None

    def count(self) -> int:
        """How many members have a picture's name."""
        return sum(is_picture(info.filename) for info in self.archive.infolist())

    def items(self, size: int) -> Iterator[Item]:
        """One item a member."""
        seen: set[str] = set()
        infos = [i for i in self.archive.infolist() if not i.is_dir()]
        overlapping = _overlapping(infos)
        for info in sorted(infos, key=lambda i: i.filename):
            problem = _zip_problem(info) or ("it overlaps another member" if id(info) in overlapping else None)
            kind = self.sort(info.filename, problem, info.file_size, seen, partial(self._read, info, 16))
            name = tidy(info.filename)
            if isinstance(kind, Item):
                yield kind
            elif kind and is_labels(name):
                self.offer_labels(name, partial(self._read, info))
            elif kind:
                yield Item(name, partial(self._read, info), cost=info.file_size)

    def _read(self, info: zipfile.ZipInfo, n: int = LARGEST) -> bytes:
        try:
            with self.archive.open(info) as member:
                return member.read(n)
        except _READ_ERRORS as e:
            raise BrokenError(f"damaged in the archive: {e}") from None


def _zip_problem(info: zipfile.ZipInfo) -> str | None:
    mode = info.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "a link or device inside an archive"
    if info.flag_bits & 1:
        return "encrypted"
    if info.file_size > SLACK and info.file_size > RATIO * info.compress_size:
        return f"it would grow {info.file_size / max(info.compress_size, 1):.0f} times when unpacked"
    return None


def _overlapping(infos: list[zipfile.ZipInfo]) -> set[int]:
    """Members that share bytes with another, which is how a small archive promises endless content."""
    found: set[int] = set()
    end = 0
    for info in sorted(infos, key=lambda i: i.header_offset):
        if info.header_offset < end:
            found.add(id(info))
        end = max(end, info.header_offset + 30 + info.compress_size)
    return found


@dataclass
class Tar(Archive):
    """The pictures of a tar archive, plain or gzipped, in the archive's order, read in one pass."""

    def count(self) -> None:
        """Unknown before the archive has been read."""

    def items(self, size: int) -> Iterator[Item]:
        """One item a member."""
        seen: set[str] = set()
        try:
            for member, read in members(self.path):
                head = io.BytesIO()  # keeps what was read to tell the kind of file
                kind = self.sort(member.name, _tar_problem(member), member.size, seen, partial(_peek, read, head))
                name = tidy(member.name)
                if isinstance(kind, Item):
                    yield kind
                elif kind and is_labels(name):
                    self.offer_labels(name, partial(read, LARGEST))
                elif kind:
                    content = head.getvalue() + read(LARGEST)
                    yield Item(name, at_hand(content), cost=len(content))
        except _READ_ERRORS as e:
            yield broken(self.path.name, f"the archive ends early or is damaged: {e}")


def _peek(read: Callable[[int], bytes], head: io.BytesIO) -> bytes:
    head.write(read(16))
    return head.getvalue()


def _tar_problem(member: tarfile.TarInfo) -> str | None:
    if member.issym() or member.islnk():
        return "a link inside an archive"
    if not member.isreg() or member.issparse():
        return "a device or other special file inside an archive"
    return None


def members(path: Path) -> Iterator[tuple[tarfile.TarInfo, Callable[[int], bytes]]]:
    """Every member of a tar archive that is no folder, with a function that reads its next bytes.

    The archive is a stream: tarfile cannot be sent back and forth in it by damaged headers.
    """
    with _unpacked(path) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # a stream has no use for the list of what has passed
            if not member.isdir():
                file = tar.extractfile(member) if member.isreg() else None
                yield member, file.read if file else _nothing


def _nothing(n: int) -> bytes:
    return b""


@contextmanager
def _unpacked(path: Path) -> Iterator[Any]:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not packed:
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield _Metered(unpacked, path.stat().st_size * RATIO + SLACK)


class _Metered:
    """A stream that ends with an error once it has given more than `budget` bytes."""

    def __init__(self, stream: gzip.GzipFile, budget: int) -> None:
        self.stream, self.left = stream, budget

    def read(self, n: int) -> bytes:
        data = self.stream.read(n)
        self.left -= len(data)
        if self.left < 0:
            raise ValueError(f"it grows more than {RATIO} times when unpacked")
        return data
