"""What a source knows of its pictures besides their pixels, and how a view asks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..errors import UserError

UNKNOWN = 255  # in a map of classes: nobody said what this is

# what can be asked for, and the array that answers for n pictures
FIELDS: Mapping[str, str] = {
    "semantic": "map of classes: uint8 (n, size, size), indices into the legend, 255 where unknown",
    "instance": "map of objects: int32 (n, size, size), 0 = none, the same number = the same object",
    "edges": "outlines of parts and objects: bool (n, size, size)",
    "depth": "float32 (n, size, size), metres along the axis of view; infinite in the sky",
    "normals": "of surfaces: float32 (n, size, size, 3), x right, y up, z to the viewer; 0 in the sky",
    "matte": "how much of a pixel objects cover: float32 (n, size, size) in [0, 1]",
    "keypoints": "float32 (n, k, 2), x, y in sides of the picture; NaN where there is none",
    "boxes": "float32 (n, k, 4), x0, y0, x1, y1 in sides of the picture; NaN where there is none",
    "source": "the picture that is translated to this one: uint8 (n, size, size, channels)",
    "empty": "the same picture without its objects: uint8 (n, size, size, channels)",
    "day": "the same place by day: uint8 (n, size, size, channels)",
    "dusk": "the same place at dusk: uint8 (n, size, size, channels)",
    "night": "the same place at night: uint8 (n, size, size, channels)",
    "young": "the same person at 20: uint8 (n, size, size, channels)",
    "old": "the same person at 75: uint8 (n, size, size, channels)",
    "painted": "the same picture, painted: uint8 (n, size, size, channels)",
    "ink": "the same picture, drawn in ink: uint8 (n, size, size, channels)",
    "clip": "frames from this picture on: uint8 (n, frames, size, size, channels)",
    "motion": "of a clip: float32 (n, frames, size, size, 2), pixels right and down until the next frame",
    "clip depth": "of a clip: float32 (n, frames, size, size), metres",
}


class Truth(Protocol):
    """Answers about the pictures of one source, by their names."""

    fields: frozenset[str]  # of FIELDS, those that `get` answers, and the factors that `factor` answers
    legend: tuple[str, ...]  # names of the values of "semantic"; () if there are none
    palette: np.ndarray  # (len(legend), 3) uint8: a colour for each
    factors: Mapping[str, tuple[str, ...]]  # name -> its values by name, () for a number

    def get(self, field: str, names: Sequence[str], size: int) -> np.ndarray:
        """The array that FIELDS describes, for these pictures at this size."""

    def factor(self, name: str, names: Sequence[str]) -> np.ndarray:
        """Values of a factor: (n,) int64 where it has names, else float32."""

    def captions(self, names: Sequence[str]) -> list[list[str]]:
        """Sentences about each picture, one or more; [] if "captions" is not among the fields."""

    def lacks(self, field: str) -> str:
        """Which file or column would be needed for a field that is missing, with an example of the layout."""


@dataclass
class Unknown:
    """The truth of a source that has none."""

    name: str
    fields: frozenset[str] = frozenset()
    legend: tuple[str, ...] = ()
    palette: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.uint8))
    factors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def get(self, field: str, names: Sequence[str], size: int) -> np.ndarray:
        """Raises UserError: there is nothing to answer."""
        raise UserError(self.lacks(field))

    def factor(self, name: str, names: Sequence[str]) -> np.ndarray:
        """Raises UserError: there is nothing to answer."""
        raise UserError(self.lacks(name))

    def captions(self, names: Sequence[str]) -> list[list[str]]:
        """Raises UserError: there is nothing to answer."""
        raise UserError(self.lacks("captions"))

    def lacks(self, field: str) -> str:
        """What would be needed."""
        return f"{self.name} has pictures alone, nothing that tells {field!r}"
