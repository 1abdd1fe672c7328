"""Pictures at their own size, for what has to be done before they are fitted."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from ..decode import FORMATS, LIMIT, BrokenError, Fitting, decode

_SOUND = Fitting(1, fit="fit")


@contextmanager
def opened(data: bytes, sound: bool = False) -> Iterator[Image.Image]:
    """A picture file, open. Unless it is known to be sound, `decode` judges it first.

    Raises BrokenError with `decode`'s reasons, or if what is done with it fails.
    """
    if not sound:
        decode(data, _SOUND)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > LIMIT:
                raise BrokenError(f"over the limit of {LIMIT / 1e6:.0f} million pixels")
            yield image
    except BrokenError:
        raise
    except Exception as e:  # as in `decode`: the bytes are hostile until they have been read
        raise BrokenError(" ".join(f"{e or type(e).__name__}".split())[:200]) from None


def header(data: bytes) -> tuple[int, int]:
    """Width and height, read from the header alone. Raises BrokenError, also if EXIF turns the picture.

    What lies beside a picture, maps and boxes and halves, is never turned with it.
    """
    with opened(data, sound=True) as image:
        try:
            turn = image.getexif().get(0x0112, 1)
        except Exception:  # damaged EXIF says nothing about the pixels
            turn = 1
        if turn in range(2, 9):
            raise BrokenError("its EXIF turns it, but nothing turns what belongs to it")
        return image.size


def as_bytes(image: Image.Image) -> bytes:
    """A picture as a file that loses nothing, for `decode`."""
    buffer = io.BytesIO()
    if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        image.save(buffer, "PNG", compress_level=1)
    else:
        image.save(buffer, "TIFF")
    return buffer.getvalue()
