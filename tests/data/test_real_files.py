"""On real files of ../shared/data, where they are."""

import numpy as np
import pytest

from sfumato.data.describe import describe
from sfumato.data.prepare import prepare
from sfumato.errors import UserError


def test_emoji(shared):
    got = prepare(shared / "noto_emoji_72.tar.gz", size=16)
    assert (got.n, got.channels, got.classes, got.skipped) == (3583, 3, (), ())
    assert "3583 with transparency: composited on the background" in got.notes
    assert (got.images[:, 0, 0] > 240).mean() > 0.8  # white around them


def test_mnist_test_files_alone(shared):
    got = prepare(shared / "mnist_t10k", size=28)
    assert (got.n, got.channels, got.classes) == (10_000, 1, tuple("0123456789"))
    assert np.bincount(got.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert any("train-labels-idx1-ubyte.gz has no pictures" in note for note in got.notes)


def test_notmnist(shared):
    assert prepare(shared / "notmnist_t10k", size=28).n == 10_000


def test_photographs_in_a_folder(shared):
    got = describe(shared / "facades_155_paired")
    assert (got.pictures, got.formats, got.skipped) == (155, {"JPEG": 155}, ())


def test_tiles_with_class_folders(shared):
    got = prepare(shared / "crawl_tiles_cc0.tar.gz", size=16)
    assert got.n + len(got.skipped) == 4357
    assert len(got.classes) == 8


def test_a_folder_of_archives_says_so(shared):
    with pytest.raises(UserError, match=r"found only \.zip"):
        prepare(shared / "omniglot_small" / "python", size=16)
