"""COCO's sentences, boxes and keypoints, and what of its files is broken."""

import json

import numpy as np
import pytest
from samples import encoded, photo

from sfumato.data.batches import Batches
from sfumato.data.prepare import prepare
from sfumato.errors import UserError

W, H = 60, 40


@pytest.fixture
def coco(tmp_path):
    for name in ("train2017/000001.jpg", "train2017/000002.jpg", "val2017/000003.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded(photo(W, H), "JPEG"))
    write(tmp_path, "captions_train2017", (1, 2), [(1, "a red bird\n"), (1, "it is red"), (2, "a sea")])
    write(tmp_path, "captions_val2017", (3,), [(3, "a hill")])
    return tmp_path


def write(root, name, numbers, said=(), **content):
    content = {
        "images": [{"id": k, "file_name": f"{k:06}.jpg", "width": W, "height": H} for k in numbers],
        "annotations": [{"image_id": k, "caption": text} for k, text in said],
    } | content
    (root / "annotations").mkdir(exist_ok=True)
    (root / f"annotations/{name}.json").write_text(json.dumps(content))


def people(root, *some, keypoints=("nose", "left_eye")):
    entries = [{"image_id": k, "bbox": box, "keypoints": points} for k, box, points in some]
    write(root, "person_keypoints_train2017", (1, 2), annotations=entries, categories=[{"keypoints": list(keypoints)}])


def test_sentences_and_splits(coco):
    got = prepare(coco, size=8, view="caption")
    assert got.names == ("train2017/000001.jpg", "train2017/000002.jpg")
    assert got.truth.captions(got.names) == [["a red bird", "it is red"], ["a sea"]]
    assert prepare(coco, size=8, view="caption", split="test").names == ("val2017/000003.jpg",)


def test_boxes_of_all_objects_and_keypoints_of_the_largest_person(coco):
    small, large = [10, 10, 5, 5], [0, 0, 60, 20]
    people(
        coco,
        (1, small, [12, 12, 2, 13, 12, 2]),
        (1, large, [30, 10, 2, 0, 0, 0]),
        (2, large, [0, 0, 0, 0, 0, 0]),
    )
    got = prepare(coco, size=20, fit="fit", view="keypoints")
    assert got.truth.points == ("nose", "left eye")
    found = got.truth.get(["keypoints", "boxes"], got.names, 20)
    np.testing.assert_allclose(found["keypoints"][0, 0], [0.5, 0.25])
    assert np.isnan(found["keypoints"][0, 1]).all() and np.isnan(found["keypoints"][1]).all()
    np.testing.assert_allclose(found["boxes"][0], [[1 / 6, 0.25, 0.25, 0.375], [0, 0, 1, 0.5]])
    np.testing.assert_allclose(found["boxes"][1, 0], [0, 0, 1, 0.5])
    assert np.isnan(found["boxes"][1, 1]).all()
    entry = {"image_id": 2, "bbox": [30, 0, 90, 40]}
    write(coco, "instances_train2017", (1, 2), annotations=[entry])
    got = prepare(coco, size=20, fit="fit", view="keypoints")
    np.testing.assert_allclose(got.truth.get(["boxes"], got.names, 20)["boxes"][1], [[0.5, 0, 1, 1]])
    batch = Batches(got, view="keypoints", batch=2).at(0)
    assert batch.boxes.shape == (2, 1, 4) and batch.keypoints.shape == (2, 2, 2)


def test_boxes_alone_say_what_keypoints_would_be(coco):
    write(coco, "instances_train2017", (1, 2), annotations=[{"image_id": 2, "bbox": [30, 0, 30, 40]}])
    got = prepare(coco, size=8, view="keypoints")
    with pytest.raises(UserError, match=r"'keypoints'.*person_keypoints_train\.json"):
        Batches(got, view="keypoints", batch=1)


def test_absent_pictures_and_pictures_without_sentences(coco):
    images = [{"id": 1, "file_name": "000001.jpg"}, {"id": 2, "file_name": "000002.jpg"}]
    images += [{"id": 7, "file_name": "../../../etc/passwd"}, {"id": 8, "file_name": "/etc/hosts"}]
    write(coco, "captions_train2017", (), [(1, "a bird"), (7, "a secret"), (8, "hosts"), (2, " ")], images=images)
    got = prepare(coco, size=8, view="caption")
    assert got.names == ("train2017/000001.jpg",)
    assert dict(got.skipped) == {"train2017/000002.jpg": "annotations/captions_train2017.json has no caption of it"}
    assert "2 annotations of captions are of pictures that are not there, the first: number 7" in got.notes


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"images": []}, "annotations.* is of no picture in its list"),
        ({"images": 3}, "has no list of images"),
        ({"annotations": [4]}, "has no list of annotations"),
        ({"images": [{"id": "1", "file_name": "a"}]}, r"images\[0\] has no id and file_name"),
        ({"annotations": [{"image_id": 1, "caption": 5}]}, r"annotations\[0\] has no caption"),
    ],
)
def test_a_damaged_file_is_one_line(coco, content, reason):
    write(coco, "captions_train2017", (1, 2), [(1, "a bird")], **content)
    with pytest.raises(UserError, match=reason) as error:
        prepare(coco, size=8, view="caption")
    assert "\n" not in str(error.value) and "captions_train2017.json" in str(error.value)


@pytest.mark.parametrize("box", [[1, 2, 3], "wide", [1, 2, 3, None], [1, 2, 3, float("nan")], [1, 2, 3, 10**400]])
def test_a_box_of_anything_but_four_numbers_is_an_error(coco, box):
    people(coco, (1, box, [1, 1, 2, 1, 1, 2]))
    with pytest.raises(UserError, match=r"annotations\[0\] has no bbox of 4 numbers"):
        prepare(coco, size=8, view="keypoints")


def test_people_with_different_keypoints_are_an_error(coco):
    people(coco, (1, [0, 0, 9, 9], [1, 1, 2]), (1, [0, 0, 9, 9], [1, 1, 2, 1, 1, 2]))
    with pytest.raises(UserError, match="same number of keypoints"):
        prepare(coco, size=8, view="keypoints")
