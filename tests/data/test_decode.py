import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image
from samples import chunk, encoded, photo, png, raw_png

from sfumato.data.decode import (
    ALPHA,
    DEEP,
    ENLARGED,
    INKS,
    MOVING,
    OBLONG,
    PROFILE,
    TURNED,
    BrokenError,
    Fitting,
    decode,
    strict_pillow,
)

S = Fitting(32)


@pytest.fixture(autouse=True)
def _quiet():
    with strict_pillow():
        yield


def mean(data, **fitting):
    return decode(data, Fitting(32, **fitting)).pixels.mean() / 255


def grey16(value, w=40, h=40):
    return raw_png(w, h, 16, 0, [struct.pack(">H", value) * w] * h)


FORMATS = {
    "png": lambda i: encoded(i),
    "interlaced png": lambda i: encoded(i, interlace=True),
    "jpeg": lambda i: encoded(i, "JPEG", quality=95),
    "progressive jpeg": lambda i: encoded(i, "JPEG", quality=95, progressive=True),
    "webp": lambda i: encoded(i, "WEBP", quality=95),
    "lossless webp": lambda i: encoded(i, "WEBP", lossless=True),
    "tiff": lambda i: encoded(i, "TIFF"),
    "lzw tiff": lambda i: encoded(i, "TIFF", compression="tiff_lzw"),
    "bmp": lambda i: encoded(i, "BMP"),
}


@pytest.mark.parametrize("form", FORMATS)
def test_formats_agree_with_their_pixels(form):
    image = photo(32, 32)
    got = decode(FORMATS[form](image), S)
    assert got.pixels.shape == (32, 32, 3)
    lossy = form in ("jpeg", "progressive jpeg", "webp")
    assert np.abs(got.pixels.astype(int) - np.asarray(image)).mean() <= (12 if lossy else 0)


@pytest.mark.parametrize("value", [0, 1000, 32768, 50000, 60000, 65535])
def test_16_bit_grey_png_is_scaled(value):
    got = decode(grey16(value), S)
    assert np.abs(got.pixels - value / 257).max() <= 0.51  # the nearest byte: 65535 is 255, not 256
    assert got.remarks & DEEP


@pytest.mark.parametrize("colour", [2, 4, 6])
def test_16_bit_colour_and_alpha_png_is_scaled(colour):
    samples = {2: (32768,) * 3, 4: (32768, 65535), 6: (32768, 32768, 32768, 65535)}[colour]
    pixel = struct.pack(f">{len(samples)}H", *samples)
    assert mean(raw_png(40, 40, 16, colour, [pixel * 40] * 40)) == pytest.approx(0.5, abs=0.003)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((40, 40), 32768, np.uint16), 0.5),
        (np.full((40, 40), 0.25, np.float32), 0.25),
        (np.full((40, 40), 127.5, np.float32), 0.5),
        (np.full((40, 40), -3.0, np.float32), 0.0),
        (np.full((40, 40), 32768, np.int32), 0.5),
    ],
)
def test_deep_tiff_is_scaled(array, expected):
    assert mean(encoded(Image.fromarray(array), "TIFF")) == pytest.approx(expected, abs=0.003)


def test_float_tiff_that_is_not_finite_is_refused():
    with pytest.raises(BrokenError, match="finite"):
        decode(encoded(Image.fromarray(np.full((9, 9), np.nan, np.float32)), "TIFF"), S)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA"])
def test_modes_of_png(mode):
    image = photo(32, 32, mode=mode) if mode != "P" else photo(32, 32).quantize(200)
    got = decode(encoded(image), S).pixels
    expected = np.asarray(image.convert("RGB"))
    assert np.abs(got.astype(int) - expected).mean() < 1
    assert got.shape[2] == (3 if mode in ("P", "RGB", "RGBA") else 1)


