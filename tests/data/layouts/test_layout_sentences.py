"""Sentences in a table, in json and beside the pictures, and what of them is broken."""

import json

import pytest
from samples import png

from sfumato.data.batches import Batches
from sfumato.data.prepare import prepare
from sfumato.data.sources import open_source
from sfumato.data.text import decode
from sfumato.errors import UserError


@pytest.fixture
def folder(tmp_path):
    for k, name in enumerate(("train/1.png", "train/2.png", "test/3.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png(seed=k))
    return tmp_path


def said(folder, **options):
    got = prepare(folder, size=8, view="caption", **options)
    return dict(zip(got.names, got.truth.captions(got.names), strict=True)), got


@pytest.mark.parametrize(
    "text",
    [
        "name,caption\ntrain/1.png,a red bird\ntrain/1.png,it is red\n2.png,a sea, blue and wide\n",
        'train/1.png,a red bird\n1.png,it is red\n./train/2.png,"a sea, blue and wide"\n',
        "file_name;id;caption\n1.png;7;a red bird\n1.png;8;it is red\n2.png;9;a sea, blue and wide\n",
        "caption\timage\na red bird\t1.png\nit is red\t1.png\na sea, blue and wide\t2.png\n",
    ],
)
def test_a_table(folder, text):
    (folder / "captions.csv").write_text(text)
    found, got = said(folder)
    assert found == {"train/1.png": ["a red bird", "it is red"], "train/2.png": ["a sea, blue and wide"]}
    assert dict(got.skipped) == {"test/3.png": "no caption in captions.csv"}


@pytest.mark.parametrize(
    "content",
    [
        {"1.png": ["a red bird", "it is red"], "train/2.png": "a sea"},
        [["1.png", "a red bird"], ["1.png", "it is red"], ["2.png", "a sea"]],
        [
            {"file_name": "1.png", "caption": "a red bird"},
            {"image": "1.png", "text": "it is red"},
            {"name": "2.png", "sentence": "a  sea\n"},
        ],
    ],
)
def test_json(folder, content):
    (folder / "captions.json").write_text(json.dumps(content))
    assert said(folder)[0] == {"train/1.png": ["a red bird", "it is red"], "train/2.png": ["a sea"]}


def test_lines_beside_the_pictures_and_a_batch_of_them(folder):
    (folder / "train/1.txt").write_text("a red bird\n\n  it is red \n")
    (folder / "train/2.txt").write_text("\n")
    (folder / "test/3.txt").write_bytes(b"a caf\xc3\xa9, \xff\n")
    found, got = said(folder)
    assert found == {"train/1.png": ["a red bird", "it is red"]}
    assert dict(got.skipped) == {"train/2.png": "no caption in a .txt file of its name"}
    assert said(folder, split="test")[0] == {"test/3.png": ["a café, \N{REPLACEMENT CHARACTER}"]}
    batch = Batches(got, view="caption", batch=8).at(0)
    assert set(decode(batch.caption.numpy())) == {"a red bird", "it is red"}


def test_captions_of_absent_pictures_are_counted(folder):
    (folder / "captions.csv").write_text("1.png,a bird\n../../etc/passwd,a secret\n9.png,nothing\n")
    found, got = said(folder)
    assert found == {"train/1.png": ["a bird"]}
    assert "2 captions are of pictures that are not there, the first: ../../etc/passwd" in got.notes
    again = prepare(folder, size=8, view="caption")  # from the cache
    assert again.notes == got.notes and again.truth.captions(["train/1.png"]) == [["a bird"]]


def test_a_name_that_two_pictures_have_is_of_neither(folder):
    (folder / "test/1.png").write_bytes(png(seed=9))
    (folder / "captions.csv").write_text("1.png,a bird\ntest/1.png,a fish\n2.png,a sea\n")
    found, got = said(folder, split="test")
    assert found == {"test/1.png": ["a fish"]}
    assert any("1 captions are of pictures that are not there" in note for note in got.notes)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        (
            "captions.csv",
            "name,author\n1.png,me\n",
            "columns name, author, but none called caption or sentence or text",
        ),
        ("captions.csv", "title,caption\n1.png,me\n", "none called name or file"),
        ("captions.csv", "1.png\n", "row 1 of captions.csv has no name and caption"),
        ("captions.json", '{"1.png": 3}', "captions.json has"),
        ("captions.json", '[{"1.png": "a bird"}]', "captions.json has"),
        ("captions.json", "{", "is no json file"),
        ("captions.json", "[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_table_is_one_line(folder, name, text, reason):
    (folder / name).write_text(text)
    with pytest.raises(UserError, match=reason) as error:
        said(folder)
    assert "\n" not in str(error.value)


def test_pictures_alone_show_what_captions_are(folder):
    with pytest.raises(UserError, match=r"'caption'.*name,caption in captions\.csv, or 1\.txt beside 1\.png"):
        Batches(prepare(folder, size=8, view="caption"), view="caption", batch=1)


def test_class_folders_stay_classes(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(png())
        (tmp_path / name / "1.txt").write_text(f"a {name}")
    got = prepare(tmp_path, size=8, view="caption")
    assert got.classes == ("cat", "dog") and got.labels.tolist() == [0, 1]


def test_the_view_image_takes_no_notice(folder):
    before = prepare(folder, size=8)
    (folder / "captions.csv").write_text("1.png,a bird\n")
    after = prepare(folder, size=8)
    assert after.names == before.names and after.fingerprint == before.fingerprint
    assert not open_source(folder).truth(None).fields
