"""Birds as published, with sentences, boxes and parts, and flowers in the same form."""

import numpy as np
import pytest
from PIL import Image
from samples import encoded, photo

from sfumato.data.batches import Batches
from sfumato.data.decode import Fitting
from sfumato.data.prepare import prepare
from sfumato.errors import UserError

BIRDS = (("001.Albatross", "A_1"), ("001.Albatross", "A_2"), ("002.Wren", "W_1"))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def birds(tmp_path):
    """Pictures of 60×40, each with a white square of 10×10 that has its box and its beak."""
    for k, (folder, name) in enumerate(BIRDS):
        picture = photo(60, 40, seed=k).point(lambda v: v // 3)
        picture.paste((255, 255, 255), (20 + k, 10, 30 + k, 20))
        path = tmp_path / f"CUB_200_2011/images/{folder}/{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(picture, "JPEG", quality=95))
        write(tmp_path / f"text_c10/{folder}/{name}.txt", "\n".join(f"sentence {i} of {name}" for i in range(10)))
    root = tmp_path / "CUB_200_2011"
    write(root / "images.txt", "".join(f"{k} {a}/{b}.jpg\n" for k, (a, b) in enumerate(BIRDS, 1)))
    write(root / "bounding_boxes.txt", "".join(f"{k} {19.0 + k} 10.0 10.0 10.0\n" for k in (1, 2, 3)))
    write(root / "train_test_split.txt", "1 1\n2 0\n3 1\n")
    write(root / "parts/parts.txt", "1 beak\n2 left eye\n3 right eye\n")
    write(
        root / "parts/part_locs.txt",
        "".join(f"{k} 1 {24.0 + k} 15.0 1\n{k} 2 1.0 1.0 1\n{k} 3 0 0 0\n" for k in (1, 2, 3)),
    )
    return tmp_path


def test_ten_sentences_of_each(birds):
    got = prepare(birds, size=8, view="caption")
    assert [name.rsplit("/", 1)[1] for name in got.names] == ["A_1.jpg", "W_1.jpg"]
    assert got.classes == ("001.Albatross", "002.Wren") and got.labels.tolist() == [0, 1]
    found = got.truth.captions(got.names)
    assert [len(some) for some in found] == [10, 10] and found[1][3] == "sentence 3 of W_1"
    assert prepare(birds, size=8, view="caption", split="test").labels.tolist() == [0]


def test_the_split_by_classes_goes_first(birds):
    write(birds / "testclasses.txt", "002.Wren\n")
    assert prepare(birds, size=8, view="caption").labels.tolist() == [0, 0]
    assert prepare(birds, size=8, view="caption", split="test").labels.tolist() == [1]


@pytest.mark.parametrize("fit", ["crop", "fit", "pad"])
def test_boxes_and_parts_are_where_the_pixels_are(birds, fit):
    got = prepare(birds, size=40, fit=fit, view="keypoints", background=(0, 0, 0))
    assert got.truth.points == ("beak", "left eye", "right eye")
    found = got.truth.get(["boxes", "keypoints"], got.names, 40)
    assert found["boxes"].shape == (2, 1, 4) and found["keypoints"].shape == (2, 3, 2)
    for image, (x0, y0, x1, y1), points in zip(got.images, found["boxes"][:, 0], found["keypoints"], strict=True):
        rows, columns = np.nonzero(image.min(-1) > 200)
        np.testing.assert_allclose([x0, x1], [columns.min() / 40, (columns.max() + 1) / 40], atol=0.03)
        np.testing.assert_allclose([y0, y1], [rows.min() / 40, (rows.max() + 1) / 40], atol=0.03)
        np.testing.assert_allclose(points[0], [(x0 + x1) / 2, (y0 + y1) / 2], atol=1e-6)
        assert np.isnan(points[1]).all() == (fit == "crop")  # cut off
        assert np.isnan(points[2]).all()  # not visible


def test_a_mirrored_batch_changes_left_and_right(birds):
    got = prepare(birds, size=40, fit="fit", view="keypoints")
    batch = Batches(got, view="keypoints", batch=16, flip=True).at(0)
    left, right = batch.keypoints[:, 1, 0], batch.keypoints[:, 2, 0]
    assert (left.isnan() ^ right.isnan()).all() and left.isnan().any() and right.isnan().any()


def test_a_picture_without_sentences_and_sentences_without_a_picture(birds):
    (birds / "text_c10/002.Wren/W_1.txt").unlink()
    write(birds / "text_c10/002.Wren/W_9.txt", "nobody")
    with (birds / "CUB_200_2011/images.txt").open("a") as f:
        f.write("4 ../../secret.jpg\n")
    got = prepare(birds, size=8, view="caption")
    assert dict(got.skipped) == {
        "CUB_200_2011/images/002.Wren/W_1.jpg": "there is no text_c10/002.Wren/W_1.txt that says something"
    }
    assert "1 files of sentences are of no picture, the first: 002.Wren/W_9" in got.notes
    assert "1 lines of images.txt name no picture, the first: number 4" in got.notes


@pytest.mark.parametrize(
    ("file", "text"), [("images.txt", "one a.jpg"), ("bounding_boxes.txt", "1 2 3"), ("train_test_split.txt", "1 x")]
)
def test_a_damaged_list_is_one_line(birds, file, text):
    write(birds / f"CUB_200_2011/{file}", f"\n{text}\n")
    with pytest.raises(UserError, match=rf"{file}, line 2: '{text}' has not the columns"):
        prepare(birds, size=8, view="keypoints")


def test_sentences_of_a_hundred_megabytes_are_refused(birds, monkeypatch):
    monkeypatch.setattr("sfumato.data.layouts.cub.LONGEST", 40)
    with pytest.raises(UserError, match=r"A_1\.txt .* too large"):
        prepare(birds, size=8, view="caption")


def test_a_picture_that_exif_turns_has_no_boxes(birds):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = birds / "CUB_200_2011/images/001.Albatross/A_1.jpg"
    path.write_bytes(encoded(photo(60, 40), "JPEG", exif=exif))
    got = prepare(birds, size=8, view="keypoints")
    assert np.isnan(got.truth.get(["boxes"], got.names, 8)["boxes"][0]).all()


def test_flowers_in_one_folder_have_the_classes_of_their_sentences(tmp_path):
    for k, folder in enumerate(("class_00001", "class_00001", "class_00077")):
        (tmp_path / "jpg").mkdir(exist_ok=True)
        (tmp_path / f"jpg/image_{k:05}.jpg").write_bytes(encoded(photo(seed=k), "JPEG"))
        write(tmp_path / f"text_c10/{folder}/image_{k:05}.txt", f"flower {k}")
    got = prepare(tmp_path, size=8, view="caption")
    assert got.classes == ("class_00001", "class_00077") and got.labels.tolist() == [0, 0, 1]
    assert got.truth.captions(got.names) == [["flower 0"], ["flower 1"], ["flower 2"]]
    assert "boxes" not in got.truth.fields
    assert got.truth.get([], got.names, Fitting(8).size) == {}
