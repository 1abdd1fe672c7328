"""The worlds as sources of pictures: 20,000 to train on and 2,000 others to test on, classes equally frequent.

No picture to train on shows a combination of factors that is held out; one in ten to test on does. An item's name is
the index of its picture, from which its world gives everything else that is known about it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..decode import Fitting
from ..source import Base, Item, at_hand
from . import faces, scenes
from .render import CHUNK, Factors
from .truth import WorldTruth, face_truth, scene_truth
from .world import World

TRAIN, TEST = 20_000, 2_000
TEST_START = 1_000_000  # the first index of the test split
_THREADS = 2


@dataclass
class WorldSource(Base):
    """A world, rendered."""

    world: World | None = None
    held_out: Callable[[Factors], np.ndarray] | None = None
    about: Callable[..., WorldTruth] = scene_truth

    def truth(self, fitting: Fitting) -> WorldTruth:
        """Everything that there is to know of a picture."""
        return self.about(self.world, fitting.channels or 3)

    def stamp(self) -> str:
        """Constant; raise it when the rendering changes."""
        return f"{self.name} 1"

    def count(self) -> int:
        """Of both splits."""
        return TRAIN + TEST

    def indices(self) -> np.ndarray:
        """Of the pictures, first those to train on: class after class in turn, (n,) int64."""
        assert self.world is not None and self.held_out is not None
        k = len(self.world.classes)
        candidates = np.arange(2 * TRAIN).reshape(-1, k)
        seen = self.held_out(self.world.factors(candidates.ravel())).reshape(-1, k)
        train = np.stack(
            [column[~kept][: TRAIN // k] for column, kept in zip(candidates.T, seen.T, strict=True)], axis=1
        )
        return np.concatenate([train.ravel(), np.arange(TEST_START, TEST_START + TEST)])

    def items(self, size: int) -> Iterator[Item]:
        """One item a picture, rendered at `size` a few megapixels at a time."""
        assert self.world is not None
        indices = self.indices()
        some = _THREADS * max(1, CHUNK // size**2)
        for start in range(0, len(indices), some):
            part = indices[start : start + some]
            for i, image in zip(part.tolist(), self.world.render(part, size).image, strict=True):
                split = "train" if i < TEST_START else "test"
                yield Item(f"{i:07}", at_hand(image), i % len(self.world.classes), split, image.nbytes)


def open_scenes() -> WorldSource:
    """The built-in landscapes."""
    world = scenes.Scenes(threads=_THREADS)
    return WorldSource("scenes", "built-in", scenes.SCENES, world=world, held_out=scenes.held_out)


def open_faces() -> WorldSource:
    """The built-in portraits."""
    world = faces.Faces(threads=_THREADS)
    return WorldSource("faces", "built-in", faces.EXPRESSIONS, world=world, held_out=faces.held_out, about=face_truth)
