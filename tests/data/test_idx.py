import gzip
import struct

import numpy as np
import pytest
from samples import idx

from sfumato.data.prepare import prepare
from sfumato.errors import UserError

RNG = np.random.RandomState(0)
IMAGES, LABELS = RNG.randint(0, 256, (30, 28, 28)), RNG.randint(0, 10, 30)
LABELS[0] = 9


@pytest.fixture
def mnist(tmp_path):
    folder = tmp_path / "mnist"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES)))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS)))
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(IMAGES[:7] // 2))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[:7]))
    return folder


@pytest.mark.parametrize("at", ["", "train-images-idx3-ubyte.gz"])
def test_both_splits(mnist, at):
    train, test = (prepare(mnist / at, size=28, split=s) for s in ("train", "test"))
    assert np.array_equal(train.images[..., 0], IMAGES)
    assert np.array_equal(train.labels, LABELS)
    assert np.array_equal(test.images[..., 0], IMAGES[:7] // 2)
    assert train.classes == test.classes == tuple("0123456789")
    assert train.channels == 1


def test_the_test_file_alone_serves_to_train(mnist):
    (mnist / "train-images-idx3-ubyte.gz").unlink()
    got = prepare(mnist, size=28)
    assert got.n == 7
    assert any("serve as training data" in note for note in got.notes)
    assert any("train-labels-idx1-ubyte.gz has no pictures beside it" in note for note in got.notes)


def test_without_labels(mnist):
    (mnist / "train-labels-idx1-ubyte.gz").unlink()
    assert (prepare(mnist, size=28).labels == -1).all()


def test_truncated_files_give_what_is_whole(mnist):
    packed = mnist / "train-images-idx3-ubyte.gz"
    packed.write_bytes(packed.read_bytes()[: packed.stat().st_size // 2])
    got = prepare(mnist, size=28)
    assert 5 < got.n < 25
    assert np.array_equal(got.images[..., 0], IMAGES[: got.n])
    assert np.array_equal(got.labels, LABELS[: got.n])
    assert "promised 30" in got.skipped[0].reason


def test_too_few_labels(mnist):
    (mnist / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS[:12])))
    got = prepare(mnist, size=28)
    assert (got.labels[12:] == -1).all()
    assert any("12 labels for 30 pictures" in note for note in got.notes)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0",
        b"\0\0\x0d\x03" + bytes(12),
        b"hello",
        struct.pack(">4I", 0x803, 60_000, 0, 28),
        struct.pack(">4I", 0x803, *[2**31] * 3),
    ],
)
def test_wrong_headers_are_one_clear_line(mnist, content):
    (mnist / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(UserError, match="train-images-idx3-ubyte"):
        prepare(mnist, size=28)


def test_labels_of_the_wrong_kind(mnist):
    (mnist / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS, b"\0\0\x09\x01")))
    with pytest.raises(UserError, match="labels in idx form"):
        prepare(mnist, size=28)
