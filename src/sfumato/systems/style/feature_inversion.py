"""Feature inversion: the pictures that a layer of a network can't tell from a given one.

Mahendran & Vedaldi, Understanding Deep Image Representations by Inverting Them, CVPR 2015.
https://arxiv.org/abs/1412.0035
The relative error of features (eq. 5), the α-norm and the total variation to the power β (section 2.1), balanced as in
section 2.2, by gradient descent with momentum (section 2.3). Numbers are those of the authors' code for their CNN: α is
6, β is 2, the variation's weight grows tenfold with depth (1, 10, 100 there, here over twice a picture's mean square),
400 steps whose rate falls to a tenth after 100 and again after 300, a rate that counts in squared norms of a picture.

Deviations: VGG-19 in place of AlexNet. Momentum goes on where the rate falls, which the authors' code forgets.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import SGD, Optimizer

from ...networks.pretrained.features import features
from ...networks.style.canvas import Canvas, rows_of
from ...system import Batch, Falls, Losses, Paper, Preset, Recipe, System

ENERGY = 0.2929  # of a picture in [-1, 1], the mean square: the authors' norm of 27,098 over 227×227×3 bytes
TENTHS = Falls(0.1, (0.25, 0.75))


class FeatureInversion(System):
    """Several reconstructions of each picture of the first batch, from different noise."""

    paper = Paper(
        "Understanding Deep Image Representations by Inverting Them",
        "Mahendran & Vedaldi",
        2014,
        "https://arxiv.org/abs/1412.0035",
    )
    recipe = Recipe(data="imagenet", size=224, batch=1, steps=400, schedule=TENTHS)
    presets = {
        "paper": Preset(),
        "paper-deep": Preset(dict(layer="relu5_1", smooth=171.0)),
        "small": Preset(dict(features="style"), dict(data="scenes", size=96)),
        "tiny": Preset(
            dict(features="style", layer="relu1_2", repeats=2, pictures=2),
            dict(data="digits", size=16, batch=4, steps=20),
        ),
    }

    def __init__(
        self,
        layer: str = "relu3_1",  # that is inverted
        features: str = "vgg19",  # vgg19:SOURCE, a path or URL; style, shipped; squeezenet:SOURCE, reader:scenes
        smooth: float = 17.0,  # weight of the variation a pixel; a tenth is enough for the first layers
        beta: float = 2.0,  # power of the variation
        bound: float = 0.36,  # weight of the α-norm a pixel
        alpha: float = 6.0,  # power of the α-norm
        repeats: int = 4,  # reconstructions of each picture
        pictures: int = 1,  # from the first rows of the first batch
        size: int = 224,  # image side, pixels
        channels: int = 3,
        lr: float = 4e-3,  # times the squared norm of a picture
        momentum: float = 0.9,
    ) -> None:
        super().__init__()
        self.layer, self.features, self.repeats, self.lr, self.momentum = layer, features, repeats, lr, momentum
        self.smooth, self.beta, self.bound, self.alpha = smooth, beta, bound, alpha
        self.canvas = Canvas(pictures * repeats, channels, (size, size), whiten=0.0)
        self.target: Tensor
        self.register_buffer("target", torch.zeros(pictures, channels, size, size))
        self.aim: Tensor | None = None  # the target's features

    def optimizers(self) -> dict[str, Optimizer]:
        """Gradient descent, on the sum of what the trainer takes the mean of."""
        image = self.canvas.levels[0]
        return {"image": SGD([image], self.lr * ENERGY * image.numel(), self.momentum)}

    def start(self, batch: Batch) -> None:
        """Targets from the batch, pictures from noise of a picture's norm."""
        self.target = rows_of(batch.image, len(self.target)).clone()
        noise = torch.cat([batch.randn(*self.target.shape[1:])[: len(self.target)] for _ in range(self.repeats)])
        self.canvas.begin(noise * ENERGY**0.5)
        self.aim = None

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The relative error of the features, and what pictures are not like."""
        if self.aim is None:
            with torch.no_grad():
                self.aim = self.see(self.target).repeat(self.repeats, 1, 1, 1)
        image, pixels = self.canvas.there(0), self.target[0].numel()
        error = (self.see(image) - self.aim).square().flatten(1).sum(1) / self.aim.square().flatten(1).sum(1)
        rough = self.smooth / pixels * variation(image, self.beta)
        yield {"image": {"features": error, "variation": rough, "bound": self.bound * self.norm(image)}}

    def see(self, image: Tensor) -> Tensor:
        """Features of images: (b, channels, h, w) -> (b, c, h', w')."""
        return features(self.features, (self.layer,), device=image.device)(image)[0]

    def norm(self, image: Tensor) -> Tensor:
        """The α-norm to the power α, a pixel: (b, channels, h, w) -> (b,)."""
        return image.abs().pow(self.alpha).flatten(1).mean(1)

    def sample(self, given: Batch) -> Tensor:
        """Reconstructions, chosen at random from all: (n, channels, size, size)."""
        return self.canvas.drawn(given.randint(len(self.canvas.levels[0])))


def variation(image: Tensor, beta: float) -> Tensor:
    """Σ (right² + below²)^(β / 2) of differences of neighbours: (b, c, h, w) -> (b,). Section 2.1."""
    right, below = F.pad(image.diff(dim=3), (0, 1)), F.pad(image.diff(dim=2), (0, 0, 0, 1))
    square = right.square() + below.square()
    return (square if beta == 2 else (square + 1e-8).pow(beta / 2)).flatten(1).sum(1)
