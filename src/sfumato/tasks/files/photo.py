"""Picture files whole, as people keep them: size, depth, alpha, colour profile and EXIF survive the way in and out."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ...data.decode import FORMATS, BrokenError, Fitting, decode, strict_pillow
from ...errors import UserError
from ..enlarging.tiles import Box
from .deep import deep, read_deep, write_png, write_tiff

WRITTEN = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP",
}  # fmt: skip
SIDES = {"JPEG": 65_500, "WEBP": 16_383}  # pixels, the most that these formats hold
KEPT = {270, 271, 272, 305, 306, 315, 33432, 34665, 34853}  # EXIF: what was made, how, when, where and by whom
ORIENTATION, EXIF_IFD, SIDE_TAGS = 0x0112, 0x8769, (0xA002, 0xA003)
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@dataclass(frozen=True)
class Photo:
    """One picture, upright."""

    colour: np.ndarray  # uint8 or uint16 (h, w, 1 or 3), not multiplied by alpha
    alpha: np.ndarray | None = None  # the same type, (h, w, 1)
    profile: bytes | None = None  # ICC
    exif: Image.Exif | None = None
    notes: tuple[str, ...] = ()  # what could not be kept

    @property
    def top(self) -> int:
        """The value of white."""
        return int(np.iinfo(self.colour.dtype).max)


def read_photo(path: Path) -> Photo:
    """A picture file whole. Raises BrokenError with a reason if it can't be read, or is too large (`decode.LIMIT`)."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise BrokenError(e.strerror or str(e)) from None
    with strict_pillow():
        decode(data, Fitting(1))  # for its checks: sizes, checksums, truncation
        try:
            return _read(data)
        except BrokenError:
            raise
        except Exception as e:  # a decoder fed with hostile bytes may raise anything
            raise BrokenError(" ".join(f"{e or type(e).__name__}".split())[:200]) from None


def _read(data: bytes) -> Photo:
    notes = []
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        profile, mode = image.info.get("icc_profile"), image.mode
        exif, turn = _exif(image)
        if getattr(image, "is_animated", False):
            notes.append("animated: only the first frame is enlarged")
        if mode in ("I", "F"):
            raise BrokenError("its pixels have 32 bits; save it with 16 or 8 first")
        if deep(image, data):
            pixels = read_deep(data)
            key = image.info.get("transparency")
            if key is not None and pixels.shape[2] in (1, 3):  # one colour is transparent
                solid = (pixels != np.asarray(key, np.uint16)).any(2, keepdims=True)
                pixels = np.concatenate([pixels, solid.astype(np.uint16) * 65535], 2)
        else:
            grey = mode in ("1", "L", "LA")
            wanted = ("L" if grey else "RGB") + ("A" if image.has_transparency_data else "")
            pixels = np.asarray(image.convert("RGBA").convert(wanted) if wanted == "LA" else image.convert(wanted))
            pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        if mode in ("CMYK", "LAB", "HSV"):
            profile = None
            notes.append(f"{mode}: converted to RGB, without its profile")
    pixels = np.ascontiguousarray(turn(pixels))
    planes = {1: 1, 2: 1, 3: 3, 4: 3}[pixels.shape[2]]
    alpha = pixels[..., planes:] if planes < pixels.shape[2] else None
    return Photo(pixels[..., :planes], alpha, profile, exif, tuple(notes))


def _exif(image: Image.Image) -> tuple[Image.Exif | None, Callable[[np.ndarray], np.ndarray]]:
    """What is kept of EXIF, now that the picture is upright, and how it becomes so."""
    try:
        exif = image.getexif()
        turn = _UPRIGHT.get(int(exif.get(ORIENTATION, 1)), lambda a: a)
        for tag in set(exif) - KEPT:
            del exif[tag]
        exif.get_ifd(EXIF_IFD)
        return exif if len(exif) else None, turn
    except Exception:  # damaged EXIF says nothing about the pixels
        return None, lambda a: a


def as_floats(pixels: np.ndarray, box: Box, device: torch.device | str = "cpu") -> Tensor:
    """A part of bytes or 16-bit numbers as the toolkit has images: (h, w, c) -> (1, c, …) float32 in [-1, 1]."""
    part = torch.from_numpy(pixels[box.top : box.bottom, box.left : box.right].astype(np.float32))
    return part.to(device).permute(2, 0, 1)[None] / (np.iinfo(pixels.dtype).max / 2) - 1


def as_numbers(image: Tensor, dtype: np.dtype) -> np.ndarray:
    """The way back, rounded: (1, c, h, w) in [-1, 1] -> (h, w, c) of the type."""
    half = np.iinfo(dtype).max / 2
    return ((image[0].clamp(-1, 1) + 1) * half).round().permute(1, 2, 0).cpu().numpy().astype(dtype)


