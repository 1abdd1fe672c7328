"""What encoders for a generator share: codes of one of its spaces around their mean, drawn, found and rendered."""

from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from ..stylegan.latents import StyleSpaces
from .encoder import Encoder
from .held import Held
from .spaces import check_space, lift, picture, statistics


class Coded(nn.Module):
    """What a system with an encoder E and a generator, held in H, does with pictures.

    Codes are (b, z), (b, w) or (b, layers, w), as `space` says.
    """

    mean: Tensor  # of the code: (1, …)
    spread: Tensor  # how far its numbers are from that: ()

    def open(
        self, generator: Any, stored: bool, drawn: Tensor, space: str, ch: int, ch_max: int, size: int, channels: int,
        aspect: str,
    ) -> None:  # fmt: skip
        """Make H, E, and the mean and spread of codes that were drawn (n, z).

        Raises UserError for S, for which there are no encoders here, or a space that the generator has not.
        """
        check_space(generator, space)
        if space == "s":
            raise UserError("space s: encoders give z, w or w+; start from one of these and optimise in s")
        self.space, self.H = space, Held(generator, stored)
        with torch.no_grad():
            (mean,), (spread,) = statistics(generator, drawn, space)
        self.register_buffer("mean", mean.clone())
        self.register_buffer("spread", spread.clone())
        points, n = mean.shape[1:] if mean.dim() == 3 else (1, mean.shape[1])
        self.E = Encoder(points, n, ch, ch_max, size, channels, aspect)

    def encode(self, image: Tensor) -> Tensor:
        """Codes of images: (b, channels, h, w) -> (b, z), (b, w) or (b, layers, w)."""
        return self.mean + self.spread * self.E(image).reshape(len(image), *self.mean.shape[1:])

    def generate(self, code: Tensor) -> Tensor:
        """Pictures of codes, not clipped: -> (b, channels, h, w)."""
        return picture(self.H.system, code, self.space)

    def reconstruct(self, image: Tensor) -> Tensor:
        """Images as the generator has them: (b, channels, h, w) in [-1, 1] -> the same."""
        return self.generate(self.encode(image)).clamp(-1, 1)

    def code_of(self, drawn: Tensor, other: Tensor, at: Tensor) -> Tensor:
        """Drawn codes (b, z) in this space; in W+, another's from layer `at` (b,) on."""
        generator = self.H.system
        code = lift(generator, drawn, "z", self.space)
        if self.space != "w+" or not isinstance(generator, StyleSpaces):
            assert isinstance(code, Tensor)
            return code
        fine = lift(generator, other, "z", self.space)
        assert isinstance(code, Tensor) and isinstance(fine, Tensor)
        return generator.mix(code, fine, at)
