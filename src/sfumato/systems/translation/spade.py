"""SPADE: a map of classes shapes a picture through every normalisation, and a code gives it its style.

Park, Liu, Wang & Zhu, Semantic Image Synthesis with Spatially-Adaptive Normalization, CVPR 2019.
https://arxiv.org/abs/1903.07291
Generator of section 3.1 (eq. 1 to 3) and appendix A, discriminators and losses as pix2pixHD has them but for the hinge,
spectral norms in both, the image encoder of 3.1's last part with its divergence, two rates as in section 4.

Deviations: moments of batches are those of one process, and running ones when painting. Frozen features, a part of the
loss there, have to be given: --features vgg19:SOURCE. The encoder's last maps are averaged to 4 × 4 at any size.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Adam, Optimizer

from ...networks.pretrained.features import features
from ...networks.translation.instances import outlined
from ...networks.translation.patch import PatchGAN, Pyramid
from ...networks.translation.spade import SPADEGenerator, StyleEncoder
from ...objectives.translation import deep_heavy, hinge_d, layers_matched
from ...system import Batch, Late, Losses, Paper, Preset, Recipe, System, linear

SMALL = dict(legend=27, z=8, ch=12, levels=4, hidden=24, ch_d=16, layers=2, lr=4e-4, lr_d=8e-4)


class SPADE(System):
    """A generator of spatially adaptive norms, discriminators at several scales, and an encoder of styles."""

    paper = Paper(
        "Semantic Image Synthesis with Spatially-Adaptive Normalization",
        "Park et al.",
        2019,
        "https://arxiv.org/abs/1903.07291",
    )
    recipe = Recipe(
        data="cityscapes", size=256, batch=32, steps=18_600, view="maps", schedule=Late(linear, 0.5)
    )  # 200 times 2,975 pictures
    presets = {
        "paper": Preset({}, dict(aspect="2:1")),
        "paper-one": Preset(dict(z=0)),
        "small": Preset(SMALL, dict(data="scenes", size=64, batch=4, steps=1_500)),
        "tiny": Preset(
            SMALL | dict(ch=2, levels=2, hidden=4, ch_d=4, layers=1, lr=2e-3),
            dict(data="scenes", size=16, batch=4, steps=20),
        ),
    }

    def __init__(
        self,
        legend: int = 35,  # classes that the maps tell apart
        objects: bool = True,  # whether objects of one class are told apart
        z: int = 256,  # numbers in a code; 0 = no encoder, and one picture for a map
        kl: float = 0.05,  # weight of what a code says
        matching: float = 10.0,  # weight of the discriminators' features
        perceptual: float = 10.0,  # weight of frozen features, where they are given
        features: str = "",  # vgg19:SOURCE, a path or URL; squeezenet:SOURCE, reader:shapes; none if empty
        seen: str = "relu1_1,relu2_1,relu3_1,relu4_1,relu5_1",  # layers of the features
        levels: int = 5,  # times that the side is doubled
        hidden: int = 128,  # channels between a map and what it scales by
        scales: int = 2,  # discriminators, each at half the side of the one before
        layers: int = 4,  # of a discriminator that halve the side
        ch: int = 64,  # channels of G's last layer
        ch_d: int = 64,  # of the discriminators' first
        channels: int = 3,
        size: int = 256,  # shorter side of the image, pixels
        aspect: str = "1:1",  # shape of pictures, width:height
        lr: float = 1e-4,
        lr_d: float = 4e-4,  # of the discriminators
    ) -> None:
        super().__init__()
        self.legend, self.objects, self.z, self.kl, self.lr, self.lr_d = legend, objects, z, kl, lr, lr_d
        self.matching, self.perceptual = matching, perceptual
        self.features, self.seen = features, tuple(seen.split(","))
        self.G = SPADEGenerator(legend + 1, channels, ch, levels, z, size, hidden, aspect)
        self.E = StyleEncoder(channels, z, ch, max(2, (size // 4).bit_length() - 1)) if z else None
        make = partial(PatchGAN, legend + 1 + channels, ch_d, layers, padding=2, wrap=spectral_norm)
        self.D = Pyramid(scales, make)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for generator and encoder, and for the discriminators."""
        painters = [*self.G.parameters(), *(self.E.parameters() if self.E is not None else ())]
        return {
            "G": Adam(painters, self.lr, (0.0, 0.9), fused=True),
            "D": Adam(self.D.parameters(), self.lr_d, (0.0, 0.9), fused=True),
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """Both sides' turn at once."""
        known, _ = outlined(batch.semantic, batch.instance * self.objects, self.legend)
        code, terms = None, {}
        if self.E is not None:
            mean, spread = self.E(batch.image)
            code = mean + (spread / 2).exp() * batch.randn(self.z)
            terms["kl"] = self.kl * (mean.square() + spread.exp() - 1 - spread).sum(1) / 2
        fake = self.G(known, code)
        real_maps, fake_maps = (self.D(torch.cat([known, x], 1)) for x in (batch.image, fake))
        pairs = [(real[-1], made[-1]) for real, made in zip(real_maps, fake_maps, strict=True)]
        terms["adversarial"] = -torch.stack([made.mean() for _, made in pairs]).mean()
        terms["matching"] = self.matching * layers_matched(real_maps, fake_maps)
        if self.features:
            look = features(self.features, self.seen, device=fake.device)
            terms["perceptual"] = self.perceptual * deep_heavy(look(batch.image), look(fake))
        yield {"G": terms, "D": torch.stack([hinge_d(real, made) for real, made in pairs]).mean()}

    def translate(self, semantic: Tensor, instance: Tensor, code: Tensor | None = None) -> Tensor:
        """Maps painted: (b, h, w), (b, h, w) int64, code (b, z), 0 if none is given -> (b, channels, h, w)."""
        known, _ = outlined(semantic, instance * self.objects, self.legend)
        if code is None:
            code = known.new_zeros(len(known), max(self.z, 1))
        return self.G(known, code)

    def sample(self, given: Batch) -> Tensor:
        """Maps painted in styles drawn at random."""
        return self.translate(given.semantic, given.instance, given.randn(max(self.z, 1)))
