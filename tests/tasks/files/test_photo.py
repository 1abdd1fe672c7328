"""Picture files in and out: nothing is lost on the way but what a format cannot hold."""

import io
import struct

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageOps

from sfumato.data.decode import BrokenError
from sfumato.errors import UserError
from sfumato.tasks.enlarging.tiles import Box
from sfumato.tasks.files.deep import write_png, write_tiff
from sfumato.tasks.files.photo import Photo, as_floats, as_numbers, read_photo, spread, write_photo


@pytest.fixture
def pixels():
    """As many channels as asked for, of 16 bits by default; taller than a strip."""
    rng = np.random.default_rng(0)
    return lambda c, dtype=np.uint16, h=70, w=9: rng.integers(0, np.iinfo(dtype).max + 1, (h, w, c), dtype=dtype)


def both(photo):
    return photo.colour if photo.alpha is None else np.concatenate([photo.colour, photo.alpha], 2)


@pytest.mark.parametrize("c", [1, 2, 3, 4])
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_16_bits_survive(tmp_path, pixels, c, extension):
    x, path = pixels(c), tmp_path / f"x.{extension}"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() if c > 2 else None
    n = c - (c + 1) % 2
    write_photo(Photo(x[..., :n], x[..., n:] if c in (2, 4) else None, profile), path)
    found = read_photo(path)
    if (extension, c) == ("tif", 2):
        assert (found.colour == x[..., :1]).all() and (found.alpha == x[..., 1:]).all()
    else:
        assert (both(found) == x).all()
    assert found.colour.dtype == np.uint16 and found.profile == profile
    with Image.open(path) as image:  # Pillow has the high bytes of the same pixels
        image.load()
        if c > 2:
            assert (np.asarray(image) == x >> 8).all()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("order", "c"), [("<", 3), (">", 3), (">", 4), ("<", 4)])
def test_tiff_of_others_is_read_in_either_order(tmp_path, pixels, order, c):
    x = pixels(c, h=5)
    tags = [(256, 9), (257, 5), (258, 0), (259, 1), (262, 2), (273, 400), (277, c), (278, 5), (279, x.nbytes)]
    tags += [(338, 2)] if c == 4 else []
    entries = b""
    for tag, value in tags:
        one = struct.pack(order + "HHII", tag, 4, 1, value)
        entries += struct.pack(order + "HHII", tag, 3, c, 300) if tag == 258 else one
    file = struct.pack(order + "2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(tags)) + entries + b"\0" * 4
    file = file.ljust(300, b"\0") + struct.pack(f"{order}{c}H", *[16] * c)
    (tmp_path / "x.tif").write_bytes(file.ljust(400, b"\0") + x.astype(order + "u2").tobytes())
    assert (both(read_photo(tmp_path / "x.tif")) == x).all()


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "raw"])
def test_grey_tiff_of_16_bits(tmp_path, pixels, compression):
    x = pixels(1)
    Image.fromarray(x[..., 0]).save(tmp_path / "x.tif", compression=compression)
    assert (read_photo(tmp_path / "x.tif").colour == x).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_8_bits_of_every_kind(tmp_path, pixels, mode):
    image = Image.fromarray(pixels(4, np.uint8)).convert("RGB" if mode in ("CMYK", "P") else "RGBA").convert(mode)
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    image.save(path)
    found = read_photo(path)
    wanted = {"1": "L", "L": "L", "LA": "LA", "RGBA": "RGBA"}.get(mode, "RGB")
    with Image.open(path) as again:
        expected = np.asarray(again.convert("RGBA").convert(wanted) if wanted == "LA" else again.convert(wanted))
    assert (both(found).squeeze() == expected.squeeze()).all()
    assert found.colour.shape[2] == (1 if mode in ("1", "L", "LA") else 3)
    assert bool(found.notes) == (mode == "CMYK")


