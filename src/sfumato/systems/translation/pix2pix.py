"""pix2pix: a picture becomes its partner, by a U-Net that a discriminator of patches and L1 teach.

Isola, Zhu, Zhou & Efros, Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017.
https://arxiv.org/abs/1611.07004
Objective of section 3.1 (eq. 1 to 4, with the generator's loss that does not saturate), networks of 3.2 and appendix
6.1: the U-Net with dropout as its noise, and discriminators of patches of 1, 16, 70 or 286 pixels (presets
"paper-1", "paper-16", "paper", "paper-286"). Training of 3.3: D's loss is halved. "paper-l1" has no discriminator,
"paper-gan" no L1: the columns of table 1.

Deviations: norms are of each picture and not of the batch; that is the same at the paper's batch of 1, and lets a
picture not depend on others. `translate` drops nothing unless it is given noise; `sample` drops, as the paper does.
D also sees no noise. Pictures are neither enlarged nor cropped at random (section 6.2); mirror them with --flip.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...errors import UserError
from ...networks.translation.generators import Noise, UNet, gaussian
from ...networks.translation.patch import FIELDS, PatchGAN
from ...objectives.adversarial import logistic_d, nonsaturating_g, wins
from ...objectives.pixels import l1
from ...system import Batch, Losses, Paper, Preset, Recipe, System

SMALL = dict(levels=6, ch=24, ch_d=24, field=34, lr=8e-4, dropout=1)
SHORT = dict(data="scenes", size=64, batch=4, steps=1_200, view="paired-night")


class Pix2Pix(System):
    """A U-Net and a discriminator of patches, which sees both pictures of a pair."""

    paper = Paper(
        "Image-to-Image Translation with Conditional Adversarial Networks",
        "Isola et al.",
        2017,
        "https://arxiv.org/abs/1611.07004",
    )
    recipe = Recipe(data="facades", size=256, batch=1, steps=80_000, view="paired")
    presets = {
        "paper": Preset(),
        "paper-1": Preset(dict(field=1)),
        "paper-16": Preset(dict(field=16)),
        "paper-286": Preset(dict(field=286)),
        "paper-l1": Preset(dict(adversarial=0.0)),
        "paper-gan": Preset(dict(l1=0.0)),
        "small": Preset(SMALL, SHORT),
        "small-l1": Preset(SMALL | dict(adversarial=0.0), SHORT),
        "small-gan": Preset(SMALL | dict(l1=0.0), SHORT),
        "tiny": Preset(
            dict(levels=4, ch=4, ch_d=4, field=16, lr=2e-3),
            dict(data="scenes", size=16, batch=4, steps=20, view="paired-night"),
        ),
    }

    def __init__(
        self,
        l1: float = 100.0,  # weight of the mean absolute error, the paper's λ
        adversarial: float = 1.0,  # weight of the adversarial loss; 0 = no discriminator
        field: int = 70,  # side of D's patches, pixels: 1, 16, 34, 70, 142 or 286
        levels: int = 8,  # times that the side is halved
        dropout: int = 3,  # layers on the way up that drop half of their values
        ch: int = 64,  # channels of G's first layer; twice as many at each level, at most 8 times
        ch_d: int = 64,  # of D's
        channels: int = 3,
        lr: float = 2e-4,
    ) -> None:
        super().__init__()
        if field not in FIELDS:
            raise UserError(f"--field {field}: patches have {', '.join(map(str, FIELDS))} pixels a side")
        self.l1, self.adversarial, self.lr = l1, adversarial, lr
        self.G = UNet(channels, channels, ch, levels, dropout)
        self.D = PatchGAN(2 * channels, ch_d, FIELDS[field]) if adversarial else None
        gaussian(self)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        nets = {"G": self.G, "D": self.D}
        return {k: Adam(n.parameters(), self.lr, (0.5, 0.999), fused=True) for k, n in nets.items() if n is not None}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """D's turn with a pair and with what G makes of its source; then G's."""
        fake = self.G(batch.source, batch.rand)
        terms: dict[str, Tensor] = {"l1": self.l1 * l1(fake, batch.image)} if self.l1 else {}
        if self.D is not None:
            real_score, fake_score = (self.judge(batch.source, x) for x in (batch.image, fake.detach()))
            yield {"D": logistic_d(real_score, fake_score) / 2}
            self.report(**{"D wins": wins(real_score.mean((1, 2, 3)), fake_score.mean((1, 2, 3)))})
            terms["adversarial"] = self.adversarial * nonsaturating_g(self.judge(batch.source, fake))
        yield {"G": terms}

    def judge(self, source: Tensor, image: Tensor) -> Tensor:
        """D's scores of pairs, patch by patch: (b, c, h, w), (b, c, h, w) -> (b, 1, h', w')."""
        assert self.D is not None
        return self.D(torch.cat([source, image], 1))[-1]

    def translate(self, image: Tensor, noise: Noise | None = None) -> Tensor:
        """What pictures become: (b, channels, h, w) of any size -> the same size."""
        return self.G(image, noise)

    def sample(self, given: Batch) -> Tensor:
        """What the sources become, under the noise of dropout."""
        return self.translate(given.source, given.rand)
