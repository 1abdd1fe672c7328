"""Films and moving pictures as they come: their frames, upright and one at a time, and when each is shown."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import ImageSequence

from ...data.decode import BrokenError, strict_pillow
from ...data.layouts.films import EXTENSIONS, _film
from ...data.layouts.opened import opened
from .photo import Photo

MOVING = (".gif", ".webp")
HOLD = 100  # milliseconds that browsers show a frame of a moving picture that does not say
BT709, BT601 = 1, 6  # FFmpeg's numbers for the colours of a film
UNSAID = (0, 2)  # and for films in RGB, and that say nothing
HD = 720  # rows from which players take a film that says nothing for one of BT.709


@dataclass(frozen=True)
class Reel:
    """What a film's file says of it."""

    unit: Fraction  # of its clock, seconds
    count: int = 0  # of its frames; 0: it does not say
    end: int | None = None  # when its last frame ends, units
    rate: Fraction | None = None  # frames a second on average
    aspect: Fraction | None = None  # of a pixel, width / height
    colours: tuple[int, int, int] = (BT709, BT709, BT709)  # matrix, primaries and transfer, FFmpeg's numbers


class Shot(NamedTuple):
    """A frame."""

    at: int  # when it is shown first, units; grows from frame to frame
    read: Callable[[], Photo]


def is_film(path: Path) -> bool:
    """Whether a file is a film by its name, or a picture that moves."""
    if path.suffix.lower() in EXTENSIONS:
        return True
    if path.suffix.lower() not in MOVING or not path.is_file():
        return False
    try:
        with strict_pillow(), opened(path.read_bytes(), sound=True) as image:
            return bool(getattr(image, "is_animated", False))
    except (BrokenError, OSError):
        return False


def reel(path: Path) -> Reel:
    """What a film's file says of it. Raises BrokenError if it can't be read."""
    if path.suffix.lower() in MOVING:
        times = [at for at, _ in _moving(path)]
        return Reel(Fraction(1, 1000), len(times) - 1, times[-1])
    with _film(path) as (container, stream):
        context, unit = stream.codec_context, stream.time_base
        end = None
        if stream.duration is not None:
            end = (stream.start_time or 0) + stream.duration
        elif container.duration is not None:  # microseconds
            end = round(((container.start_time or 0) + container.duration) / 1_000_000 / unit)
        rate = stream.average_rate or stream.base_rate
        count = stream.frames or (round(stream.duration * unit * rate) if stream.duration and rate else 0)
        colours = context.colorspace, context.color_primaries, context.color_trc
        return Reel(unit, count, end, rate, stream.sample_aspect_ratio, _said(colours, context.height))


def _said(colours: tuple[int, int, int], height: int) -> tuple[int, int, int]:
    """The colours of a film, with what players assume for what it does not say."""
    assumed = BT709 if height >= HD else BT601
    matrix, primaries, transfer = (int(c) if int(c) not in UNSAID else assumed for c in colours)
    return matrix, primaries, transfer


def shots(path: Path) -> Iterator[Shot]:
    """The frames of a film in order; what reads one is good until the next is asked for.

    Raises BrokenError at what can't be decoded.
    """
    if path.suffix.lower() in MOVING:
        yield from (Shot(at, read) for at, read in _moving(path) if read is not None)
        return
    with _film(path) as (container, stream):
        step = max(1, round(1 / (stream.average_rate or 25) / stream.time_base))
        matrix = _said((stream.codec_context.colorspace, 0, 0), stream.codec_context.height)[0]
        at = None
        for frame in container.decode(stream):
            if at is None:
                at = frame.pts or 0
            else:
                at = max(at + 1, frame.pts) if frame.pts is not None else at + step
            yield Shot(at, partial(_as_photo, frame, matrix))


def _as_photo(frame: Any, matrix: int) -> Photo:
    colour = frame.to_ndarray(format="rgb24", src_colorspace=matrix, src_color_range=frame.color_range)
    return Photo(np.ascontiguousarray(np.rot90(colour, round(frame.rotation / 90))))


def _moving(path: Path) -> Iterator[tuple[int, Callable[[], Photo] | None]]:
    """When each frame of a moving picture is shown, milliseconds, and what reads it; at last when all ends."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise BrokenError(e.strerror or str(e)) from None
    at = 0
    with strict_pillow(), opened(data) as image:
        for frame in ImageSequence.Iterator(image):
            frame.load()  # only then a WebP picture knows how long it lasts
            yield at, partial(_frame, frame)
            at += round(frame.info.get("duration") or HOLD)
    yield at, None


def _frame(image: Any) -> Photo:
    pixels = np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
    return Photo(pixels[..., :3], pixels[..., 3:] if pixels.shape[2] == 4 else None)
