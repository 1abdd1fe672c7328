"""Room in the cache."""

import os

import pytest

from sfumato.data import room
from sfumato.errors import UserError


@pytest.fixture
def folder(tmp_path):
    for age, name in enumerate(["c", "b", "a"]):  # c is the newest
        path = tmp_path / f"{name}.pictures"
        path.write_bytes(bytes(400_000))
        os.utime(path, (1e9 - age, 1e9 - age))
    (tmp_path / "features-0.safetensors").write_bytes(bytes(400_000))
    return tmp_path


def names(folder):
    return sorted(path.name[0] for path in folder.glob("*.pictures"))


def test_what_was_used_longest_ago_goes_first(folder, monkeypatch):
    monkeypatch.setenv("SFUMATO_CACHE_GB", "0.001")
    room.touch(folder / "a.pictures")
    room.make_room(folder, 100_000)
    assert names(folder) == ["a", "c"]
    room.make_room(folder, 600_000)
    assert names(folder) == ["a"]
    assert (folder / "features-0.safetensors").exists()


def test_nothing_goes_below_the_limit(folder):
    room.make_room(folder, 1000)
    assert names(folder) == ["a", "b", "c"]


def test_a_limit_that_is_no_number(folder, monkeypatch):
    monkeypatch.setenv("SFUMATO_CACHE_GB", "much")
    with pytest.raises(UserError, match="SFUMATO_CACHE_GB is 'much'"):
        room.make_room(folder, 0)
