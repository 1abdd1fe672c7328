"""One picture's bytes to an array of the asked shape, whatever its format, depth and orientation, or why not."""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal
from warnings import catch_warnings, simplefilter

import numpy as np
from PIL import Image, WebPImagePlugin  # noqa: F401 (the plugin registers itself)
from PIL.TiffImagePlugin import TiffImageFile

from .. import aspect as shape

Fit = Literal["crop", "fit", "pad"]
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]  # left, top, right, bottom, pixels

WHITE: Colour = (255, 255, 255)
VERSION = 1  # raise it when the same bytes decode to other pixels: it invalidates caches
LIMIT = 89_478_485  # pixels; Pillow's own threshold for a decompression bomb
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")  # never EPS, for which Pillow starts a program
EXTENSIONS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".gif")
ANIMATED = ("GIF", "PNG", "WEBP")

# What a picture had that was dealt with, as bits, and what the log says of it.
ALPHA, OBLONG, TURNED, MOVING, DEEP, INKS, PROFILE, ENLARGED = (1 << i for i in range(8))
REMARKS = {
    ALPHA: "with transparency: composited on the background",
    OBLONG: "non-square",
    TURNED: "turned upright as their EXIF says",
    MOVING: "animated: the first frame is used",
    DEEP: "of more than 8 bits: scaled to 8",
    INKS: "CMYK: converted to RGB",
    PROFILE: "with an ICC profile, which is ignored",
    ENLARGED: "smaller than asked for: enlarged",
}

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = range(5, 9)  # of them, those that change width and height
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF87a", b"GIF89a")


class BrokenError(Exception):
    """A picture that cannot be used. The message is the reason."""


@dataclass(frozen=True)
class Fitting:
    """How pictures are made alike."""

    size: int  # shorter side, pixels
    channels: int | None = None  # 1, 3, 4 with transparency, or None: 1 or 3, as the picture is
    fit: Fit = "crop"  # "crop" the largest middle part of the shape, "fit": stretch to it, "pad" with the background
    background: Colour = WHITE  # under transparency and around padded pictures
    aspect: str = shape.SQUARE  # the shape, width:height

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return shape.sides(self.size, self.aspect)

    def turned(self) -> "Fitting":
        """For a picture that is turned by a quarter afterwards."""
        return replace(self, aspect=shape.turned(self.aspect))


@dataclass(frozen=True)
class Decoded:
    """A picture as it will be used, and what its file was."""

    pixels: np.ndarray  # uint8 (h, w, 1, 3 or 4)
    remarks: int = 0  # bits, see REMARKS
    format: str = "array"
    mode: str = "L"
    width: int = 0  # of the file
    height: int = 0


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Pillow's warnings of bombs become errors, its other warnings are silent. Not per thread: enter it once."""
    with catch_warnings():
        simplefilter("ignore")
        simplefilter("error", Image.DecompressionBombWarning)
        yield


