"""The worlds as sources: balanced, split, and without what is held out."""

import numpy as np
import pytest

from sfumato.data.worlds import Faces, Scenes, faces, scenes
from sfumato.data.worlds.source import TEST, TEST_START, TRAIN, open_faces, open_scenes


@pytest.mark.parametrize(
    ("opened", "world", "held_out"),
    [(open_scenes, Scenes(), scenes.held_out), (open_faces, Faces(), faces.held_out)],
)
def test_what_is_held_out_is_never_trained_on(opened, world, held_out):
    source = opened()
    indices = source.indices()
    assert len(set(indices.tolist())) == source.count() == TRAIN + TEST
    train, test = indices[:TRAIN], indices[TRAIN:]
    assert train.max() < TEST_START <= test.min()
    assert not held_out(world.factors(train)).any()
    assert 0.05 < held_out(world.factors(test)).mean() < 0.15
    k = len(world.classes)
    assert np.array_equal(train % k, np.arange(TRAIN) % k)
    assert np.bincount(test % k).tolist() == [TEST // k] * k


def test_items_are_the_pictures_of_their_names():
    items = list(zip(range(12), open_scenes().items(16), strict=False))
    for i, (_, item) in enumerate(items):
        assert item.label == i % 10 and item.split == "train"
        assert np.array_equal(item.read(), Scenes().render(np.array([int(item.name)]), 16).image[0])
