"""The calling convention of measures: `update` with what was observed, then `compute`."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ..networks.pretrained import Observed

Better = Literal["lower", "higher"]


class Metric(ABC):
    """One measure of generated pictures, filled by `update` and read by `compute`."""

    name: ClassVar[str]
    better: ClassVar[Better]  # of the first value that `compute` gives
    needs: ClassVar[tuple[str, ...]]  # the fields of Observed that it reads
    reads_real: ClassVar[bool] = True  # whether it also needs real pictures

    @abstractmethod
    def update(self, observed: Observed, real: bool) -> None:
        """Take in a batch of real or generated pictures."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """The measure's values by name. Raises ValueError if there were too few pictures."""


@dataclass(frozen=True)
class Result:
    """What was measured, and everything that the number depends on."""

    metric: str
    values: dict[str, float]
    better: Better
    extractor: str
    sha256: str  # of the extractor's weights
    resize: str  # how pictures reached the extractor
    n_fake: int
    n_real: int
    reference: str  # the real set
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Rows:
    """Rows that come in parts, kept on the CPU until all are there."""

    def __init__(self) -> None:
        self.parts: list[Tensor] = []

    def update(self, rows: Tensor | None) -> None:
        """Take in (b, …)."""
        assert rows is not None, "the evaluation checks what a measure needs before it starts"
        self.parts.append(rows.detach().cpu())

    def tensor(self) -> Tensor:
        """All rows: (n, …). Raises ValueError if there are none."""
        if not self.parts:
            raise ValueError("there are no pictures")
        self.parts = [torch.cat(self.parts)]
        return self.parts[0]


class OfFeatures(Metric):
    """A measure of all the features at once: `rows[True]` of real pictures, `rows[False]` of generated ones."""

    needs: ClassVar[tuple[str, ...]] = ("features",)

    def __init__(self) -> None:
        self.rows = {True: Rows(), False: Rows()}

    def update(self, observed: Observed, real: bool) -> None:
        """Take in a batch."""
        self.rows[real].update(observed.features)
