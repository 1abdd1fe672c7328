"""Where a file lies on its picture: as `decode` lays it, whatever the shape."""

import numpy as np
import pytest

from sfumato.data.decode import Fitting, decode
from sfumato.data.layouts.geometry import fitted_boxes, fitted_points, nearest_pixels, pixels_under, window

CASES = [(w, h, fit, aspect) for w, h in ((90, 60), (50, 80)) for fit in ("crop", "fit", "pad")
         for aspect in ("1:1", "3:2", "2:3", "3:1")]  # fmt: skip


@pytest.mark.parametrize(("w", "h", "fit", "aspect"), CASES)
def test_a_pixel_comes_from_where_decode_takes_it(w, h, fit, aspect):
    fitting = Fitting(20, 3, fit, background=(0, 0, 255), aspect=aspect)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    image = np.stack([x * 2, y * 2, np.zeros_like(x)], -1).round().astype(np.uint8)
    seen = decode(image, fitting).pixels.astype(int)
    columns, rows = pixels_under(w, h, fitting)
    assert (len(rows), len(columns)) == seen.shape[:2] == fitting.sides
    inside = ((rows >= 0) & (rows < h))[:, None] & ((columns >= 0) & (columns < w))
    assert (seen[..., 2] < 128).mean() == pytest.approx(inside.mean(), abs=0.02)
    step = np.ceil(2 / window(w, h, fitting).scale / fitting.sides[::-1]) + 3  # bytes from a pixel to the next
    assert np.abs(seen[..., 0] - 2 * columns)[inside].max() <= step[0]
    assert np.abs(seen[..., 1] - 2 * rows[:, None])[inside].max() <= step[1]
    named = nearest_pixels(image[..., 0], fitting, 255)
    assert named.shape == fitting.sides and (named[~inside] == 255).all()
    assert np.array_equal(named[inside], np.broadcast_to(2 * columns, named.shape)[inside])


def test_points_and_boxes_are_in_sides_of_the_picture():
    fitting = Fitting(20, aspect="3:2")  # of 100×100, rows 17 to 83 are left: 66 of them
    points = fitted_points(np.array([[0.0, 50.0], [100, 50], [50, 5], [25, 83]]), 100, 100, fitting)
    np.testing.assert_allclose(points[[0, 1, 3]], [[0, 0.5], [1, 0.5], [0.25, 1]], atol=1e-6)
    assert np.isnan(points[2]).all()
    boxes = fitted_boxes(np.array([[10.0, 0, 50, 50], [0, 0, 50, 10]]), 100, 100, fitting)
    np.testing.assert_allclose(boxes[0], [0.1, 0, 0.5, 0.5], atol=1e-6)
    assert np.isnan(boxes[1]).all()
