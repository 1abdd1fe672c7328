"""How fast.ai spoils the pictures that a network is to restore: each by what befalls it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import UserError
from .degrade import as_bytes, coarse, colourless
from .jpeg import jpeg

Draw = Callable[..., Tensor]  # shape -> (b, *shape)


@dataclass(frozen=True)
class Crappifier:
    """What pictures may lose, in this order: colour, pixels, what noise hides, what JPEG drops.

    Raises UserError for a quality or size that there is not.
    """

    low: int = 1  # how many times smaller they are made before they are enlarged again, 1 = not
    worst: int = 0  # JPEG quality from which is drawn, 1 to 100; 0 = no JPEG
    best: int = 100  # JPEG quality up to which is drawn
    noise: float = 0.0  # strongest noise, its standard deviation, of 255; each picture's is uniform from 0 on
    grey: bool = False  # whether colours are lost
    chance: float = 1.0  # of a picture to suffer each of these

    def __post_init__(self) -> None:
        if not 0 <= self.worst <= self.best <= 100 or self.low < 1:
            raise UserError(
                f"JPEG of qualities {self.worst} to {self.best}, pictures {self.low} times smaller: "
                "the worst is 0 to the best, the best at most 100, and pictures are made 1 time smaller or more"
            )

    def __call__(self, image: Tensor, rand: Draw, randn: Draw) -> Tensor:
        """What is left of images, in bytes: (b, c, h, w) -> (b, c, h, w); `rand`, `randn` draw as those of a batch."""

        def befallen(worse: Tensor) -> Tensor:
            return torch.where(rand(1, 1, 1) < self.chance, worse, image)

        if self.grey:
            image = befallen(colourless(image))
        if self.low > 1:
            image = befallen(coarse(image, self.low))
        if self.noise:
            image = befallen(image + self.noise / 127.5 * rand(1, 1, 1) * randn(*image.shape[1:]))
        if self.worst:
            image = befallen(jpeg(as_bytes(image), (self.worst + (self.best + 1 - self.worst) * rand()).floor()))
        return as_bytes(image)