def spread(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours that nothing shows of replaced by those nearby, so that they do not mix into edges.

    (h, w, c), (h, w, 1) -> (h, w, c). From means of growing squares, weighted by alpha, the finest seen.
    """
    if alpha.min() > 0 or not alpha.any():
        return colour
    weight = torch.from_numpy(alpha.astype(np.float32)).permute(2, 0, 1)[None] / np.iinfo(alpha.dtype).max
    seen = torch.from_numpy(colour.astype(np.float32)).permute(2, 0, 1)[None] * weight
    filled = (_fill(seen, weight)[0].permute(1, 2, 0).numpy() + 0.5).astype(colour.dtype)
    return np.where(alpha > 0, colour, filled)


def _fill(seen: Tensor, weight: Tensor) -> Tensor:
    mean = seen / weight.clamp(min=1e-6)
    if bool((weight > 0).all()):
        return mean
    options: dict[str, Any] = dict(kernel_size=2, ceil_mode=True, count_include_pad=False)
    coarse = _fill(F.avg_pool2d(seen, **options), F.avg_pool2d(weight, **options))
    return torch.where(weight > 0, mean, F.interpolate(coarse, scale_factor=2.0)[..., : mean.shape[2], : mean.shape[3]])


def check_output(path: Path, height: int, width: int) -> str:
    """The format of a file by its extension. Raises UserError if it can't be written or can't hold so many pixels."""
    form = WRITTEN.get(path.suffix.lower())
    if form is None:
        raise UserError(f"{path}: pictures are written as {', '.join(WRITTEN)}; give a name that ends so")
    if max(height, width) > SIDES.get(form, 2**31 - 1):
        raise UserError(f"{path}: {width}×{height} is more than {form} can hold; give a name that ends in .png")
    return form


def write_photo(photo: Photo, path: Path) -> None:
    """Write a picture whole or not at all. Raises UserError if it can't be written."""
    h, w = photo.colour.shape[:2]
    form = check_output(path, h, w)
    with new_file(path) as temporary, temporary.open("w+b") as f:
        try:
            _write(photo, form, f)
        except ValueError as e:
            raise UserError(f"could not write {path}: {e}") from None


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A temporary name for a file, which is renamed if all went well. Raises UserError if it can't be written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as f:
            os.fsync(f.fileno())
        temporary.replace(path)
    except OSError as e:
        raise UserError(f"could not write {path}: {e.strerror or e}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write(photo: Photo, form: str, f: Any) -> None:
    exif = b"" if photo.exif is None else _sized(photo.exif, photo.colour).tobytes()
    if photo.colour.dtype == np.uint16 and form in ("PNG", "TIFF"):
        pixels = photo.colour if photo.alpha is None else np.concatenate([photo.colour, photo.alpha], 2)
        if form == "PNG":
            write_png(f, pixels, photo.profile, exif)
        else:
            pixels = pixels[..., [0, 0, 0, 1]] if pixels.shape[2] == 2 else pixels  # few read grey with alpha
            texts = {tag: text for tag, text in (photo.exif or {}).items() if isinstance(text, str)}
            write_tiff(f, pixels, photo.profile, texts)
        return
    photo = on_white(photo) if form in ("JPEG", "BMP") else eight_bits(photo)
    pixels = photo.colour if photo.alpha is None else np.concatenate([photo.colour, photo.alpha], 2)
    options: dict[str, Any] = {"icc_profile": photo.profile} if photo.profile and form != "BMP" else {}
    options |= {"exif": exif} if exif and form != "BMP" else {}
    options |= {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}.get(form, {})
    options |= {"PNG": {"compress_level": 1}}.get(form, {})
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(f, form, **options)


def eight_bits(photo: Photo) -> Photo:
    """The picture with 8 bits a channel."""
    if photo.top == 255:
        return photo
    alpha = None if photo.alpha is None else _eight(photo.alpha)
    return replace(photo, colour=_eight(photo.colour), alpha=alpha)


def on_white(photo: Photo) -> Photo:
    """The picture with 8 bits a channel and nothing that shows through."""
    photo = eight_bits(photo)
    if photo.alpha is None:
        return photo
    share = photo.alpha / np.float32(255)
    return replace(photo, colour=(photo.colour * share + 255 * (1 - share) + 0.5).astype(np.uint8), alpha=None)


def _eight(numbers: np.ndarray) -> np.ndarray:
    return ((numbers.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _sized(exif: Image.Exif, colour: np.ndarray) -> Image.Exif:
    """EXIF that tells the picture's new sides, where it told its sides."""
    details = exif.get_ifd(EXIF_IFD)
    for tag, side in zip(SIDE_TAGS, (colour.shape[1], colour.shape[0]), strict=True):
        if tag in details:
            details[tag] = side
    return exif
