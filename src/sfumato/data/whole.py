"""One picture file as it is: every pixel, upright, in 8 bits."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UserError
from .decode import _UPRIGHT, FORMATS, LIMIT, WHITE, BrokenError, _check_png, _flatten, _orientation, strict_pillow
from .source import LARGEST


def read_whole(path: str | Path) -> np.ndarray:
    """A picture's pixels: uint8 (h, w, 1) if the file is grey, else (h, w, 3).

    Turned upright as EXIF says, transparency on white, 16 bits scaled to 8, the first frame of a moving one.
    Raises UserError for a file that is missing, too large, or no picture.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise BrokenError(f"{path.stat().st_size / 1e6:.0f} MB: too large for a picture")
        data = path.read_bytes()
        _check_png(data)
        with strict_pillow(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > LIMIT:
                raise BrokenError(f"{image.width}×{image.height}: over the limit of {LIMIT / 1e6:.0f} million pixels")
            image.load()
            turn = _UPRIGHT.get(_orientation(image))
            flat, _ = _flatten(image, WHITE)
    except OSError as error:
        reason = error.strerror or "not a picture in a known format, or damaged"
        raise UserError(f"can't read {path}: {reason}") from None
    except BrokenError as error:
        raise UserError(f"can't read {path}: {error}") from None
    except MemoryError:
        raise UserError(f"can't read {path}: not enough memory") from None
    except Exception as error:  # a decoder fed with hostile bytes may raise anything
        raise UserError(f"can't read {path}: {' '.join(str(error).split())[:200] or type(error).__name__}") from None
    pixels = np.array(flat if turn is None else flat.transpose(turn))
    if flat.mode == "F":
        pixels = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels
