"""What may be wrong with the pictures that translation learns from: each is said in one line."""

import numpy as np
import pytest
from PIL import Image

from sfumato.data.batches import Batches
from sfumato.data.prepare import prepare
from sfumato.errors import UserError

NUMBERS = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)


def picture(path, numbers=NUMBERS):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(numbers).save(path)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SFUMATO_CACHE", str(tmp_path / "cache"))


def told(root, view, **options):
    pictures = prepare(root, size=8, view=view, **options)
    Batches(pictures, view=view, batch=1).at(0)
    return pictures, {s.name: s.reason for s in pictures.skipped}


def test_unequal_pairs(tmp_path):
    for name in ("A/1.png", "B/1.png", "B/2.png", "A/3.png"):
        picture(tmp_path / "in" / name)
    picture(tmp_path / "in/B/3.png", NUMBERS[:5])
    pictures, skipped = told(tmp_path / "in", "paired")
    assert len(pictures) == 1 and "no partner of its name" in skipped["B/2.png"] and skipped["B/3.png"]


def test_joined_pairs_of_odd_width(tmp_path):
    picture(tmp_path / "in/1.png", np.tile(NUMBERS, (1, 2, 1)))
    picture(tmp_path / "in/2.png", np.tile(NUMBERS, (1, 3, 1))[:, :19])
    _, skipped = told(tmp_path / "in", "paired")
    assert skipped == {"2.png": "19×9: these are no two pictures side by side"}


def maps(root, name, label, instance=True):
    picture(root / "images" / name)
    picture(root / "labels" / name, np.full((9, 9), label, np.uint8))
    if instance:
        picture(root / "instances" / name, np.ones((9, 9), np.uint8))


def test_a_value_outside_the_legend_and_a_missing_map_of_objects(tmp_path):
    root = tmp_path / "in"
    maps(root, "1.png", 1)
    maps(root, "2.png", 2)
    maps(root, "3.png", 0, instance=False)
    (root / "legend.csv").write_text("sky,0,0,255\ngrass,0,255,0\n")
    _, skipped = told(root, "maps")
    assert skipped == {
        "images/2.png": "its map labels/2.png: the value 2, but the legend ends at 1",
        "images/3.png": "there is no map of its objects like instances/1.png",
    }


def test_one_channel_among_three(tmp_path):
    for name in ("A/1.png", "B/1.png", "A/2.png"):
        picture(tmp_path / "in" / name)
    picture(tmp_path / "in/B/2.png", NUMBERS[..., 0])
    pictures, skipped = told(tmp_path / "in", "paired")
    assert pictures.channels == 3 and not skipped
    grey = pictures.images[list(pictures.names).index("B/2.png")]
    assert (grey == grey[..., :1]).all() and grey.std() > 1


def test_one_picture_in_a_domain_is_enough_and_none_is_not(tmp_path):
    for name in ("A/1.png", "A/2.png", "B/1.png"):
        picture(tmp_path / "one" / name)
    picture(tmp_path / "none/A/1.png")
    pictures, _ = told(tmp_path / "one", "unpaired")
    assert len(pictures) == 3
    with pytest.raises(UserError, match=r"pictures of one domain alone, like A/1\.png, and none in B/"):
        told(tmp_path / "none", "unpaired")
