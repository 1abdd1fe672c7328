"""Adaptive instance normalisation: any picture in the style of any other, by giving its features the other's moments.

Huang & Belongie, Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization, ICCV 2017.
https://arxiv.org/abs/1703.06868
AdaIN of eq. 8, networks and losses of section 6 (eq. 11 to 13), strength of eq. 14, several styles of eq. 15.

Deviations: the norms of eq. 12 and 13 are mean squares, as in the authors' code, and the rate stays what it is. D is,
at first, the inverse of the encoder by least squares, one convolution after another. The style of a picture is the next
of the batch, unless the view gives `source`: then that is the content, and `image` the style. To draw without being
given a style, eight of the first batch are kept. "small" and "shipped", whose weights come with sfumato, look through
its own features no deeper than relu3_1, as these are narrow, and D learns to give a picture's own maps back as well.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...errors import UserError
from ...networks.pretrained.features import Features, features
from ...networks.pretrained.vgg import decoder as published
from ...networks.style.adain import invert, mirror, padded, times
from ...objectives.perceptual import distance
from ...objectives.pixels import mse
from ...objectives.style import adain, moments, moments_distance
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine

KEPT = 8  # styles of the first batch
NARROW = dict(features="style", layers="relu1_1+relu2_1+relu3_1", style_weight=20.0, identity=20.0, lr=1.5e-3)


class AdaIN(System):
    """D, which paints what an encoder sees after its moments were exchanged."""

    paper = Paper(
        "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization",
        "Huang and Belongie",
        2017,
        "https://arxiv.org/abs/1703.06868",
    )
    recipe = Recipe(data="photos", size=256, batch=8, steps=160_000, view="restoration")
    presets = {
        "paper": Preset(),
        "small": Preset(NARROW, dict(data="scenes", size=96, steps=600, schedule=cosine)),
        "shipped": Preset(NARROW, dict(size=96, steps=700, schedule=cosine)),
        "tiny": Preset(
            dict(features="style", layers="relu1_1+relu2_1", identity=1.0, lr=1e-3),
            dict(data="digits", size=16, batch=4, steps=20),
        ),
    }

    def __init__(
        self,
        features: str = "vgg19",  # vgg19:SOURCE, a path or URL; style, the shipped ones
        layers: str = "relu1_1+relu2_1+relu3_1+relu4_1",  # whose moments are a style; the last is what D sees
        decoder: str = "",  # file of a published decoder for D to begin as; a mirror of the features if not given
        style_weight: float = 10.0,  # of the style, summed over layers, the paper's λ; the content has 1
        identity: float = 0.0,  # weight of the squared error of what D makes of a picture's own maps
        channels: int = 3,
        lr: float = 1e-4,
    ) -> None:
        super().__init__()
        self.features, self.layers, self.decoder = features, tuple(layers.split("+")), decoder
        self.style_weight, self.identity, self.lr = style_weight, identity, lr
        self.D = published(decoder) if decoder else mirror(self.look(torch.device("cpu")), channels)
        self.D.requires_grad_(True)
        self.times = times(self.D)
        width = next(self.D.parameters()).shape[1]
        if (seen := self.E(torch.zeros(1, channels, 32, 32))[-1].shape[1]) != width:
            raise UserError(f"{decoder} decodes {width} channels, and {self.layers[-1]} of {features} has {seen}")
        self.means: Tensor
        self.stds: Tensor
        self.register_buffer("means", torch.zeros(KEPT, width))
        self.register_buffer("stds", torch.ones(KEPT, width))

    def look(self, device: torch.device) -> Features:
        """The frozen encoder."""
        return features(self.features, self.layers, device=device)

    def E(self, image: Tensor) -> list[Tensor]:
        """Maps of the layers: (b, channels, h, w) of any size -> (b, c, ⌈h / s⌉, …) each."""
        found: list[Tensor] = self.look(image.device)(padded(image, self.times))
        return found

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam."""
        return {"D": Adam(self.D.parameters(), self.lr, fused=True)}

    def start(self, batch: Batch) -> None:
        """Invert the encoder, and keep some styles."""
        mean, std = moments(self.E(batch.image)[-1])
        if isinstance(self.D, nn.Sequential) and not self.decoder:
            invert(self.D, self.look(batch.image.device), padded(batch.image, self.times))
        which = torch.arange(KEPT, device=mean.device) % batch.n
        self.means.copy_(mean[which])
        self.stds.copy_(std[which])

    def step(self, batch: Batch) -> Iterator[Losses]:
        """One of D."""
        paired = "source" in batch
        content, style = (batch.source, batch.image) if paired else (batch.image, batch.image.roll(1, 0))
        with torch.no_grad():
            styles = [moments(m) for m in self.E(style)]
            maps = self.E(content)[-1]
            target = adain(maps, *styles[-1])
        found = self.E(self.D(target).float())
        distances = [moments_distance(moments(m), s) for m, s in zip(found, styles, strict=True)]
        terms = {
            "content": distance(found[-1], target),
            "style": self.style_weight * torch.stack(distances).sum(0),
        }
        if self.identity:
            terms["identity"] = self.identity * mse(self.D(maps).float(), padded(content, self.times))
        yield {"D": terms}

    def stylise(self, image: Tensor, style: Tensor, strength: float = 1.0) -> Tensor:
        """Images in the styles of others: (b, channels, h, w), (b | 1, channels, H, W) -> (b, channels, h, w).

        A strength of 0 leaves the content to D as it is, 1 gives it the style's moments.
        """
        return self.painted(image, *moments(self.E(style)[-1]), strength)

    def painted(self, image: Tensor, mean: Tensor, std: Tensor, strength: float = 1.0) -> Tensor:
        """Images in styles told by moments of the last layer, (b | 1, c) each; mixed styles have mixed moments."""
        maps = self.E(image)[-1]
        h, w = image.shape[-2:]
        return self.D(torch.lerp(maps, adain(maps, mean, std), strength)).float()[..., :h, :w].clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """The pictures given, in styles that were kept."""
        content = given.source if "source" in given else given.clean
        which = given.randint(KEPT)
        return self.painted(content, self.means[which], self.stds[which])
