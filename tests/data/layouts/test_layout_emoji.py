"""Emoji are called what Unicode calls them, in archives and folders, and opening them costs nothing."""

import pytest
from samples import png, tar, zipped

from sfumato.data.layouts.emoji import sentences
from sfumato.data.prepare import prepare
from sfumato.data.sources import open_source
from sfumato.errors import UserError


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("png/72/emoji_u1f600.png", "grinning face"),
        ("emoji_u1f3c4_1f3fd_200d_2640.png", "surfer, medium skin tone, female sign"),
        ("emoji_u1f468_200d_1f469_200d_1f467_fe0f.svg", "man, woman, girl"),
        ("emoji_u1f1f3_1f1f4.png", "flag NO"),
        ("emoji_u1f1f3.png", "regional indicator symbol letter n"),
        ("emoji_u1f3f4_e0067_e0062_e0065_e006e_e0067_e007f.png", "flag GBENG"),
        ("emoji_u0023_20e3.png", "number sign, keycap"),
        ("emoji_u1fae9.png", "face with bags under eyes"),
    ],
)
def test_what_is_said(name, said):
    assert sentences(name) == [said]


@pytest.mark.parametrize("name", ["cat.png", "emoji_uzz.png", "emoji_uffffff.png", "emoji_u.png", "emoji_ue000.png"])
def test_other_names_say_nothing(name):
    assert sentences(name) == []


def test_archives_and_folders_with_the_cache_of_the_view_image(tmp_path, monkeypatch):
    files = [("README.md", b"x"), ("png/emoji_u1f600.png", png(seed=1)), ("png/emoji_u1f408.png", png(seed=2))]
    (tmp_path / "folder").mkdir()
    for name, data in files[1:]:
        (tmp_path / "folder" / name.rsplit("/", 1)[1]).write_bytes(data)
    for path in (tar(tmp_path / "a.tar.gz", files, "w:gz"), zipped(tmp_path / "a.zip", files), tmp_path / "folder"):
        plain = prepare(path, size=8)
        with monkeypatch.context() as patch:
            patch.setattr("sfumato.data.cache._write", lambda *_: pytest.fail("decoded again"))
            got = prepare(path, size=8, view="caption")
        assert (got.fingerprint, got.notes) == (plain.fingerprint, plain.notes)
        found = dict(zip(got.names, got.truth.captions(got.names), strict=True))
        assert sorted(map(str, found.values())) == ["['cat']", "['grinning face']"]


def test_a_damaged_archive_is_one_line(tmp_path):
    path = tar(tmp_path / "a.tar.gz", [("emoji_u1f600.png", png())], "w:gz")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError):
        prepare(path, size=8, view="caption")


def test_other_pictures_are_none(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    assert not open_source(tmp_path, "caption").truth(None).fields
