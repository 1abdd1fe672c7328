"""Fast style: a network that paints any picture in one style, trained on the losses of neural style.

Johnson, Alahi & Fei-Fei, Perceptual Losses for Real-Time Style Transfer and Super-Resolution, ECCV 2016.
https://arxiv.org/abs/1603.08155
Network of section 3.1 and the supplement, feature reconstruction of eq. 2, style reconstruction of eq. 4 with eq. 3's
matrices, total variation of section 3.2, training of section 4.1.

Deviations: features are those of VGG-19, for the paper's VGG-16. The errors of content and of each layer's style are
relative to the target's, as in neural-style, so that α and β mean the same here as there. The network enlarges by
nearest neighbours and a convolution instead of a strided transposed one, against checkerboards, and pictures are
continued by reflection at each convolution instead of once by 40 pixels. "small" looks through the shipped features
with content from a shallow layer and little weight on style, as a small network learns both within minutes, and
normalises instances (Ulyanov et al., 2016, https://arxiv.org/abs/1607.08022), as "paper-instance" does.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...errors import nearest
from ...networks.pretrained.features import features
from ...networks.style.painting import as_paintings, floats, painting
from ...networks.style.transform import SHIPPED, TransformNet
from ...objectives import style as styles
from ...objectives.pixels import total_variation
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine


class FastStyle(System):
    """G, which learns to paint in one style."""

    paper = Paper(
        "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
        "Johnson, Alahi and Fei-Fei",
        2016,
        "https://arxiv.org/abs/1603.08155",
    )
    recipe = Recipe(data="photos", size=256, batch=4, steps=40_000, view="restoration")
    presets = {
        "paper": Preset(),
        "paper-instance": Preset(dict(norm="instance")),
        "small": Preset(
            dict(SHIPPED, beta=1.0, norm="instance", ch=8, blocks=3, side=192, lr=3e-3),
            dict(data="scenes", size=128, steps=1500, schedule=cosine),
        ),
        "tiny": Preset(
            dict(SHIPPED, layer="relu2_1", layers="relu1_1+relu2_1", ch=2, blocks=1, side=16),
            dict(data="digits", size=16, steps=20),
        ),
    }

    def __init__(
        self,
        style: str = "",  # path of a painting; the first picture of the data if not given
        side: int = 256,  # what the painting's shorter side is made, pixels
        features: str = "vgg19",  # vgg19:SOURCE, a path or URL; style, the shipped ones
        layer: str = "relu3_3",  # of the content
        layers: str = "relu1_2+relu2_2+relu3_3+relu4_3",  # of the style, each of the same weight
        alpha: float = 1.0,  # weight of the content
        beta: float = 100.0,  # weight of the style
        variation: float = 0.01,  # weight of the total variation a pixel
        norm: str = "batch",  # or "instance"
        ch: int = 32,  # channels of G's first layer
        blocks: int = 5,  # residual ones
        channels: int = 3,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        self.style, self.side, self.features, self.lr = style, side, features, lr
        self.layer, self.layers, self.channels = layer, tuple(layers.split("+")), channels
        self.alpha, self.beta, self.variation = alpha, beta, variation
        self.G = TransformNet(channels, ch, blocks, int(nearest(norm, ("batch", "instance"), "norm") == "instance"))
        self.painting: Tensor
        self.register_buffer("painting", torch.zeros(1, channels, side, side, dtype=torch.uint8))
        self.targets: list[Tensor] = []  # the painting's matrices, once they are needed

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam."""
        return {"G": Adam(self.G.parameters(), self.lr, fused=True)}

    def start(self, batch: Batch) -> None:
        """Take the painting into the model."""
        own = painting(self.style, self.side, self.channels)[None] if self.style else None
        self.painting.copy_(as_paintings(batch.image[:1], self.side) if own is None else own)

    def losses(self, painted: Tensor, image: Tensor) -> dict[str, Tensor]:
        """How far `painted` is from `image` and from the style, weighted: (b, c, h, w), (b, c, h, w) -> (b,) each."""
        look = features(self.features, (*self.layers, self.layer), device=image.device)
        if not self.targets:
            self.targets = [styles.mean_gram(m) for m in look(floats(self.painting))[:-1]]
        with torch.no_grad():
            content = look(image)[-1]
        *maps, seen = look(painted)
        targets = [a.expand(len(image), -1, -1) for a in self.targets]
        terms = {
            "content": self.alpha * styles.content(seen, content) / styles.content(torch.zeros_like(content), content),
            "style": self.beta * styles.style(maps, targets, styles.relative(self.targets)),
        }
        if self.variation:
            terms["variation"] = self.variation * total_variation(painted) / painted[0].numel()
        return terms

    def step(self, batch: Batch) -> Iterator[Losses]:
        """One of G."""
        yield {"G": self.losses(self.G(batch.image), batch.image)}

    def stylise(self, image: Tensor) -> Tensor:
        """Images in the style: (b, channels, h, w) -> the same."""
        return self.G(image)

    def sample(self, given: Batch) -> Tensor:
        """The pictures given, in the style."""
        return self.stylise(given.clean)
