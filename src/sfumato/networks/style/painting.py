"""Pictures that a system is told of by their path, such as the painting whose style it learns."""

from collections.abc import Sequence
from pathlib import Path
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor

from ...errors import UserError
from ...resample import imresize

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


def painting(path: str | Path, side: int, channels: int = 3) -> Tensor:
    """The central square of a picture file, upright, on white where it is transparent: uint8 (channels, side, side).

    Raises UserError if the file is missing, no picture, damaged, or larger than Pillow thinks wise.
    """
    from PIL import Image, ImageOps

    try:
        with catch_warnings():
            simplefilter("ignore")
            simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as held:
                if held.mode.startswith(("I", "F")):
                    raise UserError(f"{path} has more than 8 bits a channel; save it with 8 first")
                upright = ImageOps.exif_transpose(held).convert("RGBA")
    except UserError:
        raise
    except Exception as error:  # a decoder fed with hostile bytes may raise anything
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else f"{error or type(error).__name__}"
        raise UserError(f"{path} can't be read as a picture: {' '.join(reason.split())[:200]}") from None
    flat = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    flat = flat.convert("L" if channels == 1 else "RGB")
    pixels = torch.frombuffer(bytearray(flat.tobytes()), dtype=torch.uint8).view(flat.height, flat.width, -1)
    short = min(flat.size)
    top, left = (flat.height - short) // 2, (flat.width - short) // 2
    square = pixels[top : top + short, left : left + short].permute(2, 0, 1)
    return imresize(square.contiguous(), size=(side, side))


def paintings(source: str, count: int) -> Sequence[Path]:
    """The first `count` picture files of a folder, by name, or those of a list with commas between.

    Raises UserError unless there are so many.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        found = sorted(p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and not p.name.startswith("."))
    else:
        found = [Path(part.strip()).expanduser() for part in source.split(",") if part.strip()]
    if len(found) < count:
        raise UserError(f"{source} holds {len(found)} pictures, and {count} styles are asked for: give --count")
    return found[:count]


def floats(pixels: Tensor) -> Tensor:
    """Bytes as the toolkit has images: uint8 -> float32 in [-1, 1], of any shape."""
    return pixels.float() / 127.5 - 1


def as_paintings(images: Tensor, side: int) -> Tensor:
    """Images as paintings: (b, c, h, w) in [-1, 1] -> uint8 (b, c, side, side)."""
    return ((imresize(images, size=(side, side)) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
