"""Whatever the view: a batch is a function of seed and position, its parts are the whole, and an epoch is complete."""

import multiprocessing
from functools import cache

import numpy as np
import pytest
import torch

from data.views.worlds_pictures import SERVED, some, told
from sfumato.data.batches import Batches
from sfumato.errors import UserError

pictures = cache(some)


def batches(world, view, **options):
    return Batches(pictures(world), view=view, batch=4, seed=3, flip=view != "factors", **options)


def same(a, b):
    assert a.keys() == b.keys()
    return all(torch.equal(a[k].nan_to_num(9), b[k].nan_to_num(9)) for k in a)


@pytest.mark.parametrize(("world", "view"), SERVED)
def test_two_parts_are_the_whole_whatever_came_before(world, view):
    one, other = batches(world, view), batches(world, view)
    whole = one.at(7).fields
    assert all(len(v) == 4 for v in whole.values())
    shares = [other.at(7, part, 2).fields for part in (1, 0)][::-1]
    assert same({k: torch.cat([s[k] for s in shares]) for k in whole}, whole)
    assert not same(one.at(8).fields, whole)


@pytest.mark.parametrize(("world", "view"), SERVED)
def test_over_an_epoch_every_picture_comes_once(world, view):
    its = Batches(pictures(world, 12), view=view, batch=8, seed=1)
    n = len(its.rows)
    batches = [its.at(step, part, 2) for step in range(-(-n // 8)) for part in (0, 1)]
    own = "source" if view.startswith("unpaired") else "image"
    seen = [row.numpy().tobytes() for b in batches for row in b.fields[own]]
    assert len(set(seen[:n])) == n and set(seen[n:]) <= set(seen[:n])
    in_order = [row.numpy().tobytes() for b in its.epoch(9) for row in b.fields[own]]
    assert len(in_order) == n and set(in_order) == set(seen)


def _share(part, queue):
    """A worker that makes its own part of two batches from nothing but the seed."""
    torch.set_num_threads(1)
    found = []
    for world, view in (("faces", "people"), ("scenes", "unpaired-night"), ("scenes", "caption")):
        feed = Batches(some(world), view=view, batch=4, seed=3, flip=True)
        found += [{k: v.numpy() for k, v in feed.at(step, part, 2).fields.items()} for step in (0, 5)]
    queue.put((part, found))


def test_worker_processes_see_exactly_their_share():
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=_share, args=(part, queue)) for part in (0, 1)]
    for worker in workers:
        worker.start()
    shares = dict(queue.get(timeout=120) for _ in workers)
    for worker in workers:
        worker.join()
    made = iter(zip(shares[0], shares[1], strict=True))
    for world, view in (("faces", "people"), ("scenes", "unpaired-night"), ("scenes", "caption")):
        for step in (0, 5):
            whole = batches(world, view).at(step).fields
            first, second = next(made)
            assert same({k: torch.from_numpy(np.concatenate([first[k], second[k]])) for k in first}, whole)


@pytest.mark.parametrize("view", ["unpaired-night", "unpaired-ink", "unpaired-dusk"])
def test_no_place_is_in_both_domains(view):
    data = pictures("scenes")
    its = Batches(data, view=view, batch=6)
    assert sorted([*its.rows, *its.survey]) == list(range(len(data)))
    assert len(its.rows) >= 6 and len(its.survey) >= 6
    one = some("scenes", 48)
    assert set(Batches(one, view=view).rows.tolist()) >= set(its.rows.tolist()), "more pictures move none of the others"


def test_the_choice_of_a_sentence_depends_on_the_position_not_the_batch():
    data = told(captions={i: [f"{i} {w}" for w in "abcdefg"] for i in range(20)})
    small, large = (Batches(data, view="caption", batch=b, seed=4) for b in (4, 12))
    assert torch.equal(torch.cat([small.at(s).caption for s in range(3)]), large.at(0).caption)
    assert len(large.at(0).caption[:, 2].unique()) > 3 or len(large.at(0).caption[:, 3].unique()) > 3


def test_what_would_not_be_true_mirrored_is_refused():
    with pytest.raises(UserError, match="'factors' cannot be mirrored"):
        Batches(pictures("scenes"), view="factors", flip=True)
