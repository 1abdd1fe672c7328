"""Pictures decoded once: packed into one file of bytes that is mapped into memory from then on.

The file is the pixels, then what belongs to them as compressed json, then a footer with the length and checksum of
that json. It is written under a temporary name and renamed when it is complete.
"""

import errno
import hashlib
import json
import os
import secrets
import struct
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..aspect import ratio
from ..errors import UserError
from .decode import VERSION, BrokenError, Decoded, Fitting, decode, strict_pillow
from .room import ADVICE, make_room, no_space, touch
from .source import Item, Source

Progress = Callable[[int, int | None], None]  # pictures done, and of how many if that is known

IN_MEMORY = 256 * 1024**2  # bytes; smaller files are read and verified whole
_FOOTER = struct.Struct("<QI8s")
_MAGIC = b"sfumato1"
_CHUNK, _CHUNK_BYTES = 32, 8 * 1024**2  # what a thread is given at a time: pictures, and bytes to read


@dataclass
class Packed:
    """Everything of a source that could be decoded, in the source's order, and what could not."""

    images: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 0, 1), np.uint8))
    names: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    remarks: list[int] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    classes: list[str] | None = None
    labels_file: tuple[str, str] | None = None  # name, content in latin-1
    digest: str = ""  # of the pixels


def default_folder() -> Path:
    """$SFUMATO_CACHE, else the platform's folder for a user's caches."""
    if chosen := os.environ.get("SFUMATO_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "sfumato"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "sfumato" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sfumato"


def packed(source: Source, fitting: Fitting, folder: Path | None = None, progress: Progress | None = None) -> Packed:
    """A source's pictures from the cache, decoded first if they are not there or the file is damaged.

    Raises UserError if the cache cannot be written.
    """
    folder = folder or default_folder()
    path = folder / f"{_key(source, fitting)}.pictures"
    content = _load(path, fitting.sides)
    touch(path)
    if content is None:
        try:
            _write(path, source, fitting, progress)
        except OSError as e:
            raise UserError(f"the cache {folder} cannot be written ({e.strerror or e}); {ADVICE}") from None
        content = _load(path, fitting.sides)
        if content is None:
            raise UserError(f"the cache file {path} is damaged as soon as it is written; {ADVICE}")
    return content


def _key(source: Source, fitting: Fitting) -> str:
    """The name of the file that holds a source's pictures, fitted. Squares have the name that they always had."""
    how = asdict(fitting)
    how["aspect"] = ratio(fitting.aspect)
    if how["aspect"] == (1, 1):
        del how["aspect"]
    settings = json.dumps([source.kind, source.stamp(), how, VERSION])
    return hashlib.blake2b(settings.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _load(path: Path, sides: tuple[int, int]) -> Packed | None:
    """A cache file's content, None if there is none or it is damaged."""
    try:
        with path.open("rb") as f:
            total = f.seek(0, os.SEEK_END)
            f.seek(max(0, total - _FOOTER.size))
            length, checksum, magic = _FOOTER.unpack(f.read())
            pixels = total - _FOOTER.size - length
            if magic != _MAGIC or pixels < 0:
                return None
            f.seek(pixels)
            meta = f.read(length)
        if zlib.crc32(meta) != checksum:
            return None
        content = Packed(**json.loads(zlib.decompress(meta)))
        shape = (len(content.names), *sides, pixels // max(1, len(content.names) * sides[0] * sides[1]))
        if np.prod(shape, dtype=np.int64) != pixels:
            return None
        if pixels <= IN_MEMORY:
            content.images = np.fromfile(path, np.uint8, pixels).reshape(shape)
            if hashlib.blake2b(content.images.data, digest_size=16).hexdigest() != content.digest:
                return None
            content.images.flags.writeable = False
        else:
            content.images = np.memmap(path, np.uint8, "r", shape=shape)
    except (OSError, ValueError, TypeError, struct.error, zlib.error):
        return None
    return content


def _write(path: Path, source: Source, fitting: Fitting, progress: Progress | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    count, area = source.count(), fitting.sides[0] * fitting.sides[1]
    make_room(path.parent, (count or 0) * area * (fitting.channels or 1))
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    content = Packed()
    try:
        with temporary.open("w+b") as f:
            _pack(f, content, source, fitting, progress)
            content.ignored, content.notes = dict(source.ignored), list(source.notes)
            content.classes = list(source.classes) if source.classes is not None else None
            if source.labels_file:
                content.labels_file = source.labels_file[0], source.labels_file[1].decode("latin-1")
            fields = {k: v for k, v in vars(content).items() if k != "images"}
            meta = zlib.compress(json.dumps(fields).encode(), 1)
            f.write(meta + _FOOTER.pack(len(meta), zlib.crc32(meta), _MAGIC))
            f.flush()
            os.fsync(f.fileno())
        temporary.replace(path)
    except OSError as e:
        if e.errno == errno.ENOSPC:
            needed = max(count or 0, len(content.names)) * area * 3
            raise UserError(no_space(path.parent, needed)) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _pack(f: BinaryIO, content: Packed, source: Source, fitting: Fitting, progress: Progress | None) -> None:
    """Decode everything into a file. If channels are open, it is grey until the first picture in colour."""
    channels, count, digest = fitting.channels or 1, source.count(), hashlib.blake2b(digest_size=16)
    for done, (item, result) in enumerate(decoded(source.items(fitting.size), fitting), 1):
        if isinstance(result, str):
            content.skipped.append((item.name, result))
        else:
            pixels = result.pixels
            if pixels.shape[2] > channels:
                channels, digest = 3, _to_colour(f, fitting.sides[0] * fitting.sides[1], len(content.names))
            row = np.broadcast_to(pixels, (*pixels.shape[:2], channels)).tobytes()
            f.write(row)
            digest.update(row)
            content.names.append(item.name)
            content.labels.append(item.label)
            content.splits.append(item.split)
            content.remarks.append(result.remarks)
        if progress and (done % 100 == 0 or done == count):
            progress(done, count)
    content.digest = digest.hexdigest()


def _to_colour(f: BinaryIO, area: int, n: int) -> "hashlib.blake2b":
    """Triple each byte of n grey pictures of so many pixels, the last first, in place; the digest of the result."""
    for i in reversed(range(n)):
        f.seek(i * area)
        grey = np.frombuffer(f.read(area), np.uint8)
        f.seek(3 * i * area)
        f.write(np.repeat(grey, 3).tobytes())
    digest = hashlib.blake2b(digest_size=16)
    f.seek(0)
    for _ in range(n):
        digest.update(f.read(3 * area))
    f.seek(3 * n * area)
    return digest


def decoded(items: Iterable[Item], fitting: Fitting) -> Iterator[tuple[Item, Decoded | str]]:
    """Every item in order, decoded or with the reason why not. Threads decode while the source is read on."""
    workers = min(16, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    pending: deque[Future[list[tuple[Item, Decoded | str]]]] = deque()
    with strict_pillow(), ThreadPoolExecutor(workers, "decode") as pool:
        try:
            for chunk in _chunks(items):
                pending.append(pool.submit(_attempt_all, chunk, fitting))
                if len(pending) > 2 * workers:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _attempt_all(items: list[Item], fitting: Fitting) -> list[tuple[Item, Decoded | str]]:
    return [(item, _attempt(item, fitting)) for item in items]


def _attempt(item: Item, fitting: Fitting) -> Decoded | str:
    try:
        return decode(item.read(), fitting)
    except BrokenError as e:
        return str(e)


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    chunk: list[Item] = []
    cost = 0
    for item in items:
        chunk.append(item)
        cost += item.cost
        if len(chunk) >= _CHUNK or cost >= _CHUNK_BYTES:
            yield chunk
            chunk, cost = [], 0
    if chunk:
        yield chunk
