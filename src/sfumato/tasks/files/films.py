"""Films made anew frame by frame, in parts that are kept until the last is done, so that a stopped command goes on."""

import csv
import heapq
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...data.decode import BrokenError
from ...data.layouts.films import _film as film
from ...data.layouts.films import _pyav
from ...errors import UserError
from ...training.checkpoint import sweep
from ..progress import Advance
from .photo import Photo, new_file, on_white, read_photo, write_photo
from .reels import MOVING, Reel, Shot, shots

FILMS = {".mp4": "mp4", ".mkv": "matroska"}  # how files of these names are written
PART = 32  # frames that are coded at a time
COARSE = 60_000  # of a second, the finest clock that MPEG-4 has here
CODERS = {  # the first that is there
    "libx264": {"crf": "16", "preset": "medium"},
    "mpeg4": {"qmin": "2", "qmax": "4"},
}
Remake = Callable[[Photo, Advance], Photo]


def remake_film(source: Path, about: Reel, target: Path, remake: Remake, parts: Path, advance: Advance) -> list[str]:
    """A film with every frame made anew; `target`'s name says whether to a film, a .gif or a folder of frames.

    `parts` is a folder of this film's own, where what is done is kept until all is; for frames it is `target`.
    Returned is what could not be kept. Raises BrokenError if the film can't be read to its end, and UserError.
    """
    sweep(parts)
    done = (Shot(shot.at, _counted(shot, k, about.count, remake, advance)) for k, shot in enumerate(shots(source)))
    if target.suffix.lower() in FILMS:
        return code_film(source, target, about, done, parts)
    times = []
    for k, shot in enumerate(done):
        times.append(shot.at)
        if not (path := parts / _frame_name(k)).exists():
            write_photo(shot.read(), path)
    if target.suffix.lower() == ".gif":
        write_gif([parts / _frame_name(k) for k in range(len(times))], times, about, target)
    else:
        rows = [(_frame_name(k), f"{float(at * about.unit):.6f}") for k, at in enumerate(times)]
        with (parts / "frames.csv").open("w", newline="", encoding="utf-8") as f:
            csv.writer(f).writerows([("name", "seconds"), *rows])
    return [] if source.suffix.lower() in MOVING else _unheard(source)


def _counted(shot: Shot, k: int, count: int, remake: Remake, advance: Advance) -> Callable[[], Photo]:
    """What makes anew frame k of so many."""
    return lambda: remake(shot.read(), lambda share: advance(min(1.0, (k + share) / count) if count else 0.0))


def _frame_name(k: int) -> str:
    return f"{k:06}.png"


def code_film(source: Path, target: Path, about: Reel, done: Iterable[Shot], parts: Path) -> list[str]:
    """Parts of some frames, each whole or absent and coded on its own, then all of them and the sound in one file.

    A part is a NUT file, which keeps the time of every frame exactly.
    """
    paths = []
    for k, numbered in groupby(enumerate(done), key=lambda pair: pair[0] // PART):
        paths.append(parts / f"{k:05}.nut")
        if not paths[-1].exists():
            with _new_film(paths[-1]) as path:
                _code(path, about, (shot for _, shot in numbered))
    if not paths:
        raise BrokenError("it has no frames")
    with _new_film(target) as path:
        return _join(paths, source, about, path, FILMS[target.suffix.lower()])


@contextmanager
def _new_film(path: Path) -> Iterator[Path]:
    """As `new_file`, for what FFmpeg writes."""
    with new_file(path) as temporary:
        try:
            yield temporary
        except _pyav().error.FFmpegError as e:
            raise UserError(f"could not write {path}: {e.strerror or e}") from None


def _code(path: Path, about: Reel, frames: Iterator[Shot]) -> None:
    """Frames as a film of their own, each coded from those before it, so that they leave in order."""
    av = _pyav()
    coder = next(name for name in CODERS if name in av.codecs_available)
    unit = Fraction(1, COARSE) if coder == "mpeg4" and about.unit.denominator > COARSE else about.unit
    with av.open(str(path), "w", format="nut") as container:
        stream = None
        for shot in frames:
            colour = _even(on_white(shot.read()).colour)
            stream = stream or _stream(container, coder, unit, about, *colour.shape[:2])
            frame = av.VideoFrame.from_ndarray(colour, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=about.colours[0], dst_color_range=1)
            frame.pts, frame.time_base = round(shot.at * about.unit / unit), unit
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode())


