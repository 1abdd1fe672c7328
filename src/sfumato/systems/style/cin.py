"""Conditional instance normalisation: one network for many styles, each of which is a gain and a shift a channel.

Dumoulin, Shlens & Kudlur, A Learned Representation for Artistic Style, ICLR 2017. https://arxiv.org/abs/1610.07629
Losses of section 2 (eq. 1 to 3), normalisation of eq. 5, network of table 1, training of section 3: a style is drawn
for every picture.

Deviations: features are those of VGG-19, for the paper's VGG-16. The errors of content and of each layer's style are
relative to the target's, as in neural-style, so that α and β mean the same here as there. "small" looks through the
shipped features with content from a shallow layer and little weight on style, as in fast-style.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...errors import UserError
from ...networks.pretrained.features import features
from ...networks.style.painting import as_paintings, floats, painting, paintings
from ...networks.style.transform import SHIPPED, TransformNet
from ...objectives import style
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine


class CIN(System):
    """G, which paints in any of its styles and in all that lies between them."""

    paper = Paper(
        "A Learned Representation for Artistic Style",
        "Dumoulin, Shlens and Kudlur",
        2016,
        "https://arxiv.org/abs/1610.07629",
    )
    recipe = Recipe(data="photos", size=256, batch=16, steps=40_000, view="restoration")
    presets = {
        "paper": Preset(),
        "small": Preset(
            dict(SHIPPED, beta=1.0, count=4, ch=8, blocks=3, side=192, lr=3e-3),
            dict(data="scenes", size=128, batch=4, steps=3000, schedule=cosine),
        ),
        "tiny": Preset(
            dict(SHIPPED, layer="relu2_1", layers="relu1_1+relu2_1", count=3, ch=2, blocks=1, side=16),
            dict(data="digits", size=16, batch=4, steps=20),
        ),
    }

    def __init__(
        self,
        styles: str = "",  # folder of paintings, or paths with commas between; first pictures of the data if not given
        count: int = 32,  # styles
        side: int = 256,  # what the paintings' shorter sides are made, pixels
        features: str = "vgg19",  # vgg19:SOURCE, a path or URL; style, the shipped ones
        layer: str = "relu3_3",  # of the content
        layers: str = "relu1_2+relu2_2+relu3_3+relu4_3",  # of the styles, each of the same weight
        alpha: float = 1.0,  # weight of the content, the paper's λ_c
        beta: float = 100.0,  # weight of the style, the paper's λ_s
        ch: int = 32,  # channels of G's first layer
        blocks: int = 5,  # residual ones
        channels: int = 3,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        if count < 2:
            raise UserError(f"--count {count}: cin learns two styles or more; fast-style learns one")
        self.styles, self.count, self.side, self.features, self.lr = styles, count, side, features, lr
        self.layer, self.layers, self.channels = layer, tuple(layers.split("+")), channels
        self.alpha, self.beta = alpha, beta
        self.G = TransformNet(channels, ch, blocks, count)
        self.paintings: Tensor
        self.register_buffer("paintings", torch.zeros(count, channels, side, side, dtype=torch.uint8))
        self.targets: list[Tensor] = []  # the paintings' matrices, once they are needed

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam."""
        return {"G": Adam(self.G.parameters(), self.lr, fused=True)}

    def start(self, batch: Batch) -> None:
        """Take the paintings into the model."""
        if self.styles:
            paths = paintings(self.styles, self.count)
            self.paintings.copy_(torch.stack([painting(path, self.side, self.channels) for path in paths]))
        elif batch.n < self.count:
            raise UserError(f"{self.count} styles need --styles, or a --batch of as many pictures to take them from")
        else:
            self.paintings.copy_(as_paintings(batch.image[: self.count], self.side))

    def step(self, batch: Batch) -> Iterator[Losses]:
        """One of G, in a style for every picture."""
        look = features(self.features, (*self.layers, self.layer), device=batch.image.device)
        if not self.targets:
            grams = [[style.mean_gram(m) for m in look(floats(p[None]))[:-1]] for p in self.paintings]
            self.targets = [torch.cat(layer) for layer in zip(*grams, strict=True)]
        which = batch.randint(self.count)
        targets = [a[which] for a in self.targets]
        with torch.no_grad():
            content = look(batch.image)[-1]
        *maps, seen = look(self.stylise(batch.image, F.one_hot(which, self.count).float()))
        terms = {
            "content": self.alpha * style.content(seen, content) / style.content(torch.zeros_like(content), content),
            "style": self.beta * style.style(maps, targets, style.relative(targets)),
        }
        yield {"G": terms}

    def stylise(self, image: Tensor, weights: Tensor) -> Tensor:
        """Images in styles, whose gains and shifts are mixed by weights: (b, channels, h, w), (b, count) -> images."""
        return self.G(image, weights)

    def sample(self, given: Batch) -> Tensor:
        """The pictures given, in a style each."""
        return self.stylise(given.clean, F.one_hot(given.randint(self.count), self.count).float())
