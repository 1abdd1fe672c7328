"""What every view is made with: which rows, and arrays to tensors, mirrored where the rows are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..prepare import Pictures


@dataclass(frozen=True)
class Draw:
    """Which rows a batch is made of."""

    rows: np.ndarray  # (b,) indices of pictures
    among: Callable[[np.ndarray], np.ndarray]  # b others from an endless shuffled sequence over the given indices
    bits: np.ndarray  # (b,) uint64, random by seed and position: for what is chosen for each row
    flip: np.ndarray | None = None  # (b,) bool: which to mirror
    survey: np.ndarray | None = None  # what the view found out about the whole set: see `View.survey`
    device: torch.device | str = "cpu"


def images(pictures: Pictures, rows: np.ndarray, draw: Draw) -> Tensor:
    """Pictures as float32 in [-1, 1]: (b,) indices -> (b, channels, h, w)."""
    return pixels(pictures.images[rows], draw)


def pixels(values: np.ndarray, draw: Draw) -> Tensor:
    """Bytes as float32 in [-1, 1]: (b, …, h, w, channels) -> (b, …, channels, h, w)."""
    values = np.ascontiguousarray(np.moveaxis(values, -1, -3))
    if draw.flip is not None:
        values[draw.flip] = values[draw.flip][..., ::-1]
    if torch.device(draw.device).type != "cpu":  # a quarter of the bytes to carry over
        return _to(torch.from_numpy(values), draw.device).float().div_(127.5).sub_(1)
    scaled = np.divide(values, np.float32(127.5), dtype=np.float32)  # torch is slower here: it starts all its threads
    scaled -= 1
    return torch.from_numpy(scaled)


def planes(values: np.ndarray, draw: Draw) -> Tensor:
    """Values of pixels, whose last axis runs to the right: (b, …, h, w) as they are, mirrored where asked."""
    if draw.flip is not None:
        values = values.copy()
        values[draw.flip] = values[draw.flip][..., ::-1]
    return tensor(values, draw)


def arrows(values: np.ndarray, draw: Draw) -> Tensor:
    """Directions at pixels, x first: (b, …, h, w, k) -> (b, …, k, h, w); mirrored ones point mirrored."""
    values = np.moveaxis(values, -1, -3)
    if draw.flip is not None:
        values = values.copy()
        values[draw.flip, ..., 0, :, :] *= -1
    return planes(values, draw)


def disparity(metres: np.ndarray, near: float) -> np.ndarray:
    """Depth in a bounded form, 2·near/z − 1: 1 at `near` metres (or less), −1 infinitely far away."""
    return np.clip(np.float32(2 * near) / metres - np.float32(1), -1, 1).astype(np.float32)


def tensor(values: np.ndarray, draw: Draw) -> Tensor:
    """An array on the device of the draw."""
    return _to(torch.from_numpy(np.ascontiguousarray(values)), draw.device)


def ask(pictures: Pictures, rows: np.ndarray, *fields: str, size: int = 0) -> list[np.ndarray]:
    """What the truth says about some pictures, at their own size or another."""
    found = pictures.truth.get(fields, named(pictures, rows), size or pictures.size)
    return [found[field] for field in fields]


def named(pictures: Pictures, rows: np.ndarray) -> list[str]:
    """The names of some pictures, by which the truth knows them."""
    return [pictures.names[i] for i in rows.tolist()]


def _to(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Onto the device; without waiting where that is CUDA."""
    if torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
