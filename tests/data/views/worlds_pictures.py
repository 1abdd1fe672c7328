"""A few pictures of the worlds, as `prepare` would give them, without the 22,000 of the whole source."""

import numpy as np

from sfumato.data.prepare import Pictures
from sfumato.data.truth import Unknown
from sfumato.data.views import VIEWS
from sfumato.data.worlds.truth import face_truth, scene_truth

TRUTHS = {"scenes": scene_truth, "faces": face_truth}
SERVED = [  # what needs nothing but pictures is tested in test_batches and beside its own module
    (world, view)
    for world, make in TRUTHS.items()
    for view, its in VIEWS.items()
    if (its.needs or view == "factors") and set(its.needs) <= make().fields
]


def some(world, n=24, size=16, channels=3):
    """The first n pictures of a world; of faces, six people in turn."""
    truth = TRUTHS[world](channels=channels)
    indices = np.arange(n)
    if world == "faces":
        who = truth.world.factors(np.arange(6000))["identity"]
        indices = np.sort(np.concatenate([np.flatnonzero(who == p)[: n // 6] for p in np.unique(who)[:6]]))
    names = tuple(f"{i:07}" for i in indices)
    images = (
        truth.get(["clip"], names, size)["clip"][:, 0] if channels == 1 else truth.world.render(indices, size).image
    )
    labels = indices % len(truth.world.classes)
    return Pictures(images, labels, truth.world.classes, names, (), (), world, world, truth)


class Told(Unknown):
    """A truth that says what it is given."""

    def __init__(self, name="told", captions=None, factors=(), get=(), points=()):
        super().__init__(name, points=points)
        self.said, self.values, self.arrays = captions or {}, dict(factors), dict(get)
        self.factors = {k: tuple(map(str, range(9))) if v.dtype == np.int64 else () for k, v in self.values.items()}
        self.fields = frozenset([*self.arrays, *self.factors, *(["captions"] if captions else [])])

    def get(self, fields, names, size):
        """Rows of the arrays; a name is a number."""
        return {f: self.arrays[f][[int(n) for n in names]] for f in fields}

    def factor(self, name, names):
        """Values by number."""
        return self.values[name][[int(n) for n in names]]

    def captions(self, names):
        """Sentences by number."""
        return [self.said[int(n)] for n in names]


def told(n=20, size=4, channels=3, **known):
    """Pictures, each of one value, and what is told of them."""
    images = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, size, size, channels)).copy()
    names = tuple(map(str, range(n)))
    return Pictures(images, np.full(n, -1), (), names, (), (), "", "told", Told(**known))
