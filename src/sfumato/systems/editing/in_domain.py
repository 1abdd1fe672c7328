"""In-domain inversion: an encoder whose codes a generator makes real pictures of, and that later keeps codes in place.

Zhu, Shen, Zhao & Zhou, In-Domain GAN Inversion for Real Image Editing, ECCV 2020. https://arxiv.org/abs/2004.00049
The domain-guided encoder of section 3.1 learns from real pictures alone: pixels, features and a discriminator that
tells real pictures from reconstructions (eq. 2), with weight 0.1 for the discriminator and γ = 10 (section 4.1). The
domain-regularised optimisation of section 3.2 (eq. 3) and the semantic diffusion of section 4.4 are the tasks
`invert(…, encoder=…, domain=2)` and `diffuse`, which hold a code to what this encoder says of its picture.

Deviations: the features are those of `features` and are compared by their directions, with a weight that suits that.
The discriminator is StyleGAN2's, and its game is the logistic one, as in the authors' program, where eq. 2 writes
Wasserstein's. The code lies in W+ by default, which the authors have for StyleGAN. The generator of a run is not in the
checkpoint; it is read from its run again. Without `generator` one is held that learned nothing, for tests.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...generators import open_generator
from ...networks.editing.coded import Coded
from ...networks.editing.sight import sight
from ...networks.stylegan.stylegan2 import Discriminator
from ...objectives.adversarial import logistic_d, nonsaturating_g, r1, wins
from ...objectives.inversion import feature_distance, masked_mse
from ...system import Batch, Losses, Paper, Preset, Recipe, System

DRAWN = 4_000  # codes that the mean and the spread are taken from


class InDomain(Coded, System):
    """E finds codes of pictures, D judges what the generator in H makes of them."""

    paper = Paper(
        "In-Domain GAN Inversion for Real Image Editing", "Zhu et al.", 2020, "https://arxiv.org/abs/2004.00049"
    )
    recipe = Recipe(data="ffhq", size=256, batch=8, steps=800_000)
    presets = {
        "paper": Preset(),
        "small": Preset(
            dict(ch=16, ch_max=64, lr=2e-3, r1=0.5), dict(data="faces", size=64, batch=16, steps=2_500)
        ),
        "tiny": Preset(dict(ch=4, ch_max=8, lr=1e-2), dict(data="digits", size=16, batch=8, steps=20)),
    }  # fmt: skip

    def __init__(
        self,
        generator: str | System = "",  # the run folder of the generator
        space: str = "w+",  # where codes lie: z, w, w+; generators without styles have z alone
        ch: int = 32,  # channels of E and D next to the picture; twice as many at each halving of the side
        ch_max: int = 512,  # but no more than these
        pixels: float = 1.0,  # weight of the squared error
        features: str = "style",  # or reader:faces, squeezenet:FILE, vgg19:FILE
        perceptual: float = 0.8,  # weight of the distance of these features
        judged: float = 0.1,  # weight of what D says
        r1: float = 10.0,  # weight of R1, the paper's γ
        r1_every: int = 4,  # iterations
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
        self.D = Discriminator(ch, ch_max, size, channels, aspect=aspect)
        self.pixels, self.perceptual, self.features, self.judged, self.lr = pixels, perceptual, features, judged, lr
        self.r1, self.r1_every = r1, r1_every

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each."""
        betas = (0.9, 0.99)
        return {
            "E": Adam(self.E.parameters(), self.lr, betas, fused=True),
            "D": Adam(self.D.parameters(), self.lr, (0.0, 0.99), fused=True),
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The encoder's turn on real pictures, then the discriminator's."""
        again = self.generate(self.encode(batch.image))
        look = sight(self.features, batch.device)
        with torch.no_grad():
            aims = look(batch.image)
        yield {
            "E": {
                "pixels": self.pixels * masked_mse(again, batch.image),
                "features": self.perceptual * feature_distance(look(again), aims),
                "judged": self.judged * nonsaturating_g(self.D(again)),
            }
        }
        real, made = self.D(batch.image), self.D(again.detach())
        losses = {"loss": logistic_d(real, made)}
        if self.every(self.r1_every):
            losses["r1"] = self.r1 / 2 * self.r1_every * r1(self.D.forward, batch.image)
        yield {"D": losses}
        self.report(**{"D wins": wins(real, made)})

    def sample(self, given: Batch) -> Tensor:
        """What the generator draws: (n, channels, h, w)."""
        return self.H.system.sample(given)
