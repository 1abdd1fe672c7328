"""Pairs side by side and in two folders, two sets, and what of them is broken."""

import numpy as np
import pytest
from PIL import Image
from samples import encoded, photo

from sfumato.data.batches import Batches
from sfumato.data.prepare import prepare
from sfumato.data.sources import open_source
from sfumato.errors import UserError

RED, BLUE, GREY = (200, 0, 0), (0, 0, 200), (90, 90, 90)


def flat(colour, w=32, h=32):
    return Image.new("RGB", (w, h), colour)


def joined(left, right, w=32, h=32):
    both = Image.new("RGB", (2 * w, h), left)
    both.paste(right, (w, 0, 2 * w, h))
    return both


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(image))


def colours(pictures):
    source = pictures.truth.get(["source"], pictures.names, pictures.size)["source"]
    return [tuple(c) for c in source[:, 5, 5].tolist()], [tuple(c) for c in pictures.images[:, 5, 5].tolist()]


def test_the_left_half_is_the_source(tmp_path):
    save(tmp_path / "train/1.png", joined(RED, BLUE))
    save(tmp_path / "train/2.png", joined(BLUE, RED, h=30))
    save(tmp_path / "test/3.png", joined(RED, BLUE))
    got = prepare(tmp_path, size=16, view="paired")
    assert got.names == ("train/1.png", "train/2.png")
    assert colours(got) == ([RED, BLUE], [BLUE, RED])
    assert prepare(tmp_path, size=16, view="paired", split="test").names == ("test/3.png",)
    batch = Batches(got, view="paired", batch=2).at(0)
    assert batch.source.shape == batch.image.shape == (2, 3, 16, 16)


def test_a_file_swaps_the_halves(tmp_path):
    save(tmp_path / "1.png", joined(RED, BLUE))
    (tmp_path / "direction.txt").write_text("BtoA\n")
    assert colours(prepare(tmp_path, size=16, view="paired")) == ([BLUE], [RED])
    (tmp_path / "direction.txt").write_text("backwards")
    with pytest.raises(UserError, match="'backwards'; it says AtoB or BtoA"):
        prepare(tmp_path, size=16, view="paired")


def test_a_file_says_that_narrow_pictures_are_pairs(tmp_path):
    save(tmp_path / "1.png", joined(RED, BLUE, w=16))
    assert "source" not in open_source(tmp_path, "paired").truth(None).fields
    (tmp_path / "direction.txt").write_text("AtoB")
    assert colours(prepare(tmp_path, size=16, view="paired")) == ([RED], [BLUE])


def test_pictures_that_are_no_two_are_skipped(tmp_path):
    for k in range(40):
        save(tmp_path / f"{k:02}.png", joined(RED, BLUE))
    save(tmp_path / "01.png", flat(RED))
    save(tmp_path / "02.png", Image.new("RGB", (65, 32)))
    got = prepare(tmp_path, size=8, view="paired")
    assert dict(got.skipped) == {
        "01.png": "32×32: these are no two pictures side by side",
        "02.png": "65×32: these are no two pictures side by side",
    }


def test_the_view_image_sees_one_wide_picture(tmp_path):
    save(tmp_path / "1.png", joined(RED, BLUE))
    got = prepare(tmp_path, size=16)
    assert got.images[0, 5, 1].tolist() == list(RED) and got.images[0, 5, 14].tolist() == list(BLUE)


@pytest.mark.parametrize(("a", "b"), [("A", "B"), ("source", "target"), ("trainA", "trainB"), ("A/train", "B/train")])
def test_two_folders_are_pairs_by_name(tmp_path, a, b):
    save(tmp_path / a / "1.png", flat(RED, 32, 20))
    save(tmp_path / b / "1.png", flat(BLUE, 64, 40))
    got = prepare(tmp_path, size=16, view="paired")
    assert got.names == (f"{b}/1.png",) and colours(got) == ([RED], [BLUE])


def test_splits_of_two_folders(tmp_path):
    for split in ("train", "test"):
        save(tmp_path / f"{split}A/1.png", flat(RED))
        save(tmp_path / f"{split}B/1.png", flat(BLUE))
    assert prepare(tmp_path, size=8, view="paired").names == ("trainB/1.png",)
    assert prepare(tmp_path, size=8, view="paired", split="test").names == ("testB/1.png",)


