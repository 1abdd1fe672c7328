"""Maps keep their values, lie where their picture lies, and are refused with a reason where they are none."""

import io

import numpy as np
import pytest
from PIL import Image
from samples import chunk, encoded, photo

from sfumato.data.decode import BrokenError, Fitting, decode
from sfumato.data.layouts.geometry import fitted_boxes, fitted_points, nearest_pixels
from sfumato.data.layouts.maps import Legend, from_three_bytes, in_three_bytes, outlines, read_legend, read_map
from sfumato.data.layouts.place import Place
from sfumato.errors import UserError

COLOURS = Legend(("sky", "road"), np.uint8([[70, 130, 180], [128, 64, 128]]))


def file_of(values, dtype, form="PNG"):
    return encoded(Image.fromarray(np.asarray(values, dtype)), form)


@pytest.mark.parametrize(
    ("dtype", "form", "values"),
    [
        (np.uint8, "PNG", [[0, 7, 33], [255, 1, 2]]),
        (np.uint16, "PNG", [[0, 7, 26001], [65535, 1000, 2]]),
        (np.int32, "TIFF", [[0, 7, 33_000_001], [2**31 - 1, 1000, 2]]),
    ],
)
def test_no_value_of_a_map_is_lost(dtype, form, values):
    assert read_map(file_of(values, dtype, form)).tolist() == values


def test_a_palette_means_its_indices():
    image = Image.fromarray(np.uint8([[2, 0], [1, 2]]), "P")
    image.putpalette([9, 9, 9, 0, 0, 0, 200, 0, 0])
    assert read_map(encoded(image)).tolist() == [[2, 0], [1, 2]]


def test_colours_and_palettes_in_the_colours_of_the_legend_mean_its_lines():
    pixels = COLOURS.palette[np.array([[1, 0, 0], [0, 1, 1]])]
    assert read_map(encoded(Image.fromarray(pixels)), COLOURS).tolist() == [[1, 0, 0], [0, 1, 1]]
    paletted = Image.fromarray(pixels).quantize(2)
    assert read_map(encoded(paletted), COLOURS).tolist() == [[1, 0, 0], [0, 1, 1]]


def test_what_is_no_map_is_refused_with_the_reason():
    damaged = bytearray(file_of(np.eye(40) * 9, np.uint8))
    damaged[-30] ^= 255
    for data, legend, reason in (
        (encoded(photo()), None, "3 channels"),
        (encoded(photo()), COLOURS, "not in the legend"),
        (encoded(photo(mode="L"), "JPEG"), None, "JPEG"),
        (encoded(photo(mode="L").convert("F"), "TIFF"), None, "one number for each pixel"),
        (bytes(damaged), None, "checksum"),
        (b"", None, "empty"),
    ):
        with pytest.raises(BrokenError, match=reason):
            read_map(data, legend)


def test_a_map_that_claims_to_be_huge_is_refused_by_its_header():
    head = chunk(b"IHDR", (60_000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0]))
    with pytest.raises(BrokenError, match="million pixels"):
        read_map(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


@pytest.mark.parametrize("fit", ["crop", "fit", "pad"])
@pytest.mark.parametrize(("w", "h"), [(90, 40), (41, 97), (64, 64)])
def test_a_map_lies_where_its_picture_lies(fit, w, h):
    """Of a picture with one bright rectangle and a map of it, the picture is bright where the map is."""
    inside = np.zeros((h, w), np.int32)
    inside[h // 4 : h // 2, w // 3 : 2 * w // 3] = 1
    fitting = Fitting(24, 1, fit, (0, 0, 0))
    picture = decode(encoded(Image.fromarray(np.uint8(inside * 255))), fitting).pixels[..., 0]
    found = nearest_pixels(inside, fitting, 0)
    assert ((picture > 127) == (found == 1)).mean() > 0.97
    assert found[picture > 250].mean() == 1 and found[picture < 5].mean() < 0.01


@pytest.mark.parametrize("fit", ["crop", "fit", "pad"])
def test_points_and_boxes_lie_where_the_pixels_lie(fit):
    w, h, fitting = 90, 40, Fitting(32, 1, fit)
    column, row = np.meshgrid(np.arange(w), np.arange(h))
    number = nearest_pixels(row * w + column, fitting, -1)
    y, x = np.argwhere(number >= 0)[::7].T
    there = np.stack([number[y, x] % w, number[y, x] // w], -1) + 0.5
    found = fitted_points(there, w, h, fitting)
    expected = (np.stack([x, y], -1) + 0.5) / 32
    assert np.abs(found - expected).max() < 0.5 / 32
    assert np.isnan(fitted_points(np.array([[-30.0, 5.0]]), w, h, fitting)).all()
    whole = fitted_boxes(np.array([[0, 0, w, h], [200, 200, 220, 220]], float), w, h, fitting)
    assert np.isnan(whole[1]).all()
    top = {"crop": 0, "fit": 0, "pad": 9 / 32}[fit]
    np.testing.assert_allclose(whole[0], [0, top, 1, 1 - top], atol=1e-6)


def test_three_bytes_hold_what_is_below_two_to_the_24th():
    values = np.array([0, 1, 255, 256, 65_536, 2**24 - 1])
    assert in_three_bytes(values).dtype == np.uint8
    assert from_three_bytes(in_three_bytes(values)).tolist() == values.tolist()


def test_outlines_are_both_sides_of_every_change():
    values = np.zeros((1, 4, 5), np.int32)
    values[0, :, 3:] = 7
    assert outlines(values)[0].tolist() == [[False, False, True, True, False]] * 4


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has 0 lines"),
        ("name,r,g,b\nsky,1,2", "line 1"),
        ("sky,1,2,3\nroad,4,5,256", "line 2"),
        ("a\n" * 256, "has 256 lines"),
    ],
)
def test_a_legend_that_is_none_is_refused(tmp_path, text, reason):
    (tmp_path / "legend.csv").write_text(text)
    with pytest.raises(UserError, match=reason):
        read_legend(Place(tmp_path), "legend.csv")


def test_a_legend_has_names_and_colours_or_names_alone(tmp_path):
    (tmp_path / "a.csv").write_text("name,r,g,b\nsky,70,130,180\nroad,128,64,128\n")
    (tmp_path / "b.csv").write_text("sky\nroad\nsea\n")
    legend = read_legend(Place(tmp_path), "a.csv")
    assert legend.names == ("sky", "road") and legend.palette.tolist() == [[70, 130, 180], [128, 64, 128]]
    plain = read_legend(Place(tmp_path), "b.csv")
    assert plain.names == ("sky", "road", "sea") and len({tuple(c) for c in plain.palette.tolist()}) == 3
    with pytest.raises(BrokenError, match="3 channels"):
        read_map(encoded(photo()), plain)


def test_a_picture_of_a_deep_png_is_written_without_loss():
    from sfumato.data.layouts.opened import as_bytes

    for image in (photo(), photo(mode="L"), photo(mode="RGBA"), photo().convert("CMYK")):
        again = Image.open(io.BytesIO(as_bytes(image)))
        assert again.mode == image.mode and (np.asarray(again) == np.asarray(image)).all()
