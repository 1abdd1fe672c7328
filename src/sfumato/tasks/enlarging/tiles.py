"""Pictures enlarged part by part: a part is computed when it is asked for, from the part below it that it depends on.

A network sees a tile with `overlap` pixels around it, and at the edge of the picture what it would see of the whole
picture. If it sees no farther than that, tiles are exactly what the whole picture would give.
"""

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ...errors import UserError
from ...resample import Kernel, inside, keys, triangle


class Box(NamedTuple):
    """A part of a picture, pixels; the ends are not in it."""

    top: int
    left: int
    bottom: int
    right: int


class Layer(Protocol):
    """A picture of which parts can be had: (1, c, h, w) in [-1, 1]."""

    @property
    def height(self) -> int:
        """Pixels."""

    @property
    def width(self) -> int:
        """Pixels."""

    def part(self, box: Box) -> Tensor:
        """What lies in a box: (1, c, bottom - top, right - left), float32."""


@dataclass(frozen=True)
class Held:
    """A picture in memory, in whatever form `read` makes floats of."""

    height: int
    width: int
    read: Callable[[Box], Tensor]

    def part(self, box: Box) -> Tensor:
        """As `Layer` says."""
        return self.read(box)


@dataclass(frozen=True)
class Networked:
    """A picture enlarged by a network."""

    below: Layer
    network: Callable[[Tensor], Tensor]  # (1, c, h, w) -> (1, c, scale · h, scale · w)
    scale: int
    overlap: int  # pixels of `below` around a part that the network sees too
    multiple: int = 1  # where what the network sees may begin, pixels of `below`

    @property
    def height(self) -> int:
        """Pixels."""
        return self.below.height * self.scale

    @property
    def width(self) -> int:
        """Pixels."""
        return self.below.width * self.scale

    def part(self, box: Box) -> Tensor:
        """As `Layer` says. Raises UserError if the network's result is not finite."""
        s, m = self.scale, self.multiple
        top, left = (max(0, (start // s - self.overlap) // m * m) for start in box[:2])
        ends = ((-(-end // s) + self.overlap + m - 1) // m * m for end in box[2:])
        bottom, right = (min(end, side) for end, side in zip(ends, (self.below.height, self.below.width), strict=True))
        found = self.network(self.below.part(Box(top, left, bottom, right))).float()
        if not found.isfinite().all():
            raise UserError(
                f"the network gave values that are not finite at {box.left}, {box.top}; nothing was written"
            )
        return found[..., box.top - s * top : box.bottom - s * top, box.left - s * left : box.right - s * left]


@dataclass(frozen=True)
class Resampled:
    """A picture of another size, as MATLAB's `imresize` makes it."""

    below: Layer
    height: int
    width: int
    kernel: Kernel = "bicubic"

    def part(self, box: Box) -> Tensor:
        """As `Layer` says; not clipped."""
        top, rows = band(self.below.height, self.height, box.top, box.bottom, self.kernel)
        left, columns = band(self.below.width, self.width, box.left, box.right, self.kernel)
        found = self.below.part(Box(top, left, top + rows.shape[1], left + columns.shape[1]))
        return rows.to(found) @ found @ columns.to(found).T


@lru_cache(maxsize=64)
def band(n: int, m: int, start: int, end: int, kernel: Kernel) -> tuple[int, Tensor]:
    """Rows start … end of the matrix that makes m pixels of n (see `resample.resampling`), less columns of zeros.

    The first column that is kept, and the rest: (end - start, k) float64.
    """
    shape, reach = (keys, 2) if kernel == "bicubic" else (triangle, 1)
    scale = m / n
    stretch = max(1 / scale, 1.0)
    centre = (torch.arange(start, end, dtype=torch.float64) + 0.5) / scale - 0.5
    taps = (centre - reach * stretch).floor()[:, None] + torch.arange(math.ceil(2 * reach * stretch) + 2)
    weights = shape((centre[:, None] - taps) / stretch)
    places = inside(taps.long(), n, "mirror")
    first = int(places.min())
    matrix = torch.zeros(end - start, int(places.max()) + 1 - first, dtype=torch.float64)
    matrix.scatter_add_(1, places - first, weights)
    return first, matrix / matrix.sum(1, keepdim=True)


def tiles(height: int, width: int, side: int, fade: int = 0) -> Iterator[tuple[Box, int, int]]:
    """Boxes that cover a picture row by row, each with how far it reaches into those above and to the left of it."""
    for top in range(0, height, side):
        for left in range(0, width, side):
            up, back = min(fade, top), min(fade, left)
            yield Box(top - up, left - back, min(top + side, height), min(left + side, width)), up, back


def ramp(height: int, width: int, up: int, back: int) -> Tensor:
    """The share of a tile in a picture: 1, and from nearly 0 upwards where it reaches into others: (height, width)."""
    down = ((torch.arange(height) + 0.5) / max(up, 1)).clamp(max=1) if up else torch.ones(height)
    right = ((torch.arange(width) + 0.5) / max(back, 1)).clamp(max=1) if back else torch.ones(width)
    return down[:, None] * right


def free_memory(device: torch.device) -> float:
    """Bytes that can still be had on a device; 2 GB where the system does not say."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    found = [2e9] if not Path("/proc/meminfo").exists() else []
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            found.append(1024.0 * int(line.split()[1]))
    limit, used = (_lines(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if limit and used and limit[0].isdigit():
        found.append(float(int(limit[0]) - int(used[0])))
    if os.name == "posix":
        import resource

        soft = resource.getrlimit(resource.RLIMIT_AS)[0]
        used = _lines("/proc/self/statm")
        if soft != resource.RLIM_INFINITY and used:
            found.append(float(soft - int(used[0].split()[0]) * resource.getpagesize()))
    return max(min(found, default=2e9), 0.0)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