def looks_like_picture(head: bytes) -> bool:
    """Whether a file that begins with these (16 or more) bytes may be a picture."""
    return head.startswith(_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def decode(content: bytes | np.ndarray, fitting: Fitting) -> Decoded:
    """A picture from a file's bytes or from an array, uint8 or float in [0, 1], (h, w) or (h, w, 3).

    Raises BrokenError with a reason if it cannot be read whole.
    """
    try:
        return _from_array(content, fitting) if isinstance(content, np.ndarray) else _from_bytes(content, fitting)
    except BrokenError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BrokenError(f"over the limit of {LIMIT / 1e6:.0f} million pixels") from None
    except Image.UnidentifiedImageError:
        raise BrokenError("not a picture in a known format, or its header is damaged") from None
    except MemoryError:
        raise BrokenError("not enough memory to decode it") from None
    except Exception as e:  # a decoder fed with hostile bytes may raise anything; the run goes on
        raise BrokenError(" ".join(f"{e or type(e).__name__}".split())[:200]) from None


def _from_array(array: np.ndarray, fitting: Fitting) -> Decoded:
    high, wide = array.shape[:2]
    remarks = _remarks(wide, high, fitting)
    if array.dtype == np.uint8 and array.shape == (*fitting.sides, fitting.channels):
        return Decoded(array, remarks, "array", "L" if fitting.channels == 1 else "RGB", wide, high)
    if array.dtype == np.uint8:
        image = Image.fromarray(array if array.ndim == 2 or array.shape[2] == 3 else array[..., 0])
    else:
        image = Image.fromarray(array.astype(np.float32) * 255)
    return Decoded(_channels(_place(image, fitting), fitting), remarks, "array", image.mode, *image.size)


def _from_bytes(data: bytes, fitting: Fitting) -> Decoded:
    if not data:
        raise BrokenError("empty file")
    _check_png(data)
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > LIMIT:
            raise BrokenError(f"{width}×{height}: over the limit of {LIMIT / 1e6:.0f} million pixels")
        if isinstance(image, TiffImageFile) and image.tag_v2.get(284) == 2 and max(image.tag_v2.get(258, (8,))) > 8:
            raise BrokenError("a TIFF of more than 8 bits with separate planes, which Pillow reads wrongly")
        form, mode, side, long = image.format or "", image.mode, min(width, height), max(fitting.sides)
        remarks = INKS * (mode == "CMYK")
        remarks |= MOVING * bool(form in ANIMATED and getattr(image, "is_animated", False))
        remarks |= PROFILE * ("icc_profile" in image.info)
        if side >= 4 * long and form in ("JPEG", "MPO"):  # decode in the frequency domain, to twice the size
            shrink = 2 * long / side
            image.draft(None, (ceil(width * shrink), ceil(height * shrink)))
        image.load()
        orientation = _orientation(image)
        turn, lying = _UPRIGHT.get(orientation), fitting.turned() if orientation in _SIDEWAYS else fitting
        flat, flattened = _flatten(image, None if fitting.channels == 4 else fitting.background)
        placed = _place(flat, lying)
    if turn is not None:
        placed = placed.transpose(turn)
    remarks |= flattened | TURNED * (turn is not None) | _remarks(width, height, lying)
    return Decoded(_channels(placed, fitting), remarks, form, mode, width, height)


def _remarks(width: int, height: int, fitting: Fitting) -> int:
    """Whether a picture has another shape than it shall have, or is too small."""
    high, wide = fitting.sides
    return OBLONG * (width * high != height * wide) | ENLARGED * (width < wide or height < high)


def _check_png(data: bytes) -> None:
    """Pillow does not compare the checksums of pixel data; damage there would be garbled rows in the training set."""
    if not data.startswith(_MAGIC[0]):
        return
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            return  # truncated: the decoder says whether anything is missing
        if (
            data[at + 4] & 0x20 == 0
            and zlib.crc32(memoryview(data)[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]
        ):
            raise BrokenError(f"damaged PNG: the checksum of its {data[at + 4 : at + 8]!r} chunk is wrong")
        at = end + 4


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # damaged EXIF says nothing about the pixels
        return 1


def _flatten(image: Image.Image, background: Colour | None) -> tuple[Image.Image, int]:
    """The picture as "L", "RGB" or, where it had more than 8 bits, "F" in [0, 255]; with the remarks on the way.

    Without a background a picture that has transparency keeps it, as "RGBA".
    """
    if image.mode == "F" or image.mode.startswith("I"):
        return _scaled(image), DEEP
    if image.mode in ("1", "L") and "transparency" not in image.info:
        return image.convert("L"), 0
    if not image.has_transparency_data:
        return image.convert("RGB"), 0
    layered = image.convert("RGBA")
    if background is None:
        return layered, 0
    alpha = layered.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return layered.convert("RGB"), 0
    return Image.alpha_composite(Image.new("RGBA", layered.size, (*background, 255)), layered).convert("RGB"), ALPHA


def _scaled(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits or float to "F" in [0, 255].

    16 bits are scaled by 65535. Floats and 32-bit integers do not say their range: it is the smallest of 1 (floats
    only), 255, 65535 and 2³¹ − 1 that holds the picture; what is below zero is black.
    """
    values = np.asarray(image).astype(np.float32)
    if image.mode.startswith("I;16"):
        return Image.fromarray(values / 257)
    if not np.isfinite(values).all():
        raise BrokenError("its pixels are not all finite")
    ranges = ((1.0,) if image.mode == "F" else ()) + (255.0, 65535.0, 2.0**31)
    top = next((r for r in ranges if values.max() <= r), float(values.max()))
    return Image.fromarray(np.maximum(values, 0) * np.float32(255 / top))


def placing(width: int, height: int, fitting: Fitting) -> tuple[Box, Box]:
    """Which part of a picture of these sides is used, and where it comes to lie on the one of the asked sides."""
    high, wide = fitting.sides
    flatter = width * high - height * wide  # above 0 where the picture is flatter than the shape
    if fitting.fit == "pad" and flatter:
        inner_wide = wide if flatter > 0 else max(1, round(width * high / height))
        inner_high = high if flatter < 0 else max(1, round(height * wide / width))
        left, top = (wide - inner_wide) // 2, (high - inner_high) // 2
        return (0, 0, width, height), (left, top, left + inner_wide, top + inner_high)
    part_wide, part_high = width, height
    if fitting.fit == "crop" and flatter:
        part_wide = max(1, height * wide // high) if flatter > 0 else width
        part_high = max(1, width * high // wide) if flatter < 0 else height
    left, top = (width - part_wide) // 2, (height - part_high) // 2
    return (left, top, left + part_wide, top + part_high), (0, 0, wide, high)


def _place(image: Image.Image, fitting: Fitting) -> Image.Image:
    """The picture at the asked sides, as "L", "RGB" or "RGBA"."""
    (high, wide), (part, place) = fitting.sides, placing(*image.size, fitting)
    inner = _resized(image, (place[2] - place[0], place[3] - place[1]), part)
    if place == (0, 0, wide, high):
        return inner
    if fitting.channels == 4:
        padded = Image.new("RGBA", (wide, high), (*fitting.background, 0))
        padded.paste(inner.convert("RGBA"), place[:2])
        return padded
    inner = inner if inner.mode == "L" and len(set(fitting.background)) == 1 else inner.convert("RGB")
    canvas = Image.new(inner.mode, (wide, high), fitting.background[0] if inner.mode == "L" else fitting.background)
    canvas.paste(inner, place[:2])
    return canvas


def _resized(image: Image.Image, size: tuple[int, int], box: Box) -> Image.Image:
    """A part of the picture at another size, antialiased when it shrinks; "F" becomes "L"."""
    if (box[2] - box[0], box[3] - box[1]) == size:
        image = image.crop(box)
    else:
        shrinks = (box[2] - box[0]) * (box[3] - box[1]) > size[0] * size[1]
        filter = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
        image = image.resize(size, filter, box=box, reducing_gap=2.0)
    if image.mode == "F":
        return Image.fromarray(np.clip(np.rint(np.asarray(image)), 0, 255).astype(np.uint8))
    return image


def _channels(image: Image.Image, fitting: Fitting) -> np.ndarray:
    """(h, w, channels) uint8; with None, 1 channel if the picture has no colour and 3 if it has.

    Of 4, what cannot be seen has the colour of the background, whatever the file has there.
    """
    channels = fitting.channels
    if channels == 4:
        pixels = np.array(image.convert("RGBA"))
        pixels[pixels[..., 3] == 0, :3] = fitting.background
        return pixels
    if channels is not None:
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    else:
        pixels = np.asarray(image)
        if pixels.ndim == 3 and _grey(pixels[::4, ::4]) and _grey(pixels):  # few pixels tell colour at once
            pixels = pixels[..., 0]
    return np.ascontiguousarray(pixels if pixels.ndim == 3 else pixels[..., None])


def _grey(pixels: np.ndarray) -> bool:
    return bool((pixels[..., :1] == pixels[..., 1:]).all())