def test_transparency_shows_the_background():
    half = photo(32, 32, mode="RGBA")
    half.putalpha(0)
    got = decode(encoded(half), Fitting(32, background=(10, 20, 30)))
    assert (got.pixels == (10, 20, 30)).all()
    assert got.remarks & ALPHA
    assert mean(encoded(half)) == 1.0


@pytest.mark.parametrize("fit", ["crop", "fit", "pad"])
def test_transparency_is_kept_where_four_channels_are_asked_for(fit):
    image = Image.new("RGBA", (40, 20), (200, 40, 90, 255))
    image.paste((7, 7, 7, 0), (0, 0, 20, 20))
    got = decode(encoded(image), Fitting(16, 4, fit, (10, 20, 30)))
    assert got.pixels.shape == (16, 16, 4) and not got.remarks & ALPHA
    assert got.pixels[8, 1].tolist() == [10, 20, 30, 0]  # what cannot be seen has the background's colour
    assert got.pixels[8, 14].tolist() == [200, 40, 90, 255]
    edge = got.pixels[8][(got.pixels[8, :, 3] > 60) & (got.pixels[8, :, 3] < 200)]
    assert all(abs(pixel[:3].astype(int) - (200, 40, 90)).max() <= 3 for pixel in edge)  # nothing bleeds in
    if fit == "pad":
        assert (got.pixels[[0, -1]] == (10, 20, 30, 0)).all()


def test_what_is_opaque_stays_so_in_four_channels():
    grey = decode(encoded(photo(mode="L")), Fitting(8, 4)).pixels
    assert (grey[..., 3] == 255).all() and (grey[..., 0] == grey[..., 2]).all()
    array = np.full((8, 8, 3), 9, np.uint8)
    assert decode(array, Fitting(8, 4)).pixels[0, 0].tolist() == [9, 9, 9, 255]


def test_half_transparent_black_on_white_is_grey():
    assert mean(encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 128)))) == pytest.approx(127 / 255, abs=0.005)
    assert mean(encoded(Image.new("LA", (8, 8), (0, 128)))) == pytest.approx(127 / 255, abs=0.005)


def test_palette_and_colour_key_transparency():
    image = Image.new("P", (16, 16), 1)
    image.putpalette([255, 0, 0, 0, 255, 0])
    assert mean(encoded(image, transparency=1)) == 1.0
    keyed = raw_png(4, 4, 8, 2, [b"\x01\x02\x03" * 4] * 4, chunk(b"tRNS", struct.pack(">3H", 1, 2, 3)))
    assert mean(keyed) == 1.0
    assert mean(raw_png(4, 4, 8, 0, [b"\x05" * 4] * 4, chunk(b"tRNS", b"\0\x05"))) == 1.0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(form, orientation):
    upright = np.zeros((48, 48), np.uint8)
    upright[:24, :24], upright[:24, 24:] = 255, 128  # no symmetry
    stored = {  # EXIF 2.32, 4.6.4 A: what the 0th row and column of the file are
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.T, 6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {274: orientation}} if form == "TIFF" else {"exif": exif}
    got = decode(encoded(Image.fromarray(np.ascontiguousarray(stored)), form, **options), Fitting(48)).pixels[..., 0]
    assert np.abs(got.astype(int) - upright).mean() < 6
    if form != "TIFF":
        assert bool(decode(encoded(photo(), form, **options), S).remarks & TURNED) == (orientation > 1)


def test_cmyk_and_ycck_jpeg():
    image = photo(32, 32)
    got = decode(encoded(image.convert("CMYK"), "JPEG", quality=95), S)
    assert got.remarks & INKS
    assert np.abs(got.pixels.astype(int) - np.asarray(image)).mean() < 6
    assert np.abs(decode(ycck(image), S).pixels.astype(int) - np.asarray(image)).mean() < 6


