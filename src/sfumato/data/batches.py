"""The endless sequence of batches: a pure function of the seed and the step."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from ..errors import UserError
from ..system import Batch
from .prepare import Pictures
from .views import Draw, view_of

_ORDER, _AMONG, _FLIP, _NOISE, _BITS = 0, 1, 3, 4, 5  # independent streams of one seed


class Batches:
    """Batches of pictures, shuffled anew every epoch.

    Position p of the sequence is in epoch p // n, whose order is a permutation from (seed, epoch); step s holds the
    positions s·batch … (s + 1)·batch − 1. So a batch may run on into the next epoch, and any step can be had at once.
    Raises LookupError for an unknown view, UserError for one that the source cannot serve, or that is to be mirrored
    and cannot be.
    """

    def __init__(
        self,
        pictures: Pictures,
        *,
        view: str = "image",
        batch: int = 64,
        seed: int = 0,
        flip: bool = False,
        device: torch.device | str = "cpu",
        per_class: int = 10,
    ) -> None:
        if batch < 1:
            raise UserError(f"a batch holds at least one picture, not {batch}")
        self.view = view_of(view, pictures)
        if flip and not self.view.mirrors:
            raise UserError(
                f"the view {view!r} cannot be mirrored, as not all of it would be true then: leave out flip"
            )
        self.pictures, self.batch, self.seed, self.flip = pictures, batch, seed % 2**63, flip
        self.device = torch.device(device)
        self.rows = self.view.rows(pictures)
        self.survey = self.view.survey(pictures, per_class, self.seed) if self.view.survey else None
        self._permutation = lru_cache(maxsize=8)(_permutation)

    def at(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """Batch number `step`, or one of `parts` equal parts of it: rows part·batch/parts … of the whole."""
        if self.batch % parts:
            raise UserError(f"a batch of {self.batch} cannot be shared equally by {parts}")
        each = self.batch // parts
        first = part * each
        positions = np.arange(step * self.batch + first, step * self.batch + first + each)
        flip = None
        if self.flip:
            flip = (_bits(self.seed, _FLIP, step).random_raw(self.batch) >> np.uint64(63)).astype(bool)
            flip = flip[first : first + each]
        seed = int(np.random.SeedSequence([self.seed, _NOISE, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))
        return self._made(positions, self._walk(self.rows, positions, _ORDER), flip, seed, first)

    def epoch(self, batch: int | None = None) -> Iterator[Batch]:
        """Every usable picture once, in the order of the source, unflipped; the last batch may be smaller."""
        batch = batch or self.batch
        for step, start in enumerate(range(0, len(self.rows), batch)):
            rows = self.rows[start : start + batch]
            yield self._made(np.arange(start, start + len(rows)), rows, None, step, 0, len(rows))

    def _made(
        self, positions: np.ndarray, rows: np.ndarray, flip: np.ndarray | None, seed: int, first: int, total: int = 0
    ) -> Batch:
        bits = _bits(self.seed, _BITS).advance(int(positions[0])).random_raw(len(positions))
        draw = Draw(rows, lambda some: self._walk(some, positions, _AMONG), bits, flip, self.survey, self.device)
        fields: dict[str, Any] = self.view.fields(self.pictures, draw)
        return Batch(seed=seed, first=first, total=total or self.batch, **fields)

    def _walk(self, subset: np.ndarray, positions: np.ndarray, stream: int) -> np.ndarray:
        """Who is at these positions of the endless shuffled sequence over some pictures."""
        n = len(subset)
        epochs, places = np.divmod(positions, n)
        chosen = np.empty(len(positions), np.int64)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            here = epochs == epoch
            chosen[here] = self._permutation(n, self.seed, stream, epoch)[places[here]]
        return subset[chosen]


def _bits(*seed: int) -> np.random.PCG64:
    """Raw random bits, the only stream that NumPy promises never to change."""
    return np.random.PCG64(np.random.SeedSequence(seed))


def _permutation(n: int, *seed: int) -> np.ndarray:
    return np.argsort(_bits(*seed).random_raw(n), kind="stable")
