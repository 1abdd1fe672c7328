"""StyleGAN2-ADA: the discriminator sees augmented pictures only, as often as keeps it from overfitting.

Karras, Aittala, Hellsten, Laine, Lehtinen & Aila, Training Generative Adversarial Networks with Limited Data, NeurIPS
2020. https://arxiv.org/abs/2006.06676
Stochastic augmentation of section 2, adaptive p of section 3 (eq. 1), all augmentations of appendix B, configurations
of appendix C: "paper" for FFHQ at 256 px, "cifar10" for CIFAR-10. `kinds` are the letters of blitting, geometry,
colour, filters, noise and cut-out; the paper settles for "bgc". StyleGAN2: https://arxiv.org/abs/1912.04958

Deviations: p stays in [0, 1]. Turns by 90° and shifts by whole pixels move pixels, where the authors filter them with
the rest. For r_v, a share of the pictures, chosen by their content, is never trained on. Whether and where to mix is
drawn for each picture; classes are those of the batch. Pictures drawn from a code share the noise of the buffers; they
are clipped to [-1, 1]. In "small" p moves 25 times as fast; mixing, R1's weight and the averaging suit its size.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...networks.stylegan import stylegan, stylegan2
from ...networks.stylegan.adaptive import Augment, Chance, held_out, replaced
from ...networks.stylegan.latents import StyleSpaces
from ...networks.stylegan.progressive import Growth
from ...objectives.adversarial import lazy, logistic_d, nonsaturating_g, r1, wins
from ...objectives.path_length import path_lengths, path_penalty
from ...system import Batch, Losses, Paper, Preset, Recipe, System

SMALL = dict(z=64, w=64, ch=16, ch_max=64, mapping=2, mixing=0.5, r1=1.0, pictures=20_000)
FACES = dict(data="faces", size=32, batch=16, steps=6_000, ema=0.998)


class StyleGAN2ADA(StyleSpaces, System):
    """M maps codes to W, G makes pictures of styles, D judges augmented ones."""

    path_mean: Tensor  # the running mean of path lengths

    paper = Paper(
        "Training Generative Adversarial Networks with Limited Data",
        "Karras et al.",
        2020,
        "https://arxiv.org/abs/2006.06676",
    )
    recipe = Recipe(data="ffhq", size=256, batch=64, steps=390_625, ema=0.99778)
    presets = {
        "paper": Preset(),
        "cifar10": Preset(
            dict(mapping=2, ch=512, size=32, mixing=0.0, residual=False, r1=0.01, path=0.0, group=32),
            dict(data="cifar10", size=32, steps=1_562_500, ema=0.999911),
        ),
        "small": Preset(SMALL, FACES),
        "small-64": Preset(SMALL | dict(ch=8), FACES | dict(size=64, steps=10_000)),
        "tiny": Preset(
            dict(z=8, w=8, ch=4, ch_max=8, mapping=2, pictures=200, kinds="bgcfno"),
            dict(data="digits", size=16, batch=8, steps=20),
        ),
    }

    def __init__(
        self,
        z: int = 512,  # numbers in a code
        w: int = 512,  # numbers in a point of W
        mapping: int = 8,  # layers from Z to W
        mixing: float = 0.9,  # share of training pictures that mix two codes
        ch: int = 64,  # channels next to the picture; twice as many at each halving of the side
        ch_max: int = 512,  # but no more than these
        size: int = 256,  # shorter side of the image, pixels
        aspect: str = "1:1",  # shape of pictures, width:height
        channels: int = 3,
        classes: int = 0,  # classes of pictures that are asked for by their class, with --view labelled; 0 = none
        residual: bool = True,  # shortcuts in D
        group: int = 8,  # pictures whose spread D sees, 0 = none
        kinds: str = "bgc",  # augmentations, a letter each
        target: float = 0.6,  # overfitting at which p stays; the paper has 0.5 for r_v
        held: float = 0.0,  # share of the pictures that D never trains on, to go by r_v; 0 = by r_t
        pictures: int = 500_000,  # real ones in which p can go from 0 to 1
        p: float = 0.0,  # chance of each augmentation, at first
        r1: float = 1.0,  # weight of R1, the papers' γ
        r1_every: int = 16,  # iterations
        path: float = 2.0,  # weight of the path length's spread, 0 = none
        path_every: int = 8,  # iterations
        psi: float = 1.0,  # truncation of what is sampled: 0 = the mean picture, 1 = none
        lr: float = 2.5e-3,  # the mapping network's is a hundredth
    ) -> None:
        super().__init__()
        self.z, self.classes, self.mixing, self.psi, self.lr, self.held = z, classes, mixing, psi, lr, held
        self.r1, self.r1_every, self.path, self.path_every = r1, r1_every, path, path_every
        self.growth = Growth(size, size, 0.0, aspect)
        self.M = stylegan.Mapping(z, w, mapping, classes)
        self.G = stylegan2.Synthesis(w, ch, ch_max, size, channels, size, aspect)
        self.D = stylegan2.Discriminator(ch, ch_max, size, channels, group, residual, classes, mapping, aspect)
        self.T, self.chance = Augment(size, kinds, aspect), Chance(target, pictures, p)
        self.register_buffer("path_mean", torch.zeros(()))
        self.spaces(w)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam without momentum, for mapping and synthesis together and for the discriminator."""
        both = [*self.M.parameters(), *self.G.parameters()]
        g = lazy(self.lr, (0.0, 0.99), self.path_every if self.path else 1)
        d = lazy(self.lr, (0.0, 0.99), self.r1_every)
        return {"G": Adam(both, *g, fused=True), "D": Adam(self.D.parameters(), *d, fused=True)}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The discriminator's turn, then the generator's; after some, their regularisers', and p moves."""
        out = held_out(batch.image, self.held)
        image = replaced(batch.image, out) if self.held else batch.image
        with torch.no_grad():
            fake = self.drawn(batch, self.mixing)[0]
        real, made = self.judge(batch, image), self.judge(batch, fake)
        yield {"D": logistic_d(real, made)}
        with torch.no_grad():
            kept = self.judge(batch, batch.image) if self.held else real
        self.chance.note(real, made, kept, out.float())
        self.report(**{"D wins": wins(real, made), "p": self.chance.p.clone()})
        if self.every(self.r1_every):
            drawn, label = self.T.draw(batch, self.chance.p, image.shape[1]), self.asked(batch)
            slope = r1(lambda x: self.D.forward(self.T.forward(x, drawn), label), image)
            yield {"D": {"r1": self.r1 / 2 * self.r1_every * slope}}
        yield {"G": nonsaturating_g(self.judge(batch, self.drawn(batch, self.mixing)[0]))}
        if self.path and self.every(self.path_every):
            with torch.autocast(batch.device.type, enabled=False):
                image, w = self.drawn(batch, self.mixing, rows=max(1, batch.n // 2))
            lengths = path_lengths(image, w, batch.randn(*image.shape[1:])[: len(image)])
            self.path_mean.lerp_(lengths.detach().mean(), 0.01 * batch.n / batch.total)  # its share of the batch
            yield {"G": {"path": self.path * self.path_every * path_penalty(lengths, self.path_mean)}}
        if self.every(4):
            self.report(overfitting=self.chance.adjust(self.held > 0))

    def judge(self, batch: Batch, image: Tensor) -> Tensor:
        """D's scores of augmented images: (b, channels, h, w) -> (b,)."""
        return self.D(self.T(image, self.T.draw(batch, self.chance.p, image.shape[1])), self.asked(batch))

    def asked(self, batch: Batch) -> Tensor | None:
        """The classes of the batch as one-hot, if D is told."""
        return self.label(batch) if self.classes else None
