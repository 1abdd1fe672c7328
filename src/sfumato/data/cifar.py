"""CIFAR-10 and CIFAR-100 as published, the "python" and the "binary" version, as an archive or unpacked:
https://www.cs.toronto.edu/~kriz/cifar.html
"""

import io
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .archives import _READ_ERRORS, members, tidy
from .source import Base, Item, at_hand, broken

FOLDERS = ("cifar-10-batches-py", "cifar-100-python", "cifar-10-batches-bin", "cifar-100-binary")
LARGEST = 400 * 1024**2  # bytes of a member
_BATCH = re.compile(r"(data_batch_\d+|test_batch|train|test)(\.bin)?")
_NAMES = ("batches.meta", "meta", "batches.meta.txt", "fine_label_names.txt")


def is_cifar(path: Path) -> bool:
    """Whether an archive or a folder is one of CIFAR as published, by the names of its first files."""
    if path.is_dir():
        return path.name in FOLDERS or any((path / f).is_dir() for f in FOLDERS)
    try:
        for i, (member, _) in enumerate(members(path)):
            if tidy(member.name).split("/")[0] in FOLDERS:
                return True
            if i == 4:
                break
    except _READ_ERRORS:
        pass
    return False


@dataclass
class Cifar(Base):
    """The pictures of CIFAR, fine labels."""

    path: Path = Path()

    def stamp(self) -> str:
        """Path, size and time of modification of the files."""
        files = sorted(p for p in self.path.rglob("*") if p.is_file()) if self.path.is_dir() else [self.path]
        return "".join(f"{p.resolve()}\0{p.stat().st_size}\0{p.stat().st_mtime_ns}\n" for p in files)

    def count(self) -> None:
        """Unknown before the archive has been read."""

    def items(self, size: int) -> Iterator[Item]:
        """One item a picture."""
        try:
            for name, data in self._files():
                base = name.rsplit("/", 1)[-1]
                try:
                    if base in _NAMES:
                        self.classes = _class_names(base, data)
                    elif _BATCH.fullmatch(base):
                        yield from _batch(base, data, "cifar-100" in name)
                except Exception as e:  # hostile bytes may raise anything; the other files count
                    yield broken(name, f"damaged or hostile CIFAR file: {e}")
        except _READ_ERRORS as e:
            yield broken(self.path.name, f"the archive ends early or is damaged: {e}")

    def _files(self) -> Iterator[tuple[str, bytes]]:
        if self.path.is_dir():
            root = (
                self.path
                if self.path.name in FOLDERS
                else next(self.path / f for f in FOLDERS if (self.path / f).is_dir())
            )
            for path in sorted(root.iterdir()):
                if path.is_file() and path.stat().st_size <= LARGEST:
                    yield f"{root.name}/{path.name}", path.read_bytes()
            return
        for member, read in members(self.path):
            if member.isreg() and not member.issparse() and member.size <= LARGEST:
                yield tidy(member.name), read(LARGEST)


def open_cifar(path: Path) -> Cifar:
    """CIFAR at a path: an archive as published or the folder unpacked from it."""
    return Cifar(path.name or str(path), "CIFAR", (), path=path)


def _batch(base: str, data: bytes, hundred: bool) -> Iterator[Item]:
    split = "test" if base.startswith("test") else "train"
    if base.endswith(".bin"):
        head = 2 if hundred else 1
        if not data or len(data) % (head + 3072):
            raise ValueError(f"{len(data)} bytes are no whole number of pictures")
        rows = np.frombuffer(data, np.uint8).reshape(-1, head + 3072)
        labels, pixels = rows[:, head - 1], rows[:, head:]
    else:
        content = unpickle(data)
        labels = np.asarray(content[b"fine_labels"] if b"fine_labels" in content else content[b"labels"], np.int64)
        pixels = content[b"data"].array
        if len(labels) and not 0 <= labels.min() <= labels.max() < 256:
            raise ValueError("labels that are no bytes")
        if pixels.shape != (len(labels), 3072):
            raise ValueError(f"{len(labels)} labels for pixels of shape {pixels.shape}")
    images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    for i, image in enumerate(images):
        yield Item(f"{base.removesuffix('.bin')}/{i:05}", at_hand(image), int(labels[i]), split, 3072)


def _class_names(base: str, data: bytes) -> tuple[str, ...]:
    if base.endswith(".txt"):
        return tuple(data.decode("ascii").split())
    content = unpickle(data)
    names = content[b"fine_label_names"] if b"fine_label_names" in content else content[b"label_names"]
    return tuple(bytes(n).decode("ascii") for n in names)


class _Array:
    """Stands in for a NumPy array while unpickling: takes bytes, nothing else."""

    array: np.ndarray

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, raw = state
        if not isinstance(dtype, _Dtype) or dtype.code not in ("u1", b"u1") or not isinstance(raw, bytes):
            raise pickle.UnpicklingError("an array that is not of bytes")
        self.array = np.frombuffer(raw, np.uint8).reshape(shape, order="F" if fortran else "C")


class _Dtype:
    def __init__(self, code: Any, *args: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        pass


class _Nothing:
    """Stands in for the class `ndarray`, which is only ever named."""


def _latin(text: Any, encoding: Any = "latin1") -> bytes:
    """What protocol 2 writes for bytes."""
    return str(text).encode("latin1")


class _Unpickler(pickle._Unpickler):  # the one in Python: the one in C can be made to allocate gigabytes
    allowed = {
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,
        ("numpy", "ndarray"): _Nothing,
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): _latin,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is refused")
        return self.allowed[module, name]


def unpickle(data: bytes) -> dict[bytes, Any]:
    """A pickled dictionary of plain containers and arrays of bytes. Nothing in it can run.

    Raises pickle.UnpicklingError if it asks for anything else.
    """
    content = _Unpickler(io.BytesIO(data), encoding="bytes").load()
    if not isinstance(content, dict):
        raise pickle.UnpicklingError("no dictionary")
    return {k.encode() if isinstance(k, str) else k: v for k, v in content.items()}
