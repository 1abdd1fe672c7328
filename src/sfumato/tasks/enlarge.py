"""One picture made larger: by which network or kernel, in tiles of what size."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import UserError, nearest
from ..formats.superres import read_upscaler
from ..networks import pretrained
from ..networks.pretrained.base import grey
from ..networks.reach import reach
from ..resample import Kernel, imresize
from ..training.machine import choose_device
from .model import load
from .photo import Photo, as_floats, as_numbers, spread
from .tiles import Box, Held, Layer, Networked, Resampled, free_memory, ramp, tiles

TILE = 512  # pixels of a tile's side, of what the last network reads, at most
MEMORY = 4e9  # bytes that a tile's maps may take, at most, and never more than half of what is free
EXACT = 128  # pixels of overlap up to which tiles are what the whole picture would give
OVERLAP = 32  # pixels where the network sees farther than that
CHROMA = 2  # pixels that bicubic chroma sees


@dataclass(frozen=True)
class Method:
    """How pictures are enlarged: by a network as often as it takes, and by a kernel to the exact size."""

    words: str
    network: Callable[[Tensor], Tensor] | None = None  # (1, channels, h, w) -> (1, channels, scale · h, scale · w)
    scale: int = 1
    channels: int = 3
    reach: int | None = 0  # pixels that the network sees on each side; None: the whole picture
    memory: float = 0.0  # bytes for each pixel that it reads
    multiple: int = 1  # where tiles may begin, pixels
    kernel: Kernel = "bicubic"
    device: str = "cpu"


@dataclass(frozen=True)
class Tiling:
    """Tiles' sides and what each sees around it, in pixels of what the last network reads."""

    side: int
    overlap: int
    exact: bool  # whether tiles are what the whole picture would give


def shipped(scale: float) -> Path | None:
    """The weights that come with sfumato for a scale: of ×4 beyond 2, else of ×2; None if there are none."""
    folder = Path(pretrained.__file__).parent
    found = [p for n in ((4, 2) if scale > 2 else (2, 4)) if (p := folder / f"upscale_x{n}.safetensors").exists()]
    return found[0] if found else None


def choose_method(
    model: str | Path | None = None, like: str | None = None, scale: float | None = None, device: str | None = None
) -> Method:
    """By the network of a run, a model file or a public checkpoint; else by a kernel; else by what is shipped.

    Raises UserError if both are given, or the model can't be read or can't enlarge.
    """
    if model is not None and like is not None:
        raise UserError("give --model or --like, not both")
    if like is not None:
        kernel: Kernel = "bilinear" if nearest(like, get_args(Kernel), "kernel") == "bilinear" else "bicubic"
        return Method(f"{kernel} interpolation", kernel=kernel)
    path = shipped(scale or 2) if model is None else Path(model)
    if path is None:
        return Method("bicubic interpolation (no network is shipped yet; --model takes one)")
    return _by_network(path, choose_device(device))


def _by_network(path: Path, device: torch.device) -> Method:
    network: Any
    if path.is_dir() or _ours(path):
        held = load(path, device=str(device))
        network, name, channels, multiple = held.system, held.name, held.facts.channels, 1
        if not callable(getattr(network, "upscale", None)):
            raise UserError(f"{path}: {name} enlarges no pictures; `sfumato list` shows which systems do")
    else:
        network = read_upscaler(path).to(device)
        name, channels, multiple = network.name, network.channels, network.multiple
    network.to(memory_format=torch.channels_last)  # of weights, as convolutions of wide maps like them
    seen = reach(network.upscale, channels, device)
    words = f"{name} ×{network.scale} ({path})"
    return Method(
        words, network.upscale, network.scale, channels, seen.pixels, seen.memory, multiple, device=str(device)
    )


def _ours(path: Path) -> bool:
    """Whether a file is a model of sfumato's own."""
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        with safe_open(path, "pt") as f:
            return "layout" in (f.metadata() or {})
    except (SafetensorError, OSError):
        return False


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


def layered(colour: np.ndarray, method: Method, n: int, size: tuple[int, int], overlap: int) -> Layer:
    """What computes a picture of a size, part by part: n passes of the network, then the kernel if that is not it."""
    height, width = colour.shape[:2]
    layer: Layer = Held(height, width, partial(as_floats, colour, device=method.device))
    if method.network is not None:
        network = adapted(method.network, method.channels, colour.shape[2], method.scale)
        overlap = overlap if method.channels == colour.shape[2] else max(overlap, CHROMA)
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
    advance: Callable[[float], None] = lambda share: None,
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
    chosen = tiling(method, n, tile, overlap, needed)
    while True:
        try:
            # TensorFloat-32 would differ by more than a byte's rounding from one size of tile to another
            with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                return _tiled(photo, method, (height, width), n, chosen, advance)
        except (MemoryError, RuntimeError) as e:
            if not _out_of_memory(e):
                raise
        if tile is not None or chosen.side <= 16:
            raise UserError(f"out of memory with tiles of {chosen.side} pixels; give a smaller --tile or --scale")
        chosen = replace(chosen, side=chosen.side // 2)


def _tiled(
    photo: Photo,
    method: Method,
    size: tuple[int, int],
    n: int,
    chosen: Tiling,
    advance: Callable[[float], None],
) -> Photo:
    colour = photo.colour if photo.alpha is None else spread(photo.colour, photo.alpha)
    layers = [layered(colour, method, n, size, chosen.overlap)]
    if photo.alpha is not None:
        layers.append(layered(photo.alpha, Method("alpha"), 0, size, 0))
    canvases = [np.empty((*size, c), photo.colour.dtype) for c in (colour.shape[2], 1)[: len(layers)]]
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
