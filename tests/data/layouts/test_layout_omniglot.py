"""Omniglot's archives, alone, together and unpacked: a class for each character."""

import numpy as np
from samples import encoded, photo, zipped

from sfumato.data.batches import Batches
from sfumato.data.prepare import prepare


def drawing(k):
    return encoded(photo(21, 21, seed=k, mode="1"))


def members(top, alphabets):
    return [
        (f"{top}/{alphabet}/character{c:02}/{number:04}_{k:02}.png", drawing(number + k))
        for number, (alphabet, c) in enumerate((a, c) for a in alphabets for c in (1, 2))
        for k in (1, 2, 3)
    ]


def test_characters_are_classes_for_a_view_with_labels(tmp_path):
    path = zipped(tmp_path / "images_background_small1.zip", members("images_background_small1", ("Greek", "Latin")))
    got = prepare(path, size=16, view="labelled")
    assert got.classes == ("Greek/character01", "Greek/character02", "Latin/character01", "Latin/character02")
    assert np.bincount(got.labels).tolist() == [3, 3, 3, 3]
    assert "the ink of Omniglot is black on white, that of MNIST white on black" in got.notes
    assert prepare(path, size=16).classes == ("Greek", "Latin")  # the view image takes folders, as of any archive
    batch = Batches(got, view="labelled", batch=4).at(0)
    assert batch.image.shape == (4, 1, 16, 16)
    assert got.truth.factors["alphabet"] == ("Greek", "Latin")
    assert got.truth.factor("alphabet", got.names).tolist() == [0] * 6 + [1] * 6


def test_evaluation_is_tested_on_and_small_archives_repeat_nothing(tmp_path):
    zipped(tmp_path / "images_background.zip", members("images_background", ("Greek", "Latin")))
    zipped(tmp_path / "images_background_small1.zip", members("images_background_small1", ("Greek",)))
    zipped(tmp_path / "images_evaluation.zip", members("images_evaluation", ("Manipuri",)))
    zipped(tmp_path / "strokes_background.zip", [("a.txt", b"")])
    got = prepare(tmp_path, size=16, view="labelled")
    assert got.n == 12 and len(got.classes) == 6
    assert all(name.startswith("images_background/") for name in got.names)
    test = prepare(tmp_path, size=16, view="labelled", split="test")
    assert sorted({test.classes[k] for k in test.labels}) == ["Manipuri/character01", "Manipuri/character02"]


def test_unpacked(tmp_path):
    for name, data in members("images_background", ("Greek", "Latin")):
        path = tmp_path / "python" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "readme.png").write_bytes(drawing(1))
    got = prepare(tmp_path, size=16, view="semi")
    assert got.n == 12 and len(got.classes) == 4


def test_other_archives_are_none_of_it(tmp_path):
    path = zipped(tmp_path / "letters.zip", [("a/1.png", drawing(1)), ("b/1.png", drawing(2))])
    assert prepare(path, size=16, view="labelled").classes == ("a", "b")
