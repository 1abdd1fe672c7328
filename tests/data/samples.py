"""Pictures, files and archives that tests of the data layer are made of."""

import io
import struct
import tarfile
import zipfile
import zlib

import numpy as np
from PIL import Image


def photo(w=40, h=40, seed=0, mode="RGB"):
    """A smooth picture with colour and structure."""
    y, x = np.mgrid[:h, :w] / max(w, h)
    planes = [0.5 + 0.5 * np.sin(7 * x * (k + 1) + 5 * y + seed + 2 * k) for k in range(3)]
    return Image.fromarray(np.uint8(np.stack(planes, -1) * 255)).convert(mode)


def encoded(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def png(w=40, h=40, seed=0):
    return encoded(photo(w, h, seed))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(w, h, depth, colour, rows, *extra):
    """A PNG written by hand: rows are bytes without their filter byte."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + pixels + chunk(b"IEND", b"")


def tar(path, members, mode="w"):
    """A tar of (name or TarInfo, bytes)."""
    with tarfile.open(path, mode) as archive:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if info.isreg():
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zipped(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def idx(array, magic=None):
    """An array of bytes in MNIST's form."""
    magic = struct.pack(">I", 0x800 + array.ndim) if magic is None else magic
    return magic + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()
