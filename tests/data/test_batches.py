import numpy as np
import pytest
import torch

from sfumato.data.batches import Batches
from sfumato.data.prepare import Pictures
from sfumato.data.views import labelled_rows
from sfumato.errors import UserError


def pictures(n=20, classes=4, size=4, channels=3, unlabelled=0):
    """Picture i is wholly of value i, but for its left column, which is 255."""
    images = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, size, size, channels)).copy()
    images[:, :, 0] = 255
    labels = np.arange(n) % classes
    labels[n - unlabelled :] = -1
    return Pictures(images, labels, tuple("abcdefgh"[:classes]), tuple(map(str, range(n))), (), (), "x", "test")


def who(image):
    return ((image[:, 0, 0, 1] + 1) * 127.5).round().int().tolist()


def test_values():
    batch = Batches(pictures(), batch=8).at(0)
    assert batch.image.shape == (8, 3, 4, 4)
    assert batch.image.dtype == torch.float32
    assert batch.image.is_contiguous()
    assert batch.image.max() == 1
    every = np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1)
    image = next(Batches(Pictures(every, np.zeros(256), (), (), (), (), "")).epoch(256)).image.flatten()
    assert torch.equal(image, torch.arange(256) / 127.5 - 1)


def test_every_epoch_shows_everything_once_in_a_new_order():
    batches = Batches(pictures(20), batch=5)
    epochs = [[i for s in range(4 * e, 4 * e + 4) for i in who(batches.at(s).image)] for e in range(3)]
    assert all(sorted(e) == list(range(20)) for e in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.parametrize("n", [3, 7, 20, 64])
def test_batches_run_on_over_the_end_of_the_data(n):
    """Also where the data is smaller than a batch: position p belongs to epoch p // n."""
    batches = Batches(pictures(n), batch=8)
    stream = [i for s in range(3 * n) for i in who(batches.at(s).image)]
    for e in range(len(stream) // n):
        assert sorted(stream[e * n : e * n + n]) == list(range(n))


@pytest.mark.parametrize("view", ["image", "labelled", "semi"])
def test_a_batch_is_a_pure_function_of_seed_and_step(view):
    def fields(seed, step):
        batch = Batches(pictures(), view=view, batch=8, seed=seed, flip=True, per_class=2).at(step)
        return [*batch.fields.values(), batch.randn(3)]

    def equal(a, b):
        return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))

    assert equal(fields(0, 9), fields(0, 9))
    assert not equal(fields(0, 9), fields(1, 9))
    assert not equal(fields(0, 9), fields(0, 10))
    one = Batches(pictures(), view=view, batch=8, flip=True, per_class=2)
    for step in (30, 2, 9):  # in any order, whatever came before
        one.at(step)
    batch = one.at(9)
    assert equal([*batch.fields.values(), batch.randn(3)], fields(0, 9))


@pytest.mark.parametrize("view", ["image", "labelled", "semi"])
@pytest.mark.parametrize("parts", [2, 4])
def test_parts_are_the_whole(view, parts):
    batches = Batches(pictures(), view=view, batch=8, flip=True)
    whole, shares = batches.at(5), [batches.at(5, k, parts) for k in range(parts)]
    for name in whole.fields:
        assert torch.equal(torch.cat([s.fields[name] for s in shares]), whole.fields[name])
    assert torch.equal(torch.cat([s.randn(2) for s in shares]), whole.randn(2))
    with pytest.raises(UserError, match="shared equally by 3"):
        batches.at(0, 0, 3)


def test_the_order_is_fixed_for_all_time():
    """Stored runs resume with it, so it must not change between versions of anything."""
    assert who(Batches(pictures(), batch=6, seed=7).at(2).image) == [2, 17, 8, 7, 5, 1]
    assert Batches(pictures(), batch=6, seed=7).at(2).generator.initial_seed() == 9140251202677008276


def test_flip_mirrors_about_half():
    batches = Batches(pictures(), batch=20, flip=True)
    mirrored = torch.cat([batches.at(s).image[:, 0, 0, -1] == 1 for s in range(40)])
    assert 0.4 < mirrored.float().mean() < 0.6
    assert not any((b.image[:, 0, 0, -1] == 1).any() for b in batches.epoch())
    assert not (Batches(pictures()).at(0).image[:, 0, 0, -1] == 1).any()


def test_epoch_is_in_order_and_complete():
    found = list(Batches(pictures(20), view="labelled", batch=8).epoch())
    assert [b.n for b in found] == [8, 8, 4]
    assert [i for b in found for i in who(b.image)] == list(range(20))
    assert found[-1].randn(1).shape == (4, 1)


def test_labels_belong_to_their_pictures():
    batch = Batches(pictures(), view="labelled", batch=50).at(3)
    assert batch.label.tolist() == [i % 4 for i in who(batch.image)]


def test_the_labelled_view_leaves_out_what_has_no_label():
    batches = Batches(pictures(20, unlabelled=5), view="labelled", batch=15)
    assert sorted(who(batches.at(0).image)) == list(range(15))


def test_semi():
    data = pictures(40)
    batches = Batches(data, view="semi", batch=10, per_class=3, seed=2)
    rows = labelled_rows(data, 3, 2)
    assert np.bincount(data.labels[rows]).tolist() == [3] * 4
    seen, everything = [], []
    for step in range(12):
        batch = batches.at(step)
        assert batch.label.tolist() == [i % 4 for i in who(batch.labelled)]
        seen += who(batch.labelled)
        everything += who(batch.image)
    assert set(seen) == set(rows.tolist())
    assert np.bincount(seen)[rows].tolist() == [10] * 12
    assert set(everything) == set(range(40))
    assert not np.array_equal(rows, labelled_rows(data, 3, 3))


@pytest.mark.parametrize("view", ["labelled", "semi"])
def test_a_view_that_needs_labels_says_so(view):
    data = pictures()
    bare = Pictures(data.images, np.full(20, -1), (), data.names, (), (), "", "somewhere.zip")
    with pytest.raises(UserError, match=r"somewhere\.zip has no labels.*folder.*csv"):
        Batches(bare, view=view)


def test_unknown_view_is_met_with_a_suggestion():
    with pytest.raises(LookupError, match="labelled"):
        Batches(pictures(), view="labeled")


def test_no_batch_is_empty():
    with pytest.raises(UserError):
        Batches(pictures(), batch=0)
