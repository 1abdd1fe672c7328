"""Texture synthesis: pictures that begin as noise and come to have the statistics of an exemplar.

Gatys, Ecker & Bethge, Texture Synthesis Using Convolutional Neural Networks, NeurIPS 2015.
https://arxiv.org/abs/1505.07376
The Gram matrices of section 2.2 (eq. 1 to 5) on the layers of figure 2, by L-BFGS (section 2.3). Beside it, as
`statistics=portilla-simoncelli`, Portilla & Simoncelli, A Parametric Texture Model Based on Joint Statistics of Complex
Wavelet Coefficients, IJCV 2000, whose 710 numbers a channel are matched by the same optimiser.

Deviations: Gram matrices are means over places, so that exemplars and textures may differ in size; `levels` above 1
begins coarse; pictures are drawn into [-1, 1]; VGG keeps its maxima where the paper takes averages. Portilla &
Simoncelli project on one group of constraints after another; colours are taken along their principal axes.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Optimizer

from ...errors import nearest
from ...networks.pretrained.features import features
from ...networks.style.canvas import Canvas, fit, rows_of
from ...objectives import style, texture_statistics
from ...optim import LBFGS
from ...system import Batch, Losses, Paper, Preset, Recipe, System

KINDS = ("gram", "portilla-simoncelli")
SHORT = dict(data="scenes", size=128, batch=1, steps=200)


class Texture(System):
    """Each picture is a texture like the exemplar of its row of the first batch."""

    paper = Paper(
        "Texture Synthesis Using Convolutional Neural Networks",
        "Gatys, Ecker & Bethge",
        2015,
        "https://arxiv.org/abs/1505.07376",
    )
    recipe = Recipe(data="textures", size=256, batch=1, steps=2000)
    presets = {
        "paper": Preset(),
        "paper-portilla-simoncelli": Preset(dict(statistics="portilla-simoncelli", scales=4)),
        "small": Preset(dict(features="style", layers="relu1_1+relu2_1+relu3_1+relu4_1", levels=3), SHORT),
        "small-portilla-simoncelli": Preset(dict(statistics="portilla-simoncelli", levels=2), SHORT),
        "tiny": Preset(
            dict(features="style", layers="relu1_1+relu2_1", levels=2, pictures=3),
            dict(data="digits", size=32, batch=4, steps=20),
        ),
    }

    def __init__(
        self,
        statistics: str = "gram",  # or portilla-simoncelli
        features: str = "vgg19",  # vgg19:SOURCE, a path or URL; style, shipped; squeezenet:SOURCE, reader:scenes
        layers: str = "conv1_1+pool1+pool2+pool3+pool4",  # whose Gram matrices are matched
        scales: int = 4,  # of the pyramid, in which statistics are taken without a network
        orientations: int = 4,  # of its waves
        reach: int = 7,  # side of the square of shifts of autocorrelations, pixels
        bound: float = 100.0,  # weight of what a pixel has outside of [-1, 1]
        levels: int = 1,  # sides at which it works one after another, each twice the one before
        whiten: float = 0.5,  # power of frequency that waves are divided by where they are learned; 0: pixels are
        pictures: int = 1,  # learned at once, from the first rows of the first batch
        size: int = 256,  # image side, pixels
        channels: int = 3,
        lr: float = 1.0,  # of L-BFGS: the share of its step that is taken
        history: int = 10,  # steps that L-BFGS remembers
    ) -> None:
        super().__init__()
        self.statistics, self.features = nearest(statistics, KINDS, "kind of statistics"), features
        self.layers, self.pyramid = tuple(layers.split("+")), (scales, orientations, reach)
        self.bound, self.lr, self.history = bound, lr, history
        self.canvas = Canvas(pictures, channels, (size, size), levels, whiten)
        self.exemplar: Tensor
        self.register_buffer("exemplar", torch.zeros(pictures, channels, size, size))
        self.aims: dict[int, dict[str, Tensor]] = {}  # statistics of the exemplar by level

    def optimizers(self) -> dict[str, Optimizer]:
        """L-BFGS for each level."""
        return {k: LBFGS([p], self.lr, self.history) for k, p in self.canvas.players.items()}

    def start(self, batch: Batch) -> None:
        """Exemplars from the batch, pictures from noise."""
        self.exemplar = rows_of(batch.image, len(self.canvas.levels[0])).clone()
        noise = batch.randn(*self.canvas.levels[0].shape[1:])[: len(self.exemplar)]  # without detail finer than that
        mean, spread = (f((2, 3), keepdim=True) for f in (self.exemplar.mean, self.exemplar.std))
        self.canvas.begin(mean + spread * noise)
        self.aims = {}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The distance of statistics at the level of the hour."""
        level, name, image = self.canvas.at(self.progress)
        if level not in self.aims:
            with torch.no_grad():
                self.aims[level] = self.see(fit(self.exemplar, self.side(level)))
        distance = self.distance(self.see(image), self.aims[level])
        yield {name: {"statistics": distance, "bound": self.bound * style.excess(image)}}

    def side(self, level: int) -> tuple[int, ...]:
        """Height and width of what the exemplar is seen at, as much smaller than itself as the level is."""
        return tuple(n >> (len(self.canvas.levels) - 1 - level) for n in self.exemplar.shape[-2:])

    def see(self, image: Tensor) -> dict[str, Tensor]:
        """Statistics of images by name: (b, c, h, w) -> (b, …)."""
        if self.statistics == "gram":
            maps = features(self.features, self.layers, device=image.device)(image)
            return {k: style.mean_gram(m) for k, m in zip(self.layers, maps, strict=True)}
        with torch.autocast(image.device.type, enabled=False):
            rows = components(image, self.exemplar)
            found = texture_statistics.statistics(rows.flatten(0, 1), *self.pyramid)
        covariance = (rows.flatten(2) @ rows.flatten(2).mT / rows[0, 0].numel()).flatten(1)
        return {k: v.view(len(image), -1) for k, v in found.items()} | {"covariance": covariance}

    def distance(self, found: dict[str, Tensor], aim: dict[str, Tensor]) -> Tensor:
        """How far statistics are from others, added up: -> (b,)."""
        if self.statistics == "gram":
            terms = [style.gram_distance(found[k], aim[k]) for k in self.layers]
            return torch.stack(terms).mean(0)
        return texture_statistics.mismatch(found, aim)

    def sample(self, given: Batch) -> Tensor:
        """Textures, chosen at random from those that were learned: (n, channels, size, size)."""
        return self.canvas.drawn(given.randint(len(self.exemplar)))


def components(image: Tensor, exemplar: Tensor) -> Tensor:
    """Colours less the exemplar's mean, along the principal axes of the exemplar's: (b, c, h, w) -> (b, c, h, w)."""
    rows = exemplar.float().flatten(2)
    mean = rows.mean(2, keepdim=True)
    _, axes = torch.linalg.eigh((rows - mean) @ (rows - mean).mT)
    return (axes.mT @ (image.float().flatten(2) - mean)).unflatten(2, image.shape[2:])