def ycck(image):
    """Adobe's form of CMYK: inverted inks, three of them as YCbCr; named by the transform flag of the APP14 segment."""
    inks = np.asarray(image.convert("CMYK"))
    ycc = np.asarray(Image.fromarray(inks[..., :3]).convert("YCbCr"))
    data = encoded(Image.fromarray(np.dstack([255 - ycc, inks[..., 3:]]), "CMYK"), "JPEG", quality=95, subsampling=0)
    at = data.index(b"Adobe\0")
    return data[: at + 11] + b"\x02" + data[at + 12 :]


@pytest.mark.parametrize("fit", ["crop", "fit", "pad"])
def test_non_square(fit):
    bars = np.zeros((30, 90), np.uint8)
    bars[:, 30:60] = 255  # the centre square is white
    got = decode(encoded(Image.fromarray(bars)), Fitting(30, fit=fit, background=(128, 128, 128)))
    pixels = got.pixels[..., 0]
    assert got.remarks & OBLONG
    if fit == "crop":
        assert (pixels == 255).all()
    elif fit == "fit":
        assert pixels[:, 12:18].min() > 250
        assert pixels[:, :7].max() < 10
    else:
        assert (pixels[:9] == 128).all()
        assert (pixels[-9:] == 128).all()
        assert pixels[15, 15] > 250
        assert pixels[15, 3] < 10


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
@pytest.mark.parametrize("fit", ["crop", "fit", "pad"])
def test_tiny_and_thin(shape, fit):
    assert decode(encoded(photo(*shape)), Fitting(32, fit=fit)).pixels.shape[:2] == (32, 32)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_animation_gives_its_first_frame(form):
    frames = [Image.new("RGB", (20, 20), c) for c in ((200, 0, 0), (0, 200, 0))]
    got = decode(encoded(frames[0], form, save_all=True, append_images=frames[1:]), S)
    assert got.remarks & MOVING
    assert got.pixels[..., 0].mean() > 190
    assert got.pixels[..., 1].mean() < 10


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_shrinking_is_antialiased(form):
    """A board of single black and white pixels has no detail left at a quarter of the size."""
    board = Image.fromarray(np.uint8(np.indices((256, 256)).sum(0) % 2 * 255))
    got = decode(encoded(board, form), Fitting(64)).pixels
    assert got.std() < 4
    assert got.mean() == pytest.approx(127.5, abs=2)


def test_draft_decoding_of_jpeg_is_near_the_full_one():
    data = encoded(photo(512, 400), "JPEG", quality=92)
    full = np.asarray(Image.open(io.BytesIO(data)).crop((56, 0, 456, 400)).resize((32, 32), Image.Resampling.LANCZOS))
    assert np.abs(decode(data, S).pixels.astype(int) - full).mean() < 1.5


def test_channels():
    assert decode(png(), Fitting(8, 1)).pixels.shape == (8, 8, 1)
    assert decode(encoded(photo(mode="L")), Fitting(8, 3)).pixels.shape == (8, 8, 3)
    assert decode(encoded(photo(mode="L").convert("RGB")), Fitting(8)).pixels.shape == (8, 8, 1)


def test_profile_is_remarked():
    assert decode(encoded(photo(), icc_profile=b"whatever" * 20), S).remarks & PROFILE


def bomb():
    return raw_png(60_000, 60_000, 8, 2, [b"\0" * 9])


def webp_bomb():
    vp8x = struct.pack("<4sIB3x", b"VP8X", 10, 0) + (16382).to_bytes(3, "little") * 2
    body = b"WEBP" + vp8x + encoded(photo(8, 8), "WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff_bomb():
    data = bytearray(encoded(photo(8, 8), "TIFF"))
    (start,) = struct.unpack_from("<I", data, 4)
    for k in range(struct.unpack_from("<H", data, start)[0]):
        at = start + 2 + 12 * k
        if struct.unpack_from("<H", data, at)[0] in (256, 257):
            struct.pack_into("<HII", data, at + 2, 4, 1, 60_000)
    return bytes(data)


def bmp_bomb():
    data = bytearray(encoded(photo(8, 8), "BMP"))
    struct.pack_into("<ii", data, 18, 60_000, 60_000)
    return bytes(data)


def gif_bomb():
    data = bytearray(encoded(photo(8, 8), "GIF"))
    struct.pack_into("<HH", data, 6, 60_000, 60_000)
    return bytes(data)


def jpeg_bomb():
    data = bytearray(encoded(photo(8, 8), "JPEG"))
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 60_000, 60_000)
    return bytes(data)


