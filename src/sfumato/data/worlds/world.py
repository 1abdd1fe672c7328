"""What the worlds have in common: pictures by index, by factors, in motion."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .field import Array
from .render import Factors, Rendered, chosen, in_parts

STYLES = ("painted", "ink")
FRAMES = 12  # a second of a clip


@dataclass(frozen=True)
class World(ABC):
    """Pictures that are a function of the seed and their index alone, with everything that is known about them."""

    seed: int = 0
    threads: int = 1
    classes: ClassVar[tuple[str, ...]]
    legend: ClassVar[tuple[str, ...]]

    @abstractmethod
    def factors(self, indices: Array) -> Factors:
        """Everything that is known about pictures before they are drawn: (n,) -> name: (n,) or (n, …)."""

    @abstractmethod
    def vary(self, factors: Factors, **changes: str | float) -> Factors:
        """The same pictures with other factors: hidden pairs."""

    @abstractmethod
    def at(self, factors: Factors, seconds: float) -> Factors:
        """The same pictures some seconds later."""

    @abstractmethod
    def captions(self, given: Array | Factors) -> list[list[str]]:
        """Five sentences about each picture, by index (n,) or by factors: they name what can be seen, nothing else."""

    @abstractmethod
    def _draw(self, factors: Factors, size: int, truth: bool, nearer: Factors | None, things: bool) -> Rendered:
        """Draw some pictures at once."""

    def render(
        self,
        given: Array | Factors,
        size: int,
        *,
        truth: bool = False,
        nearer: Factors | None = None,
        things: bool = True,
    ) -> Rendered:
        """Draw pictures by index (n,) or by factors; maps of the truth, and `motion` to the factors `nearer`, if asked.

        Without `things` the background alone is drawn.
        """
        f = self.known(given)

        def some(rows: slice) -> Rendered:
            after = chosen(nearer, rows) if nearer is not None else None
            return self._draw(chosen(f, rows), size, truth or nearer is not None, after, things)

        return in_parts(some, len(f["index"]), size, self.threads)

    def clip(self, index: int | Array, frames: int, size: int, *, back: bool = False) -> Rendered:
        """`frames` pictures of each index, one index after the other, 12 a second, with the truth.

        The `motion` of each picture leads to the next, that of the last to one more; or, asked for `back`, to where
        everything was in the one before, that of the first to one before it.
        """
        start = self.factors(np.atleast_1d(index))
        times = [self.at(start, t / FRAMES) for t in range(-back, frames + 1 - back)]
        some = (times[1:], times[:-1]) if back else (times[:-1], times[1:])
        now, other = (
            {name: np.stack([f[name] for f in part], axis=1).reshape(-1, *values.shape[1:])
             for name, values in start.items()}
            for part in some
        )  # fmt: skip
        return self.render(now, size, nearer=other)

    def known(self, given: Array | Factors) -> Factors:
        """Factors, of indices too."""
        return given if isinstance(given, dict) else self.factors(given)
