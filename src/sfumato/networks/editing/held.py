"""A trained network inside of another that uses it and leaves it as it is."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class Held(nn.Module):
    """Holds `system`, which moves from device to device and stays in evaluation mode.

    Opened from a file it is frozen, and no part of checkpoints, for the file has it; given as an object it is stored.
    """

    system: Any

    def __init__(self, system: nn.Module, stored: bool) -> None:
        super().__init__()
        self.stored = stored
        if stored:
            self.system = system
        else:
            self.__dict__["system"] = system.requires_grad_(False)
        self.train(False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        if not self.stored:
            self.system._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def train(self, mode: bool = True) -> "Held":
        """Evaluation mode, whatever is asked."""
        self.system.train(False)
        return super().train(False)
