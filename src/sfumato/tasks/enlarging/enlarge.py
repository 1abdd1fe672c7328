"""One picture made larger: by which network or kernel, in tiles of what size."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError
from ...networks.pretrained.base import grey
from ...resample import imresize
from ..files.photo import Photo, as_floats, as_numbers, spread
from ..progress import Advance
from .method import Method
from .tiles import Box, Held, Layer, Networked, Resampled, free_memory, ramp, tiles

TILE = 512  # pixels of a tile's side, of what the last network reads, at most
MEMORY = 4e9  # bytes that a tile's maps may take, at most, and never more than half of what is free
EXACT = 128  # pixels of overlap up to which tiles are what the whole picture would give
OVERLAP = 32  # pixels where the network sees farther than that
CHROMA = 2  # pixels that bicubic chroma sees


@dataclass(frozen=True)
class Tiling:
    """Tiles' sides and what each sees around it, in pixels of what the last network reads."""

    side: int
    overlap: int
    exact: bool  # whether tiles are what the whole picture would give


def passes(method: Method, scale: float) -> int:
    """How often the network is applied, at least once, so that nothing has to be enlarged by the kernel."""
    if method.network is None:
        return 0
    return max(1, math.ceil(math.log(scale) / math.log(method.scale) - 1e-9)) if method.scale > 1 else 1


def tiling(method: Method, n: int, tile: int | None, overlap: int | None, taken: float = 0.0) -> Tiling:
    """Tiles for n passes: as asked for, else as large as memory lets them be after `taken` bytes are used."""
    limited = method.reach is not None and method.reach <= EXACT
    if overlap is None:
        overlap = method.reach if limited and method.reach is not None else OVERLAP
    exact = method.reach is not None and method.reach <= overlap
    finer = method.scale ** max(n - 1, 0)  # how much finer than the picture is what the last pass reads
    if tile is not None:
        return Tiling(tile * finer, overlap, exact)
    if method.network is None:
        return Tiling(TILE, 0, True)
    budget = min(MEMORY, (free_memory(torch.device(method.device)) - taken) / 2)
    side = int(math.sqrt(max(budget, 0) / max(method.memory, 1))) - 2 * overlap
    return Tiling(min(max(side, 16), TILE), overlap, exact)


def held(colour: np.ndarray, device: str = "cpu") -> Layer:
    """A picture in memory: bytes or 16-bit numbers, (h, w, c)."""
    return Held(len(colour), colour.shape[1], partial(as_floats, colour, device=device))


def layered(layer: Layer, channels: int, method: Method, n: int, size: tuple[int, int], overlap: int) -> Layer:
    """What computes a picture of a size, part by part: n passes of the network, then the kernel if that is not it."""
    if method.network is not None:
        network = adapted(method.network, method.channels, channels, method.scale)
        overlap = overlap if method.channels == channels else max(overlap, CHROMA)
        for _ in range(n):
            layer = Networked(layer, network, method.scale, overlap, method.multiple)
    return layer if (layer.height, layer.width) == size else Resampled(layer, *size, method.kernel)


def adapted(network: Callable[[Tensor], Tensor], channels: int, picture: int, scale: int) -> Callable[[Tensor], Tensor]:
    """A network of some channels for pictures of others: (1, picture, h, w) -> (1, picture, scale · h, scale · w).

    One for luma enlarges the luma of colours, whose chroma is enlarged by bicubic; one for colour sees grey as colour.
    """
    if channels == picture:
        return network
    if picture == 1:
        return lambda x: grey(network(x.expand(-1, 3, -1, -1)))

    def by_luma(x: Tensor) -> Tensor:
        large = imresize(x, scale)
        return large + (network(grey(x)) - grey(large))

    return by_luma


def enlarge(
    photo: Photo,
    method: Method,
    scale: float,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    advance: Advance = lambda share: None,
) -> Photo:
    """A picture `scale` times larger; `advance` is told after each tile what share is done.

    Where memory does not suffice, tiles are halved and the picture begun anew, unless `tile` (pixels of the picture)
    was asked for. Raises UserError if it can't be done; a tile that fails is never replaced by anything.
    """
    height, width = (max(1, round(side * scale)) for side in photo.colour.shape[:2])
    needed = height * width * (photo.colour.shape[2] + (photo.alpha is not None)) * photo.colour.itemsize
    free = free_memory(torch.device("cpu"))
    if needed > free:
        raise UserError(f"{width}×{height} takes {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")
    n = passes(method, scale)
    colour = photo.colour if photo.alpha is None else spread(photo.colour, photo.alpha)
    base = held(colour, method.device)
    if method.whole is not None:
        base, advance = _learned(colour, method, scale, advance), lambda share: None
    chosen = tiling(method, n, tile, overlap, needed)
    while True:
        try:
            # TensorFloat-32 would differ by more than a byte's rounding from one size of tile to another
            with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                return _tiled(photo, base, method, (height, width), n, chosen, advance)
        except (MemoryError, RuntimeError) as e:
            if not _out_of_memory(e):
                raise
        if tile is not None or chosen.side <= 16:
            raise UserError(f"out of memory with tiles of {chosen.side} pixels; give a smaller --tile or --scale")
        chosen = replace(chosen, side=chosen.side // 2)


def _learned(colour: np.ndarray, method: Method, scale: float, advance: Advance) -> Layer:
    """A picture enlarged as a whole by the next factor from 2."""
    assert method.whole is not None
    height, width = colour.shape[:2]
    image = as_floats(colour, Box(0, 0, height, width))
    large = method.whole(image, max(2, math.ceil(scale)), advance).float()
    if not large.isfinite().all():
        raise UserError("what was learned from the picture gives values that are not finite; nothing was written")
    return Held(large.shape[-2], large.shape[-1], lambda box: large[..., box.top : box.bottom, box.left : box.right])


def _tiled(
    photo: Photo, base: Layer, method: Method, size: tuple[int, int], n: int, chosen: Tiling, advance: Advance
) -> Photo:
    planes = photo.colour.shape[2]
    layers = [layered(base, planes, method, n, size, chosen.overlap)]
    if photo.alpha is not None:
        layers.append(layered(held(photo.alpha), 1, Method("alpha"), 0, size, 0))
    canvases = [np.empty((*size, c), photo.colour.dtype) for c in (planes, 1)[: len(layers)]]
    finer = size[0] / (photo.colour.shape[0] * method.scale ** max(n - 1, 0))  # pixels of the result for one of a tile
    side, fade = max(1, round(chosen.side * finer)), 0 if chosen.exact else round(chosen.overlap / 2 * finer)
    boxes = list(tiles(*size, side, fade))
    for k, (box, up, back) in enumerate(boxes, 1):
        for layer, canvas in zip(layers, canvases, strict=True):
            _paste(canvas, as_numbers(layer.part(box), canvas.dtype), box, up, back)
        advance(k / len(boxes))
    return replace(photo, colour=canvases[0], alpha=canvases[1] if len(canvases) > 1 else None)


def _paste(canvas: np.ndarray, part: np.ndarray, box: Box, up: int, back: int) -> None:
    """Put a tile in its place, mixed with those above and to the left where it reaches into them."""
    place = canvas[box.top : box.bottom, box.left : box.right]
    if up or back:
        share = ramp(box.bottom - box.top, box.right - box.left, up, back)[..., None].numpy()
        part = (place * (1 - share) + part * share + 0.5).astype(canvas.dtype)
    place[:] = part


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)
