"""Trouble in training, noticed and said in words, so that a line of text is enough to see it from afar."""

from collections.abc import Mapping

import torch
from torch import Tensor

WON = 0.995  # share of pairs that D ranks right, from which on G learns next to nothing
LATE = 20  # log lines in a row
COLLAPSED = 0.25  # distance between samples, as a share of the data's


class Watch:
    """Reads the figures of a run as they come and says, once for each kind, what is wrong."""

    def __init__(self) -> None:
        self.streak = 0
        self.said: set[str] = set()

    def figures(self, values: Mapping[str, float]) -> list[str]:
        """What the losses and reports of a moment give cause to say."""
        wins = values.get("D wins")
        self.streak = self.streak + 1 if wins is not None and wins >= WON else 0
        if self.streak < LATE:
            self.said.discard("won")
            return []
        return self._once(
            "won",
            f"D has won: it ranked {wins:.1%} of the real images above the generated ones over the last {LATE} log "
            "lines, and G gets almost no gradient. Lower D's learning rate, make D smaller, or use wgan-gp or ragan",
        )

    def samples(self, drawn: Tensor, data: Tensor) -> list[str]:
        """What the pairwise distance of samples, against the data's, gives cause to say: (b, c, h, w) each."""
        ratio = spread(drawn) / max(spread(data), 1e-9)
        if ratio >= COLLAPSED:
            self.said.discard("collapsed")
            return []
        return self._once(
            "collapsed",
            f"the samples have collapsed: they differ from one another {ratio:.0%} as much as the data's images do. "
            "If that does not pass, restart with another seed, a lower learning rate, or wgan-gp",
        )

    def _once(self, kind: str, text: str) -> list[str]:
        new = kind not in self.said
        self.said.add(kind)
        return [text] if new else []


def spread(images: Tensor) -> float:
    """Mean distance between two different images, per pixel, root mean square: (b, c, h, w) -> a number."""
    flat = images.float().flatten(1)
    n = len(flat)
    if n < 2:
        return 0.0
    return torch.pdist(flat).square().mean().div(flat.shape[1]).sqrt().item()