def _stream(container: Any, coder: str, unit: Fraction, about: Reel, height: int, width: int) -> Any:
    """What codes frames of a size into a container."""
    stream = container.add_stream(coder, rate=about.rate or 25, options=CODERS[coder])
    stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
    context = stream.codec_context
    stream.time_base = context.time_base = unit
    context.max_b_frames = 0
    _tell(stream, about)
    return stream


def _tell(stream: Any, about: Reel) -> None:
    """Say in a film what its numbers mean; not every coder does so itself."""
    context = stream.codec_context
    context.color_range, context.colorspace, context.color_primaries, context.color_trc = 1, *about.colours
    if about.aspect:
        context.sample_aspect_ratio = about.aspect


def _even(colour: np.ndarray) -> np.ndarray:
    """Pixels with sides that such films can have: the last row or column twice where there is an odd number of them."""
    rows, columns = (side % 2 for side in colour.shape[:2])
    colour = np.pad(colour, ((0, rows), (0, columns), (0, 0)), "edge")
    return np.ascontiguousarray(np.broadcast_to(colour, (*colour.shape[:2], 3)))


def _join(parts: list[Path], source: Path, about: Reel, path: Path, form: str) -> list[str]:
    """The parts and the source's sound as one film, without coding anything again; what could not be kept."""
    av, notes, kept = _pyav(), [], {}
    with av.open(str(path), "w", format=form) as container, av.open(str(parts[0])) as first:
        stream = container.add_stream_from_template(first.streams.video[0], opaque=True)
        _tell(stream, about)
        if source.suffix.lower() not in MOVING:
            with film(source) as (theirs, _):
                for sound in theirs.streams.audio:
                    try:
                        kept[sound.index] = container.add_stream_from_template(sound, opaque=True)
                    except ValueError:
                        notes.append(f"its sound ({sound.codec_context.name}) can't be kept in {form}")
        packets = _pictures(parts, stream, about), _sounds(source, kept)
        for packet in heapq.merge(*packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return notes


def _pictures(parts: list[Path], stream: Any, about: Reel) -> Iterator[Any]:
    """The coded frames of every part in order; the last one lasts until the end."""
    for packet, later in pairwise(chain(_demuxed(parts), [None])):
        end = later.pts if later else about.end and round(about.end * about.unit / packet.time_base)
        if end and end > packet.pts:
            packet.duration = end - packet.pts
        packet.stream = stream
        yield packet


def _demuxed(parts: list[Path]) -> Iterator[Any]:
    for path in parts:
        with _pyav().open(str(path)) as container:
            for packet in container.demux(video=0):
                if packet.pts is not None:  # as is that which ends the file
                    packet.dts = packet.pts
                    yield packet


def _sounds(source: Path, kept: dict[int, Any]) -> Iterator[Any]:
    """The packets of a film's streams that are kept, for what they are kept as."""
    if kept:
        with film(source) as (container, _):
            for packet in container.demux([container.streams[index] for index in kept]):
                if packet.dts is not None:
                    packet.stream = kept[packet.stream_index]
                    yield packet


def _unheard(source: Path) -> list[str]:
    with film(source) as (container, _):
        return ["its sound is left out"] if container.streams.audio else []


def write_gif(paths: list[Path], times: list[int], about: Reel, target: Path) -> None:
    """Frames as a GIF that is repeated for ever; its clock counts hundredths of a second."""
    end = about.end if about.end is not None and about.end > times[-1] else 2 * times[-1] - times[-2 % len(times)]
    clock = [round(at * about.unit * 100) for at in (*times, end)]
    lasting = [10 * max(1, b - a) for a, b in pairwise(clock)]

    def picture(path: Path) -> Image.Image:
        photo = read_photo(path)
        return Image.fromarray(photo.colour if photo.alpha is None else np.concatenate([photo.colour, photo.alpha], 2))

    first = picture(paths[0])
    rest = (picture(path) for path in paths[1:])
    disposal = 2 if first.mode == "RGBA" else 0  # what is seen through shows no earlier frame
    with new_file(target) as path:
        first.save(path, "GIF", save_all=True, append_images=rest, duration=lasting, loop=0, disposal=disposal)