@pytest.mark.parametrize("make", [bomb, webp_bomb, tiff_bomb, bmp_bomb, gif_bomb, jpeg_bomb])
def test_bombs_are_refused_from_the_header(make):
    data = make()
    start = time.thread_time()
    with pytest.raises(BrokenError):
        decode(data, S)
    assert time.thread_time() - start < 0.05


@pytest.mark.parametrize("make", [bomb, bmp_bomb, gif_bomb, jpeg_bomb, tiff_bomb])
def test_a_bomb_is_called_one(make):
    with pytest.raises(BrokenError, match="million pixels"):
        decode(make(), S)


JPEG = encoded(photo(200, 200), "JPEG")
PNG = png(200, 200)
BROKEN = {
    "nothing": b"",
    "text": b"this is not a picture\n" * 40,
    "zeros": bytes(5000),
    "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    **{f"jpeg cut at {k} %": JPEG[: len(JPEG) * k // 100] for k in (1, 10, 50, 95)},
    **{f"png cut at {k} %": PNG[: len(PNG) * k // 100] for k in (1, 10, 50, 95)},
    "webp cut": encoded(photo(200, 200), "WEBP")[:-200],
    "tiff cut": encoded(photo(200, 200), "TIFF")[:-20_000],
    "bmp cut": encoded(photo(200, 200), "BMP")[:-20_000],
    "gif cut": encoded(photo(200, 200), "GIF")[:400],
    "png signature": b"\x89PNG\r\n\x1a\n",
    "jpeg signature": b"\xff\xd8\xff",
    "png header checksum": PNG[:29] + b"\0\0\0\0" + PNG[33:],
    "png pixel checksum": (lambda at: PNG[:at] + bytes([PNG[at] ^ 1]) + PNG[at + 1 :])(len(PNG) - 20),
    "png without pixels": raw_png(20, 20, 8, 2, []),
    "png of no width": raw_png(0, 20, 8, 2, [b""] * 20),
    "png of bad depth": raw_png(4, 4, 7, 2, [bytes(12)] * 4),
    "png text bomb": raw_png(4, 4, 8, 2, [bytes(12)] * 4, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(90_000_000)))),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "eps, which Pillow would hand to another program": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "riff without webp": b"RIFF\x10\0\0\0WAVEfmt " + bytes(40),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_pictures_give_one_line(name):
    with pytest.raises(BrokenError) as e:
        decode(BROKEN[name], S)
    assert 0 < len(str(e.value)) <= 200
    assert "\n" not in str(e.value)


MUTABLE = {
    **{k: make(photo(24, 24)) for k, make in FORMATS.items()},
    "gif": encoded(photo(24, 24), "GIF"),
    "palette": encoded(photo(24, 24).quantize(16), transparency=3),
    "16 bit": grey16(900, 24, 24),
    "exif": encoded(photo(24, 24), "JPEG", exif=(lambda e: (e.__setitem__(0x0112, 6), e)[1])(Image.Exif())),
    "animated webp": encoded(photo(24, 24), "WEBP", save_all=True, append_images=[photo(24, 24, 1)]),
}


@pytest.mark.parametrize("name", MUTABLE)
def test_random_damage_never_crashes_or_hangs(name):
    """Flipped, cut, repeated and inserted bytes: a picture of the right shape or a reason, in a moment."""
    rng, original = np.random.RandomState(zlib.crc32(name.encode())), MUTABLE[name]
    broken = 0
    for _ in range(120):
        data = bytearray(original)
        for _ in range(rng.randint(1, 8)):
            at, kind = rng.randint(len(data)), rng.randint(5)
            if kind < 2:
                data[at] = rng.randint(256)
            elif kind == 2:
                data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
            elif kind == 3:
                data[at:at] = data[at : at + rng.randint(64)]
            else:
                del data[at : at + rng.randint(1, 64)]
        start = time.thread_time()
        try:
            assert decode(bytes(data), Fitting(16, 3)).pixels.shape == (16, 16, 3)
        except BrokenError as e:
            broken += bool(str(e))
        assert time.thread_time() - start < 2
    assert broken > 5


def ramps(w, h, orientation=1):
    """A picture whose red runs from left to right and green from top to bottom, as it is seen upright."""
    y, x = np.mgrid[:h, :w]
    pixels = np.stack([(x + 0.5) * 255 / w, (y + 0.5) * 255 / h, np.zeros((h, w))], -1).round().astype(np.uint8)
    if orientation == 1:
        return encoded(Image.fromarray(pixels))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90), exif=exif)  # 6 turns it back


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_largest_middle_part_of_the_shape_is_cropped(orientation):
    wide = decode(ramps(120, 40, orientation), Fitting(32, aspect="3:2"))
    assert wide.pixels.shape == (32, 48, 3) and wide.remarks & OBLONG
    red, green = wide.pixels[..., 0].mean(0), wide.pixels[..., 1].mean(1)
    assert red[0] == pytest.approx(255 / 4, abs=3) and red[-1] == pytest.approx(255 * 3 / 4, abs=3)  # 60 of 120 columns
    assert green[0] < 8 and green[-1] > 247  # and all rows
    high = decode(ramps(40, 120, orientation), Fitting(32, aspect="3:2")).pixels
    assert high[..., 0].mean(0)[-1] > 247 and high[..., 1].mean(1)[0] == pytest.approx(255 * 0.39, abs=4)


