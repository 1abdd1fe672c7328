"""`digits`: 1,797 real handwritten digits of 8×8 pixels; see builtin/NOTICE."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .source import Base, Item, at_hand


@cache
def _content() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "builtin" / "digits.npz", allow_pickle=False) as file:
        return {k: file[k] for k in file.files}


@dataclass
class Digits(Base):
    """White ink on black, one channel, enlarged smoothly. A stratified fifth is the test split."""

    def stamp(self) -> str:
        """Constant."""
        return "digits 1"

    def count(self) -> int:
        """1,797."""
        return len(_content()["target"])

    def items(self, size: int) -> Iterator[Item]:
        """One item a digit, float in [0, 1]."""
        content = _content()
        images = content["images"].astype(np.float32) / 16
        for i, (target, test) in enumerate(zip(content["target"].tolist(), content["test"].tolist(), strict=True)):
            yield Item(f"{i:04}", at_hand(images[i]), target, "test" if test else "train", 256)


def open_digits() -> Digits:
    """The built-in digits."""
    return Digits("digits", "built-in", tuple("0123456789"))
