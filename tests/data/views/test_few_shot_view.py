"""Classes by example: who is what, which classes are held out; and places at other times."""

import numpy as np
import pytest
import torch

from data.views.worlds_pictures import some, told
from sfumato.data.batches import Batches
from sfumato.data.views.facts import HELD
from sfumato.errors import UserError


def classed(n=60, classes=12):
    pictures = told(n)
    return pictures.__class__(**{
        **{k: getattr(pictures, k) for k in pictures.__dataclass_fields__},
        "labels": np.arange(n) % classes, "classes": tuple(map(str, range(classes))),
    })  # fmt: skip


def number(image):
    """Which picture it is: all its bytes are its number."""
    return ((image[:, 0, 0, 0] + 1) * 127.5).round().long()


def test_classes_are_those_of_the_pictures_and_other_is_another():
    feed = Batches(classed(), view="few-shot", batch=30)
    for step in range(3):
        batch = feed.at(step)
        source, image, other = (number(x) for x in (batch.source, batch.image, batch.other))
        assert torch.equal(batch.source_label, source % 12) and torch.equal(batch.label, image % 12)
        assert torch.equal(other % 12, batch.label) and (other != image).all()
    alone = Batches(classed(12), view="few-shot", batch=5).at(0)
    assert torch.equal(alone.other, alone.image)


def test_held_out_classes_are_never_seen():
    feed = Batches(classed(), view="few-shot-seen", batch=50)
    batches = [feed.at(step) for step in range(4)]
    seen = {int(k) for b in batches for k in [*b.label, *b.source_label, *(number(b.other) % 12)]}
    assert seen == {k for k in range(12) if k % HELD}
    with pytest.raises(UserError, match="too few classes to hold out every 6th"):
        Batches(classed(5, 1), view="few-shot-seen", batch=2)


def test_of_shapes_each_kind_and_colour_is_held_out_once():
    from sfumato.data.shapes import CLASSES

    held = [CLASSES[k].split() for k in range(0, len(CLASSES), HELD)]
    assert len(held) == len({c for c, _ in held}) == len({s for _, s in held}) == 5


def test_places_by_day_and_at_other_times():
    pictures = some("scenes", 60)
    feed = Batches(pictures, view="unpaired-times", batch=20)
    times = pictures.truth.factor("time", [pictures.names[i] for i in feed.survey])
    assert "day" not in {pictures.truth.factors["time"][k] for k in times} and len(set(times.tolist())) == 3
    assert not set(feed.survey.tolist()) & set(feed.rows.tolist())
    batch, night = feed.at(0), Batches(pictures, view="unpaired-night", batch=20).at(0)
    assert torch.equal(batch.source, night.source)
    images = torch.from_numpy(pictures.images[feed.survey]).permute(0, 3, 1, 2).float() / 127.5 - 1
    assert all(any(torch.allclose(x, y, atol=1e-6) for y in images) for x in batch.image)
