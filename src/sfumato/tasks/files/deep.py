"""Pictures of 16 bits in colour, which Pillow knows only with 8: PNG and TIFF files, read whole and written."""

import io
import struct
import sys
import zlib
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

STRIP = 64  # rows that are packed at a time


def deep(image: Image.Image, data: bytes) -> bool:
    """Whether an open picture, whose file's bytes are given, has 16 bits a channel."""
    if isinstance(image, TiffImageFile):
        return max(image.tag_v2.get(258, (1,))) == 16 and min(image.tag_v2.get(339, (1,))) == 1
    return image.format == "PNG" and data[24] == 16


def read_deep(data: bytes) -> np.ndarray:
    """The pixels of a file of 16 bits: uint16 (h, w, c), c = 1, 2 (grey and alpha), 3 or 4.

    Pillow unpacks the high bytes of big-endian numbers; told that they are little-endian, it unpacks the low ones.
    """
    with Image.open(io.BytesIO(data)) as image:
        if image.mode.startswith("I;16"):
            return np.asarray(image).astype(np.uint16)[..., None]
        raw = _raw(image)
    if raw == "LA;16B":  # four bytes, as of four channels
        pixels = _unpacked(data, {raw: "RGBA"}).astype(np.uint16)
        return pixels[..., 0::2] << 8 | pixels[..., 1::2]
    native = "L" if sys.byteorder == "little" else "B"
    order = raw[-1].replace("N", native)
    high, low = (_unpacked(data, {raw: raw[:-1] + o}) for o in (order, "B" if order == "L" else "L"))
    return high.astype(np.uint16) << 8 | low


def _raw(image: ImageFile) -> str:
    arguments = image.tile[0].args or ""
    return str(arguments if isinstance(arguments, str) else arguments[0])


def _unpacked(data: bytes, instead: Mapping[str, str]) -> np.ndarray:
    """The bytes that Pillow unpacks when it is told of another packing."""
    with Image.open(io.BytesIO(data)) as image:
        raw = instead[_raw(image)]
        tiles = [t._replace(args=(raw, *t.args[1:]) if isinstance(t.args, tuple) else raw) for t in image.tile]
        image.tile = tiles
        image.load()
        return np.asarray(image)


def write_png(f: BinaryIO, pixels: np.ndarray, profile: bytes | None = None, exif: bytes = b"") -> None:
    """A PNG of 16 bits: uint16 (h, w, c), c from 1 to 4. https://www.w3.org/TR/png-3/"""
    h, w, c = pixels.shape

    def chunk(kind: bytes, content: bytes) -> None:
        f.write(struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content)))

    f.write(b"\x89PNG\r\n\x1a\n")
    chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 16, (0, 4, 2, 6)[c - 1], 0, 0, 0))
    if profile:
        chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
    if exif:
        chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    packer = zlib.compressobj(1)
    for top in range(0, h, STRIP):
        rows = pixels[top : top + STRIP].astype(">u2").view(np.uint8).reshape(-1, w * c * 2)
        filtered = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
        filtered[:, 0] = 1  # each byte less that of the pixel to the left
        filtered[:, 1:] = rows
        filtered[:, 1 + 2 * c :] -= rows[:, : -2 * c]
        if packed := packer.compress(filtered.tobytes()):
            chunk(b"IDAT", packed)
    chunk(b"IDAT", packer.flush())
    chunk(b"IEND", b"")


def write_tiff(
    f: BinaryIO, pixels: np.ndarray, profile: bytes | None = None, texts: Mapping[int, str] | None = None
) -> None:
    """A TIFF of 16 bits, deflated: uint16 (h, w, c), c from 1 to 4, and texts by their tags. TIFF 6.0, 1992."""
    h, w, c = pixels.shape
    f.write(struct.pack("<2sHI", b"II", 42, 0))
    offsets, counts = [], []
    for top in range(0, h, STRIP):
        offsets.append(f.tell())
        f.write(packed := zlib.compress(pixels[top : top + STRIP].astype("<u2").tobytes(), 1))
        counts.append(len(packed))
    tags: list[tuple[int, str, list[int] | bytes]] = [  # tag, type, values
        (256, "I", [w]), (257, "I", [h]), (258, "H", [16] * c), (259, "H", [8]), (262, "H", [1 if c < 3 else 2]),
        (273, "I", offsets), (274, "H", [1]), (277, "H", [c]), (278, "I", [STRIP]), (279, "I", counts),
        (284, "H", [1]),
    ]  # fmt: skip
    tags += [(338, "H", [2])] if c in (2, 4) else []  # the last channel is alpha, and colours are not multiplied by it
    tags += [(34675, "B", profile)] if profile else []
    tags += [(tag, "s", text.encode() + b"\0") for tag, text in (texts or {}).items()]
    entries = b""
    for tag, kind, values in sorted(tags):
        content = values if isinstance(values, bytes) else struct.pack(f"<{len(values)}{kind}", *values)
        if len(content) > 4:
            at = f.seek(0, io.SEEK_END)
            f.write(content + b"\0" * (len(content) % 2))
            content = struct.pack("<I", at)
        entries += struct.pack("<HHI", tag, {"s": 2, "H": 3, "I": 4, "B": 7}[kind], len(values)) + content.ljust(
            4, b"\0"
        )
    directory = f.seek(0, io.SEEK_END)
    if directory % 2:
        directory += f.write(b"\0")
    f.write(struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0))
    f.seek(4)
    f.write(struct.pack("<I", directory))
