"""Films through PyAV: their frames, and the motion that an H.264 or MPEG-4 coder found from frame to frame.

Such a coder predicts a block of a frame from a place in another, its reference. A vector of FFmpeg's points from the
block to that place: src = dst + motion / motion_scale. If the reference lies d frames back, what is in the block has
moved by (dst − src) / d pixels a frame, and if it lies d frames ahead, by (src − dst) / d. So the motion of frame t
until frame t + 1 is that of the blocks of t + 1, laid where they were in t, at dst less the motion; where nothing was
laid, it is that of the block of t + 1 in the same place, and 0 where that was coded anew. The decoder does not say how
far away the reference is: it is taken for the nearest frame, in that direction, of kind I or P. That is certain where
there are no B frames and the coder uses one reference. A B frame may refer to another one, a P frame farther back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ..decode import LIMIT, BrokenError, Fitting
from .geometry import pixels_under, window

EXTENSIONS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm")
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm"  # no playlists, which name other files
_WITH_VECTORS = ("h264", "mpeg4", "h263", "mpeg1video", "mpeg2video", "msmpeg4v2", "msmpeg4v3", "flv1", "wmv1", "wmv2")
_B = 3  # FFmpeg's number for the kind


def _pyav() -> Any:
    try:
        import av
    except ImportError:
        raise UserError("films are read with PyAV, which is not installed: pip install 'sfumato[video]'") from None
    return av


@contextmanager
def _film(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container and its first stream of pictures. Raises BrokenError for whatever goes wrong with them."""
    av = _pyav()
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    try:
        with av.open(str(path.resolve()), options=options) as container:
            if not container.streams.video:
                raise BrokenError("there are no pictures in this film")
            stream = container.streams.video[0]
            context = stream.codec_context
            if context.width * context.height > LIMIT:
                size = f"{context.width}×{context.height}"
                raise BrokenError(f"{size}: over the limit of {LIMIT / 1e6:.0f} million pixels")
            context.options = {"max_pixels": str(LIMIT)}  # should later frames be larger
            yield container, stream
    except BrokenError:
        raise
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as e:
        raise BrokenError(f"not a film that can be decoded to its end: {' '.join(str(e).split())[:120]}") from None


def frames(path: Path) -> Iterator[np.ndarray]:
    """Every frame, upright: uint8 (h, w, 3). Raises BrokenError at what cannot be decoded."""
    with _film(path) as (container, stream):
        for frame in container.decode(stream):
            yield np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)))


def has_vectors(path: Path) -> bool:
    """Whether a film is coded such that the decoder tells motion vectors. Raises BrokenError."""
    with _film(path) as (_, stream):
        return stream.codec_context.name in _WITH_VECTORS


@dataclass(frozen=True)
class Coded:
    """What is kept of a frame to tell how the one before it moves."""

    b: bool  # whether it may refer to frames ahead
    vectors: np.ndarray | None  # as FFmpeg has them
    width: int
    height: int
    quarters: int  # turns to the left until it is upright


def motion(path: Path, fitting: Fitting) -> Iterator[np.ndarray]:
    """How every frame moves until the next, on the picture: float32 (h, w, 2), its pixels; 0 of the last frame."""
    waiting: list[Coded] = []  # since the last frame of kind I or P
    begun = False
    for frame in _coded(path):
        waiting.append(frame)
        if not frame.b:
            yield from (_fitted(one, k, len(waiting) - k, fitting) for k, one in enumerate(waiting, 1) if begun)
            waiting, begun = [], True
    yield from (_fitted(one, k, len(waiting) - k, fitting) for k, one in enumerate(waiting, 1) if begun)
    if begun:
        yield np.zeros((*fitting.sides, 2), np.float32)


def _coded(path: Path) -> Iterator[Coded]:
    with _film(path) as (container, stream):
        stream.codec_context.flags2 |= _pyav().codec.context.Flags2.export_mvs
        for frame in container.decode(stream):
            found = frame.side_data.get("MOTION_VECTORS")
            vectors = found.to_ndarray().copy() if found is not None else None
            yield Coded(int(frame.pict_type) == _B, vectors, frame.width, frame.height, round(frame.rotation / 90))


def _fitted(frame: Coded, back: int, ahead: int, fitting: Fitting) -> np.ndarray:
    """The motion that leads to a frame, on the picture and upright."""
    fitting = fitting.turned() if frame.quarters % 2 else fitting
    moved = np.zeros((*fitting.sides, 2), np.float32)
    if frame.vectors is not None and len(frame.vectors):
        x, y = pixels_under(frame.width, frame.height, fitting)
        inside = (x >= 0) & (x < frame.width) & ((y >= 0) & (y < frame.height))[:, None]
        scale = window(frame.width, frame.height, fitting).scale * fitting.sides[::-1]
        moved = forward_motion(frame.vectors, x, y, back, max(ahead, 1)) * scale.astype(np.float32) * inside[..., None]
    return turned(moved, frame.quarters)


def turned(moved: np.ndarray, quarters: int) -> np.ndarray:
    """A map of motion turned to the left, and its vectors with it: (h, w, 2)."""
    for _ in range(quarters % 4):
        moved = np.rot90(moved)[..., ::-1] * np.array([1, -1], np.float32)
    return np.ascontiguousarray(moved)


def forward_motion(vectors: np.ndarray, x: np.ndarray, y: np.ndarray, back: int, ahead: int) -> np.ndarray:
    """How the frame before the one with these vectors moves until that one, pixels right and down.

    `vectors` are FFmpeg's AVMotionVector; references lie `back` frames before or `ahead` frames after. The motion is
    told of the pixels in the ascending columns x and rows y: float32 (len(y), len(x), 2).
    """
    past = vectors["source"] < 0
    to_reference = np.stack([vectors["motion_x"], vectors["motion_y"]], -1) / vectors["motion_scale"][:, None]
    moved = np.where(past[:, None], -to_reference / back, to_reference / ahead).astype(np.float32)
    sides = np.stack([vectors["w"], vectors["h"]], -1).astype(np.int64)
    corners = np.stack([vectors["dst_x"], vectors["dst_y"]], -1) - sides // 2
    found = np.zeros((len(y), len(x), 2), np.float32)
    for start in (corners, np.rint(corners - moved).astype(np.int64)):  # in its own place, then where it came from
        columns, rows = (np.searchsorted(at, (start[:, k], (start + sides)[:, k])) for k, at in enumerate((x, y)))
        for some in (~past, past):  # the past is nearer to the frame before: it has the last word
            _lay(found, columns[:, some], rows[:, some], moved[some])
    return found


def _lay(found: np.ndarray, columns: np.ndarray, rows: np.ndarray, moved: np.ndarray) -> None:
    """Write vectors (n, 2) on blocks from columns[0] to columns[1] and rows[0] to rows[1], (2, n) each."""
    widths, heights = columns[1] - columns[0], rows[1] - rows[0]
    size = np.where(widths > 0, widths * (len(found) + 1) + heights, 0)
    for w, h in (divmod(k, len(found) + 1) for k in np.unique(size).tolist()):
        same = np.flatnonzero(size == w * (len(found) + 1) + h)
        across = columns[0, same, None, None] + np.arange(w)
        down = rows[0, same, None, None] + np.arange(h)[:, None]
        found[down, across] = moved[same, None, None]
