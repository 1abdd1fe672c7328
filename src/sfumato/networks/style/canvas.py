"""Pictures that are learned themselves, from coarse to fine."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import UserError

LEAST = 16  # pixels of a side of the coarsest


@dataclass(frozen=True)
class Scene:
    """What is painted, and how: contents (b, c, h, w) and styles (b | 1, c, h', w') of any size."""

    content: Tensor
    styles: Sequence[Tensor]
    weights: Sequence[float] = (1.0,)  # of the styles, which are blended
    mask: Tensor | None = None  # (b | 1, styles, h, w) in [0, 1]: where each style is used; they are not blended then


class Canvas(nn.Module):
    """n pictures (n, channels, h, w) that are parameters themselves, from coarse to fine.

    The first level has the sides divided by 2^(levels - 1), the last has them whole. A level begins with the change
    that the one before it came to, enlarged, on top of what was there at first: fine detail is not lost. Parameters
    are the change since, its waves divided by frequency to the power `whiten`: 0.5 lets optimisers take far
    fewer steps than pixels do, which 0 stands for. Raises UserError if the coarsest would have a side below 16 pixels.
    """

    ground: Tensor
    reached: Tensor

    def __init__(self, n: int, channels: int, size: tuple[int, int], levels: int = 1, whiten: float = 0.5) -> None:
        super().__init__()
        if levels < 1 or min(size) >> (levels - 1) < LEAST:
            most = max(1, (min(size) // LEAST).bit_length())
            raise UserError(f"{levels} levels are too many for {min(size)} pixels; give --levels 1 … {most}")
        self.whiten = whiten
        sides = [[side >> k for side in size] for k in reversed(range(levels))]
        self.levels = nn.ParameterList(nn.Parameter(torch.zeros(n, channels, *s)) for s in sides)
        self.register_buffer("ground", torch.zeros(n, channels, *size))
        self.register_buffer("reached", torch.tensor(0))
        for k, side in enumerate(sides):
            self.register_buffer(f"base{k}", torch.zeros(n, channels, *side))

    @property
    def players(self) -> dict[str, nn.Parameter]:
        """Names of the levels' players: image-4, image-2, image, by what the sides are divided by."""
        names = [f"image-{1 << k}" if k else "image" for k in reversed(range(len(self.levels)))]
        return dict(zip(names, self.levels, strict=True))

    @torch.no_grad()
    def begin(self, image: Tensor) -> None:
        """Back to the coarsest level, on these pictures (n, channels, …) of any size."""
        self.reached.zero_()
        self.ground.copy_(fit(image, self.ground.shape[-2:]))
        self._enter(0, fit(self.ground, self.levels[0].shape[-2:]))

    def at(self, progress: float) -> tuple[int, str, Tensor]:
        """The level to work at when this share of the budget is spent, its player, and the pictures there.

        Levels have the same share.
        """
        level = min(int(progress * len(self.levels)), len(self.levels) - 1)
        while int(self.reached) < level:
            after = int(self.reached) + 1
            self._enter(after, self.image(self.levels[after].shape[-2:]))
            self.reached += 1
        return level, list(self.players)[level], self.there(level)

    @torch.no_grad()
    def _enter(self, level: int, image: Tensor) -> None:
        self.get_buffer(f"base{level}").copy_(image)
        self.levels[level].zero_()

    def there(self, level: int) -> Tensor:
        """The pictures of a level, a function of its parameter: (n, channels, …)."""
        return self.get_buffer(f"base{level}") + shaped(self.levels[level], self.whiten)

    def image(self, size: Sequence[int] | None = None) -> Tensor:
        """The pictures as far as they are, at full size by default: (n, channels, *size), not clipped."""
        now, size = self.there(int(self.reached)), size or self.ground.shape[-2:]
        if now.shape[-2:] == torch.Size(size):
            return now
        return fit(now - fit(self.ground, now.shape[-2:]), size) + fit(self.ground, size)

    def drawn(self, rows: Tensor) -> Tensor:
        """Some of the pictures, clipped to [-1, 1]: indices (b,) -> (b, channels, h, w)."""
        return self.image()[rows].clamp(-1, 1)


def shaped(x: Tensor, power: float) -> Tensor:
    """Waves divided by frequency to a power, their mean energy kept for noise: (b, c, h, w) -> (b, c, h, w)."""
    if not power:
        return x
    h, w = x.shape[-2:]
    y, across = torch.fft.fftfreq(h, device=x.device) * h, torch.fft.fftfreq(w, device=x.device) * w
    weight = torch.hypot(y[:, None] / h, across[None] / w).clamp(min=1 / max(h, w)) ** -power
    weight = weight / weight.square().mean().sqrt()
    return torch.fft.irfft2(torch.fft.rfft2(x.float()) * weight[:, : w // 2 + 1], s=(h, w))


def fit(image: Tensor, size: Sequence[int]) -> Tensor:
    """Bicubic with antialias: (b, c, h, w) -> (b, c, *size)."""
    if image.shape[-2:] == torch.Size(size):
        return image
    return F.interpolate(image, size=tuple(size), mode="bicubic", antialias=True, align_corners=False)


def rows_of(batch: Tensor, n: int) -> Tensor:
    """The first n pictures of a batch. Raises UserError if there are fewer."""
    if len(batch) < n:
        raise UserError(f"{n} pictures are learned at once, and the batch has {len(batch)}; give --batch {n}")
    return batch[:n]
