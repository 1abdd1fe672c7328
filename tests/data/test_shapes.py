import numpy as np
import pytest

from sfumato.data.prepare import prepare
from sfumato.data.shapes import CLASSES, COLOURS, SHAPES, render_shapes, shapes_factors


def test_a_picture_depends_on_its_index_alone():
    all_at_once, backwards = render_shapes(np.arange(60), 24), render_shapes(np.arange(60)[::-1], 24)
    assert np.array_equal(all_at_once, backwards[::-1])
    assert np.array_equal(all_at_once[41], render_shapes(np.array([41]), 24)[0])


def test_pictures_are_the_same_everywhere():
    expected = [4, 1, 0.16874325402823032, 0.301659158635557, 0.3741444887874112, -0.2444763628453718]
    assert shapes_factors(np.array([1234]))[0] == pytest.approx(expected, abs=1e-12)
    assert render_shapes(np.array([1234]), 32).astype(int).sum() == 428344


def test_modes_are_equally_frequent():
    labels = prepare("shapes", size=4).labels
    assert (np.bincount(labels) == 800).all()
    test = prepare("shapes", size=4, split="test")
    assert (test.n, test.classes, len(CLASSES)) == (2000, CLASSES, 25)
    assert (np.bincount(test.labels) == 80).all()


def test_labels_name_what_the_factors_say():
    factors = shapes_factors(np.arange(25)).astype(int)
    colours = list(COLOURS)
    assert [f"{colours[c]} {SHAPES[s]}" for s, c in factors[:, :2]] == list(CLASSES)


def test_the_factors_are_where_the_shape_is():
    """The colourful part of a picture has its centre at x, y, reaches about the radius, and has the colour."""
    indices = np.arange(250)
    images, factors = render_shapes(indices, 96).astype(float) / 255, shapes_factors(indices)
    axis = (np.arange(96) + 0.5) / 48 - 1
    vivid = images.max(-1) - images.min(-1) > 0.3
    tints = np.array(list(COLOURS.values()))
    for mask, image, (shape, colour, x, y, radius, _) in zip(vivid, images, factors, strict=True):
        v, u = (axis[k] for k in np.nonzero(mask))
        assert np.hypot(u.mean() - x, v.mean() - y) < 0.12
        assert np.hypot(u - x, v - y).max() < 1.16 * radius + 0.04
        assert np.hypot(u - x, v - y).max() > 0.8 * radius
        mean = image[mask].mean(0)
        cosine = tints @ mean / np.linalg.norm(tints, axis=1) / np.linalg.norm(mean)
        assert cosine.argmax() == colour, shape


@pytest.mark.parametrize("size", [8, 32, 64])
def test_shapes_have_their_areas_at_every_size(size):
    """In square radii: a circle of radius 0.88, a square, triangle, star and cross, with slightly rounded corners."""
    indices = np.arange(500)
    images, factors = render_shapes(indices, size).astype(float) / 255, shapes_factors(indices)
    vivid = (images.max(-1) - images.min(-1) > 0.3).mean((1, 2)) * 4 / factors[:, 4] ** 2
    areas = [vivid[factors[:, 0] == k].mean() for k in range(5)]
    expected = [np.pi * 0.88**2, 1.56**2, 1.6, 1.5, 4 * 0.94 * 0.66 - 0.66**2]
    assert areas == pytest.approx(expected, rel=0.12 if size > 8 else 0.3)


def test_edges_are_antialiased():
    """Along an edge between vivid and grey, there are values between."""
    image = render_shapes(np.array([0]), 64)[0].astype(float)
    chroma = image.max(-1) - image.min(-1)
    assert ((chroma > 0.25 * chroma.max()) & (chroma < 0.7 * chroma.max())).sum() > 20
