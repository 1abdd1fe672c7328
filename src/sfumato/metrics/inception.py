"""The Inception score of Salimans et al. 2016, "Improved techniques for training GANs", section 4."""

from typing import ClassVar

import torch
from torch import Tensor

from ..networks.pretrained import Observed
from .base import Better, Metric, Rows


def inception_score(probabilities: Tensor, splits: int = 10) -> tuple[float, float]:
    """Mean and standard deviation over equal parts of exp E KL(p(y|x) ‖ p(y)): (n, k), between 1 and k.

    Parts are in the order given, as published. Raises ValueError for fewer pictures than parts.
    """
    if len(probabilities) < splits:
        raise ValueError(f"an Inception score in {splits} parts needs {splits} pictures, not {len(probabilities)}")
    scores = []
    for p in probabilities.double().tensor_split(splits):
        entropy = torch.special.entr(p).sum(1).mean()
        scores.append((torch.special.entr(p.mean(0)).sum() - entropy).exp())
    found = torch.stack(scores)
    return found.mean().item(), found.std(correction=0).item()


class InceptionScore(Metric):
    """Inception score of class probabilities."""

    name: ClassVar[str] = "inception"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[tuple[str, ...]] = ("probabilities",)
    reads_real: ClassVar[bool] = False

    def __init__(self) -> None:
        self.rows = Rows()

    def update(self, observed: Observed, real: bool) -> None:
        """Take in a batch."""
        if not real:
            self.rows.update(observed.probabilities)

    def compute(self) -> dict[str, float]:
        """ "inception" and its deviation over parts."""
        mean, std = inception_score(self.rows.tensor())
        return {"inception": mean, "inception std": std}
