"""What classes the pictures are of: whether those asked for, and whether all of them."""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ..networks.pretrained import Observed
from .base import Better, Metric, Rows


class Coverage(NamedTuple):
    """How generated pictures spread over k modes."""

    counts: Tensor  # (k,) int64, pictures read as each mode
    covered: int  # modes with a picture or more
    smallest: float  # share of the rarest mode, in [0, 1/k]
    divergence: float  # KL of the generated shares from the data's, nats


def class_accuracy(probabilities: Tensor, labels: Tensor) -> float:
    """Share of pictures read as the class that was asked for: (n, k), (n,) -> [0, 1]."""
    if len(labels) == 0:
        raise ValueError("class accuracy needs a picture or more")
    return (probabilities.argmax(1) == labels).double().mean().item()


def mode_coverage(probabilities: Tensor, modes: Tensor | None = None) -> Coverage:
    """Spread over modes of pictures read with probabilities (n, k), against the data's shares of the modes.

    `modes` are the data's shares or counts (k,), equal if absent; only those above zero are modes. The divergence is
    the "reverse KL" of Srivastava et al. 2017 ("VEEGAN", section 4): of the generated shares relative to the data's.
    Pictures read as something the data has none of make it infinite. Raises ValueError for no pictures.
    """
    if len(probabilities) == 0:
        raise ValueError("mode coverage needs a picture or more")
    counts = probabilities.argmax(1).bincount(minlength=probabilities.shape[1])
    weights = torch.ones(len(counts)) if modes is None else modes
    data = weights.double() / weights.sum()
    share = counts.double() / counts.sum()
    divergence = torch.special.xlogy(share, share) - torch.special.xlogy(share, data)
    present = data > 0
    return Coverage(
        counts, int((counts[present] > 0).sum()), share[present].min().item(), max(divergence.sum().item(), 0.0)
    )


class ClassAccuracy(Metric):
    """Share of generated pictures that are read as the class asked for."""

    name: ClassVar[str] = "class-accuracy"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[tuple[str, ...]] = ("probabilities", "labels")
    reads_real: ClassVar[bool] = False

    def __init__(self) -> None:
        self.probabilities, self.labels = Rows(), Rows()

    def update(self, observed: Observed, real: bool) -> None:
        """Take in a batch."""
        if not real:
            self.probabilities.update(observed.probabilities)
            self.labels.update(observed.labels)

    def compute(self) -> dict[str, float]:
        """ "class-accuracy"."""
        return {"class-accuracy": class_accuracy(self.probabilities.tensor(), self.labels.tensor())}


class Modes(Metric):
    """Spread of generated pictures over the modes that real pictures are read as."""

    name: ClassVar[str] = "modes"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[tuple[str, ...]] = ("probabilities",)

    def __init__(self) -> None:
        self.rows = {True: Rows(), False: Rows()}

    def update(self, observed: Observed, real: bool) -> None:
        """Take in a batch."""
        self.rows[real].update(observed.probabilities)

    def compute(self) -> dict[str, float]:
        """Modes covered, modes the data has, the smallest share, the divergence from the data."""
        data = mode_coverage(self.rows[True].tensor()).counts
        found = mode_coverage(self.rows[False].tensor(), data)
        return {
            "modes": found.covered,
            "modes of the data": int((data > 0).sum()),
            "smallest share": found.smallest,
            "modes divergence": found.divergence,
        }
