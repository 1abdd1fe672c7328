import gzip
import io
import os
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from samples import photo, png, special, tar, zipped

from sfumato.data.prepare import prepare
from sfumato.errors import UserError

A, B, C = png(seed=1), png(seed=2), png(seed=3)


def reasons(pictures):
    return dict(pictures.skipped)


@pytest.fixture
def outside(tmp_path):
    """A folder in which nothing may appear or change, and the one beside it that holds the archive."""
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.png").write_bytes(C)
    yield tmp_path / "in"
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "cache") == ["in", "secret.png"]
    assert all(p.suffix in (".tar", ".tgz", ".zip", ".gz") for p in (tmp_path / "in").iterdir())


HOSTILE_TAR = {
    "parent": (("../secret.png", C), "leaves the archive"),
    "deep parent": (("a/../../secret.png", C), "leaves the archive"),
    "backslash parent": (("a\\..\\..\\secret.png", C), "leaves the archive"),
    "absolute": (("/tmp/secret.png", C), "absolute"),
    "drive": (("C:\\secret.png", C), "absolute"),
    "symbolic link": ((special("link.png", tarfile.SYMTYPE, "../secret.png"), b""), "link"),
    "hard link": ((special("hard.png", tarfile.LNKTYPE, "good.png"), b""), "link"),
    "character device": ((special("tty.png", tarfile.CHRTYPE), b""), "device"),
    "block device": ((special("disk.png", tarfile.BLKTYPE), b""), "device"),
    "pipe": ((special("pipe.png", tarfile.FIFOTYPE), b""), "device"),
    "duplicate": (("good.png", C), "another file of this name"),
    "disguised duplicate": (("./good.png", C), "another file of this name"),
    "archive inside": (("more.tar.gz", b"x" * 100), "archive inside"),
    "text called png": (("note.png", b"hello" * 50), "not a picture"),
    "nothing called png": (("empty.png", b""), "empty"),
}


@pytest.mark.parametrize("name", HOSTILE_TAR)
def test_hostile_members_of_tar_are_listed_and_the_rest_is_used(outside, name):
    member, reason = HOSTILE_TAR[name]
    got = prepare(tar(outside / "a.tar", [("good.png", A), member, ("other.png", B)]), size=8)
    assert got.names == ("good.png", "other.png")
    assert len(got.skipped) == 1
    assert reason in got.skipped[0].reason


def test_odd_names_are_kept(tmp_path):
    names = [
        "ünïcode/日本 語.png",
        "sp ace.PNG",
        "émoji 🎨.png",
        "x" * 150 + ".png",
        "semi;colon,'\".png",
        "no extension",
    ]
    for source in (
        tar(tmp_path / "a.tgz", [(n, A) for n in names], "w:gz"),
        zipped(tmp_path / "a.zip", [(n, A) for n in names]),
    ):
        assert sorted(prepare(source, size=8).names) == sorted(names)


def test_names_that_are_no_unicode(tmp_path):
    info = tarfile.TarInfo("b\udcff.png")
    assert prepare(tar(tmp_path / "a.tar", [(info, A)]), size=8).n == 1
    folder = tmp_path / "f"
    folder.mkdir()
    with open(os.fsencode(folder) + b"/b\xff.png", "wb") as f:  # noqa: PTH123 (bytes)
        f.write(A)
    assert prepare(folder, size=8).n == 1
    assert prepare(folder, size=8, holdout=0.001).n == 1


def test_litter_is_ignored(tmp_path):
    litter = [
        ("__MACOSX/._a.png", b"x"),
        (".DS_Store", b"x"),
        ("Thumbs.db", b"x"),
        ("README.txt", b"x"),
        (".hidden/b.png", B),
    ]
    for source in (
        tar(tmp_path / "a.tar", [*litter, ("a.png", A)]),
        zipped(tmp_path / "a.zip", [*litter, ("a.png", A)]),
    ):
        got = prepare(source, size=8)
        assert (got.names, got.skipped) == (("a.png",), ())


