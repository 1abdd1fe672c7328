"""Whole pictures, whatever their file."""

import numpy as np
import pytest
from PIL import Image

from data.samples import encoded, photo, png
from sfumato.data.whole import read_whole
from sfumato.errors import UserError


def test_every_pixel_as_it_is(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(31, 17))
    assert np.array_equal(read_whole(path), np.asarray(photo(31, 17))) and read_whole(path).flags.writeable
    for form, mode in (("PNG", "L"), ("GIF", "L"), ("BMP", "RGB"), ("TIFF", "L")):
        path.write_bytes(encoded(photo(9, 12, mode=mode), form))
        expected = np.asarray(photo(9, 12, mode=mode)).reshape(12, 9, -1)
        found = read_whole(path)
        assert np.array_equal(found if found.shape == expected.shape else found[..., :1], expected), form


def test_turned_deep_and_transparent(tmp_path):
    turned = photo(20, 10)
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "t.png").write_bytes(encoded(turned, exif=exif))
    assert np.array_equal(read_whole(tmp_path / "t.png"), np.rot90(np.asarray(turned), -1))
    Image.fromarray(np.full((4, 5), 0x8080, np.uint16)).save(tmp_path / "d.png")
    assert read_whole(tmp_path / "d.png").tolist() == [[[128]] * 5] * 4
    Image.new("RGBA", (3, 2), (10, 20, 30, 0)).save(tmp_path / "c.png")
    assert (read_whole(tmp_path / "c.png") == 255).all()


def test_what_is_no_picture(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "torn.png").write_bytes(png(64, 64)[:900])
    damaged = bytearray(png(64, 64))
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "damaged.png").write_bytes(bytes(damaged))
    huge = Image.new("L", (1, 1))
    content = bytearray(encoded(huge, "BMP"))
    content[18:26] = (200_000).to_bytes(4, "little") * 2
    (tmp_path / "huge.bmp").write_bytes(bytes(content))
    for name in ("text.png", "torn.png", "damaged.png", "huge.bmp", "nowhere.png", "."):
        with pytest.raises(UserError, match="can't read"):
            read_whole(tmp_path / name)