def test_a_picture_alone_and_unequal_pairs_are_listed(tmp_path):
    for name in ("1", "2", "3", "4"):
        save(tmp_path / f"A/{name}.png", flat(RED))
        save(tmp_path / f"B/{name}.png", flat(BLUE))
    (tmp_path / "A/1.png").unlink()
    (tmp_path / "B/2.png").unlink()
    save(tmp_path / "B/3.png", flat(BLUE, 64, 32))
    save(tmp_path / "5.png", flat(GREY))
    got = prepare(tmp_path, size=8, view="paired")
    assert got.names == ("B/4.png",)
    assert dict(got.skipped) == {
        "B/1.png": "there is no partner of its name like A/2.png",
        "B/3.png": "64×32, but its partner A/3.png is 32×32: the two do not cover each other",
    }
    assert "2 pictures have no partner of their name, the first: A/2.png" in got.notes
    assert "1 pictures are in neither domain, the first: 5.png" in got.notes


def test_a_damaged_partner_skips_the_pair(tmp_path):
    for name in "12":
        save(tmp_path / f"A/{name}.png", flat(RED))
        save(tmp_path / f"B/{name}.png", flat(BLUE))
    (tmp_path / "A/2.png").write_bytes(encoded(photo())[:90])
    save(tmp_path / "B/1.jpg", flat(RED))
    got = prepare(tmp_path, size=8, view="paired")
    reasons = dict(got.skipped)
    assert reasons.pop("B/2.png").startswith("the pair with A/2.png: ")
    assert reasons == {"B/1.png": "there is another picture of its name in the folder"}


def test_one_domain_alone_is_an_error(tmp_path):
    save(tmp_path / "A/1.png", flat(RED))
    for view in ("paired", "unpaired"):
        with pytest.raises(UserError, match=r"one domain alone, like A/1\.png, and none in B/"):
            prepare(tmp_path, size=8, view=view)


def test_no_two_names_alike_are_no_pairs_but_two_sets(tmp_path):
    for k in range(3):
        save(tmp_path / f"trainA/horse{k}.png", flat(RED))
    save(tmp_path / "trainB/zebra.png", flat(BLUE))
    with pytest.raises(UserError, match="--view unpaired takes them as two sets"):
        prepare(tmp_path, size=8, view="paired")
    got = prepare(tmp_path, size=8, view="unpaired")
    assert got.truth.factor("domain", got.names).tolist() == [0, 0, 0, 1]
    batch = Batches(got, view="unpaired", batch=6).at(0)
    assert (batch.source[:, 0] > 0).all() and (batch.image[:, 2] > 0).all() and (batch.image[:, 0] < 0).all()


def test_direction_swaps_two_sets_as_well(tmp_path):
    save(tmp_path / "A/1.png", flat(RED))
    save(tmp_path / "B/1.png", flat(BLUE))
    (tmp_path / "direction.txt").write_text("BtoA")
    got = prepare(tmp_path, size=8, view="unpaired")
    assert got.truth.factors == {"domain": ("B", "A")}
    assert got.truth.factor("domain", ["A/1.png", "B/1.png"]).tolist() == [1, 0]
    assert colours(prepare(tmp_path, size=8, view="paired")) == ([BLUE], [RED])


def test_grey_targets_warn_that_colour_is_lost(tmp_path):
    save(tmp_path / "1.png", joined(RED, GREY))
    warned = "without --channels 3 the sources become grey"
    got = prepare(tmp_path, size=8, view="paired")
    assert any(warned in note for note in got.notes)
    assert got.truth.get(["source"], got.names, 8)["source"].shape == (1, 8, 8, 1)
    colour = prepare(tmp_path, size=8, view="paired", channels=3)
    assert colours(colour) == ([RED], [GREY])
    save(tmp_path / "1.png", joined(GREY, RED))
    assert not any(warned in note for note in prepare(tmp_path, size=8, view="paired").notes)


def test_halves_keep_transparency_and_depth(tmp_path):
    both = Image.new("RGBA", (64, 32), (*RED, 255))
    both.paste((0, 0, 0, 0), (32, 0, 64, 32))
    save(tmp_path / "1.png", both)
    assert colours(prepare(tmp_path, size=8, view="paired", channels=3)) == ([RED], [(255, 255, 255)])
    deep = np.zeros((32, 64), np.uint16)
    deep[:, :32] = 40_000
    save(tmp_path / "1.png", Image.fromarray(deep))
    got = prepare(tmp_path, size=8, view="paired")
    assert got.truth.get(["source"], got.names, 8)["source"].max() == round(40_000 / 257) and got.images.max() == 0


def test_a_source_of_pictures_alone_shows_what_pairs_are(tmp_path):
    save(tmp_path / "1.png", flat(RED))
    got = prepare(tmp_path, size=8, view="paired")
    with pytest.raises(UserError, match=r"cannot be seen as 'paired'.*A/1\.png with B/1\.png"):
        Batches(got, view="paired", batch=1)
    with pytest.raises(UserError, match=r"cannot be seen as 'unpaired'.*trainA/ and trainB/"):
        Batches(prepare(tmp_path, size=8, view="unpaired"), view="unpaired", batch=1)
