"""What a source knows of its pictures besides their pixels, and how a view asks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..errors import UserError

UNKNOWN = 255  # in a map of classes: nobody said what this is
FRAMES = 8  # of a clip

# what can be asked for, and the array that answers for n pictures
FIELDS: Mapping[str, str] = {
    "semantic": "map of classes: uint8 (n, h, w), indices into the legend, 255 where unknown",
    "instance": "map of objects: int32 (n, h, w), 0 = none, the same number = the same object",
    "edges": "outlines of parts and objects: bool (n, h, w)",
    "depth": "float32 (n, h, w), metres along the axis of view; infinite in the sky",
    "normals": "of surfaces: float32 (n, h, w, 3), x right, y up, z to the viewer; 0 in the sky",
    "matte": "how much of a pixel objects cover: float32 (n, h, w) in [0, 1]",
    "keypoints": "float32 (n, k, 2), x, y in sides of the picture; NaN where there is none",
    "boxes": "float32 (n, k, 4), x0, y0, x1, y1 in sides of the picture; NaN where there is none",
    "source": "the picture that is translated to this one: uint8 (n, h, w, channels)",
    "empty": "the same picture without its objects: uint8 (n, h, w, channels)",
    "day": "the same place by day: uint8 (n, h, w, channels)",
    "dusk": "the same place at dusk: uint8 (n, h, w, channels)",
    "night": "the same place at night: uint8 (n, h, w, channels)",
    "young": "the same person when young: uint8 (n, h, w, channels)",
    "old": "the same person when old: uint8 (n, h, w, channels)",
    "painted": "the same picture, painted: uint8 (n, h, w, channels)",
    "ink": "the same picture, drawn in ink: uint8 (n, h, w, channels)",
    "clip": "frames from this picture on, of which it is the first: uint8 (n, FRAMES, h, w, channels)",
    "motion": "of a clip: float32 (n, FRAMES, h, w, 2), pixels right and down until the next frame",
    "back": "of a clip: float32 (n, FRAMES, h, w, 2), pixels right and down to where it was in the frame before",
    "clip depth": "of a clip: float32 (n, FRAMES, h, w), metres",
}


class Truth(Protocol):
    """Answers about the pictures of one source, by their names, cut as the pictures are: see `Source.truth`."""

    fields: frozenset[str]  # everything there is: of FIELDS what `get` answers, the names of factors, "captions"
    legend: tuple[str, ...]  # names of the values of "semantic"; () if there are none
    palette: np.ndarray  # (len(legend), 3) uint8: a colour for each
    points: tuple[str, ...]  # names of the "keypoints"; in a mirrored picture left and right change places
    near: float  # metres: no "depth" is less
    factors: Mapping[str, tuple[str, ...]]  # name -> its values by name, () for a number; "domain" is A or B

    def get(self, fields: Sequence[str], names: Sequence[str], size: int) -> dict[str, np.ndarray]:
        """The arrays that FIELDS describes, of these pictures at a shorter side of `size`, each drawn once for all.

        Raises UserError for a field that there is not.
        """

    def factor(self, name: str, names: Sequence[str]) -> np.ndarray:
        """Values of a factor: (n,) int64 where it has names, else float32. Raises UserError if there is no such."""

    def captions(self, names: Sequence[str]) -> list[list[str]]:
        """Sentences about each picture, one or more. Raises UserError if there are none."""

    def lacks(self, field: str) -> str:
        """Which file or column would be needed for a field that is missing, with an example of the layout."""


@dataclass
class Unknown:
    """The truth of a source that has none."""

    name: str
    fields: frozenset[str] = frozenset()
    legend: tuple[str, ...] = ()
    palette: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.uint8))
    points: tuple[str, ...] = ()
    near: float = 1.0
    factors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def get(self, fields: Sequence[str], names: Sequence[str], size: int) -> dict[str, np.ndarray]:
        """Raises UserError: there is nothing to answer."""
        raise UserError(self.lacks(fields[0]))

    def factor(self, name: str, names: Sequence[str]) -> np.ndarray:
        """Raises UserError: there is nothing to answer."""
        raise UserError(self.lacks(name))

    def captions(self, names: Sequence[str]) -> list[list[str]]:
        """Raises UserError: there is nothing to answer."""
        raise UserError(self.lacks("captions"))

    def lacks(self, field: str) -> str:
        """That there are pictures alone, and what has more."""
        return f"{self.name} has pictures alone, nothing that tells {field!r}; scenes and faces, built in, tell more"
