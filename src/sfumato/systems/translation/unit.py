"""UNIT: two autoencoders share their codes, so that what one domain's encoder says the other's generator paints.

Liu, Breuel & Kautz, Unsupervised Image-to-Image Translation Networks, NIPS 2017. https://arxiv.org/abs/1703.00848
Objective of section 2 (eq. 2 to 7) with the weights λ0 to λ4 of section 4: the game, what codes say, reconstruction,
and both again for what has gone there and back. Codes are maps of variance 1. The last residual block of the encoders
and the first of the generators are shared. Networks and training of the authors' code, whose discriminators are three,
each at half the side; "least_squares" is the game of their second version.

Deviations: a picture's divergence and absolute error are means, not sums, as in that code, and λ are for these. Its
residual blocks are as wide as the layer before, the paper's table has twice as many channels. Blocks are continued by
reflection. D learns from the fakes that G learnt from.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...errors import nearest
from ...networks.translation.generators import block, by_planes, fitted, gaussian
from ...networks.translation.patch import Halving, Pyramid
from ...networks.translation.shared_latent import SLOPE, back, front
from ...objectives.adversarial import least_squares_d, least_squares_g, logistic_d, nonsaturating_g, wins
from ...objectives.pixels import l1
from ...objectives.translation import over_scales, unit_divergence
from ...system import Batch, Losses, Paper, Preset, Recipe, System

WAYS = ("AtoB", "BtoA")


class UNIT(System):
    """An encoder and a generator for each domain, with layers in common, and discriminators for each."""

    paper = Paper(
        "Unsupervised Image-to-Image Translation Networks", "Liu et al.", 2017, "https://arxiv.org/abs/1703.00848"
    )
    recipe = Recipe(data="summer2winter", size=256, batch=1, steps=500_000, view="unpaired")
    presets = {
        "paper": Preset(),
        "small": Preset(
            dict(
                ch=16,
                blocks=2,
                ch_d=16,
                layers=3,
                scales=2,
                lambda0=1.0,
                lambda2=10.0,
                lambda4=10.0,
                lambda1=0.01,
                lambda3=0.01,
                lr=5e-4,
            ),
            dict(data="scenes", size=32, batch=4, steps=1_300, view="unpaired-night"),
        ),
        "tiny": Preset(
            dict(ch=4, blocks=1, ch_d=4, layers=2, scales=2, lr=2e-3),
            dict(data="scenes", size=16, batch=4, steps=20, view="unpaired-night"),
        ),
    }

    def __init__(
        self,
        lambda0: float = 10.0,  # weight of the game
        lambda1: float = 0.1,  # of what codes say
        lambda2: float = 100.0,  # of reconstruction
        lambda3: float = 0.1,  # of what codes say on the way back
        lambda4: float = 100.0,  # of what has gone there and back
        least_squares: bool = False,  # the game of least squares, not of logarithms
        blocks: int = 3,  # residual ones of an encoder, and of a generator, beside the shared one
        scales: int = 3,  # discriminators of a domain, each at half the side of the one before
        layers: int = 4,  # of a discriminator that halve the side
        ch: int = 64,  # channels of the encoders' first layer; four times as many in a code
        ch_d: int = 64,  # of the discriminators'
        channels: int = 3,
        lr: float = 1e-4,
        decay: float = 1e-4,  # of the weights
    ) -> None:
        super().__init__()
        self.lambda0, self.lambda1, self.lambda2 = lambda0, lambda1, lambda2
        self.lambda3, self.lambda4 = lambda3, lambda4
        self.d_loss, self.g_loss = (
            (least_squares_d, least_squares_g) if least_squares else (logistic_d, nonsaturating_g)
        )
        self.lr, self.decay = lr, decay
        self.E1, self.E2 = (front(channels, ch, blocks) for _ in range(2))
        self.G1, self.G2 = (back(channels, ch, blocks) for _ in range(2))
        self.E, self.G = block(4 * ch), block(4 * ch)
        self.D1, self.D2 = (Pyramid(scales, partial(Halving, channels, ch_d, layers, 3, SLOPE)) for _ in range(2))
        gaussian(self)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for both autoencoders, and for all discriminators."""
        nets = {"VAE": (self.E1, self.E2, self.E, self.G, self.G1, self.G2), "D": (self.D1, self.D2)}
        return {
            k: Adam(
                [p for n in some for p in n.parameters()], self.lr, (0.5, 0.999), weight_decay=self.decay, fused=True
            )
            for k, some in nets.items()
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The autoencoders' turn, there and back from either side; then the discriminators', with what they made."""
        a, b = batch.source, batch.image
        said_a, said_b = self.encode_as(0, a), self.encode_as(1, b)
        code_a, code_b = batch.noisy(said_a, 1.0), batch.noisy(said_b, 1.0)
        fake_b, fake_a = self.paint_as(1, code_a), self.paint_as(0, code_b)
        again_a, again_b = self.encode_as(1, fake_b), self.encode_as(0, fake_a)
        back_a, back_b = (self.paint_as(k, batch.noisy(said, 1.0)) for k, said in enumerate((again_a, again_b)))
        game = over_scales(self.g_loss, self.D2(fake_b)) + over_scales(self.g_loss, self.D1(fake_a))
        yield {
            "VAE": {
                "game": self.lambda0 * game,
                "said": self.lambda1 * (unit_divergence(said_a) + unit_divergence(said_b)),
                "reconstruction": self.lambda2 * (l1(self.paint_as(0, code_a), a) + l1(self.paint_as(1, code_b), b)),
                "said again": self.lambda3 * (unit_divergence(again_a) + unit_divergence(again_b)),
                "cycle": self.lambda4 * (l1(back_a, a) + l1(back_b, b)),
            }
        }
        real_a, shown_a, real_b, shown_b = self.D1(a), self.D1(fake_a.detach()), self.D2(b), self.D2(fake_b.detach())
        found_a, found_b = over_scales(self.d_loss, real_a, shown_a), over_scales(self.d_loss, real_b, shown_b)
        yield {"D": {"A": self.lambda0 * found_a, "B": self.lambda0 * found_b}}
        self.report(**{"D wins": wins(real_b[0][-1].mean((1, 2, 3)), shown_b[0][-1].mean((1, 2, 3)))})

    def encode_as(self, domain: int, image: Tensor) -> Tensor:
        """Means of codes of pictures of domain 0 or 1: (b, channels, h, w) -> (b, 4 · ch, h / 4, w / 4)."""
        return by_planes(self.E, by_planes((self.E1, self.E2)[domain], image)).float()

    def paint_as(self, domain: int, code: Tensor) -> Tensor:
        """Pictures of domain 0 or 1 of codes: (b, 4 · ch, h / 4, w / 4) -> (b, channels, h, w) in [-1, 1]."""
        return torch.tanh(by_planes((self.G1, self.G2)[domain], by_planes(self.G, code)).float())

    def translate(self, image: Tensor, direction: str = "AtoB") -> Tensor:
        """What pictures become in the other domain: (b, channels, h, w) of any size -> the same size.

        `direction` is AtoB or BtoA. Codes are their means.
        """
        first = WAYS.index(nearest(direction, WAYS, "direction"))
        return fitted(lambda x: self.paint_as(1 - first, self.encode_as(first, x)), image, 4, 8)

    def reconstruct(self, image: Tensor) -> Tensor:
        """Pictures of domain A, there and back: (b, channels, h, w) -> the same."""
        return self.translate(self.translate(image), "BtoA")

    def sample(self, given: Batch) -> Tensor:
        """What the sources become."""
        return self.translate(given.source)
