"""MNIST's idx files, plain or gzipped: https://yann.lecun.com/exdb/mnist (format at the foot of the page)."""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from .archives import RATIO, SLACK
from .source import Base, Item, at_hand, broken

LARGEST = 4 * 1024**3  # bytes of pixels
_IMAGES = re.compile(r"(?P<stem>.*)images[-.]idx[34](?P<rest>-ubyte)?(\.gz)?$", re.IGNORECASE)


def is_idx(path: Path) -> bool:
    """Whether a file is one of images in idx form, by its name or its first bytes."""
    return bool(_IMAGES.match(path.name)) or _head(path)[:4] in (b"\0\0\x08\x03", b"\0\0\x08\x04")


def image_files(folder: Path) -> list[Path]:
    """The files of images in idx form that lie in a folder, one of each name."""
    found = {p.name.removesuffix(".gz"): p for p in sorted(folder.iterdir()) if _IMAGES.match(p.name) and p.is_file()}
    return list(found.values())


@dataclass
class Idx(Base):
    """Pictures in idx form with their labels: {split: file of images}."""

    files: tuple[tuple[str, Path], ...] = ()

    def stamp(self) -> str:
        """Path, size and time of modification of each file."""
        paths = [q for _, p in self.files for q in (p, _labels_beside(p)) if q]
        return "".join(f"{p.resolve()}\0{p.stat().st_size}\0{p.stat().st_mtime_ns}\n" for p in paths)

    def count(self) -> int:
        """How many pictures the headers promise."""
        return sum(_shape(p)[0] for _, p in self.files)

    def items(self, size: int) -> Iterator[Item]:
        """One item a picture."""
        for split, path in self.files:
            n, *shape = _shape(path)
            images = _pixels(path, n, tuple(shape))
            labels = self._labels(path, n)
            for i, image in enumerate(images):
                yield Item(f"{split}/{i:05}", at_hand(image), int(labels[i]), split, image.nbytes)
            if len(images) < n:
                yield broken(f"{split}/{len(images):05}", f"{path.name} ends here; it promised {n} pictures")

    def _labels(self, path: Path, n: int) -> np.ndarray:
        labels = np.full(n, -1)
        if beside := _labels_beside(path):
            data = _read(beside, 8 + n)
            if data[:4] != b"\0\0\x08\x01":
                raise UserError(
                    f"{beside} is no file of labels in idx form: it begins with {data[:4].hex()}, not 00000801"
                )
            given = np.frombuffer(data, np.uint8, offset=8)[:n]
            labels[: len(given)] = given
            if len(given) < n:
                self.notes.append(f"{beside.name} holds {len(given)} labels for {n} pictures; the rest have none")
        return labels


def open_idx(path: Path) -> Idx:
    """The idx files at a path: a folder that holds them, or one file of images (and what lies beside it).

    Raises UserError if a file is not in idx form.
    """
    found = image_files(path) if path.is_dir() else [path]
    tests = [p for p in found if re.search(r"t10k|test", p.name, re.IGNORECASE)]
    trains = [p for p in found if p not in tests]
    if path.is_file() and trains:
        tests = [p for p in image_files(path.parent) if re.search(r"t10k|test", p.name, re.IGNORECASE)][:1]
    if len(trains) > 1 or len(tests) > 1:
        raise UserError(f"{path} holds several files of images ({', '.join(p.name for p in found)}): give one of them")
    notes = []
    if not trains:
        notes.append(f"{tests[0].name} is the only file of images: its pictures serve as training data")
        if path.is_dir():
            alone = [p.name for p in path.glob("*train*labels*idx1*")]
            notes.extend(f"{name} has no pictures beside it and is ignored" for name in alone)
        trains, tests = tests, []
    files = (*(("train", p) for p in trains), *(("test", p) for p in tests))
    highest = max((max(_peek_labels(p).tolist(), default=-1) for _, p in files), default=-1)
    classes = tuple(str(i) for i in range(highest + 1))
    return Idx(path.name or str(path), "MNIST", classes, notes, files=files)


def _peek_labels(path: Path) -> np.ndarray:
    beside = _labels_beside(path)
    return np.frombuffer(_read(beside, LARGEST)[8:], np.uint8) if beside else np.empty(0, np.uint8)


def _labels_beside(images: Path) -> Path | None:
    name = images.name.removesuffix(".gz")
    name = re.sub("images", "labels", re.sub(r"idx[34]", "idx1", name), flags=re.IGNORECASE)
    options = (images.with_name(name), images.with_name(name + ".gz"))
    return next(
        (p for p in options if p.is_file() and p.name not in (images.name, name + ".gz" * (name == images.name))), None
    )


def _shape(path: Path) -> tuple[int, ...]:
    head = _head(path)
    if head[:4] not in (b"\0\0\x08\x03", b"\0\0\x08\x04") or len(head) < 4 + 4 * head[3]:
        raise UserError(
            f"{path} is no file of images in idx form: it begins with {head[:4].hex() or 'nothing'}, not 00000803"
        )
    shape = struct.unpack(f">{head[3]}I", head[4 : 4 + 4 * head[3]])
    if 0 in shape or np.prod(shape, dtype=np.float64) > LARGEST or (len(shape) == 4 and shape[3] not in (1, 3)):
        raise UserError(f"{path} promises {' × '.join(map(str, shape))} pixels; that cannot be right")
    return shape


def _pixels(path: Path, n: int, shape: tuple[int, ...]) -> np.ndarray:
    each, start = int(np.prod(shape)), 8 + 4 * len(shape)
    data = _read(path, start + n * each)
    whole = max(0, len(data) - start) // each
    return np.frombuffer(data[start : start + whole * each], np.uint8).reshape(whole, *shape)


def _head(path: Path) -> bytes:
    return _read(path, 20)


def _read(path: Path, n: int) -> bytes:
    """The first n bytes of a file, unpacked if it is gzipped; fewer if it ends early."""
    size = path.stat().st_size
    with path.open("rb") as f:
        if f.read(2) != b"\x1f\x8b":
            f.seek(0)
            return f.read(min(n, size))
        f.seek(0)
        gzip, parts, missing = zlib.decompressobj(31), [], min(n, RATIO * size + SLACK)
        try:
            while missing > 0 and (packed := gzip.unconsumed_tail or f.read(1 << 16)):
                parts.append(gzip.decompress(packed, missing))
                missing -= len(parts[-1])
        except zlib.error:
            pass  # damaged: what came before it counts
    return b"".join(parts)
