import numpy as np
import pytest
import torch
from PIL import Image
from samples import png, tar

from sfumato.data.describe import describe
from sfumato.data.pictures import grid, save_grid, save_images, to_bytes
from sfumato.errors import UserError


def test_to_bytes_is_the_inverse_of_loading():
    every = torch.arange(256).float().div(127.5).sub(1).reshape(1, 1, 16, 16)
    assert to_bytes(every).flatten().tolist() == list(range(256))
    assert to_bytes(torch.tensor([-9.0, 9.0, float("nan")]).reshape(1, 3, 1, 1)).flatten().tolist() == [0, 255, 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_grid_places_every_image(channels):
    images = torch.linspace(-1, 1, 5).reshape(5, 1, 1, 1).expand(5, channels, 8, 8)
    got = np.asarray(grid(images, 3, gap=1, zoom=1).convert("L"))
    assert got.shape == (2 * 9 + 1, 3 * 9 + 1)
    assert [got[r * 9 + 5, c * 9 + 5] for r, c in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2))] == [
        0,
        64,
        128,
        191,
        255,
        255,
    ]


def test_files(tmp_path):
    images = torch.rand(6, 3, 8, 8) * 2 - 1
    save_grid(images, tmp_path / "deep" / "grid.png")
    with Image.open(tmp_path / "deep" / "grid.png") as image:
        assert image.size == (3 * 66 + 2, 2 * 66 + 2)
    paths = save_images(images, tmp_path / "out", first=3)
    assert [p.name for p in paths] == [f"{i:05}.png" for i in range(3, 9)]
    with Image.open(paths[2]) as image:
        assert np.array_equal(np.asarray(image), to_bytes(images)[2])


def test_describe(tmp_path):
    members = [(f"{c}/{i}.png", png(40 + i % 2, 40, i)) for c in "ab" for i in range(100)]
    path = tar(tmp_path / "a.tar", [*members, ("a/bad.png", b"no"), ("read.me", b"x")])
    got = describe(path)
    assert (got.name, got.kind, got.pictures) == ("a.tar", "tar archive", 200)
    assert got.formats == {"PNG": 200}
    assert got.modes == {"RGB": 200}
    assert got.sizes == {"40×40": 100, "41×40": 100}
    assert got.remarks == {"non-square": 100}
    assert got.classes == {"a": 100, "b": 100}
    assert got.splits == {"train": 200}
    assert got.ignored == {".me": 1}
    assert [s.name for s in got.skipped] == ["a/bad.png"]
    assert got.thumbnails.shape == (64, 64, 64, 3)
    assert not got.grey


def test_describe_what_is_empty(tmp_path):
    (tmp_path / "f").mkdir()
    assert describe(tmp_path / "f").pictures == 0
    with pytest.raises(UserError):
        describe(tmp_path / "nowhere")
