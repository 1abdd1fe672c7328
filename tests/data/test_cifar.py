import os
import pickle
import tarfile

import numpy as np
import pytest
from samples import tar

from sfumato.data.cifar import unpickle
from sfumato.data.prepare import prepare
from sfumato.errors import UserError

RNG = np.random.RandomState(0)
ROWS = RNG.randint(0, 256, (12, 3072)).astype(np.uint8)
CLASSES = ["plane", "car", "bird", "cat"]
LABELS = [0, 1, 2, 3] * 3


def expected(rows):
    return rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def batch(rows, labels, protocol=2):
    """Protocol 2 with byte strings, as Python 2 wrote it."""
    return pickle.dumps({b"data": rows, b"labels": labels, b"filenames": [b"x.png"] * len(labels)}, protocol)


def ten(path, protocol=2, **more):
    members = {
        "batches.meta": pickle.dumps({b"label_names": [c.encode() for c in CLASSES]}, protocol),
        "data_batch_1": batch(ROWS[:4], LABELS[:4], protocol),
        "data_batch_2": batch(ROWS[4:8], LABELS[4:8], protocol),
        "test_batch": batch(ROWS[8:], LABELS[8:], protocol),
        "readme.html": b"<html>",
    } | more
    return tar(path, [(f"cifar-10-batches-py/{k}", v) for k, v in members.items()], "w:gz")


@pytest.mark.parametrize("protocol", [2, 4])
def test_python_version(tmp_path, protocol):
    path = ten(tmp_path / "cifar-10-python.tar.gz", protocol)
    train, test = (prepare(path, size=32, split=s) for s in ("train", "test"))
    assert np.array_equal(train.images, expected(ROWS[:8]))
    assert np.array_equal(test.images, expected(ROWS[8:]))
    assert train.labels.tolist() == LABELS[:8]
    assert train.classes == tuple(CLASSES)


def test_unpacked_folder(tmp_path):
    ten(tmp_path / "a.tar.gz")
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        archive.extractall(tmp_path / "f", filter="data")
    assert prepare(tmp_path / "f", size=32).n == prepare(tmp_path / "f" / "cifar-10-batches-py", size=32).n == 8


@pytest.mark.parametrize("hundred", [False, True])
def test_binary_version(tmp_path, hundred):
    root = "cifar-100-binary" if hundred else "cifar-10-batches-bin"
    rows = np.concatenate([np.full((12, 1), 7)] * hundred + [np.array(LABELS)[:, None], ROWS], axis=1).astype(np.uint8)
    names = (
        ("fine_label_names.txt", "train.bin", "test.bin")
        if hundred
        else ("batches.meta.txt", "data_batch_1.bin", "test_batch.bin")
    )
    contents = ("\n".join(CLASSES).encode(), rows[:8].tobytes(), rows[8:].tobytes())
    path = tar(tmp_path / "c.tar.gz", [(f"{root}/{n}", c) for n, c in zip(names, contents, strict=True)], "w:gz")
    train, test = (prepare(path, size=32, split=s) for s in ("train", "test"))
    assert np.array_equal(train.images, expected(ROWS[:8]))
    assert test.labels.tolist() == LABELS[8:]
    assert train.classes == tuple(CLASSES)


def test_hundred_python_version(tmp_path):
    content = pickle.dumps({b"data": ROWS, b"fine_labels": LABELS, b"coarse_labels": [0] * 12}, 2)
    meta = pickle.dumps({b"fine_label_names": [c.encode() for c in CLASSES], b"coarse_label_names": [b"x"]}, 2)
    members = [("cifar-100-python/meta", meta), ("cifar-100-python/train", content), ("cifar-100-python/test", content)]
    got = prepare(tar(tmp_path / "c.tar.gz", members, "w:gz"), size=32)
    assert (got.n, got.classes, got.labels.tolist()) == (12, tuple(CLASSES), LABELS)


class Runs:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("where", ["value", "label", "root"])
def test_a_pickle_that_would_run_code_does_not(tmp_path, where):
    marker = tmp_path / "ran"
    bad = Runs(os.system, f"touch {marker}")
    content = {"value": {b"data": bad, b"labels": [0]}, "label": {b"data": ROWS[:1], b"labels": [bad]}, "root": bad}[
        where
    ]
    path = ten(tmp_path / "c.tar.gz", data_batch_2=pickle.dumps(content, 2))
    got = prepare(path, size=32)
    assert not marker.exists()
    assert got.n == 4
    assert "refused" in got.skipped[0].reason


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps({b"data": Runs(eval, "1")}),
        pickle.dumps({b"data": np.array([object], object)}),
        pickle.dumps({b"data": np.zeros(4)}),
        pickle.dumps([1, 2]),
        b"\x80\x02" + b"r\xff\xff\xff\x7f" + b".",  # a memo of two thousand million entries
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x02cnumpy\nload\n.",
        b"cbuiltins\ngetattr\n.",
        b"",
        b"(((((",
    ],
)
def test_hostile_pickles_are_refused(data):
    with pytest.raises((pickle.UnpicklingError, EOFError, ValueError, IndexError, TypeError, KeyError)):
        unpickle(data)


def test_damaged_pickles_never_crash():
    original, rng = batch(ROWS[:1], [1]), np.random.RandomState(0)
    for _ in range(300):
        data = bytearray(original)
        for _ in range(3):
            data[rng.randint(150)] = rng.randint(256)
        try:
            content: object = unpickle(bytes(data))
        except Exception as e:
            content = e
        assert not isinstance(content, (SystemError, MemoryError))


def test_damaged_files_are_listed(tmp_path):
    path = ten(tmp_path / "c.tar.gz", data_batch_1=b"garbage", test_batch=batch(ROWS[8:], LABELS[9:]))
    got = prepare(path, size=32)
    assert got.n == 4
    assert {name.split("/")[-1] for name, _ in got.skipped} == {"data_batch_1", "test_batch"}
    with pytest.raises(UserError, match="test"):
        prepare(path, size=32, split="test")


def test_a_binary_file_of_odd_length(tmp_path):
    path = tar(tmp_path / "c.tar.gz", [("cifar-10-batches-bin/data_batch_1.bin", bytes(5000))], "w:gz")
    with pytest.raises(UserError, match="whole number of pictures"):
        prepare(path, size=32)


def test_without_names_the_classes_are_numbers(tmp_path):
    got = prepare(ten(tmp_path / "c.tar.gz", **{"batches.meta": b"damaged"}), size=32)
    assert got.classes == ("0", "1", "2", "3")
    assert got.labels.tolist() == LABELS[:8]


def test_labels_beyond_reason(tmp_path):
    got = prepare(ten(tmp_path / "c.tar.gz", data_batch_1=batch(ROWS[:4], [0, 1, 2, 10**12])), size=32)
    assert got.n == 4
