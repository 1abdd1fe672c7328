"""The contract that every system fulfils: its networks and state, how they learn, how they draw."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import cos, pi
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .aspect import SQUARE
from .errors import UserError, nearest

Losses = Mapping[str, Tensor | Mapping[str, Tensor]]  # player -> loss, or player -> {term: loss}
Schedule = Callable[[float], float]  # progress in [0, 1] -> factor of the learning rate


def constant(progress: float) -> float:
    """The learning rate as it is."""
    return 1.0


def linear(progress: float) -> float:
    """Down to zero on a straight line."""
    return 1.0 - progress


def cosine(progress: float) -> float:
    """Down to zero on half a cosine."""
    return 0.5 * (1.0 + cos(pi * progress))


@dataclass(frozen=True)
class Falls:
    """The learning rate times a factor, once more at each of some shares of the training: `x0.5@0.4,0.8`."""

    factor: float
    at: tuple[float, ...]

    def __call__(self, progress: float) -> float:
        """As the class says."""
        return self.factor ** sum(progress >= share for share in self.at)

    @property
    def __name__(self) -> str:
        return f"x{self.factor:.6g}@{','.join(f'{share:.6g}' for share in self.at)}"


@dataclass(frozen=True)
class Late:
    """The learning rate as it is, and another schedule for what is left after a share of the training: `linear@0.5`."""

    schedule: Schedule
    start: float

    def __call__(self, progress: float) -> float:
        """As the class says."""
        return self.schedule(max(0.0, progress - self.start) / (1.0 - self.start))

    @property
    def __name__(self) -> str:
        return f"{self.schedule.__name__}@{self.start:.6g}"


def schedule_named(name: str) -> Schedule:
    """The schedule called constant, linear, cosine, `linear@0.5`, `x0.1@0.5,0.75` …; UserError for any other name."""
    plain = {f.__name__: f for f in (constant, linear, cosine)}
    head, at, shares = name.partition("@")
    try:
        places = tuple(float(share) for share in shares.split(",")) if at else ()
        fits = all(0 <= share < 1 for share in places)
        if at and fits and head.startswith("x"):
            return Falls(float(head.removeprefix("x")), places)
        if at and fits and head in plain and len(places) == 1:
            return Late(plain[head], *places)
    except ValueError:
        pass
    if at:
        raise UserError(f"schedule {name!r}: give linear@0.5 (falling after half), or x0.1@0.5,0.75 (a tenth at each)")
    return plain[nearest(name, plain, "schedule")]


@dataclass(frozen=True)
class Paper:
    """What a system implements, for citation."""

    title: str
    authors: str
    year: int
    url: str


@dataclass(frozen=True)
class Recipe:
    """How a system is trained, as far as the trainer is concerned. Every field is a flag of `sfumato train`."""

    data: str = "digits"  # a source: a folder, an archive, a built-in name
    size: int = 32  # shorter side of the images, pixels
    aspect: str = SQUARE  # their shape, width:height
    batch: int = 64  # images an iteration, over all processes
    steps: int = 10_000  # iterations of `step`
    view: str = "image"  # the shape of a batch, a name in data/views
    metrics: tuple[str, ...] = ("frechet",)  # what `evaluate` computes by default
    schedule: Schedule = constant
    clip: float = 0.0  # ceiling of the gradient norm of each player, 0 = none
    ema: float = 0.0  # decay an iteration of the averaged weights that are sampled from, 0 = no average


@dataclass(frozen=True)
class Preset:
    """A named configuration: the constructor's arguments and the recipe's fields that differ from their defaults."""

    hyper: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)


class Batch:
    """Tensors that share their first axis (`batch.image`, `batch.label`, …) and the noise that belongs to them.

    A batch may be the rows `first … first + n` of a larger one of `total` rows that other processes or
    micro-batches hold. Its noise is drawn for all `total` rows from `seed` and cut to its own, so that the
    parts of a batch see together exactly what the whole batch would have seen.
    """

    def __init__(
        self,
        n: int | None = None,
        *,
        device: torch.device | str = "cpu",
        seed: int = 0,
        first: int = 0,
        total: int | None = None,
        **fields: Tensor,
    ) -> None:
        if n is None:
            n = len(next(iter(fields.values())))
        self.fields, self.n, self.first, self.total = fields, n, first, n if total is None else total
        self.device = next(iter(fields.values())).device if fields else torch.device(device)
        self.generator = torch.Generator(self.device).manual_seed(seed)

    def __getattr__(self, name: str) -> Tensor:
        fields = self.__dict__.get("fields", {})
        if name in fields:
            return fields[name]
        raise AttributeError(f"the batch has no {name!r}; it has {sorted(fields)}")

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def without(self, *names: str) -> "Batch":
        """The same rows and the same stream of noise, less some fields."""
        return self.having(**{k: v for k, v in self.fields.items() if k not in names})

    def having(self, **fields: Tensor) -> "Batch":
        """The same rows and the same stream of noise with these fields alone."""
        other = object.__new__(Batch)
        other.__dict__ |= self.__dict__ | {"fields": fields}
        return other

    def randn(self, *shape: int) -> Tensor:
        """Standard normal noise: (n, *shape)."""
        return self._rows(torch.randn(self.total, *shape, generator=self.generator, device=self.device))

    def rand(self, *shape: int) -> Tensor:
        """Uniform noise in [0, 1): (n, *shape)."""
        return self._rows(torch.rand(self.total, *shape, generator=self.generator, device=self.device))

    def randint(self, high: int, *shape: int) -> Tensor:
        """Uniform integers in [0, high): (n, *shape), int64."""
        return self._rows(torch.randint(high, (self.total, *shape), generator=self.generator, device=self.device))

    def noisy(self, image: Tensor, std: float) -> Tensor:
        """Images under normal noise of this standard deviation; as they are where it is 0: (n, …) -> (n, …)."""
        return image + std * self.randn(*image.shape[1:]) if std else image

    def _rows(self, whole: Tensor) -> Tensor:
        return whole[self.first : self.first + self.n]


class System(nn.Module, ABC):
    """One generative system. Its parameters and buffers are its whole state; subclasses are final.

    The constructor's arguments are the hyperparameters, with the paper's values as defaults. Those that describe
    the data are named `size` (shorter side), `aspect` (shape, width:height), `channels` (1 or 3) and `classes`, and are
    filled from it; who asks for a size and no aspect has squares. Images are float32 (b, channels, h, w) in [-1, 1].
    """

    paper: ClassVar[Paper]
    recipe: ClassVar[Recipe]
    presets: ClassVar[Mapping[str, Preset]]  # "paper" (or several sizes of it), "small" (minutes), "tiny" (tests)

    iteration: int = 0  # set by the trainer before each `step`
    progress: float = 0.0  # how much of the budget is spent, in [0, 1]; set by the trainer
    spec: Mapping[str, Any]  # name and hyperparameters, set by the catalogue

    @abstractmethod
    def optimizers(self) -> dict[str, Optimizer]:
        """One optimiser for each player."""

    @abstractmethod
    def step(self, batch: Batch) -> Iterator[Losses]:
        """One iteration: every yield names the players that take an optimiser step and their losses."""

    @abstractmethod
    def sample(self, given: Batch) -> Tensor:
        """Images from everything in a batch but the image: (n, channels, h, w)."""

    def start(self, batch: Batch) -> None:
        """Initialise what depends on the data, from the first batch."""

    def finish(self, batches: Iterable[Batch]) -> None:
        """Compute what follows training, from one pass over the data."""

    def every(self, k: int) -> bool:
        """Whether this iteration is the last of a round of k."""
        return (self.iteration + 1) % k == 0

    def report(self, **values: Tensor) -> None:
        """Hand scalars other than losses to the log."""
        self.__dict__.setdefault("reported", {}).update({k: v.detach() for k, v in values.items()})


@runtime_checkable
class Decodes(Protocol):
    """Systems whose images come from a code: `sample(given)` is `decode(prior(given))`."""

    def prior(self, given: Batch) -> Tensor:
        """Codes as the system draws them: (n, z)."""

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes: (b, z) -> (b, channels, h, w)."""


@runtime_checkable
class Encodes(Protocol):
    """Systems that recover a code from an image."""

    def encode(self, image: Tensor) -> Tensor:
        """Codes of images: (b, channels, h, w) -> (b, z)."""


@runtime_checkable
class Classifies(Protocol):
    """Systems that name the class of an image."""

    def classify(self, image: Tensor) -> Tensor:
        """Log-probabilities of the classes: (b, channels, h, w) -> (b, classes)."""


@runtime_checkable
class Upscales(Protocol):
    """Systems that enlarge an image."""

    def upscale(self, image: Tensor) -> Tensor:
        """Images `scale` times larger: (b, channels, h, w) -> (b, channels, scale · h, scale · w)."""
