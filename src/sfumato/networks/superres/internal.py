"""How a network learns from one picture and is applied to it: its positions, its smaller selves, its learning rate."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ...resample import imresize
from .pictures import squares

GOLDEN = (5**0.5 - 1) / 2  # its multiples, less their whole parts, fill [0, 1) evenly
ROWS = 256  # of a strip


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """By bicubic, in float32 whatever the precision around it: (b, c, h, w) -> (b, c, *size)."""
    with torch.autocast(image.device.type, enabled=False):
        return imresize(image.float(), size=size)


def back_project(
    large: Tensor,
    small: Tensor,
    shrink: Callable[[Tensor], Tensor],
    times: int,
    spread: Callable[[Tensor, tuple[int, int]], Tensor] = resized,
) -> Tensor:
    """An estimate (b, c, h', w'), corrected so that its reduction comes nearer to the picture (b, c, h, w).

    What the reduction lacks is enlarged to (h', w'), by bicubic if nothing is said, and added, several times. Irani &
    Peleg, 1991, section 4, where convergence asks of the enlargement that it fits the blur: its adjoint always does.
    """
    h, w = large.shape[-2:]
    for _ in range(times):
        large = large + spread(small - shrink(large), (h, w))
    return large


def moved(image: Tensor, position: int) -> Tensor:
    """An image or kernel mirrored, upended and transposed as three bits say: (…, h, w) -> (…, h, w) or (…, w, h)."""
    image = image.flip(-1) if position & 1 else image
    image = image.flip(-2) if position & 2 else image
    return image.mT if position & 4 else image


def returned(image: Tensor, position: int) -> Tensor:
    """The way back from `moved`."""
    image = image.mT if position & 4 else image
    image = image.flip(-2) if position & 2 else image
    return image.flip(-1) if position & 1 else image


def positions(kernel: Tensor, tolerance: float = 0.05) -> list[int]:
    """In which of the eight positions a kernel stays what it is, but for a part of its weight: (k, k) -> numbers."""
    weight = tolerance * kernel.abs().sum()
    return [p for p in range(8) if (moved(kernel, p) - kernel).abs().sum() <= weight]


def median(network: Callable[[Tensor], Tensor], image: Tensor, among: Sequence[int]) -> Tensor:
    """The median of what a network makes of some positions of an image. Shocher et al., 2017, section 3.2."""
    results = [returned(network(moved(image, p)), p) for p in among]
    ordered, n = torch.stack(results).sort(0).values, len(results)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2


def in_strips(network: Callable[[Tensor], Tensor], image: Tensor, reach: int) -> Tensor:
    """What a network that keeps the side makes of an image, strip by strip, so that it fits into memory.

    It sees `reach` rows above and below a pixel, so that nothing differs: (b, c, h, w) -> (b, c, h, w).
    """
    h, parts = image.shape[-2], []
    for top in range(0, h, ROWS):
        above = min(top, reach)
        part = network(image[..., top - above : top + ROWS + reach, :])
        parts.append(part[..., above : above + min(ROWS, h - top), :])
    return torch.cat(parts, -2)


def father(image: Tensor, side: int, level: float, chance: Tensor, among: Sequence[int]) -> Tensor:
    """A random square of a picture made 1 / level times smaller: (b, c, h, w), `chance` (b, 3) -> (b, c, side, side).

    Only what is needed of the picture is made smaller. `chance`, uniform in [0, 1), says where the square lies and in
    which of the positions in `among` it stands.
    """
    whole = min(round(side / level), *image.shape[-2:])
    top, left = ((chance[:, i] * (n - whole + 1)).long() for i, n in enumerate(image.shape[-2:]))
    square = squares(image, top, left, whole)
    if whole != side:
        square = resized(square, (side, side)).clamp(-1, 1)
    chosen = (chance[:, 2] * len(among)).long().tolist()
    return torch.stack([moved(x, among[i]) for x, i in zip(square, chosen, strict=True)])


def busy(image: Tensor, side: int, chance: Tensor, choice: Tensor) -> Tensor:
    """One of several random squares of each image, likelier the steeper its gradients: -> (b, c, side, side).

    `chance` (b, m, 2) says where the m squares lie, `choice` (b, 1) which it is, both uniform in [0, 1).
    """
    side = min(side, *image.shape[-2:])
    top, left = ((chance[..., i] * (n - side + 1)).long() for i, n in enumerate(image.shape[-2:]))
    many = torch.stack([squares(image, t, x, side) for t, x in zip(top.T, left.T, strict=True)], 1)
    across, down = (many.diff(dim=d).abs().flatten(2).sum(2) for d in (-1, -2))
    steepness = across + down + 1e-6
    chosen = (steepness.cumsum(1) <= choice * steepness.sum(1, keepdim=True)).sum(1).clamp(max=many.shape[1] - 1)
    return many[torch.arange(len(image), device=image.device), chosen]


def levels(n: int, least: float) -> Tensor:
    """The sizes of n smaller selves of a picture, from `least` to 1, and how likely each is, by its area: (2, n)."""
    sizes = torch.linspace(least, 1, n)
    return torch.stack([sizes, sizes**2 / (sizes**2).sum()])


def at_turn(turn: int, chances: Tensor) -> int:
    """Who plays at a turn, so that the turns are shared evenly in proportion to the chances: (n,) -> index."""
    place = (turn + 0.5) * GOLDEN % 1
    return min(int((chances.cumsum(0) <= place).sum()), len(chances) - 1)


def slope(values: Tensor) -> tuple[Tensor, Tensor]:
    """The slope, for each step, of the line that fits n ≥ 3 values best, and its standard error: (n,) -> (), ()."""
    n = len(values)
    values = values.double() - values.double().mean()
    t = torch.arange(n, dtype=torch.float64, device=values.device) - (n - 1) / 2
    steep = (t @ values) / (t @ t)
    spread = (values - steep * t).square().sum() / (n - 2)
    return steep, (spread / (t @ t)).sqrt()


class Patience(nn.Module):
    """A learning rate's factor, which falls to a tenth whenever an error has stopped falling.

    A line is fitted to the last errors. When its slope is no more than 1 / `ratio` of its standard error downwards, and
    none of these errors is older than the last fall, the factor falls. Shocher et al., 2017, section 3.1.
    """

    errors: Tensor
    factor: Tensor
    fell: Tensor

    def __init__(self, ratio: float, window: int = 6) -> None:
        super().__init__()
        self.ratio, self.window = ratio, window
        self.register_buffer("errors", torch.full((window,), -1.0, dtype=torch.float64))  # -1: none yet
        self.register_buffer("factor", torch.ones(()))
        self.register_buffer("fell", torch.tensor(0))  # at which of the errors

    def reset(self) -> None:
        """Forget all errors."""
        self.errors.fill_(-1)
        self.factor.fill_(1)
        self.fell.zero_()

    def note(self, turn: int, error: Tensor) -> None:
        """Take in error number `turn`, (); to do so twice is to do it once."""
        self.errors[turn % self.window] = error
        recent = self.errors.roll(-(turn + 1))
        if (recent >= 0).all() and turn - self.fell >= self.window:
            steep, uncertain = slope(recent)
            if -self.ratio * steep < uncertain:
                self.factor.div_(10)
                self.fell.fill_(turn)


def slowed(optimizer: Optimizer, factor: Callable[[], float]) -> Optimizer:
    """The optimiser, whose learning rates are multiplied by a factor before each step.

    For rates that the trainer sets anew before each iteration.
    """

    def multiply(optimizer: Optimizer, *_: object) -> None:
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] * factor()

    optimizer.register_step_pre_hook(multiply)
    return optimizer
