import errno
import hashlib
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import encoded, photo, png, tar, zipped

from sfumato.data import cache, room
from sfumato.data import prepare as prepare_module
from sfumato.data.decode import VERSION, Fitting
from sfumato.data.folder import Folder
from sfumato.data.prepare import prepare, write_skipped
from sfumato.data.truth import Unknown
from sfumato.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Two classes in two splits, and a picture that is broken."""
    root = tmp_path / "pets"
    for i, name in enumerate(f"{s}/{c}/{k}.png" for s in ("train", "test") for c in ("cat", "dog") for k in range(4)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(seed=i))
    (root / "train/dog/broken.jpg").write_bytes(b"no picture")
    return root


def flat(root, n=40):
    root.mkdir()
    for i in range(n):
        (root / f"{i:03}.png").write_bytes(png(12, 12, i))
    return root


def cached():
    return sorted(p.name for p in Path(os.environ["SFUMATO_CACHE"]).iterdir())


def test_folder_with_classes_and_splits(folder):
    train, test = (prepare(folder, size=16, split=s) for s in ("train", "test"))
    assert train.images.shape == (8, 16, 16, 3)
    assert train.images.dtype == np.uint8
    assert (train.size, train.channels, train.n, len(train)) == (16, 3, 8, 8)
    assert train.classes == test.classes == ("cat", "dog")
    assert test.labels.tolist() == [0] * 4 + [1] * 4
    assert not set(train.names) & set(test.names)
    assert "1 skipped: see skipped.csv" in train.notes


def test_skipped_csv(folder, tmp_path):
    write_skipped(prepare(folder, size=16), tmp_path / "skipped.csv")
    lines = (tmp_path / "skipped.csv").read_text().splitlines()
    assert lines[0] == "name,reason"
    assert lines[1].startswith("train/dog/broken.jpg,")


def test_the_second_time_nothing_is_decoded(folder, monkeypatch):
    first = prepare(folder, size=16)
    monkeypatch.setattr(cache, "decode", lambda *a: pytest.fail("decoded again"))
    again = prepare(folder, size=16)
    assert np.array_equal(first.images, again.images)
    assert first.fingerprint == again.fingerprint
    assert first.skipped == again.skipped
    assert first.notes == again.notes
    assert not again.images.flags.writeable


def test_a_change_of_content_or_settings_is_noticed(folder):
    prints = [prepare(folder, size=16).fingerprint, prepare(folder, size=16, fit="pad", channels=1).fingerprint]
    (folder / "train/cat/0.png").write_bytes(png(seed=99))
    prints.append(prepare(folder, size=16).fingerprint)
    (folder / "train/cat/0.png").unlink()
    prints.append(prepare(folder, size=16).fingerprint)
    assert len(set(prints)) == 4


def test_the_fingerprint_is_of_the_content_not_the_place(folder, tmp_path):
    first = prepare(folder, size=16).fingerprint
    os.utime(folder / "train/cat/0.png", (0, 0))
    moved = folder.rename(tmp_path / "elsewhere")
    assert prepare(moved, size=16).fingerprint == first


@pytest.mark.parametrize("damage", ["cut", "pixel", "meta", "footer", "empty", "garbage"])
def test_a_damaged_cache_is_rebuilt(folder, damage):
    first = prepare(folder, size=16)
    path = Path(os.environ["SFUMATO_CACHE"]) / cached()[0]
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[:-100]
    elif damage == "empty":
        data = b""
    elif damage == "garbage":
        data = b"x" * len(data)
    else:
        data[{"pixel": 50, "meta": -30, "footer": -3}[damage]] ^= 0xFF
    path.write_bytes(data)
    again = prepare(folder, size=16)
    assert np.array_equal(first.images, again.images)
    assert first.fingerprint == again.fingerprint


def test_large_sets_are_mapped(folder, monkeypatch):
    first = prepare(folder, size=16)
    monkeypatch.setattr(cache, "IN_MEMORY", 100)
    mapped = prepare(folder, size=16)
    assert isinstance(mapped.images, np.memmap)
    assert np.array_equal(first.images, mapped.images)


@pytest.mark.parametrize("where", ["before", "while writing"])
def test_a_full_disk_is_one_clear_line(folder, monkeypatch, where):
    if where == "before":
        monkeypatch.setattr(room.shutil, "disk_usage", lambda p: type("Usage", (), {"free": 1000})())
    else:

        def full(*args):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(cache, "_pack", full)
    with pytest.raises(UserError, match=r"need about .* where .* are free; set SFUMATO_CACHE"):
        prepare(folder, size=64)
    assert cached() == []


def test_a_cache_that_cannot_be_written(folder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="SFUMATO_CACHE"):
        prepare(folder, size=16, cache=tmp_path / "file" / "cache")


def test_an_interrupted_run_leaves_nothing(folder):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(folder, size=16, progress=stop)
    assert cached() == []
    assert threading.active_count() < 5


def test_progress(folder):
    seen = []
    prepare(folder, size=16, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (17, 17)


def test_old_temporaries_are_swept(folder):
    root = Path(os.environ["SFUMATO_CACHE"])
    root.mkdir()
    for name, age in ((".old.1.tmp", 200_000), (".new.1.tmp", 10)):
        (root / name).write_bytes(b"x")
        os.utime(root / name, (os.stat(root).st_mtime - age,) * 2)  # noqa: PTH116
    prepare(folder, size=16)
    assert (root / ".new.1.tmp").exists()
    assert not (root / ".old.1.tmp").exists()


def test_grey_until_the_first_colour(tmp_path):
    """The number of channels is known only at the end; what was packed as grey before is turned to colour."""
    greys = [photo(16, 16, seed=i, mode="L") for i in range(5)]
    members = [(f"{i}.png", encoded(g)) for i, g in enumerate(greys)]
    grey = prepare(tar(tmp_path / "g.tar", members), size=16)
    both = prepare(tar(tmp_path / "b.tar", [*members, ("5.png", png(16, 16))]), size=16)
    assert grey.channels == 1
    assert both.channels == 3
    assert np.array_equal(both.images[:5], np.repeat(grey.images, 3, axis=3))
    assert np.array_equal(both.images[5], np.asarray(photo(16, 16)))
    assert both.fingerprint == prepare(tmp_path / "b.tar", size=16, channels=3).fingerprint
    assert prepare(tmp_path / "b.tar", size=16, channels=1).channels == 1


def test_notes_say_what_was_done(tmp_path):
    root = tmp_path / "mixed"
    root.mkdir()
    half = photo(40, 40, mode="RGBA")
    half.putalpha(100)
    (root / "a.png").write_bytes(encoded(half))
    (root / "b.png").write_bytes(png(60, 40))
    (root / "c.tif").write_bytes(encoded(Image.fromarray(np.full((40, 40), 9, np.uint16)), "TIFF"))
    notes = "\n".join(prepare(root, size=16).notes)
    assert "3 pictures of mixed, 16×16, colour" in notes
    assert "1 with transparency: composited on the background" in notes
    assert "1 non-square, cropped to the centre square" in notes
    assert "1 of more than 8 bits" in notes
    assert "padded" in "\n".join(prepare(root, size=16, fit="pad").notes)


def test_a_wrong_or_missing_extension_is_no_obstacle(tmp_path):
    root = tmp_path / "f"
    root.mkdir()
    (root / "really a jpeg.png").write_bytes(encoded(photo(), "JPEG"))
    (root / "nameless").write_bytes(png())
    (root / "photo.txt").write_bytes(encoded(photo(), "WEBP"))
    (root / "notes.txt").write_text("hello")
    got = prepare(root, size=8)
    assert got.n == 3
    assert got.skipped == ()


def test_a_folder_with_pipes_loops_and_dangling_links(tmp_path):
    root = flat(tmp_path / "f", 2)
    os.mkfifo(root / "pipe.png")
    (root / "loop").symlink_to(root)
    (root / "nowhere.png").symlink_to(root / "absent.png")
    (root / "linked.png").symlink_to(root / "000.png")
    assert sorted(prepare(root, size=8).names) == ["000.png", "001.png", "linked.png"]


def test_single_pictures(tmp_path):
    (tmp_path / "one.png").write_bytes(png())
    assert prepare(tmp_path / "one.png", size=8).names == ("one.png",)
    (tmp_path / "bad.png").write_bytes(b"no")
    with pytest.raises(UserError, match=r"bad\.png"):
        prepare(tmp_path / "bad.png", size=8)


def test_empty_and_wholly_broken_sources(tmp_path):
    root = tmp_path / "f"
    root.mkdir()
    with pytest.raises(UserError, match=r"no picture in f: looked for .*\.png.*found nothing"):
        prepare(root, size=8)
    (root / "a.txt").write_text("x")
    (root / "b.zip").write_text("x")
    with pytest.raises(UserError, match=r"found only \.txt ×1, \.zip ×1"):
        prepare(root, size=8)
    for i in range(5):
        (root / f"{i}.png").write_bytes(b"x")
    with pytest.raises(UserError, match=r"can be used \(5 are broken\): 0\.png: .*; and 2 more"):
        prepare(root, size=8)
    with pytest.raises(UserError, match="found nothing"):
        prepare(tar(tmp_path / "empty.tar", []), size=8)
    with pytest.raises(UserError, match="found nothing"):
        prepare(zipped(tmp_path / "empty.zip", []), size=8)


@pytest.mark.parametrize(("data", "hint"), [("digit", "did you mean digits"), ("/nowhere/at/all", "built in are")])
def test_nothing_there(data, hint):
    with pytest.raises(UserError, match=hint):
        prepare(data, size=8)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": 8, "channels": 2}, {"size": 8, "holdout": 1.0}])
def test_wrong_settings(wrong):
    with pytest.raises(UserError):
        prepare("digits", **wrong)


def test_holdout_is_by_name_and_complete(tmp_path):
    root = flat(tmp_path / "f")
    train, test = (prepare(root, size=8, split=s, holdout=0.25) for s in ("train", "test"))
    assert sorted([*train.names, *test.names]) == [f"{i:03}.png" for i in range(40)]
    assert 3 <= test.n <= 18
    (root / "new.png").write_bytes(png())
    assert set(test.names) - {"new.png"} <= set(prepare(root, size=8, split="test", holdout=0.25).names)
    with pytest.raises(UserError, match="no test split"):
        prepare(root, size=8, split="test")


def test_validation_folders(tmp_path):
    for name, n in (("train", 3), ("val", 2), ("test", 1)):
        for i in range(n):
            (tmp_path / "f" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "f" / name / f"{i}.png").write_bytes(png(seed=i))
    train, test = (prepare(tmp_path / "f", size=8, split=s) for s in ("train", "test"))
    assert (train.n, test.n, train.classes) == (3, 1, ())
    assert any("2 pictures in val/ belong to neither split" in note for note in train.notes)
    (tmp_path / "f" / "test" / "0.png").unlink()
    assert prepare(tmp_path / "f", size=8, split="test").n == 2


LABELS = {
    "labels.csv": "name,label\n000.png,cat\n001.png,dog\nabsent.png,dog\n",
    "labels.json": json.dumps({"000.png": "cat", "001.png": "dog", "absent.png": "dog"}),
    "dataset.json": json.dumps({"labels": [["000.png", 0], ["./001.png", 1], ["absent.png", 1]]}),
    "semicolons.csv": "\ufeff000.png;cat\n001.png;dog\nx/absent.png;dog\n",
    "columns.csv": "image_id\tage\tlabel\n000.png\t3\tcat\n001.png\t4\tdog\nabsent.png\t9\tdog\n",
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_file(tmp_path, name):
    root = flat(tmp_path / "f", 4)
    (tmp_path / name).write_text(LABELS[name], encoding="utf-8")
    got = prepare(root, size=8, labels=tmp_path / name)
    assert got.labels.tolist() == [0, 1, -1, -1]
    assert got.classes == (("0", "1") if name == "dataset.json" else ("cat", "dog"))
    assert any("1 labels name no usable picture, the first:" in note and "absent.png" in note for note in got.notes)
    assert any("2 pictures have no label" in note for note in got.notes)


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_labels_file_among_the_pictures(tmp_path, kind):
    root = flat(tmp_path / "f", 3)
    (root / "dataset.json").write_text(json.dumps({"labels": [["000.png", 1], ["001.png", 0], ["002.png", 1]]}))
    members = [(p.name, p.read_bytes()) for p in sorted(root.iterdir())]
    source = {"folder": root}.get(kind) or (tar if kind == "tar" else zipped)(tmp_path / f"a.{kind}", members)
    for _ in range(2):  # decoded, and from the cache
        got = prepare(source, size=8)
        assert got.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "content", ["{", "[1, 2]", '{"a.png": 1.5}', "just a line", "\xff\xfe", "[" * 100_000, '{"labels": 3}']
)
def test_bad_labels_files(tmp_path, content):
    root = flat(tmp_path / "f", 2)
    path = tmp_path / ("labels.csv" if content == "just a line" else "labels.json")
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match="label"):
        prepare(root, size=8, labels=path)
    (root / path.name).write_bytes(content.encode("latin-1"))
    assert (
        any(note.startswith("ignored: labels file") for note in prepare(root, size=8).notes)
        or content == '{"labels": 3}'
    )


def test_subset(folder):
    pictures = prepare(folder, size=16)
    some = pictures.subset([5, 0, 3])
    assert np.array_equal(some.images, pictures.images[[5, 0, 3]])
    assert some.names == tuple(pictures.names[i] for i in (5, 0, 3))
    assert some.labels.tolist() == [1, 0, 0]
    assert some.classes == pictures.classes
    assert some.fingerprint != pictures.fingerprint
    assert pictures.subset(pictures.labels == 1).n == 4
    assert some.truth is pictures.truth


def test_the_truth_is_asked_for_as_the_pictures_were_fitted(folder, monkeypatch):
    asked = []

    class Telling(Folder):
        def truth(self, fitting):
            asked.append(fitting)
            return Unknown("told")

    def opened(data, view):
        asked.append(view)
        return Telling("pets", "folder", path=folder)

    monkeypatch.setattr(prepare_module, "open_source", opened)
    assert prepare(folder, size=16, fit="pad", background=(0, 9, 0), view="maps").truth.name == "told"
    assert asked == ["maps", Fitting(16, 3, "pad", (0, 9, 0))], "with the channels that the pictures turned out to have"


def test_digits():
    train, test = (prepare("digits", size=32, split=s) for s in ("train", "test"))
    assert (train.n, test.n, train.channels) == (1438, 359, 1)
    assert min(np.bincount(test.labels)) >= 34
    assert train.classes == tuple("0123456789")
    corners = train.images[:, [0, 0, -1, -1], [0, -1, 0, -1], 0]
    assert np.median(corners) == 0  # white ink on black
    small = prepare("digits", size=8)
    with np.load(Path(cache.__file__).parent / "builtin/digits.npz") as file:
        assert np.array_equal(small.images[..., 0], np.rint(file["images"][~file["test"]] * 255.0 / 16))


@pytest.mark.parametrize(("aspect", "shape"), [("3:2", (16, 24)), ("2:3", (24, 16))])
def test_pictures_of_another_shape_and_their_cache(tmp_path, aspect, shape):
    folder = flat(tmp_path / f"wide{shape[0]}", 5)
    (folder / "colour.png").write_bytes(png(90, 40))
    got = prepare(folder, size=16, aspect=aspect)
    assert got.images.shape == (6, *shape, 3) and got.sides == shape and got.size == 16
    assert f"6 pictures of wide{shape[0]}, {shape[1]}×{shape[0]}, colour" in got.notes
    assert f"6 of another shape, cropped to the centre {aspect}" in got.notes
    before = cached()
    again = prepare(folder, size=16, aspect=aspect)
    assert cached() == before and np.array_equal(again.images, got.images) and again.fingerprint == got.fingerprint
    assert prepare(folder, size=16).fingerprint != got.fingerprint and len(cached()) == len(before) + 1


def test_grey_pictures_of_another_shape_become_colour_when_one_has_some(tmp_path):
    folder = tmp_path / "late"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.png").write_bytes(encoded(photo(48, 32, i, "L")))
    grey = prepare(folder, size=16, aspect="3:2").images
    (folder / "z.png").write_bytes(png(48, 32))
    assert np.array_equal(prepare(folder, size=16, aspect="3:2").images[:3], np.repeat(grey, 3, axis=-1))


def test_squares_have_the_cache_that_they_always_had(tmp_path):
    folder = flat(tmp_path / "square", 2)
    source = Folder(folder.name, "folder", path=folder)
    known = json.dumps([
        "folder", source.stamp(), {"size": 8, "channels": None, "fit": "crop", "background": [255, 255, 255]}, VERSION,
    ])  # fmt: skip
    name = hashlib.blake2b(known.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    prepare(folder, size=8, aspect="2:2")
    assert f"{name}.pictures" in cached()


@pytest.mark.parametrize("world", ["digits", "shapes", "scenes", "faces"])
def test_built_in_pictures_are_squares(world):
    with pytest.raises(UserError, match=f"{world}, built in, are squares: leave out --aspect 3:2"):
        prepare(world, size=16, aspect="3:2")