def test_transparency_of_palettes_and_of_one_colour(tmp_path):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 1), 1)
    image.save(tmp_path / "p.png", transparency=0)
    found = read_photo(tmp_path / "p.png")
    assert found.colour.shape == (4, 4, 3) and found.alpha.sum() == 255 and found.alpha[1, 1] == 255
    x = np.zeros((3, 3, 3), np.uint16)
    x[1, 2] = 1, 2, 3
    buffer = io.BytesIO()
    write_png(buffer, x)
    data = buffer.getvalue()
    chunk = struct.pack(">I", 6) + b"tRNS" + struct.pack(">HHH", 1, 2, 3)
    chunk += struct.pack(">I", __import__("zlib").crc32(chunk[4:]))
    (tmp_path / "t.png").write_bytes(data[:33] + chunk + data[33:])
    assert (read_photo(tmp_path / "t.png").alpha[..., 0] == 65535 * (x.sum(2) == 0)).all()


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_is_applied_and_exif_kept(tmp_path, pixels, turn):
    exif = Image.Exif()
    exif[0x0112], exif[315], exif[282], exif[513] = turn, "Leonardo", 72.0, 7
    exif.get_ifd(0x8769).update({0xA002: 9, 0xA003: 70, 0x9003: "1503:01:01 00:00:00"})
    path = tmp_path / "x.png"
    Image.fromarray(pixels(3, np.uint8)).save(path, exif=exif)
    found = read_photo(path)
    with Image.open(path) as image:
        assert (found.colour == np.asarray(ImageOps.exif_transpose(image))).all()
    for name in ("y.jpg", "y.png", "y.webp", "y.tif"):
        write_photo(found, tmp_path / name)
        with Image.open(tmp_path / name) as image:
            kept = image.getexif()
            assert kept.get(0x0112, 1) == 1 and kept[315] == "Leonardo" and 513 not in kept
            assert image.size == (found.colour.shape[1], found.colour.shape[0])
            inner = kept.get_ifd(0x8769)
            assert (inner[0xA002], inner[0xA003]) == image.size and inner[0x9003] == "1503:01:01 00:00:00"
    deep = Photo(found.colour.astype(np.uint16) * 257, exif=found.exif)
    for name in ("z.png", "z.tif"):
        write_photo(deep, tmp_path / name)
        with Image.open(tmp_path / name) as image:
            assert image.getexif()[315] == "Leonardo"


def test_profile_is_kept_in_every_format_that_can(tmp_path, pixels):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name in ("x.png", "x.jpg", "x.webp", "x.tif"):
        write_photo(Photo(pixels(3, np.uint8), profile=profile), tmp_path / name)
        assert read_photo(tmp_path / name).profile == profile


def test_formats_that_hold_less(tmp_path):
    deep = Photo(np.full((4, 4, 3), 30000, np.uint16), np.full((4, 4, 1), 65535 // 3, np.uint16))
    write_photo(deep, tmp_path / "x.jpg")
    found = read_photo(tmp_path / "x.jpg")
    assert found.alpha is None and np.abs(found.colour.astype(int) - (30000 / 257 / 3 + 255 * 2 / 3)).max() < 3
    write_photo(deep, tmp_path / "x.webp")
    assert read_photo(tmp_path / "x.webp").alpha.max() == 85
    for name, line in (("x.gif", "written as"), ("x", "written as")):
        with pytest.raises(UserError, match=line):
            write_photo(deep, tmp_path / name)
    with pytest.raises(UserError, match="more than WEBP can hold"):
        write_photo(Photo(np.zeros((1, 20000, 1), np.uint8)), tmp_path / "y.webp")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="could not write"):
        write_photo(deep, tmp_path / "file" / "x.png")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_numbers_to_floats_and_back(dtype):
    numbers = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1, 1)
    floats = as_floats(numbers, Box(0, 0, *numbers.shape[:2]))
    assert floats.min() == -1 and floats.max() == 1
    assert (as_numbers(floats, numbers.dtype) == numbers).all()
    assert as_numbers(torch.full((1, 1, 1, 1), 9.0), numbers.dtype) == np.iinfo(dtype).max


def test_colour_that_nothing_shows_comes_from_nearby():
    colour, alpha = np.zeros((21, 30, 3), np.uint8), np.zeros((21, 30, 1), np.uint8)
    colour[:] = 0, 255, 0
    colour[:, :10], alpha[:, :10] = (200, 10, 30), 255
    colour[:, 10], alpha[:, 10] = (100, 10, 30), 1
    found = spread(colour, alpha)
    assert (found[:, :11] == colour[:, :11]).all(), "what shows stays as it is"
    assert found[:, 11:, 1].max() <= 10 and found[:, 11:, 0].min() >= 100
    assert spread(colour, alpha * 0) is colour


def test_what_cannot_be_read_has_a_reason(tmp_path, pixels):
    write_photo(Photo(pixels(3)), tmp_path / "x.png")
    whole = (tmp_path / "x.png").read_bytes()
    middle = len(whole) // 2
    broken = {
        "half.png": whole[:middle],
        "flipped.png": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "text.png": b"hello",
        "empty.png": b"",
    }
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BrokenError):
            read_photo(tmp_path / name)
    Image.fromarray(np.zeros((3, 3), np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(BrokenError, match="32 bits"):
        read_photo(tmp_path / "f.tif")
    with pytest.raises(BrokenError):
        read_photo(tmp_path)


def test_written_tiff_is_whole_for_odd_sizes(tmp_path):
    for h, w, c in ((1, 1, 1), (65, 3, 3), (2, 1, 4)):
        x = np.arange(h * w * c, dtype=np.uint16).reshape(h, w, c)
        with (tmp_path / "x.tif").open("w+b") as f:
            write_tiff(f, x, b"odd")
        assert (both(read_photo(tmp_path / "x.tif")) == x).all()