def test_a_tar_that_ends_early_gives_what_came_before(tmp_path):
    noise = [(f"{i:03}.png", png(seed=i)) for i in range(60)]
    whole = tar(tmp_path / "a.tgz", noise, "w:gz").read_bytes()
    (tmp_path / "cut.tgz").write_bytes(whole[: len(whole) // 2])
    got = prepare(tmp_path / "cut.tgz", size=8)
    assert 10 < got.n < 55
    assert "ends early" in reasons(got)["cut.tgz"]


def test_a_tar_damaged_inside_gives_what_came_before(tmp_path):
    data = bytearray(tar(tmp_path / "a.tgz", [(f"{i:03}.png", png(seed=i)) for i in range(60)], "w:gz").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 50] = os.urandom(50)
    (tmp_path / "bad.tgz").write_bytes(data)
    got = prepare(tmp_path / "bad.tgz", size=8)
    assert 1 < got.n < 60
    assert got.skipped


@pytest.mark.parametrize("at", [0, 124, 148, 512, 700])
def test_damaged_tar_headers_neither_hang_nor_crash(tmp_path, at):
    """Header fields with garbage, a negative size among them (CVE-2025-8194)."""
    data = bytearray(tar(tmp_path / "a.tar", [("a.png", A), ("b.png", B)]).read_bytes())
    data[at : at + 12] = b"\xff" * 12
    (tmp_path / "bad.tar").write_bytes(data)
    try:
        names = prepare(tmp_path / "bad.tar", size=8).names
    except UserError as e:
        names = (str(e),)
    assert set(names) < {"a.png", "b.png"} or "bad.tar" in names[0]


def test_a_tar_bomb_is_cut_short(tmp_path):
    with gzip.open(tmp_path / "bomb.tgz", "wb", 9) as f, tarfile.open(fileobj=f, mode="w") as archive:
        for name, data in (("a.png", A), ("b.png", bytes(120_000_000))):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    got = prepare(tmp_path / "bomb.tgz", size=8)
    assert got.names == ("a.png",)
    assert "200 times" in reasons(got)["bomb.tgz"]


def test_hostile_members_of_zip(outside):
    path = outside / "a.zip"
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.png", A)
        archive.writestr("../secret.png", C)
        archive.writestr("/abs.png", C)
        archive.writestr(link, "../secret.png")
        archive.writestr("more.zip", b"PK\3\4")
        archive.writestr("inner.tar", b"x" * 1024)
        archive.writestr("bomb.png", bytes(70_000_000))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("good.png", C)
    got = prepare(path, size=8)
    assert got.names == ("good.png",)
    found = reasons(got)
    assert "leaves" in found["../secret.png"]
    assert "absolute" in found["/abs.png"]
    assert "link" in found["link.png"]
    assert "archive inside" in found["more.zip"]
    assert "archive inside" in found["inner.tar"]
    assert "times when unpacked" in found["bomb.png"]
    assert "another file" in found["good.png"]


def patched(path, at_local, at_central, value):
    """Overwrite a field in the local and the central header of every member."""
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\3\4", at_local), (b"PK\1\2", at_central)):
        start = data.find(mark)
        while start >= 0:
            data[start + at : start + at + len(value)] = value
            start = data.find(mark, start + 4)
    path.write_bytes(data)
    return path


def test_encrypted_and_exotic_zip_members(tmp_path):
    path = patched(zipped(tmp_path / "a.zip", [("a.png", A)]), 6, 8, struct.pack("<H", 1))
    with pytest.raises(UserError, match="encrypted"):
        prepare(path, size=8)
    path = patched(zipped(tmp_path / "b.zip", [("a.png", A)]), 8, 10, struct.pack("<H", 97))
    with pytest.raises(UserError, match="compression"):
        prepare(path, size=8)


def test_a_zip_member_with_a_wrong_checksum(tmp_path):
    path = zipped(tmp_path / "a.zip", [("a.png", A), ("b.png", B)])
    data = bytearray(path.read_bytes())
    data[data.find(A) + 100] ^= 1
    path.write_bytes(data)
    got = prepare(path, size=8)
    assert got.names == ("b.png",)
    assert "CRC" in reasons(got)["a.png"]


def test_overlapping_zip_members(tmp_path):
    """The trick of the 42 kB that promise petabytes: many names for the same bytes."""
    path = zipped(tmp_path / "a.zip", [("a.png", A), ("b.png", A), ("c.png", B)])
    data = bytearray(path.read_bytes())
    second = data.find(b"PK\1\2", data.find(b"PK\1\2") + 4)
    struct.pack_into("<I", data, second + 42, 0)
    path.write_bytes(data)
    got = prepare(path, size=8)
    assert got.n == 2
    assert "overlaps" in got.skipped[0].reason


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_zip_is_one_clear_line(tmp_path, share):
    whole = zipped(tmp_path / "a.zip", [(f"{i}.png", png(seed=i)) for i in range(9)]).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match=r"cut\.zip is no readable zip archive"):
        prepare(tmp_path / "cut.zip", size=8)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tgz", ".tar.gz", ".dat"])
def test_random_bytes_are_one_clear_line(tmp_path, suffix):
    (tmp_path / f"x{suffix}").write_bytes(np.random.RandomState(0).bytes(5000))
    with pytest.raises(UserError, match=f"x{suffix}"):
        prepare(tmp_path / f"x{suffix}", size=8)


def test_zip_and_tar_and_folder_give_the_same_pictures(tmp_path):
    members = [(f"{c}/{i}.png", png(seed=3 * i)) for c in "ab" for i in range(4)]
    folder = tmp_path / "f"
    for name, data in members:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    sources = (folder, tar(tmp_path / "t.tgz", members, "w:gz"), zipped(tmp_path / "z.zip", members))
    got = [prepare(s, size=16) for s in sources]
    assert len({g.fingerprint for g in got}) == 1
    assert got[0].classes == ("a", "b")
    assert got[0].labels.tolist() == [0] * 4 + [1] * 4
    assert np.array_equal(got[0].images[0], np.asarray(photo(seed=0).resize((16, 16), 1, reducing_gap=2.0)))


def test_names_cannot_write_to_the_terminal(tmp_path):
    name = "\x1b[2J\nred\udcff.png"
    got = prepare(tar(tmp_path / "a.tar", [(name, b"x"), ("good.png", A)]), size=8)
    assert got.skipped[0].name == "?[2J?red?.png"
    with pytest.raises(UserError) as e:
        prepare(tar(tmp_path / "b.tar", [(name, b"x")]), size=8)
    assert str(e.value).isprintable()


def test_a_damaged_labels_file_in_a_zip_is_a_note(tmp_path):
    path = zipped(tmp_path / "a.zip", [("labels.csv", b"a.png,cat"), ("a.png", A)])
    data = bytearray(path.read_bytes())
    data[data.find(b"a.png,cat")] ^= 1
    path.write_bytes(data)
    assert any("ignored: labels file labels.csv" in note for note in prepare(path, size=8).notes)