@pytest.mark.parametrize("orientation", [1, 6])
def test_fit_stretches_to_the_shape_and_pad_fills_it(orientation):
    data = ramps(40, 40, orientation)
    stretched = decode(data, Fitting(32, fit="fit", aspect="2:3")).pixels
    assert stretched.shape == (48, 32, 3) and stretched[0, 0, 0] < 8 and stretched[-1, -1, :2].min() > 247
    padded = decode(data, Fitting(32, fit="pad", background=(0, 0, 255), aspect="2:3")).pixels
    assert padded.shape == (48, 32, 3)
    assert (padded[:8] == (0, 0, 255)).all() and (padded[-8:] == (0, 0, 255)).all() and (padded[8:-8, :, 2] == 0).all()


def test_a_picture_of_the_shape_is_no_oblong_one():
    for data, remarks in ((ramps(48, 32), 0), (ramps(48, 32, 6), TURNED), (ramps(32, 32), OBLONG)):
        assert decode(data, Fitting(32, aspect="3:2")).remarks & ~ENLARGED == remarks
    exact = np.asarray(Image.open(io.BytesIO(ramps(48, 32))))
    assert np.array_equal(decode(ramps(48, 32), Fitting(32, channels=3, aspect="3:2")).pixels, exact)
    assert np.array_equal(decode(exact, Fitting(32, channels=3, aspect="3:2")).pixels, exact)


def test_large_photographs_lose_nothing_by_being_decoded_small():
    whole = encoded(photo(1200, 500), "JPEG", quality=95)
    small = encoded(photo(1200, 500), "PNG")
    got, want = (decode(data, Fitting(40, fit="crop", aspect="2:1")).pixels.astype(int) for data in (whole, small))
    assert got.shape == (40, 80, 3) and np.abs(got - want).mean() < 3
