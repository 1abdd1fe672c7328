"""Neural style: a picture with the content of one and the style of others, by optimisation of its pixels.

Gatys, Ecker & Bethge, A Neural Algorithm of Artistic Style, 2015. https://arxiv.org/abs/1508.06576
Content is a layer's activations (eq. 1), style the Gram matrices of five (eq. 3 to 5), α and β weigh them (eq. 7).
Colours are kept as in Gatys et al., Preserving Color in Neural Artistic Style Transfer, 2016,
https://arxiv.org/abs/1606.05897: by painting the luminance alone, or with a style whose colours are matched first.
Regions and coarse-to-fine are those of Gatys et al., 2017, https://arxiv.org/abs/1611.07865, sections 4 and 6.

Deviations: the errors of content and of each layer's style are relative to the target's, so that α and β mean the same
at every size and for every network. The picture begins as the content, as the authors' code does, where the paper has
noise, and is drawn into [-1, 1]. VGG keeps its maxima, where the paper takes averages.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...errors import nearest
from ...networks.pretrained.features import features
from ...networks.style.canvas import Canvas, Scene, fit, rows_of
from ...networks.style.painting import floats, painting
from ...objectives import colour
from ...objectives import style as styles
from ...objectives.pixels import total_variation
from ...optim import LBFGS
from ...system import Batch, Losses, Paper, Preset, Recipe, System

STYLE = "relu1_1+relu2_1+relu3_1+relu4_1+relu5_1"


class NeuralStyle(System):
    """Each picture of the first batch in a style; without one, in that of the next, or `source` in that of `image`."""

    paper = Paper(
        "A Neural Algorithm of Artistic Style", "Gatys, Ecker & Bethge", 2015, "https://arxiv.org/abs/1508.06576"
    )
    recipe = Recipe(data="paintings", size=512, batch=2, steps=500)
    presets = {
        "paper": Preset(),
        "small": Preset(
            dict(features="style", levels=3), dict(data="scenes", size=128, view="unpaired-ink", batch=2, steps=150)
        ),
        "tiny": Preset(
            dict(features="style", layer="relu2_1", layers="relu1_1+relu2_1", levels=2, pictures=3),
            dict(data="digits", size=32, batch=4, steps=20),
        ),
    }

    def __init__(
        self,
        style: str = "",  # path of a painting
        features: str = "vgg19",  # vgg19:SOURCE, a path or URL; style, shipped; squeezenet:SOURCE, reader:scenes
        layer: str = "relu4_2",  # of the content
        layers: str = STYLE,  # of the style, each of the same weight
        alpha: float = 1.0,  # weight of the content
        beta: float = 30.0,  # weight of the style
        variation: float = 0.0,  # weight of the total variation a pixel
        bound: float = 100.0,  # weight of what a pixel has outside of [-1, 1]
        colours: str = "style",  # or content, by its chroma; or matched, by a style of the content's mean and spread
        begin: str = "content",  # or noise
        levels: int = 1,  # sides that it works at, each twice the one before
        whiten: float = 0.5,  # power of frequency that waves are divided by where they are learned; 0: pixels are
        pictures: int = 2,  # painted at once, the first rows of the first batch
        optimizer: str = "lbfgs",  # or adam
        lr: float = 0.0,  # 0: 1 for lbfgs, the share of its step; 0.02 for adam
        history: int = 10,  # steps that L-BFGS remembers
        size: int = 512,  # image side, pixels
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.style, self.features, self.layer, self.layers = style, features, layer, tuple(layers.split("+"))
        self.alpha, self.beta, self.variation, self.bound = alpha, beta, variation, bound
        self.colours = nearest(colours, ("style", "content", "matched"), "choice of colours")
        self.first = nearest(begin, ("content", "noise"), "beginning")
        self.optimizer = nearest(optimizer, ("lbfgs", "adam"), "optimizer of neural-style")
        self.lr, self.history = lr or (1.0 if optimizer == "lbfgs" else 0.02), history
        self.canvas = Canvas(pictures, channels, (size, size), levels, whiten)
        self.content: Tensor
        self.painting: Tensor
        for name in ("content", "painting"):
            self.register_buffer(name, torch.zeros(pictures, channels, size, size))
        self.scene: Scene | None = None  # in place of these two, if it is given from outside
        self.aims: dict[int, tuple[Tensor, list[Tensor]]] = {}  # content's map and Gram matrices by level

    def optimizers(self) -> dict[str, Optimizer]:
        """One for each level."""
        adam, levels = self.optimizer == "adam", self.canvas.players.items()
        return {k: Adam([p], self.lr) if adam else LBFGS([p], self.lr, self.history) for k, p in levels}

    def start(self, batch: Batch) -> None:
        """Contents and styles from the batch, unless there is a scene; pictures from contents or noise."""
        n = len(self.content)
        if self.scene is None:
            pair = (batch.source, batch.image) if "source" in batch else (batch.image, batch.image.roll(-1, 0))
            self.content, self.painting = (rows_of(part, n).clone() for part in pair)
            if self.style:
                self.painting.copy_(floats(painting(self.style, self.content.shape[-1], self.content.shape[1])))
        self.canvas.begin(batch.randn(*self.content.shape[1:])[:n] / 2 if self.first == "noise" else self.content)
        self.aims = {}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The errors of content and style at the level of the hour."""
        level, name, image = self.canvas.at(self.progress)
        scene = self.scene or Scene(self.content, [self.painting])
        if level not in self.aims:
            with torch.no_grad():
                self.aims[level] = self.aim(scene, len(self.canvas.levels) - 1 - level)
        content, grams = self.aims[level]
        *maps, seen = self.look(image)
        whole = styles.content(torch.zeros_like(content), content)
        terms = {"content": self.alpha * styles.content(seen, content) / whole}
        terms["style"] = self.beta * styles.style(maps, grams, styles.relative(grams), scene.mask)
        terms["bound"] = self.bound * styles.excess(image)
        terms |= {"variation": self.variation * total_variation(image) / image[0].numel()} if self.variation else {}
        yield {name: terms}

    def aim(self, scene: Scene, halvings: int) -> tuple[Tensor, list[Tensor]]:
        """The map of the contents and the Gram matrices of the styles, at sides that are halved so often."""

        def smaller(image: Tensor) -> Tensor:
            return fit(image, [side >> halvings for side in image.shape[-2:]])

        *_, content = self.look(smaller(scene.content))
        found = []
        for picture in scene.styles:
            other = picture.expand(len(scene.content), -1, -1, -1)
            other = colour.matched(other, scene.content) if self.colours == "matched" else other
            if self.colours == "content":
                other = colour.as_bright(colour.luma(other), colour.luma(scene.content))
            found.append([styles.mean_gram(m) for m in self.look(smaller(other))[:-1]])
        if scene.mask is not None:
            return content, [torch.stack(grams, 1) for grams in zip(*found, strict=True)]
        shares = [w / sum(scene.weights) for w in scene.weights]
        return content, [sum(w * g for w, g in zip(shares, grams, strict=True)) for grams in zip(*found, strict=True)]

    def look(self, image: Tensor) -> list[Tensor]:
        """Maps of the layers of the style and, last, of the content; of the luma, if colours will be the content's."""
        image = colour.luma(image) if self.colours == "content" else image
        return features(self.features, (*self.layers, self.layer), device=image.device)(image)

    def painted(self) -> Tensor:
        """The pictures as they are: (pictures, channels, size, size) in [-1, 1]."""
        image = self.canvas.image().clamp(-1, 1)
        return colour.with_chroma(image, self.content) if self.colours == "content" else image

    def sample(self, given: Batch) -> Tensor:
        """Pictures, chosen at random from those that were painted: (n, channels, size, size)."""
        return self.painted()[given.randint(len(self.content))]
