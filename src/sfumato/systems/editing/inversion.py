"""Inversion by an encoder: a network that says where in a trained generator's space a picture lies.

Xia, Zhang, Yang, Xue, Zhou & Yang, GAN Inversion: A Survey, 2021. https://arxiv.org/abs/2101.05278
Learning-based inversion of section 3.2 (eq. 3), in Z, W or W+ of section 3.1. The encoder learns from pictures that the
generator draws, whose codes are known, and from real ones by what the generator makes of its answer, in pixels and
features as in Richardson et al., 2020 (https://arxiv.org/abs/2008.00951), whose offsets from the mean code and pyramid
it has. Optimisation and the hybrid of both are `sfumato invert`, which starts from this encoder.

Deviations: the survey describes a family; which networks, losses and weights is chosen here. The shipped features stand
for LPIPS and no identity loss is used. In W+ half of the codes that are drawn mix two. The generator of a run is not in
the checkpoint; it is read from its run again. Without `generator` one is held that learned nothing, for tests.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...generators import open_generator
from ...networks.editing.coded import Coded
from ...networks.editing.sight import sight
from ...objectives.inversion import feature_distance, masked_mse
from ...system import Batch, Losses, Paper, Preset, Recipe, System, linear

DRAWN = 4_000  # codes that the mean and the spread are taken from


class Inversion(Coded, System):
    """E finds codes of pictures; the generator in H is left as it is."""

    paper = Paper("GAN Inversion: A Survey", "Xia et al.", 2021, "https://arxiv.org/abs/2101.05278")
    recipe = Recipe(data="ffhq", size=256, batch=8, steps=500_000)
    presets = {
        "paper": Preset(),
        "small": Preset(
            dict(ch=16, ch_max=64, lr=2e-3), dict(data="faces", size=64, batch=16, steps=2_500, schedule=linear)
        ),
        "tiny": Preset(dict(ch=4, ch_max=8, lr=1e-2), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        generator: str | System = "",  # the run folder of the generator
        space: str = "w+",  # where codes lie: z, w, w+; generators without styles have z alone
        ch: int = 32,  # channels of E next to the picture; twice as many at each halving of the side
        ch_max: int = 512,  # but no more than these
        known: float = 1.0,  # weight of the error of known codes, in squared spreads
        pixels: float = 1.0,  # weight of the squared error of pictures, made and real
        features: str = "style",  # or reader:faces, squeezenet:FILE, vgg19:FILE
        perceptual: float = 0.8,  # weight of the distance of these features
        size: int = 256,  # shorter side of the image, pixels
        aspect: str = "1:1",  # shape of pictures, width:height
        channels: int = 3,
        lr: float = 1e-4,
    ) -> None:
        super().__init__()
        found = open_generator(generator, size, channels, aspect)
        self.open(
            found, isinstance(generator, System), found.prior(Batch(DRAWN)), space, ch, ch_max, size, channels, aspect
        )  # fmt: skip
        self.known, self.pixels, self.perceptual, self.features, self.lr = known, pixels, perceptual, features, lr

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for the encoder."""
        return {"E": Adam(self.E.parameters(), self.lr, (0.9, 0.99), fused=True)}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The error of known codes, and of the pictures of codes found for real ones."""
        with torch.no_grad():
            code = self.drawn(batch)
            made = self.generate(code).clamp(-1, 1)
        found = self.encode(torch.cat([made, batch.image]))
        again = self.generate(found[batch.n :])
        look = sight(self.features, batch.device)
        with torch.no_grad():
            aims = look(batch.image)
        terms = {
            "codes": self.known * ((found[: batch.n] - code) / self.spread).square().flatten(1).mean(1),
            "pixels": self.pixels * masked_mse(again, batch.image),
            "features": self.perceptual * feature_distance(look(again), aims),
        }
        yield {"E": terms}

    def drawn(self, given: Batch) -> Tensor:
        """Codes as the generator draws them; in W+, half of them mix two."""
        first, second = self.H.system.prior(given), self.H.system.prior(given)
        layers = self.mean.shape[1]
        at = torch.where(given.rand() < 0.5, 1 + given.randint(max(1, layers - 1)), layers)
        return self.code_of(first, second, at)

    def sample(self, given: Batch) -> Tensor:
        """What the generator draws: (n, channels, h, w)."""
        return self.H.system.sample(given)
