"""A network that reads pictures of a rendered world: its factors, keypoints and parts, who it is, and if it is one."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ...errors import UserError
from .base import Extractor, Observed, resize, rgb
from .reader import unit
from .weights import digest, fill, read


@dataclass(frozen=True)
class Spec:
    """What there is to read in a world. Its first factor is the class of a picture."""

    world: str
    factors: Mapping[str, tuple[str, ...]]  # name -> its values by name, () for a number
    points: tuple[str, ...]  # names of keypoints, () for none
    parts: tuple[str, ...]  # names of the classes of pixels
    identity: int  # length of the vector that tells who it is, 0 for none
    aside: int = 0  # further outputs, which training alone asks for

    @property
    def numbers(self) -> tuple[str, ...]:
        """The factors that are numbers."""
        return tuple(name for name, values in self.factors.items() if not values)


@dataclass(frozen=True)
class Reading:
    """What was read in b pictures."""

    features: Tensor  # (b, d) float32
    factors: dict[str, Tensor]  # probabilities (b, k), rows sum to 1, or numbers (b,) in the world's units
    points: Tensor  # (b, p, 2) x, y in sides of the picture
    parts: Tensor  # (b, classes, side, side) probabilities of what each pixel shows
    identity: Tensor  # (b, i): the nearer two are, the likelier it is the same one
    known: Tensor  # (b,) in [0, 1]: below 0.5 it is no picture of this world


class Residual(nn.Sequential):
    """Adds what its layers make of a map to the map: (b, c, h, w) -> (b, c, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return x + super().forward(x)


def separable(c: int) -> Residual:
    """3×3 in each channel by itself, then 1×1 across them: (b, c, h, w) -> (b, c, h, w)."""
    return Residual(nn.Conv2d(c, c, 3, padding=1, groups=c, bias=False), unit(c, c, 1))


class WorldReader(Extractor):
    """A U-Net at 64 px whose bottleneck, a linear map from 4×4 places, is the features, and all factors follow from it.

    Features are bent to lie in [-4, 4], so that a few broken pictures do not decide a Fréchet distance.

    A picture is `known` if a classifier trained against synthetic strangers says so and if its features lie within
    the Gaussian of those of the world, both to thresholds that 99.7 % of the world's own pictures pass.
    """

    side = 64
    batch = 500
    dim = 128
    bound = 4.0  # of features
    mean: Tensor
    spread: Tensor
    centre: Tensor
    whiten: Tensor
    person: Tensor
    gate: Tensor

    def __init__(self, spec: Spec, ch: int = 32) -> None:
        super().__init__()
        self.spec, self.domain = spec, spec.world
        self.facts: dict[str, str] = {}  # what its file says of its training: pictures shown, scores by factor, …
        self.classes = next(iter(spec.factors.values()))
        self.resize = f"bilinear antialias to {self.side}"
        self.stem = nn.Sequential(nn.Conv2d(3, ch, 6, 2, 2, bias=False), nn.BatchNorm2d(ch), nn.ReLU())
        self.high = nn.Sequential(unit(ch, 2 * ch, stride=2), Residual(unit(2 * ch, 2 * ch)), separable(2 * ch))
        self.middle = nn.Sequential(unit(2 * ch, 4 * ch, stride=2), Residual(unit(4 * ch, 4 * ch)), separable(4 * ch))
        self.low = nn.Sequential(unit(4 * ch, 5 * ch, stride=2), Residual(unit(5 * ch, 5 * ch)))
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(5 * ch * 4 * 4, self.dim))
        self.hidden = nn.Sequential(nn.ReLU(), nn.Linear(self.dim, 256), nn.ReLU())
        self.sizes = [len(v) for v in spec.factors.values() if v]
        self.sizes += [len(spec.numbers), 2 * len(spec.points), spec.aside, 1]
        self.head = nn.Linear(256, sum(self.sizes))
        self.up_middle = nn.ConvTranspose2d(5 * ch, 4 * ch, 2, 2)
        self.up_high = nn.ConvTranspose2d(4 * ch, 2 * ch, 2, 2)
        self.up_stem = nn.ConvTranspose2d(2 * ch, ch, 2, 2)
        self.at_middle, self.at_high = separable(4 * ch), separable(2 * ch)
        fine = ch // 2 - 3  # channels at 64 px, to which the picture's three come
        self.at_stem = nn.Sequential(unit(ch, 3 * ch // 2), nn.Conv2d(3 * ch // 2, 4 * fine, 1), nn.PixelShuffle(2))
        self.at_pixel = nn.Sequential(unit(fine + 3, 3 * ch // 4), nn.Conv2d(3 * ch // 4, len(spec.parts), 1))
        measured = len(spec.numbers) + 2 * len(spec.points)
        self.register_buffer("mean", torch.zeros(measured))  # of numbers and points in training
        self.register_buffer("spread", torch.ones(measured))  # their standard deviations
        self.register_buffer("centre", torch.zeros(self.dim))  # of the features of the world's pictures
        self.register_buffer("whiten", torch.eye(self.dim))  # makes their covariance the identity
        self.register_buffer("person", torch.zeros(spec.identity, self.dim))  # from features to who it is
        self.register_buffer("gate", torch.tensor([[0.0, 1.0], [-1e4, 1.0]]))  # thresholds, scales: logit, −distance

    def look(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Features (b, dim), and the picture at 64 px and its maps at 32, 16, 8 and 4: (b, 1 | 3, h, w) in [-1, 1]."""
        maps = [resize(rgb(images), self.side).contiguous(memory_format=torch.channels_last)]
        for layer in (self.stem, self.high, self.middle, self.low):
            maps.append(layer(maps[-1]))
        return self.bound * (self.features(maps[-1]) / self.bound).tanh(), maps

    def answers(self, features: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor, Tensor]:
        """Logits by factor (b, k), standardised numbers and points (b, n), outputs aside, logit of known (b,)."""
        *logits, numbers, points, aside, known = self.head(self.hidden(features)).split(self.sizes, 1)
        names = [name for name, values in self.spec.factors.items() if values]
        return dict(zip(names, logits, strict=True)), torch.cat([numbers, points], 1), aside, known[:, 0]

    def label(self, maps: list[Tensor]) -> Tensor:
        """Logits of parts from the maps of `look`: -> (b, parts, side, side)."""
        image, stem, high, middle, low = maps
        x = self.at_middle(self.up_middle(low) + middle)
        x = self.at_high(self.up_high(x) + high)
        x = self.at_stem(self.up_stem(x) + stem)
        logits: Tensor = self.at_pixel(torch.cat([x, image], 1))
        return logits

    def forward(self, images: Tensor) -> Observed:
        """Features and class probabilities: (b, 1 | 3, h, w) in [-1, 1] -> (b, 128), (b, classes)."""
        features, _ = self.look(images)
        logits, *_ = self.answers(features)
        return Observed(features, next(iter(logits.values())).softmax(1))

    def read(self, images: Tensor) -> Reading:
        """Everything: float32 (b, 1 | 3, h, w) in [-1, 1] of any size."""
        features, maps = self.look(images)
        logits, measured, _, known = self.answers(features)
        n = len(self.spec.numbers)
        measured = measured * self.spread + self.mean
        factors = {name: x.softmax(1) for name, x in logits.items()}
        factors |= dict(zip(self.spec.numbers, measured[:, :n].unbind(1), strict=True))
        return Reading(
            features,
            factors,
            points=measured[:, n:].unflatten(1, (-1, 2)),
            parts=self.label(maps).softmax(1),
            identity=(features - self.centre) @ self.person.T,
            known=self.recognised(features, known),
        )

    def evidence(self, features: Tensor, logit: Tensor) -> Tensor:
        """That a picture is known: the classifier's logit and minus the Mahalanobis distance per √dim, (b, 2)."""
        distance = ((features - self.centre) @ self.whiten.T).square().mean(1).sqrt()
        return torch.stack([logit, -distance], 1)

    def recognised(self, features: Tensor, logit: Tensor) -> Tensor:
        """How well the less convincing evidence passes its threshold: -> (b,) in [0, 1], 0.5 at the threshold."""
        return ((self.evidence(features, logit) - self.gate[:, 0]) / self.gate[:, 1]).amin(1).sigmoid()


def ship(reader: WorldReader, path: Path, facts: dict[str, str]) -> None:
    """Write a reader, its kernels in half precision, with what it reads and some facts in the metadata.

    All of these under one name, because the order of several is not the same each time.
    """
    state = {k: v.half() if v.ndim > 1 and not k.startswith(("whiten", "person", "gate")) else v
             for k, v in reader.state_dict().items()}  # fmt: skip
    about = json.dumps({"spec": asdict(reader.spec), "facts": facts})
    save_file({k: v.contiguous() for k, v in state.items()}, path, {"reader": about})


def open_reader(path: Path) -> WorldReader:
    """A reader as its file describes it. Raises UserError for a file that is damaged or holds another network."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["reader"])
        held, facts = about["spec"], dict(about["facts"])
        factors = {name: tuple(values) for name, values in held["factors"].items()}
        outputs = int(held["identity"]), int(held["aside"])
        spec = Spec(held["world"], factors, tuple(held["points"]), tuple(held["parts"]), *outputs)
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged or no reader of a world: nothing says what it reads") from error
    reader = WorldReader(spec)
    fill(reader, {k: v.float() if v.is_floating_point() else v for k, v in read(path).items()}, path)
    reader.sha256, reader.facts = digest(path), facts
    return reader
