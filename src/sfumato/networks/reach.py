"""How far a network that enlarges pictures sees, and what memory it needs, found by watching one small pass."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_WHOLE = {"adaptive_avg_pool2d", "adaptive_max_pool2d", "group_norm", "instance_norm", "softmax"}
_WHOLE |= {"scaled_dot_product_attention", "fft2", "rfft2", "grid_sample"}
_SUMS = {"mean", "sum", "std", "var", "std_mean", "var_mean", "amax", "amin", "norm"}
_TAPS = {"nearest": 0, "nearest-exact": 0, "bilinear": 1, "bicubic": 2}  # of interpolation, on each side
SIDE = 16  # of the small picture, pixels


@dataclass(frozen=True)
class Reach:
    """What the pass showed."""

    pixels: int | None  # of the input, that an output pixel sees on each side; None: the whole picture
    memory: float  # bytes at the peak for each pixel of the input


def reach(network: Callable[[Tensor], Tensor], channels: int, device: torch.device | str = "cpu") -> Reach:
    """How far a network sees: (1, channels, h, w) -> (1, c, s · h, s · w).

    An upper bound: the radii of all convolutions, poolings and interpolations are added up in pixels of the input, as
    if each followed the others. What looks at the whole map (global pooling, normalisation of instances, attention)
    has no bound. The peak of memory is taken as twice what the largest operation reads and writes.
    """
    image = torch.linspace(-1, 1, SIDE * SIDE, device=device).view(1, 1, SIDE, SIDE).expand(1, channels, -1, -1)
    with torch.inference_mode(), _Watch() as seen:
        network(image)
    return Reach(None if seen.whole else math.ceil(seen.radius - 1e-6), 2 * seen.bytes / SIDE**2)


class _Watch(TorchFunctionMode):
    """Adds up what passes by."""

    def __init__(self) -> None:
        super().__init__()
        self.radius, self.bytes, self.whole = 0.0, 0, False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            given = [x for x in _flat((args, kwargs or {})) if isinstance(x, Tensor)]
            self.bytes = max(self.bytes, sum(x.numel() * x.element_size() for x in (*given, result)))
            if given and any(x.dim() >= 3 for x in given):
                self.radius += self._radius(func.__name__, args, kwargs or {}, given, result)
        return result

    def _radius(
        self, name: str, args: tuple[Any, ...], given_by_name: dict[str, Any], given: list[Tensor], result: Tensor
    ) -> float:
        """What one operation adds, in pixels of the network's input."""

        def option(key: str, place: int, default: Any = 1) -> Any:
            return given_by_name.get(key, args[place] if len(args) > place else default)

        pixel = SIDE / given[0].shape[-1]  # of the map that is read
        if name == "conv2d":
            return _largest(option("dilation", 5)) * (_largest(given[1].shape[-2:]) - 1) / 2 * pixel
        if name == "conv_transpose2d":
            return _largest(given[1].shape[-2:]) / 2 * SIDE / result.shape[-1] + pixel
        if name in ("avg_pool2d", "max_pool2d", "unfold"):
            return _largest(option("kernel_size", 1)) / 2 * pixel
        if name == "interpolate":
            return _TAPS.get(option("mode", 3, "nearest"), SIDE) * max(pixel, SIDE / result.shape[-1])
        if name in ("matmul", "__matmul__", "__rmatmul__"):  # a matrix times a map is how `imresize` interpolates
            matrix = min(given, key=lambda x: x.dim())
            self.whole |= matrix.dim() != 2
            return 2 * SIDE / min(matrix.shape)
        self.whole |= name in _WHOLE or (name in _SUMS and _over_pixels(given[0].dim(), option("dim", 1, None)))
        return 0.0


def _over_pixels(axes: int, dim: int | Sequence[int] | None) -> bool:
    """Whether a sum over `dim` is over the last two axes, and not only over channels."""
    chosen = range(axes) if dim is None else [dim] if isinstance(dim, int) else dim
    return any(d % axes >= axes - 2 for d in chosen)


def _largest(sides: int | Sequence[int]) -> int:
    return sides if isinstance(sides, int) else max(sides)


def _flat(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return _flat(tuple(tree.values()))
    return [y for x in tree for y in _flat(x)] if isinstance(tree, tuple | list) else [tree]
