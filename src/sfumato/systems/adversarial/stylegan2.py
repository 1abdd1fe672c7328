"""StyleGAN2: styles scale weights that are then normalised, nothing grows, and steps in W have one length.

Karras, Laine, Aittala, Hellsten, Lehtinen & Aila, Analyzing and Improving the Image Quality of StyleGAN, CVPR 2020.
https://arxiv.org/abs/1912.04958
Weight demodulation of section 2.2, lazy regularisation of 3.1, path length of 3.2 (eq. 4), networks without growing of
4.1 and 4.2, training of appendix B. Presets "config-a" to "config-f" are those of table 1, each with one thing more: A
StyleGAN, B demodulation, C lazy regularisation, D path length, E no growing with skips in G and residuals in D, F twice
the channels.

Deviations: in A to D one learning rate and batch for all sides. Whether and where to mix is drawn for each picture.
Pictures drawn from a code share the noise of the buffers, so that a code has one picture; they are clipped to [-1, 1].
Classes are those of the batch, by an embedding in M and a projection in D as in 2006.06676. "small" is narrower, has a
mapping network of two layers, mixes less, and R1's weight and the averaging suit its size; "small-64" grows as D does,
which learns within an hour what the others take several for.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...errors import UserError
from ...networks.stylegan import progressive, stylegan, stylegan2
from ...networks.stylegan.latents import StyleSpaces
from ...objectives.adversarial import lazy, logistic_d, nonsaturating_g, r1, wins
from ...objectives.path_length import path_lengths, path_penalty
from ...system import Batch, Losses, Paper, Preset, Recipe, System

B = dict(ch=16, start=8, r1_every=1, path=0.0)
SMALL = dict(z=64, w=64, ch=16, ch_max=64, mapping=2, mixing=0.5, r1=1.0)
FACES = dict(data="faces", size=32, batch=16, steps=6_000, ema=0.998)


class StyleGAN2(StyleSpaces, System):
    """M maps codes to W, G makes pictures of styles, D judges them."""

    path_mean: Tensor  # the running mean of path lengths

    paper = Paper(
        "Analyzing and Improving the Image Quality of StyleGAN",
        "Karras et al.",
        2019,
        "https://arxiv.org/abs/1912.04958",
    )
    recipe = Recipe(data="ffhq", size=1024, batch=32, steps=781_250, ema=0.99778)
    presets = {
        "paper": Preset(),
        "config-a": Preset(B | dict(adain=True)),
        "config-b": Preset(B),
        "config-c": Preset(B | dict(r1_every=16)),
        "config-d": Preset(B | dict(r1_every=16, path=2.0)),
        "config-e": Preset(dict(ch=16, r1=100.0)),
        "config-f": Preset(),
        "small": Preset(SMALL, FACES),
        "small-64": Preset(SMALL | dict(ch=8, start=8, growing=0.4), FACES | dict(size=64, steps=10_000)),
        "tiny": Preset(dict(z=8, w=8, ch=4, ch_max=8, mapping=2), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        z: int = 512,  # numbers in a code
        w: int = 512,  # numbers in a point of W
        mapping: int = 8,  # layers from Z to W
        mixing: float = 0.9,  # share of training pictures that mix two codes
        ch: int = 32,  # channels next to the largest picture; twice as many at each halving of the side
        ch_max: int = 512,  # but no more than these
        size: int = 1024,  # shorter side of the image, pixels
        aspect: str = "1:1",  # shape of pictures, width:height
        channels: int = 3,
        classes: int = 0,  # classes of pictures that are asked for by their class, with --view labelled; 0 = none
        adain: bool = False,  # StyleGAN's synthesis network
        start: int = 0,  # side of the first pictures where networks grow, pixels; 0 = they do not
        growing: float = 0.34,  # share of the training until the last side has come
        r1: float = 10.0,  # weight of R1, the papers' γ
        r1_every: int = 16,  # iterations; 1 = with each step
        path: float = 2.0,  # weight of the path length's spread, 0 = none
        path_every: int = 8,  # iterations
        psi: float = 1.0,  # truncation of what is sampled: 0 = the mean picture, 1 = none
        lr: float = 2e-3,  # the mapping network's is a hundredth
    ) -> None:
        super().__init__()
        start = start or size
        if classes and start < size:
            raise UserError("networks that grow take no classes; leave out start, or the view labelled")
        self.z, self.classes, self.mixing, self.psi, self.lr = z, classes, mixing, psi, lr
        self.r1, self.r1_every, self.path, self.path_every = r1, r1_every, path, path_every
        self.growth = progressive.Growth(size, start, growing, aspect)
        self.M = stylegan.Mapping(z, w, mapping, classes)
        self.G = (stylegan if adain else stylegan2).Synthesis(w, ch, ch_max, size, channels, start, aspect=aspect)
        self.D = (
            progressive.Discriminator(ch, ch_max, size, channels, start, taps=(1, 3, 3, 1), aspect=aspect)
            if start < size
            else stylegan2.Discriminator(ch, ch_max, size, channels, classes=classes, mapping=mapping, aspect=aspect)
        )
        self.register_buffer("path_mean", torch.zeros(()))
        self.spaces(w)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam without momentum, for mapping and synthesis together and for the discriminator."""
        both = [*self.M.parameters(), *self.G.parameters()]
        g = lazy(self.lr, (0.0, 0.99), self.path_every if self.path else 1)
        d = lazy(self.lr, (0.0, 0.99), self.r1_every)
        return {"G": Adam(both, *g, fused=True), "D": Adam(self.D.parameters(), *d, fused=True)}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The discriminator's turn, then the generator's; after some, their regularisers'."""
        self.growth.advance(self.progress)
        image, with_label = self.growth.shown(batch.image), self.condition(batch)
        with torch.no_grad():
            fake = self.drawn(batch, self.mixing)[0]
        real, made = self.D(image, *with_label), self.D(fake, *with_label)
        losses = {"loss": logistic_d(real, made)}
        if self.r1_every == 1:
            losses["r1"] = self.r1 / 2 * r1(lambda x: self.D.forward(x, *with_label), image)
        yield {"D": losses}
        self.report(**{"D wins": wins(real, made)})
        if self.r1_every > 1 and self.every(self.r1_every):
            slope = r1(lambda x: self.D.forward(x, *with_label), image)
            yield {"D": {"r1": self.r1 / 2 * self.r1_every * slope}}
        yield {"G": nonsaturating_g(self.D(self.drawn(batch, self.mixing)[0], *with_label))}
        if self.path and self.every(self.path_every):
            with torch.autocast(batch.device.type, enabled=False):
                image, w = self.drawn(batch, self.mixing, rows=max(1, batch.n // 2))
            lengths = path_lengths(image, w, batch.randn(*image.shape[1:])[: len(image)])
            self.path_mean.lerp_(lengths.detach().mean(), 0.01 * batch.n / batch.total)  # its share of the batch
            yield {"G": {"path": self.path * self.path_every * path_penalty(lengths, self.path_mean)}}
            self.report(**{"path length": lengths.mean()})

    def condition(self, batch: Batch) -> tuple[Any, ...]:
        """What D is told beside a picture: the level that it has grown to, or the class."""
        level = self.growth.level()
        return (
            level if isinstance(self.D, progressive.Discriminator) else (self.label(batch) if self.classes else None,)
        )
