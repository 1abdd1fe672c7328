"""Pictures with maps of classes and objects, in the three layouts, and what of them is broken."""

import numpy as np
import pytest
from PIL import Image
from samples import encoded, photo

from sfumato.data.batches import Batches
from sfumato.data.layouts.cityscapes import LEGEND
from sfumato.data.prepare import prepare
from sfumato.errors import UserError

W, H = 48, 24
CLASSES = np.zeros((H, W), np.uint8)  # road below, sky above, two cars that touch
CLASSES[: H // 2], CLASSES[H // 2 :] = 23, 7
CLASSES[14:20, 16:32] = 26
OBJECTS = CLASSES.astype(np.uint16)
OBJECTS[14:20, 16:24], OBJECTS[14:20, 24:32] = 26000, 26001


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    (values if isinstance(values, Image.Image) else Image.fromarray(values)).save(path)


def published(root, split, city, number):
    core = f"{city}_{number:06}_000019"
    save(root / f"leftImg8bit/{split}/{city}/{core}_leftImg8bit.png", photo(W, H, number))
    save(root / f"gtFine/{split}/{city}/{core}_gtFine_labelIds.png", CLASSES)
    save(root / f"gtFine/{split}/{city}/{core}_gtFine_instanceIds.png", OBJECTS)
    save(root / f"gtFine/{split}/{city}/{core}_gtFine_color.png", photo(W, H))


def pix2pixhd(root, split, number, picture=True):
    if picture:
        save(root / f"{split}_img/aachen_{number}_leftImg8bit.png", photo(W, H, number))
    save(root / f"{split}_label/aachen_{number}_gtFine_labelIds.png", CLASSES)
    save(root / f"{split}_inst/aachen_{number}_gtFine_instanceIds.png", OBJECTS)


def plain(root, name, classes=CLASSES, objects=OBJECTS):
    save(root / f"images/{name}.jpg", photo(W, H))
    save(root / f"labels/{name}.png", classes)
    save(root / f"instances/{name}.png", objects)


def test_cityscapes_as_published(tmp_path):
    for number, (split, city) in enumerate((("train", "aachen"), ("train", "bonn"), ("val", "ulm"), ("test", "bern"))):
        published(tmp_path, split, city, number)
    got = prepare(tmp_path, size=H, view="maps")
    assert [name.split("/")[2] for name in got.names] == ["aachen", "bonn"]
    assert [name.split("/")[2] for name in prepare(tmp_path, size=H, view="maps", split="test").names] == ["ulm"]
    assert got.truth.legend == LEGEND.names and len(LEGEND.names) == 34
    assert got.truth.legend[26] == "car" and got.truth.palette[26].tolist() == [0, 0, 142]
    found = got.truth.get(["semantic", "instance", "edges"], got.names, H)
    assert (found["semantic"] == CLASSES[:, 12:36]).all() and found["semantic"].dtype == np.uint8
    objects = np.where(OBJECTS >= 1000, OBJECTS, 0)[:, 12:36]
    assert (found["instance"] == objects).all() and found["instance"].dtype == np.int32
    assert found["edges"][0, 15, 11] and found["edges"][0, 15, 12]  # where one car touches the other
    assert not found["edges"][0, 15, 8] and found["edges"][0, 12, 0] and not found["edges"][0, 20, 0]


def test_pix2pixhd_folders_with_maps_to_test_on_alone(tmp_path):
    pix2pixhd(tmp_path, "train", 1)
    pix2pixhd(tmp_path, "train", 2)
    pix2pixhd(tmp_path, "test", 3, picture=False)
    got = prepare(tmp_path, size=16, view="paired-map")
    assert (got.n, got.truth.legend[7], got.skipped) == (2, "road", ())
    assert any("1 maps of classes have no picture, the first: test_label/aachen_3" in note for note in got.notes)
    batch = Batches(got, view="paired-map", batch=2).at(0)
    assert batch.source.shape == batch.image.shape == (2, 3, 16, 16)


def test_any_pictures_with_maps_and_no_legend_have_numbered_classes(tmp_path):
    plain(tmp_path, "train/a", np.where(CLASSES == 26, 255, CLASSES % 5).astype(np.uint8), CLASSES)
    plain(tmp_path, "val/b", CLASSES % 5)
    got = prepare(tmp_path, size=H, view="maps")
    assert got.n == 1 and got.truth.legend == ("0", "1", "2", "3")  # 23 % 5 is the highest
    found = got.truth.get(["semantic", "instance"], got.names, H)
    assert np.unique(found["semantic"]).tolist() == [2, 3, 255]
    assert np.unique(found["instance"]).tolist() == [7, 23, 26]  # no Cityscapes: every number but 0 is an object
    assert prepare(tmp_path, size=H, view="maps", split="test").names == ("images/val/b.jpg",)


def test_maps_in_colours_need_their_legend(tmp_path):
    plain(tmp_path, "a", np.uint8([[70, 130, 180], [128, 64, 128]])[(CLASSES == 7).astype(int)])
    with pytest.raises(UserError, match=r"3 channels.*legend\.csv"):
        prepare(tmp_path, size=H, view="maps")
    (tmp_path / "legend.csv").write_text("name,r,g,b\nsky,70,130,180\nroad,128,64,128\n")
    got = prepare(tmp_path, size=H, view="maps")
    assert got.truth.legend == ("sky", "road")
    assert (got.truth.get(["semantic"], got.names, H)["semantic"] == (CLASSES == 7)[:, 12:36]).all()


def test_object_numbers_of_more_than_24_bits_stay_apart(tmp_path):
    plain(tmp_path, "a", objects=CLASSES)
    (tmp_path / "instances/a.png").unlink()
    save(tmp_path / "instances/a.tif", Image.fromarray(np.where(CLASSES == 26, np.int32(2**30 + 5), np.int32(0))))
    got = prepare(tmp_path, size=H, view="maps")
    found = got.truth.get(["instance"], got.names, H)["instance"]
    assert (found > 0).astype(int).tolist() == [(CLASSES == 26)[:, 12:36].astype(int).tolist()]


def test_broken_maps_skip_their_picture_and_say_why(tmp_path):
    (tmp_path / "legend.csv").write_text("\n".join(f"class {k}" for k in range(27)))
    for name in "abcdefg":
        plain(tmp_path, name)
    (tmp_path / "labels/b.png").unlink()
    (tmp_path / "instances/c.png").unlink()
    save(tmp_path / "labels/d.png", CLASSES[:, :-2])
    save(tmp_path / "labels/e.png", CLASSES + 1)
    save(tmp_path / "labels/f.png", photo(W, H))
    (tmp_path / "labels/g.png").write_bytes(encoded(photo(W, H, mode="L"))[:60])
    got = prepare(tmp_path, size=16, view="maps")
    assert got.names == ("images/a.jpg",)
    reasons = dict(got.skipped)
    assert "no map of its classes like labels/a.png" in reasons["images/b.jpg"]
    assert "no map of its objects like instances/a.png" in reasons["images/c.jpg"]
    assert reasons["images/d.jpg"] == "its map labels/d.png is 46×24, the picture 48×24"
    assert reasons["images/e.jpg"] == "its map labels/e.png: the value 27, but the legend ends at 26"
    assert "3 channels" in reasons["images/f.jpg"]
    assert reasons["images/g.jpg"].startswith("its map labels/g.png")
    assert len(reasons) == 6


def test_a_picture_that_exif_turns_is_not_laid_under_its_map(tmp_path):
    plain(tmp_path, "a")
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "labels/b.png", CLASSES)
    save(tmp_path / "instances/b.png", OBJECTS)
    (tmp_path / "images/b.jpg").write_bytes(encoded(photo(W, H), "JPEG", exif=exif))
    assert dict(prepare(tmp_path, size=16, view="edges").skipped)["images/b.jpg"].startswith("its EXIF turns it")


def test_a_source_without_maps_of_objects_says_what_they_would_be(tmp_path):
    save(tmp_path / "images/a.png", photo(W, H))
    save(tmp_path / "labels/a.png", CLASSES)
    got = prepare(tmp_path, size=16, view="maps")
    assert sorted(got.truth.fields) == ["edges", "semantic"]
    with pytest.raises(UserError, match=r"'instance'.*instances/1\.png"):
        Batches(got, view="maps", batch=1)


def test_a_map_that_changed_is_read_anew(tmp_path):
    plain(tmp_path, "a")
    before = prepare(tmp_path, size=H, view="maps")
    assert before.truth.get(["semantic"], before.names, H)["semantic"].max() == 26
    save(tmp_path / "labels/a.png", CLASSES % 24)
    after = prepare(tmp_path, size=H, view="maps")
    assert after.truth.get(["semantic"], after.names, H)["semantic"].max() == 23
