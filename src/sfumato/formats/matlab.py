"""Matrices of real numbers in MATLAB's .mat files of version 5 to 7, as blur kernels and published tables are kept.

The layout is that of MathWorks' "MAT-File Format": a header of 128 bytes, then elements of a type, a size and data,
which may be compressed. Objects, cells, texts and whatever else may be in such a file are passed over.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import UserError

LARGEST = 1 << 24  # bytes of a file, and of what a compressed element may become
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
MATRIX, COMPRESSED = 14, 15
NUMERIC = range(6, 16)  # classes of arrays: double, single and integers
COMPLEX = 0x800


def read_matrices(path: str | Path) -> dict[str, np.ndarray]:
    """The real numeric matrices of a file by name: float64 (rows, columns).

    Raises UserError if the file is missing, too large, damaged, or of another format.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path}: {path.stat().st_size / 1e6:.0f} MB are too much for a file of matrices")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror or error}") from None
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise UserError(f"{path} is no .mat file of MATLAB 5 to 7; save it with -v7")
    found = {}
    try:
        for kind, content in elements(data[128:], order):
            if kind == COMPRESSED:
                ((kind, content),) = elements(inflated(content), order)
            if kind == MATRIX and (named := matrix(content, order)):
                found[named[0]] = named[1]
    except (ValueError, struct.error, zlib.error, UnicodeDecodeError):
        raise UserError(f"{path} is damaged, or not what .mat files are") from None
    return found


def elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Types and contents, one after another. Raises ValueError or struct.error if they do not fit."""
    at = 0
    while at < len(data):
        (kind,) = struct.unpack_from(order + "I", data, at)
        if kind >> 16:  # type and size share four bytes, four of data follow
            kind, size, begin = kind & 0xFFFF, kind >> 16, at + 4
            at += 8
        else:
            (size,) = struct.unpack_from(order + "I", data, at + 4)
            begin = at + 8
            at = begin + size + (-size % 8 if kind != COMPRESSED else 0)
        if begin + size > len(data):
            raise ValueError("an element ends after its file")
        yield kind, data[begin : begin + size]


def inflated(data: bytes) -> bytes:
    """What was compressed. Raises ValueError if that is unreasonably large."""
    machine = zlib.decompressobj()
    found = machine.decompress(data, LARGEST)
    if machine.unconsumed_tail:
        raise ValueError("too large")
    return found


def matrix(content: bytes, order: str) -> tuple[str, np.ndarray] | None:
    """Name and numbers of a matrix; None if it is something else."""
    parts = list(elements(content, order))
    if len(parts) < 4:
        return None
    (flags,) = struct.unpack_from(order + "I", parts[0][1])
    shape = np.frombuffer(parts[1][1], order + "i4")
    kind, numbers = parts[3]
    if flags & 0xFF not in NUMERIC or flags & COMPLEX or len(shape) != 2 or kind not in NUMBERS:
        return None
    values = np.frombuffer(numbers, order + NUMBERS[kind]).astype(np.float64)
    return parts[2][1].decode("ascii"), values.reshape(tuple(shape.tolist()), order="F")
