"""StyleGAN: a code becomes a style for every layer; what is random in detail comes in as noise.

Karras, Laine & Aila, A Style-Based Generator Architecture for Generative Adversarial Networks, CVPR 2019.
https://arxiv.org/abs/1812.04948
Architecture of section 2 and figure 1, mixing regularisation of 3.1, truncation in W of appendix B, training of
appendix C. Presets "config-a" to "config-f" are those of table 1, each with one thing more: A progressive GAN, B smooth
resampling and the non-saturating loss with R1, C mapping and styles, D a constant in the place of the code, E noise,
F mixing.

Deviations: one learning rate and batch for all sides. Whether and where to mix is drawn for each picture. Pictures
drawn from a code share the noise of the buffers, so that a code has one picture; they are clipped to [-1, 1]. "small"
is narrower, has a mapping network of four layers, mixes less and starts at 8 px of 32.
"""

from collections.abc import Iterator

import torch
from torch.optim import Adam, Optimizer

from ...networks.stylegan import progressive, stylegan
from ...networks.stylegan.latents import StyleSpaces
from ...objectives.adversarial import interpolated, logistic_d, nonsaturating_g, r1, wasserstein_d, wasserstein_g, wins
from ...system import Batch, Losses, Paper, Preset, Recipe, System

A = dict(mapping=0, wgan=True, smooth=False, start=4, mixing=0.0)
B = dict(mapping=0, mixing=0.0)
C = dict(constant=False, noise=False, mixing=0.0)
SMALL = dict(z=64, w=64, ch=16, ch_max=64, mapping=4, mixing=0.5, growing=0.4, r1=1.0)
FACES = dict(data="faces", size=32, batch=16, steps=8_000, ema=0.998)


class StyleGAN(StyleSpaces, System):
    """M maps codes to W, G makes pictures of styles, D judges them."""

    paper = Paper(
        "A Style-Based Generator Architecture for Generative Adversarial Networks",
        "Karras et al.",
        2018,
        "https://arxiv.org/abs/1812.04948",
    )
    recipe = Recipe(data="ffhq", size=1024, batch=32, steps=781_250, ema=0.999)
    presets = {
        "paper": Preset(),
        "config-a": Preset(A),
        "config-b": Preset(B),
        "config-c": Preset(C),
        "config-d": Preset(dict(noise=False, mixing=0.0)),
        "config-e": Preset(dict(mixing=0.0)),
        "config-f": Preset(),
        "small": Preset(SMALL, FACES),
        "small-64": Preset(SMALL | dict(ch=8), FACES | dict(size=64, steps=10_000)),
        "tiny": Preset(
            dict(z=8, w=8, ch=4, ch_max=8, mapping=2, growing=0.6), dict(data="digits", size=16, batch=8, steps=20)
        ),
    }

    def __init__(
        self,
        z: int = 512,  # numbers in a code
        w: int = 512,  # numbers in a point of W
        mapping: int = 8,  # layers from Z to W; 0 = no styles, the generator of progressive GAN
        constant: bool = True,  # the synthesis network begins with a learned constant, not with w
        noise: bool = True,  # noise at every layer
        mixing: float = 0.9,  # share of training pictures that mix two codes
        ch: int = 16,  # channels next to the largest picture; twice as many at each halving of the side
        ch_max: int = 512,  # but no more than these
        size: int = 1024,  # shorter side of the image, pixels
        aspect: str = "1:1",  # shape of pictures, width:height
        channels: int = 3,
        smooth: bool = True,  # resampling by a low-pass filter, not by neighbours and means
        start: int = 8,  # shorter side of the first pictures, pixels
        growing: float = 0.34,  # share of the training until the last side has come, 0 = all sides from the start
        wgan: bool = False,  # the loss of WGAN-GP, not the non-saturating one with R1
        r1: float = 10.0,  # weight of R1, the papers' γ
        psi: float = 1.0,  # truncation of what is sampled: 0 = the mean picture, 1 = none
        lr: float = 2e-3,  # the mapping network's is a hundredth
    ) -> None:
        super().__init__()
        w = w if mapping else z
        self.z, self.classes, self.mixing, self.wgan = z, 0, mixing if mapping else 0.0, wgan
        self.r1, self.psi, self.lr = r1, psi, lr
        taps = (1, 3, 3, 1) if smooth else (1, 1)
        self.growth = progressive.Growth(size, start, growing, aspect)
        self.M = stylegan.Mapping(z, w, mapping)
        self.G = (
            stylegan.Synthesis(w, ch, ch_max, size, channels, start, constant, noise, taps, aspect)
            if mapping
            else progressive.Generator(z, ch, ch_max, size, channels, start, taps, aspect)
        )
        self.D = progressive.Discriminator(ch, ch_max, size, channels, start, taps=taps, aspect=aspect)
        self.spaces(w)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam without momentum, for mapping and synthesis together and for the discriminator."""
        both = [*self.M.parameters(), *self.G.parameters()]
        return {
            "G": Adam(both, self.lr, (0.0, 0.99), fused=True),
            "D": Adam(self.D.parameters(), self.lr, (0.0, 0.99), fused=True),
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The discriminator's turn, then the generator's, at the side that they have grown to."""
        self.growth.advance(self.progress)
        level = self.growth.level()
        image = self.growth.shown(batch.image)
        with torch.no_grad():
            fake = self.drawn(batch, self.mixing)[0]
        real, made = self.D(image, *level), self.D(fake, *level)
        if self.wgan:
            penalty = interpolated(lambda x: self.D.forward(x, *level), image, fake, batch.rand(1, 1, 1))
            drift = 1e-3 * real.square()
            yield {"D": {"critic": wasserstein_d(real, made), "gp": 10 * penalty, "drift": drift}}
        else:
            slope = r1(lambda x: self.D.forward(x, *level), image)
            yield {"D": {"loss": logistic_d(real, made), "r1": self.r1 / 2 * slope}}
        self.report(**{"D wins": wins(real, made), "side": torch.tensor(float(min(image.shape[-2:])))})
        score = self.D(self.drawn(batch, self.mixing)[0], *level)
        yield {"G": (wasserstein_g if self.wgan else nonsaturating_g)(score)}
