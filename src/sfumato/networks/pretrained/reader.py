"""A small network that reads the pictures of one built-in world: which class, and features for distances."""

from collections.abc import Sequence
from pathlib import Path

from safetensors import safe_open
from torch import Tensor, nn

from .base import Extractor, Observed, grey, resize, rgb
from .weights import digest, fill, read


def unit(i: int, o: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    convolution = nn.Conv2d(i, o, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(o), nn.ReLU())


class Reader(Extractor):
    """Five convolutions at 32 px, a linear bottleneck (the features) and a linear classifier.

    The features come before any nonlinearity, so that a Gaussian is a fair summary of them, and from a map that
    still has 4×4 places, so that they know where things are.
    """

    side = 32
    batch = 1000

    def __init__(self, channels: int, classes: Sequence[str], ch: int = 32, dim: int = 64) -> None:
        super().__init__()
        self.channels, self.classes, self.dim = channels, tuple(classes), dim
        self.resize = f"bilinear antialias to {self.side}"
        self.body = nn.Sequential(
            unit(channels, ch, 5, 2), unit(ch, ch), nn.MaxPool2d(2),
            unit(ch, 2 * ch), unit(2 * ch, 2 * ch), nn.MaxPool2d(2),
            unit(2 * ch, 2 * ch), nn.Flatten(),
        )  # fmt: skip
        self.features = nn.Linear(2 * ch * 4 * 4, dim)
        self.head = nn.Linear(dim, len(self.classes))

    def look(self, images: Tensor) -> Tensor:
        """Features: (b, 1 | 3, h, w) in [-1, 1] -> (b, dim)."""
        images = grey(images) if self.channels == 1 else rgb(images)
        return self.features(self.body(resize(images, self.side)))

    def forward(self, images: Tensor) -> Observed:
        """Features and class probabilities: (b, 1 | 3, h, w) in [-1, 1] -> (b, dim), (b, classes)."""
        features = self.look(images)
        return Observed(features, self.head(features).softmax(1))


def load_reader(world: str) -> Reader:
    """The shipped reader of a built-in world."""
    path = Path(__file__).with_name(f"reader_{world}.safetensors")
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
    reader = Reader(int(facts["channels"]), facts["classes"].split("|"))
    fill(reader, {k: v.float() if v.is_floating_point() else v for k, v in read(path).items()}, path)
    reader.domain, reader.sha256 = world, digest(path)
    return reader
